with

periods as (

    select * from {{ ref('report_periods') }}

),

messages_by_period as (

    {{ in_periods(ref('messages_by_day')) }}

),

counts_by_period as (

    {{ in_periods(ref('counts_by_day')) }}

),

sums as (

    {{ add_messages('messages_by_period', by=['period']) }}

    union all

    {{ subtract_repeats('counts_by_period', since='period_start', by=['period']) }}

),

figures as (

    {{ report_figures('sums', by=['period'], groups='periods') }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    {{ figure_columns() }}
from periods
inner join figures on periods.period = figures.period
order by periods.period_number
