{#- How Spark stores and refreshes what DuckDB does with its own tables: the same affected rows, found and compared in
    the same way, but replaced by whole days, since files of Parquet cannot be changed in place. What dbt-spark offers
    replaces the days that come back alone; a day that has lost its last row would stay. -#}

{% materialization incremental, adapter='spark' %}
    {%- set existing = load_cached_relation(this) -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is none or should_full_refresh() -%}
        {%- if existing is not none -%}
            {%- do adapter.drop_relation(existing) -%}
        {%- endif -%}
        {%- call statement('main') -%}
            {{ create_table_as(False, this, by_whole_days(compiled_code)) }}
        {%- endcall -%}
    {%- else -%}
        {%- do replace_changed_days(this, compiled_code) -%}
        {%- call statement('main') -%}
            select count(*) from {{ change_feed(this) }}
        {%- endcall -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [this]}) }}
{% endmaterialization %}

{#- The rows of a query, those of a day together: one file a day instead of one of each task. A day of more than a task
    should write is spread over several. -#}
{% macro by_whole_days(query) -%}
    {%- if config.get('partition_by') -%}
    select /*+ rebalance({{ config.get('partition_by') }}) */ * from (
        {{ query }}
    ) as rows_of_days
    {%- else -%}
    {{ query }}
    {%- endif -%}
{%- endmacro %}

{#- Each schema has a folder, in which publishing finds the tables, one folder each. Spark owns them: what it drops, a
    table or a day, is gone from there too. -#}
{% macro spark__create_schema(relation) -%}
    {%- do run_query(
        'create schema if not exists ' ~ relation.schema
        ~ ' location ' ~ spark_literal(env_var('CONTACT_DATA_DIR', '') ~ '/spark/tables/' ~ relation.schema)
    ) -%}
{%- endmacro %}

{#- Text as a literal of Spark. -#}
{% macro spark_literal(text) -%}
    {{ return("'" ~ text | string | replace('\\', '\\\\') | replace("'", "\\'") ~ "'") }}
{%- endmacro %}

{#- Temporary relations and change feeds are tables like the others: a temporary
    view would be computed again wherever it is read. -#}
{% macro spark__temporary_relation(what) -%}
    {{ return('changes.' ~ model.name ~ '__' ~ what) }}
{%- endmacro %}

{% macro spark__replace_table(table, query) -%}
    {%- do run_query('drop table if exists ' ~ table) -%}
    create table {{ table }} using parquet as
    {{ query }}
{%- endmacro %}

{% macro spark__store_existing_rows(affected, pruning_key, join_on, and_keys_of) -%}
    {#- Nothing has changed yet. A refresh that was killed is followed by a rebuild, so nothing is left of it here. -#}
    {%- do run_query(replace_table(
        change_feed(this), "select *, 'inserted' as change, 0 as refresh_number from " ~ this ~ ' limit 0'
    )) -%}
    {%- set key = config.require('unique_key') -%}
    {%- set condition -%}
    {%- if pruning_key == 'ordered_at' -%}
        {#- Bounded on both sides by what is in the keys, so that days beyond are passed over unread. -#}
        {{ is_between_found(
            'stored.ordered_at',
            'select min(ordered_at) as instant from ' ~ affected,
            'select max(ordered_at) as instant from ' ~ affected
        ) }} and
    {%- endif %}
    (
        exists (
            select 1 from {{ affected }} as affected
            where {{ join_on or same_key(key, 'stored', 'affected') }}
        )
        {%- if and_keys_of %}
        or exists (
            select 1 from {{ and_keys_of }} as affected
            where {{ same_key(key, 'stored', 'affected') }}
        )
        {%- endif %}
    )
    {%- endset -%}
    {%- do run_query(
        replace_table(existing_rows(), 'select stored.* from ' ~ this ~ ' as stored where ' ~ condition)
    ) -%}
{%- endmacro %}

{#- The next refresh finds that tables were built by hand, and rebuilds all. -#}
{% macro spark__forget_model_states() -%}
    {%- do run_query(replace_table('changes.built_by_hand', 'select 1 as built')) -%}
{%- endmacro %}

{% macro spark__has_key_of(keys, key, relation, pruning_key, pruning_key_in_keys) -%}
    {{ key }} in (select {{ key }} from {{ keys }})
{%- endmacro %}

{#- Whether two rows have one key, in which NULL is a value like any other. -#}
{% macro same_key(key, left_relation, right_relation) -%}
    {%- for column in ([key] if key is string else key) -%}
        {{ left_relation }}.{{ column }} <=> {{ right_relation }}.{{ column }}
        {%- if not loop.last %} and {% endif -%}
    {%- endfor -%}
{%- endmacro %}

{#- Compare what is given for the affected keys with what is stored, keep what changed, then rewrite the days of what
    changed. Nothing here is a transaction: a refresh that was killed is followed by a rebuild (plan.py). -#}
{% macro replace_changed_days(target_relation, query) -%}
    {%- set key, day = config.require('unique_key'), config.get('partition_by') -%}
    {%- set columns = adapter.get_columns_in_relation(target_relation) | map(attribute='quoted') | join(', ') -%}
    {%- set existing, changes = existing_rows(), change_feed(this) -%}
    {%- set given = temporary_relation('given') -%}
    {%- set changed_keys = temporary_relation('changed_keys') -%}
    {%- set rows_of_days = temporary_relation('rows_of_days') -%}

    {%- do run_query(replace_table(given, query)) -%}
    {%- do run_query(replace_table(
        changed_keys,
        'select distinct ' ~ ([key] if key is string else key) | join(', ')
        ~ ' from (' ~ rows_that_differ(columns, given, existing) ~ ') as changed_rows'
    )) -%}
    {%- do run_query(
        replace_table(changes, rows_of_changed_keys(key, columns, given, existing, changed_keys))
    ) -%}
    {%- if day -%}
        {%- set days = run_query('select distinct ' ~ day ~ ' from ' ~ changes).columns[0].values() -%}
    {%- endif -%}
    {%- if days or not day -%}
        {%- do run_query(
            replace_table(rows_of_days, days_as_they_will_be(target_relation, key, day, days, columns))
        ) -%}
        {%- do run_query(
            'insert overwrite table ' ~ target_relation ~ (' partition (' ~ day ~ ')' if day else '')
            ~ ' ' ~ by_whole_days('select ' ~ columns ~ ' from ' ~ rows_of_days)
        ) -%}
        {%- if day -%}
            {%- set filled = run_query('select distinct ' ~ day ~ ' from ' ~ rows_of_days).columns[0].values() -%}
            {%- for emptied in days if emptied not in filled -%}
                {%- do run_query(
                    'alter table ' ~ target_relation ~ ' drop if exists partition ('
                    ~ day ~ " = date'" ~ emptied ~ "')"
                ) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endif -%}
    {%- for kept in [existing, given, changed_keys, rows_of_days] -%}
        {%- do run_query('drop table if exists ' ~ kept) -%}
    {%- endfor -%}
{%- endmacro %}

{% macro rows_of_changed_keys(key, columns, given, existing, changed_keys) -%}
    {%- for relation, change in [(existing, 'removed'), (given, 'inserted')] -%}
    select {{ columns }}, '{{ change }}' as change, {{ refresh_number() }} as refresh_number
    from {{ relation }} as side
    where exists (select 1 from {{ changed_keys }} as changed where {{ same_key(key, 'side', 'changed') }})
    {{ 'union all' if not loop.last }}
    {% endfor %}
{%- endmacro %}

{% macro days_as_they_will_be(target_relation, key, day, days, columns) -%}
    select {{ columns }} from {{ target_relation }} as stored
    where
        not exists (
            select 1 from {{ change_feed(this) }} as changed
            where changed.change = 'removed' and {{ same_key(key, 'stored', 'changed') }}
        )
        {%- if day %}
        and {{ day }} in ({% for changed in days %}date'{{ changed }}'{{ ', ' if not loop.last }}{% endfor %})
        {%- endif %}
    union all
    select {{ columns }} from {{ change_feed(this) }}
    where change = 'inserted'
{%- endmacro %}
