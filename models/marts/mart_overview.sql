with

periods as (

    select * from {{ ref('report_periods') }}

),

counts as (

    {{ in_periods(ref('counts_by_day')) }}

),

messages_by_day as (

    {{ in_periods(ref('messages_by_day')) }}

),

figures as (

    {{ report_figures(by=['period'], groups='periods', since='period_start') }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    {{ figure_columns() }}
from periods
inner join figures on periods.period = figures.period
