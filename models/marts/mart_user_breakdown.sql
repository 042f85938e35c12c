with

periods as (

    select * from {{ ref('report_periods') }}

),

counts as (

    {{ in_periods(ref('counts_by_day_and_user')) }}

),

messages_by_day as (

    {{ in_periods(ref('messages_by_day')) }}

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
