with

periods as (

    select * from {{ ref('report_periods') }}

),

messages_by_period as (

    {{ in_periods(ref('messages_by_day')) }}

),

counts_by_period as (

    {{ in_periods(ref('counts_by_day_and_queue')) }}

),

sums as (

    {{ add_messages('messages_by_period', by=['period', 'queue_id']) }}

    union all

    {{ subtract_repeats('counts_by_period', since='period_start', by=['period', 'queue_id']) }}

),

figures as (

    {{ report_figures('sums', by=['period', 'queue_id']) }}

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
order by periods.period_number, figures.queue_id
