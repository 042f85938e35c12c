with

periods as (

    select * from {{ ref('report_periods') }}

),

messages_by_period as (

    {{ in_periods(ref('messages_by_day')) }}

),

counts_by_period as (

    {{ in_periods(ref('counts_by_day_and_user')) }}

),

sums as (

    {{ add_messages('messages_by_period', by=['period', 'user_id']) }}

    union all

    {{ subtract_repeats('counts_by_period', since='period_start', by=['period', 'user_id']) }}

),

figures as (

    {{ report_figures('sums', by=['period', 'user_id']) }}

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
order by periods.period_number, figures.user_id
