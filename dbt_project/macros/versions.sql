{#- The latest versions of events: landed rows that no other row of the same event supersedes. -#}

{#- Whether more than one row of an event has landed; by a digest of its id, which is gathered in a third of the time
    and memory that ids take. An event that shares its digest with another one is looked at too, which does no harm:
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

{#- After a view of latest versions: which of them came and went since the last finished refresh, as landed. All
    is known from what landed and from what was superseded, so the view itself need not be compared. A version that
    both landed and was superseded since went too: a refresh that was killed may have taken it for the latest. An
    older version that landed late was never the latest one; it changes nothing. -#}
{% macro keep_changes_of_versions(events, superseded, id) -%}
    {%- if execute and not computed_whole(model.name) -%}
    {%- set changes -%}
    with
    gained as (
        select * from {{ events }} as events
        where
            events.file_id > {{ loaded_through() }}
            and {{ is_latest_version('events', superseded) }}
    ),
    superseded_since as (
        select file_id, row_number from {{ changes_of(superseded.identifier) }} where is_added
        except all
        select file_id, row_number from {{ changes_of(superseded.identifier) }} where not is_added
    )
    select *, true as is_added
    from gained
    union all
    select events.*, false as is_added
    from {{ events }} as events
    inner join superseded_since
        on events.file_id = superseded_since.file_id and events.row_number = superseded_since.row_number
    where events.{{ id }} in (select {{ id }} from gained)
    {%- endset -%}
    {{ replace_table(changes_of(model.name), changes) }}
    {%- endif -%}
{%- endmacro %}
