with

periods as (

    select * from {{ ref('report_periods') }}

),

counts as (

    {{ in_periods(ref('counts_by_day_and_queue')) }}

),

messages_by_day as (

    {{ in_periods(ref('messages_by_day')) }}

),

figures as (

    {{ report_figures(by=['period', 'queue_id'], since='period_start') }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join periods on figures.period = periods.period
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
where figures.messages_sent > 0
