with

periods as (

    select * from {{ ref('report_periods') }}

),

messages as (

    {{ in_periods(ref('fct_messages')) }}

),

message_orders as (

    {{ in_periods(ref('fct_message_orders')) }}

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
