{#- How a refresh recomputes only what the landed events affect, and stays equal to a rebuild.

    A model with an incremental refresh stores the existing rows of the affected keys (its pre-hook), computes the rows of
    these keys, and replaces those that differ (its strategy). The removed and inserted rows go to its change feed, the
    table changes.<model> in the database of the model, in the same transaction: dbt opens it before the pre-hook and
    commits it after the last statement. The models downstream derive from the change feed which of their keys are
    affected. Change feeds stay until a refresh has finished, so that a refresh that was killed is finished by the next
    one.

    orchestration/incremental/plan.py decides which models get a full refresh instead, and makes the feeds
    (orchestration/engines/tables.py). -#}

{#- The pre-hook of an incremental model: stores its existing rows of the affected keys, which are those of a relation.

    They are found by the unique key. With a pruning key, a column of both relations, they are found faster: `affected`
    must then have it as it was for each existing row. Where the key is not enough, `join_on` says when a row `stored`
    belongs to a row `affected`. Rows with the keys of `and_keys_of` are stored too: a query over this model itself, which
    no model upstream can read. -#}
{% macro store_existing_rows(affected, pruning_key=none, join_on=none, and_keys_of=none) -%}
    {%- if execute and is_incremental() -%}
    {{ adapter.dispatch('store_existing_rows')(affected, pruning_key, join_on, and_keys_of) }}
    {%- endif -%}
{%- endmacro %}

{% macro default__store_existing_rows(affected, pruning_key, join_on, and_keys_of) -%}
    {%- set key = config.require('unique_key') -%}
    create or replace temp table {{ existing_rows() }} as
    select
        rowid as row_id,
        *
    from {{ this }}
    where
    {%- if pruning_key %}
        {{ has_key_of(affected, key, this, pruning_key) }}
    {%- else %}
        -- Found by what that takes alone, then fetched by their place, which reads a fraction of what one step would.
        rowid in (
            select stored.rowid
            from {{ this }} as stored
        {%- if join_on %}
            inner join {{ affected }} as affected on {{ join_on }}
        {%- else %}
            where {{ key_of(key) }} in (
                select {{ key_of(key) }} from {{ affected }}
            {%- if and_keys_of %}
                union all
                select {{ key_of(key) }} from {{ and_keys_of }}
            {%- endif %}
            )
        {%- endif %}
        )
    {%- endif %};
{%- endmacro %}

{#- The relation of the existing rows of this model that belong to the affected rows, each with its rowid in the table
    (row_id). -#}
{% macro existing_rows() -%}
    {{ return(temporary_relation('existing_rows')) }}
{%- endmacro %}

{#- The incremental strategy. The model computes all rows of the affected keys; the rows of a key are replaced together, and
    only where one of them differs. So a `unique_key` may have several rows, and a key that has lost its last row goes. -#}
{% macro get_incremental_replace_changed_sql(arg_dict) -%}
    {%- set target, computed = arg_dict['target_relation'], arg_dict['temp_relation'] -%}
    {%- set key = key_of(arg_dict['unique_key']) -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set existing, changed_keys = existing_rows(), adapter.quote(model.name ~ '__changed_keys') -%}

    create or replace temp table {{ changed_keys }} as
    select distinct {{ key }} as changed_key
    from ({{ rows_that_differ(columns, computed, existing) }}) as changed_rows;

    insert into {{ change_feed(this) }} ({{ columns }}, change, refresh_number)
    select {{ columns }}, 'removed', {{ refresh_number() }} from {{ existing }}
    where {{ key }} in (select changed_key from {{ changed_keys }})
    union all
    select {{ columns }}, 'inserted', {{ refresh_number() }} from {{ computed }}
    where {{ key }} in (select changed_key from {{ changed_keys }});

    delete from {{ target }}
    where rowid in (
        select row_id from {{ existing }}
        where {{ key }} in (select changed_key from {{ changed_keys }})
    );

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ computed }}
    where {{ key }} in (select changed_key from {{ changed_keys }});

    drop table {{ existing }};
    drop table {{ changed_keys }};
{%- endmacro %}

{#- Rows of which there are more or fewer among the computed rows than among the existing ones. -#}
{% macro rows_that_differ(columns, computed, existing) -%}
    select {{ columns }}
    from (
        select {{ columns }}, 1 as copies from {{ computed }}
        union all
        select {{ columns }}, -1 as copies from {{ existing }}
    ) as both_sides
    group by {{ columns }}
    having sum(copies) <> 0
{%- endmacro %}

{#- The change feed of an incremental model: its removed and inserted rows since the last finished refresh, told apart by
    the column `change`, each with the number of the refresh: several where some were killed. It is stored in the
    database of the model, because a transaction writes to one database. In a full refresh there is none, which reads
    as one without rows. -#}
{% macro change_feed(relation) -%}
    {%- if is_full_refresh(model.name) -%}
    (
        select
            *,
            'inserted' as change,
            0 as refresh_number
        from {{ relation }}
        where false
    )
    {%- else -%}
    {{ return(relation.incorporate(path={'schema': 'changes'})) }}
    {%- endif -%}
{%- endmacro %}

{#- The rows of a model that changed, as a relation: `times` is 1 for a row that was inserted, -1 for one that was
    removed. -#}
{% macro changed_rows(relation) %}
    (
        select
            *,
            case when change = 'inserted' then 1 else -1 end as times
        from {{ change_feed(relation) }} as changes
    )
{% endmacro %}

{#- What a test has to add up: all rows (`times` is 1) or, where what did not change was tested before, the changed rows. -#}
{% macro rows_to_add_up(relation) -%}
    {%- if is_full_refresh(model.name) -%}
    (select *, 1 as times from {{ relation }})
    {%- else -%}
    {{ changed_rows(relation) }}
    {%- endif -%}
{%- endmacro %}

{#- The current rows of what is upstream: those that its changes inserted, and those that did not change, as this model
    has them in its existing rows. -#}
{% macro current_rows(changes, key, columns) -%}
    select {{ columns | join(', ') }} from {{ changes }}
    where change = 'inserted'

    union all

    select {{ columns | join(', ') }} from {{ existing_rows() }}
    where {{ key }} not in (select changes.{{ key }} from {{ changes }} as changes)
{%- endmacro %}

{#- Whether a row of a table has a key that another relation has. Rows are looked for by the pruning key, an instant or a
    hash, which the other relation has too, perhaps by another name: that takes a fifth of the time of ids. -#}
{% macro has_key_of(keys, key, relation, pruning_key, pruning_key_in_keys=none) -%}
    {{ return(adapter.dispatch('has_key_of')(keys, key, relation, pruning_key, pruning_key_in_keys)) }}
{%- endmacro %}

{% macro default__has_key_of(keys, key, relation, pruning_key, pruning_key_in_keys) -%}
    rowid in (
        select stored.rowid
        from {{ relation }} as stored
        where stored.{{ pruning_key }} in (select {{ pruning_key_in_keys or pruning_key }} from {{ keys }})
    )
    and {{ key }} in (select {{ key }} from {{ keys }})
{%- endmacro %}

{#- A key as one value: that of its column, or all of its columns, among which NULL is a value like any other. -#}
{% macro key_of(key) -%}
    {{ key if key is string else 'row(' ~ key | join(', ') ~ ')' }}
{%- endmacro %}

{#- A relation that exists while this model is refreshed. -#}
{% macro temporary_relation(what) -%}
    {{ return(adapter.dispatch('temporary_relation')(what)) }}
{%- endmacro %}

{% macro default__temporary_relation(what) -%}
    {{ return(adapter.quote(model.name ~ '__' ~ what)) }}
{%- endmacro %}
