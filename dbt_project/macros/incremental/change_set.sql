{#- The materialization of what an incremental refresh looks at: what changed upstream since the last finished refresh, or
    which rows that affects. A table that each refresh replaces.

    In a full refresh it has no rows, because the models downstream compute all of theirs then. -#}
{% materialization change_set, default %}
    {%- set query -%}
    select * from (
        {{ compiled_code }}
    ) as change_set
    {{ 'where false' if is_full_refresh(model.name) }}
    {%- endset -%}
    {%- call statement('main', auto_begin=False) -%}
        {{ replace_table(this, query) }}
    {%- endcall -%}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{#- The statement that makes a table of the rows of a query, in the place of the one of before. -#}
{% macro replace_table(table, query) -%}
    {{ return(adapter.dispatch('replace_table')(table, query)) }}
{%- endmacro %}

{% macro default__replace_table(table, query) -%}
    create or replace table {{ table }} as
    {{ query }}
{%- endmacro %}
