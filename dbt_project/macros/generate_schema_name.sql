{#- The schema of a model is its layer, without the prefix of dbt's default: readers know the layers by name. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name or target.schema }}
{%- endmacro %}
