with

periods as (

    select * from {{ ref('compared_periods') }}

),

messages_by_side as (

    {{ in_compared_periods(ref('messages_by_day')) }}

),

counts_by_side as (

    {{ in_compared_periods(ref('counts_by_day_and_user')) }}

),

sums as (

    {{ add_messages('messages_by_side', by=['period', 'is_base', 'user_id']) }}

    union all

    {{ subtract_repeats('counts_by_side', since='first_day', by=['period', 'is_base', 'user_id']) }}

),

figures as (

    {{ report_figures('sums', by=['period', 'is_base', 'user_id']) }}

),

period_figures as (

    select * from figures
    where not is_base

),

base_figures as (

    select * from figures
    where is_base

),

compared as (

    {{ compare_figures('period_figures', 'base_figures', by=['period', 'user_id']) }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    periods.base_start,
    periods.base_end,
    compared.user_id,
    names.user_name,
    {{ compared_columns('compared') }}
from compared
inner join periods on compared.period = periods.period
inner join {{ ref('dim_users') }} as names on compared.user_id = names.user_id
where compared.messages_sent > 0 or compared.messages_sent_base > 0
order by periods.period_number, compared.user_id
