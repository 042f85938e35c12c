{#- How a refresh recomputes only what the landed events affect, and stays equal to a rebuild.

    A model with an incremental refresh computes its rows for the affected keys, and replaces the existing rows that
    differ. The removed and inserted rows are written, in the same transaction, to its change feed, the table
    changes.<model>; the models downstream derive from there which of their keys are affected. Change feeds
    stay until a refresh has been published, so that a refresh that was killed is finished by the next one.

    orchestration/incremental/plan.py decides which models are rebuilt instead. -#}

{#- The incremental strategy. The model gives all rows of the affected keys; the rows of a unique key are replaced
    together, and only where one of them differs. So keys that have lost their last row go too. -#}
{% macro get_incremental_replace_changed_sql(arg_dict) -%}
    {%- set target, given = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- set key = key_of(arg_dict['unique_key']) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set existing, changed_keys = existing_rows(), adapter.quote(model.name ~ '__changed_keys') -%}

    create or replace temp table {{ changed_keys }} as
    select distinct {{ key }} as changed_key
    from ({{ rows_that_differ(columns, given, existing) }}) as changed_rows;

    insert into {{ change_feed(this) }} ({{ columns }}, change, refresh_number)
    select {{ columns }}, 'removed', {{ refresh_number() }} from {{ existing }}
    where {{ key }} in (select changed_key from {{ changed_keys }})
    union all
    select {{ columns }}, 'inserted', {{ refresh_number() }} from {{ given }}
    where {{ key }} in (select changed_key from {{ changed_keys }});

    delete from {{ target }}
    where rowid in (
        select row_place from {{ existing }}
        where {{ key }} in (select changed_key from {{ changed_keys }})
    );

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ given }}
    where {{ key }} in (select changed_key from {{ changed_keys }});

    drop table {{ existing }};
    drop table {{ changed_keys }};
{%- endmacro %}

{#- Rows that are given more or less often than they exist. -#}
{% macro rows_that_differ(columns, given, existing) -%}
    select {{ columns }}
    from (
        select {{ columns }}, 1 as copies from {{ given }}
        union all
        select {{ columns }}, -1 as copies from {{ existing }}
    ) as both_sides
    group by {{ columns }}
    having sum(copies) <> 0
{%- endmacro %}
