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

    {{ report_figures(by=['period', 'user_id'], since='period_start') }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join periods on figures.period = periods.period
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id
where figures.messages_sent > 0
