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

{% macro default__has_several_versions(id, events) -%}
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

{#- Which latest versions were removed and inserted since the last finished refresh: the columns, which are the content of
    an event, and `change`. They follow from three things, so the rows of staging need not be compared:

    - inserted: a latest version that landed since, or whose event lost a row;
    - removed: a row that was removed since, whether or not it was the latest version;
    - removed: a row that was superseded since by one that is inserted.

    Each content that a table downstream can still have is among the removed ones, also that of a row that landed and was
    superseded or removed since: a refresh that was killed may have written it. A content that no table has does no harm.
    An event that has its former content again, as after a full dump that repeats it, has not changed. -#}
{% macro changes_of_versions(events, removed, superseded, id, columns) %}
    with

    inserted as (

        select
            {{ columns | join(', ') }},
            file_id
        from {{ events }} as events
        where
            (
                events.file_id > {{ high_water_mark() }}
                or {{ has_key_of(removed, id, events, 'id_digest') }}
            )
            and {{ is_latest_version('events', superseded) }}

    ),

    superseded_since as (

        select file_id, row_number from {{ change_feed(superseded) }} as changes
        where change = 'inserted'

        except all

        select file_id, row_number from {{ change_feed(superseded) }} as changes
        where change = 'removed'

    ),

    superseded_events as (

        select events.*
        from {{ events }} as events
        inner join superseded_since
            on events.file_id = superseded_since.file_id and events.row_number = superseded_since.row_number
        where events.{{ id }} in (select {{ id }} from inserted)

    ),

    changes as (

        select {{ columns | join(', ') }}, file_id, 'inserted' as change from inserted

        union all

        select {{ columns | join(', ') }}, file_id, 'removed' as change from {{ removed }}

        union all

        select {{ columns | join(', ') }}, file_id, 'removed' as change from superseded_events

    ),

    unchanged as (

        select {{ id }}
        from (
            select
                {{ columns | join(', ') }},
                bool_or(change = 'inserted') as is_there,
                min(file_id) as first_file_id
            from changes
            group by {{ columns | join(', ') }}
        ) as contents
        group by {{ id }}
        having count(*) = 1 and bool_and(is_there) and min(first_file_id) <= {{ high_water_mark() }}

    )

    select {{ columns | join(', ') }}, change from changes
    where {{ id }} not in (select unchanged.{{ id }} from unchanged)
{% endmacro %}
