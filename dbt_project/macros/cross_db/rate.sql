{#- A number as a fraction of another one, in floating point; NULL where the other one is 0 or NULL. -#}
{% macro rate(part, whole) -%}
    {{ return(adapter.dispatch('rate')(part, whole)) }}
{%- endmacro %}

{% macro default__rate(part, whole) -%}
    cast({{ part }} as double) / nullif(cast({{ whole }} as double), 0)
{%- endmacro %}

{% macro postgres__rate(part, whole) -%}
    cast({{ part }} as double precision) / nullif(cast({{ whole }} as double precision), 0)
{%- endmacro %}
