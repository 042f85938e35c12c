{%- set window_before_its_end = 'as_of_days.as_of_ends_at - ' ~ attribution_window() %}

with

as_of_days as (

    select
        cast('{{ as_of_day() }}' as date) as as_of,
        {{ end_of_as_of_day() }} as as_of_ends_at

),

events as (

    select occurred_at as event_at from {{ ref('fct_messages') }}
    union all
    select ordered_at as event_at from {{ ref('fct_orders') }}

),

-- By the as-of day, not by the clock: a rebuild with the same one gives the same row, and an event dated in
-- the future by mistake makes nothing look fresh.
freshness as (

    select
        max(case when event_at < {{ end_of_as_of_day() }} then event_at end) as newest_event_at,
        count(case when event_at >= {{ end_of_as_of_day() }} then 1 end) as events_after_as_of
    from events

)

select
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as refreshed_at,
    as_of_days.as_of,
    as_of_days.as_of_ends_at,
    -- The windows that end with the as-of day begin on the first day that can have an open one.
    cast(
        {{ reporting_date(window_before_its_end) }} - interval 1 day as date
    ) as last_closed_day,
    '{{ reporting_timezone() }}' as timezone,
    '{{ reporting_currency() }}' as currency,
    {{ var('attribution_window_days') }} as attribution_window_days,
    freshness.newest_event_at,
    freshness.events_after_as_of,
    '{{ var("software_version") }}' as software_version
from as_of_days
cross join freshness
