{#- A function of PostgreSQL names its tables by schema alone, so that it also answers in a database of another name, such
    as a restored one. -#}
{% macro postgres__generate_database_name(custom_database_name=none, node=none) -%}
    {{ return(none) }}
{%- endmacro %}
