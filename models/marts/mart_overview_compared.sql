with

periods as (

    select * from {{ ref('compared_periods') }}

),

-- A side without messages has a row too.
sides as (

    select
        period,
        false as is_base
    from periods

    union all

    select
        period,
        true as is_base
    from periods

),

messages_by_side as (

    {{ in_compared_periods(ref('messages_by_day')) }}

),

counts_by_side as (

    {{ in_compared_periods(ref('counts_by_day')) }}

),

sums as (

    {{ add_messages('messages_by_side', by=['period', 'is_base']) }}

    union all

    {{ subtract_repeats('counts_by_side', since='first_day', by=['period', 'is_base']) }}

),

figures as (

    {{ report_figures('sums', by=['period', 'is_base'], groups='sides') }}

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

    {{ compare_figures('period_figures', 'base_figures', by=['period']) }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    periods.base_start,
    periods.base_end,
    {{ compared_columns('compared') }}
from compared
inner join periods on compared.period = periods.period
order by periods.period_number
