{#- The change feed of a model: its removed and inserted rows since the last finished refresh, told apart by the column
    `change`, each with the number of the refresh: several where some were killed. It is stored in the database of the
    model, because a transaction writes to one database. -#}
{% macro change_feed(model_name) -%}
    {{ return(adapter.dispatch('change_feed')(model_name)) }}
{%- endmacro %}

{% macro duckdb__change_feed(model_name) -%}
    {%- set of_model = namespace(database=target.database) -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == model_name -%}
            {%- set of_model.database = node.database -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(adapter.quote(of_model.database) ~ '.changes.' ~ adapter.quote(model_name)) }}
{%- endmacro %}

{#- A table with the rows of a query, in the place of the one of before. -#}
{% macro replace_table(table, query) -%}
    {{ return(adapter.dispatch('replace_table')(table, query)) }}
{%- endmacro %}

{% macro duckdb__replace_table(table, query) -%}
    create or replace table {{ table }} as
    {{ query }}
{%- endmacro %}

{#- The rows that changed, as a relation: `times` is 1 for a row that was inserted, -1 for one that was removed. -#}
{% macro changed_rows(model_name) %}
    (
        select
            *,
            case when change = 'inserted' then 1 else -1 end as times
        from {{ change_feed(model_name) }}
    )
{% endmacro %}

{#- What a test has to add up: all rows once or, where what did not change was tested before, inserted rows once and
    removed rows once less. -#}
{% macro rows_to_add_up(relation) -%}
    {%- if is_full_refresh(model.name) -%}
    (select *, 1 as times from {{ relation }})
    {%- else -%}
    {{ changed_rows(relation.identifier) }}
    {%- endif -%}
{%- endmacro %}
