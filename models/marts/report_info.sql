with

newest_events as (

    select max(occurred_at) as event_at from {{ ref('fct_messages') }}
    union all
    select max(ordered_at) as event_at from {{ ref('fct_orders') }}

)

select
    cast('{{ run_started_at.strftime("%Y-%m-%d %H:%M:%S.%f") }}' as timestamp) as refreshed_at,
    cast('{{ as_of_day() }}' as date) as as_of,
    {{ start_of_day("cast(cast('" ~ as_of_day() ~ "' as date) + interval 1 day as date)") }} as as_of_ends_at,
    '{{ reporting_timezone() }}' as timezone,
    '{{ reporting_currency() }}' as currency,
    {{ var('attribution_window_days') }} as attribution_window_days,
    max(event_at) as newest_event_at,
    '{{ var("software_version") }}' as software_version
from newest_events
