{#- Overrides dbt-duckdb's own for a table with batches. -#}
{% macro duckdb__create_table_as(
    temporary, relation, compiled_code, language='sql', partitioned_by=none, sorted_by=none
) -%}
    {%- if temporary or not config.get('batches') -%}
    {{ return(dbt.duckdb__create_table_as(
        temporary, relation, compiled_code, language, partitioned_by=partitioned_by, sorted_by=sorted_by
    )) }}
    {%- endif -%}
    {{ get_assert_columns_equivalent(compiled_code) }}
    create table {{ relation }} {{ get_table_columns_and_constraints() }};
    {% for batch in batches_of_table() %}
        {%- for name, value in batch.items() %}
    set variable {{ name }} = {{ value }};
        {%- endfor %}
    insert into {{ relation }} {{ get_column_names() }} (
        {{ get_select_subquery(compiled_code) }}
    );
        {%- if loop.last %}
            {%- for name in batch %}
    reset variable {{ name }};
            {%- endfor %}
        {%- endif %}
    {% endfor %}
{%- endmacro %}
