-- Events later than the as-of day, with their files: they count in no period and for no freshness. Somebody
-- should look at the clock of their source, or at the as-of day. Those of today and tomorrow are usual, so
-- report_info only counts them.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

{% set entities = {
    'message': ('message_id', 'occurred_at', ref('fct_messages'), source('raw', 'message_events')),
    'order': ('order_id', 'ordered_at', ref('fct_orders'), source('raw', 'order_events')),
} %}
{% set day_after_tomorrow = today() + modules.datetime.timedelta(days=2) %}
{% set today_begins_at = start_of_day("cast('" ~ today() ~ "' as date)") %}
{% set tomorrow_ends_at = start_of_day("cast('" ~ day_after_tomorrow ~ "' as date)") %}

{% for entity, (id, happened_at, facts, events) in entities.items() %}
select
    '{{ entity }}' as entity,
    facts.{{ id }} as id,
    facts.{{ happened_at }} as dated,
    min(contents.path) as path
from {{ facts }} as facts
-- The rows of other versions may be dated otherwise.
inner join {{ events }} as events
    on
        facts.{{ id }} = events.{{ id }}
        and facts.{{ happened_at }} = events.{{ happened_at }}
inner join {{ source('raw', 'contents') }} as contents on events.file_id = contents.file_id
where
    facts.{{ happened_at }} >= {{ end_of_as_of_day() }}
    and not (
        facts.{{ happened_at }} >= {{ today_begins_at }}
        and facts.{{ happened_at }} < {{ tomorrow_ends_at }}
    )
    and events.{{ happened_at }} >= {{ end_of_as_of_day() }}
group by facts.{{ id }}, facts.{{ happened_at }}
{{ 'union all' if not loop.last }}
{% endfor %}
