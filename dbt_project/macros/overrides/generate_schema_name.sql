{#- The schema of a model is its layer, without the prefix of dbt's default: readers know the layers by name. In the
    database of what readers need, and in PostgreSQL, all relations lie side by side, as they are published. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if node.config.database == 'reports' and target.type == 'duckdb' -%}
        main
    {%- elif target.type == 'postgres' -%}
        {{ target.schema }}
    {%- else -%}
        {{ custom_schema_name or target.schema }}
    {%- endif -%}
{%- endmacro %}
