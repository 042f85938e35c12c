{#- Ends the query with a message, where a row reaches it. -#}
{% macro refuse(message) -%}
    {{ return(adapter.dispatch('refuse')(message)) }}
{%- endmacro %}

{% macro default__refuse(message) -%}
    error({{ message }})
{%- endmacro %}

{#- A function that loading makes beside the tables (orchestration/postgres/helpers.sql). -#}
{% macro postgres__refuse(message) -%}
    {{ target.schema }}.refuse({{ message }})
{%- endmacro %}
