{#- Overrides dbt-spark's own, which puts values between quotes as they are: a name with an apostrophe ends its own
    literal. Seeds are names, so all their columns are text. -#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set rows = [] -%}
    {%- for row in agate_table.rows -%}
        {%- set values = [] -%}
        {%- for value in row -%}
            {%- do values.append('null' if value is none else spark_literal(value)) -%}
        {%- endfor -%}
        {%- do rows.append('(' ~ values | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- if rows -%}
        {%- set sql = 'insert into ' ~ this ~ ' values ' ~ rows | join(', ') -%}
        {%- do adapter.add_query(sql, abridge_sql_log=True) -%}
        {{ return(sql) }}
    {%- endif -%}
    {{ return('') }}
{% endmacro %}
