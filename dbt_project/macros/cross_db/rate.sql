{#- The share of a count in another one, in floating point; NULL when the other one is 0. -#}
{% macro rate(part, whole) -%}
    {{ return(adapter.dispatch('rate')(part, whole)) }}
{%- endmacro %}

{% macro default__rate(part, whole) -%}
    cast({{ part }} as double) / nullif({{ whole }}, 0)
{%- endmacro %}

{% macro postgres__rate(part, whole) -%}
    cast({{ part }} as double precision) / nullif({{ whole }}, 0)
{%- endmacro %}
