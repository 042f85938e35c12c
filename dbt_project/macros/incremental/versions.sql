{#- The latest versions of events: landed rows that no other row of the same event supersedes. -#}

{#- Whether more than one row of an event has landed; by a hash of its id, which is grouped in a third of the time
    and memory that ids take. An event that shares its hash with another one is looked at too, which does no harm:
    it has one version, the latest. -#}
{% macro has_several_versions(id, events) -%}
    {{ return(adapter.dispatch('has_several_versions')(id, events)) }}
{%- endmacro %}

{% macro spark__has_several_versions(id, events) -%}
    {{ id }} in (
        select repeated.{{ id }} from {{ events }} as repeated
        group by repeated.{{ id }}
        having count(*) > 1
    )
{%- endmacro %}

{% macro duckdb__has_several_versions(id, events) -%}
    hash({{ id }}) in (
        select hash(repeated.{{ id }}) from {{ events }} as repeated
        group by hash(repeated.{{ id }})
        having count(*) > 1
    )
{%- endmacro %}

{#- Whether a landed row is its event's latest version. -#}
{% macro is_latest_version(events, superseded) -%}
    not exists (
        select 1 from {{ superseded }} as superseded
        where superseded.file_id = {{ events }}.file_id and superseded.row_number = {{ events }}.row_number
    )
{%- endmacro %}

{#- After a view of latest versions: which of them were removed and inserted since the last finished refresh, as
    landed. All is known from what landed, what was removed and what was superseded, so the view itself need not be
    compared. A row that landed and left, or was superseded, since then counts as removed too: a refresh that was
    killed may have taken it for the latest. So does an older version that was never the latest; it does no harm.
    A message or order with the content that it had before, as after a full dump that repeats it, has not changed. -#}
{% macro keep_change_feed_of_versions(events, removed, superseded, id) -%}
    {%- if execute and not is_full_refresh(model.name) -%}
    {%- set columns = adapter.get_columns_in_relation(events) | map(attribute='name') | list -%}
    {%- set content = [] -%}
    {%- for column in columns if column not in ['updated_at', 'has_version', 'file_id', 'row_number', 'id_digest'] -%}
        {%- do content.append(column) -%}
    {%- endfor -%}
    {%- set changes -%}
    with
    inserted as (
        select * from {{ events }} as events
        where
            (
                events.file_id > {{ high_water_mark() }}
                or {{ has_key_of(removed, id, events, 'id_digest') }}
            )
            and {{ is_latest_version('events', superseded) }}
    ),
    superseded_since as (
        select file_id, row_number from {{ change_feed(superseded.identifier) }} where change = 'inserted'
        except all
        select file_id, row_number from {{ change_feed(superseded.identifier) }} where change = 'removed'
    ),
    removed as (
        select {{ columns | join(', ') }} from {{ removed }}
        union all
        select {% for column in columns %}events.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
        from {{ events }} as events
        inner join superseded_since
            on events.file_id = superseded_since.file_id and events.row_number = superseded_since.row_number
        where events.{{ id }} in (select {{ id }} from inserted)
    ),
    changes as (
        select *, 'inserted' as change from inserted
        union all
        select *, 'removed' as change from removed
    )
    select * from changes
    where {{ id }} not in (
        select {{ id }}
        from (
            select {{ content | join(', ') }},
                bool_or(change = 'inserted') as is_there,
                min(file_id) as first_file_id
            from changes
            group by {{ content | join(', ') }}
        ) as content
        group by {{ id }}
        having count(*) = 1 and bool_and(is_there) and min(first_file_id) <= {{ high_water_mark() }}
    )
    {%- endset -%}
    {{ replace_table(change_feed(model.name), changes) }}
    {%- endif -%}
{%- endmacro %}
