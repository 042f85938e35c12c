{#- How a refresh recomputes only what the landed events concern, and stays equal to a rebuild.

    A model with an incremental refresh computes its rows for the affected keys, and replaces the stored rows that
    differ. The removed and inserted rows are written, in the same transaction, to its change feed, the table
    changes.<model>; the models downstream derive from there which of their keys are affected. Change feeds
    stay until a refresh has been published, so that a refresh that was killed is finished by the next one.

    Which models are rebuilt from nothing instead is decided by orchestration/plan.py. -#}

{#- The names of models and tests that this refresh has to compute over everything. Without a plan, as when dbt is
    called by hand, all of them. Read while a model runs, never while it is parsed. -#}
{% macro is_full_refresh(name) -%}
    {%- set names = env_var('CONTACT_REBUILD', '*').split(',') if execute else ['*'] -%}
    {{ return('*' in names or name in names) }}
{%- endmacro %}

{% macro forget_model_states() -%}
    {% if execute and flags.WHICH in ('build', 'run', 'seed') and is_full_refresh('*') %}
    {{ adapter.dispatch('forget_model_states')() }}
    {% endif %}
{%- endmacro %}

{% macro duckdb__forget_model_states() -%}
    drop table if exists raw.model_states
{%- endmacro %}

{#- A dbt whose refresh was killed may come to its work when the next refresh has begun: it leaves the work to it. -#}
{% macro stop_when_superseded() -%}
    {%- set number = env_var('CONTACT_REFRESH_NUMBER', '') if execute else '' -%}
    {%- if number -%}
        {%- set latest = run_query('select max(refresh_number) from raw.refreshes').columns[0].values()[0] -%}
        {%- if latest > number | int -%}
            {{ exceptions.raise_compiler_error(
                'Refresh ' ~ number ~ ' was killed and refresh ' ~ latest ~ ' has begun, which does its work.'
            ) }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro refresh_number() -%}
    {{ return(env_var('CONTACT_REFRESH_NUMBER') | int) }}
{%- endmacro %}

{#- The high-water mark: the number of the last file that the last finished refresh has loaded. Not read while dbt
    parses, or it would parse the models again whenever that number changes. -#}
{% macro high_water_mark() -%}
    {{ return(env_var('CONTACT_HIGH_WATER_MARK', '0') | int if execute else 0) }}
{%- endmacro %}

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

{#- The pre-hook of an incremental model: stores the affected rows, which the query finds, and the existing rows of this
    model that belong to them. These are found by the unique key. A pruning key, an instant that is known of each key,
    makes that faster. Where the key is not enough, `join_on` says when a row `stored` belongs to a row `affected`. -#}
{% macro keep_affected_rows(query, pruning_key=none, join_on=none) -%}
    {%- if execute and is_incremental() -%}
    {{ adapter.dispatch('keep_affected_rows')(query, pruning_key, join_on) }}
    {%- endif -%}
{%- endmacro %}

{% macro duckdb__keep_affected_rows(query, pruning_key, join_on) -%}
    {%- set key = config.require('unique_key') -%}
    create or replace temp table {{ affected_rows() }} as {{ query }};

    create or replace temp table {{ existing_rows() }} as
    select
        rowid as row_place,
        *
    from {{ this }}
    where
    {%- if pruning_key %}
        {{ has_key_of(affected_rows(), key, this, pruning_key) }}
    {%- else %}
        -- Found by what that takes alone, then fetched by their place, which reads a fraction of what one step would.
        rowid in (
            select stored.rowid
            from {{ this }} as stored
        {%- if join_on %}
            inner join {{ affected_rows() }} as affected on {{ join_on }}
        {%- else %}
            where {{ key_of(key) }} in (select {{ key_of(key) }} from {{ affected_rows() }})
        {%- endif %}
        )
    {%- endif %};
{%- endmacro %}

{#- The relation of the affected rows: keys, with whatever else the query gives. -#}
{% macro affected_rows() -%}
    {{ return(temporary_relation('affected')) }}
{%- endmacro %}

{#- The relation of the existing rows of this model that belong to the affected rows, each with its place in the table
    (row_place). -#}
{% macro existing_rows() -%}
    {{ return(temporary_relation('existing_rows')) }}
{%- endmacro %}

{#- A relation that exists while this model is refreshed. -#}
{% macro temporary_relation(what) -%}
    {{ return(adapter.dispatch('temporary_relation')(what)) }}
{%- endmacro %}

{% macro duckdb__temporary_relation(what) -%}
    {{ return(adapter.quote(model.name ~ '__' ~ what)) }}
{%- endmacro %}

{#- The current rows of the model upstream: its inserted rows, and those that did not change, as this model has them in
    its existing rows. -#}
{% macro current_rows(model_name, key, columns) -%}
    select {{ columns | join(', ') }} from {{ change_feed(model_name) }}
    where change = 'inserted'

    union all

    select {{ columns | join(', ') }} from {{ existing_rows() }}
    where {{ key }} not in (select changes.{{ key }} from {{ change_feed(model_name) }} as changes)
{%- endmacro %}

{#- Whether a row of a table has a key that is found in another relation. The pruning key, an instant or a hash, is known
    of each of these keys, there perhaps by another name. It finds rows in a fifth of the time that ids take. -#}
{% macro has_key_of(keys, key, relation, pruning_key, pruning_key_in_keys=none) -%}
    {{ return(adapter.dispatch('has_key_of')(keys, key, relation, pruning_key, pruning_key_in_keys)) }}
{%- endmacro %}

{% macro duckdb__has_key_of(keys, key, relation, pruning_key, pruning_key_in_keys) -%}
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

    insert into {{ change_feed(model.name) }} ({{ columns }}, change, refresh_number)
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

    drop table {{ affected_rows() }};
    drop table {{ existing }};
    drop table {{ changed_keys }};
{%- endmacro %}

{#- Rows that are given more or less often than they are stored. -#}
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

{#- What a test has to add up: all rows once, or, where what did not change was tested before, those that a model
    gained once and those that it lost once less. -#}
{% macro rows_to_add_up(relation) -%}
    {%- if is_full_refresh(model.name) -%}
    (select *, 1 as times from {{ relation }})
    {%- else -%}
    (select *, case when change = 'inserted' then 1 else -1 end as times from {{ change_feed(relation.identifier) }})
    {%- endif -%}
{%- endmacro %}
