with

periods as (

    select * from {{ ref('compared_periods') }}

),

messages_by_side as (

    {{ in_compared_periods(ref('messages_by_day')) }}

),

counts_by_side as (

    {{ in_compared_periods(ref('counts_by_day_and_queue')) }}

),

sums as (

    {{ add_messages('messages_by_side', by=['period', 'is_base', 'queue_id']) }}

    union all

    {{ subtract_repeats('counts_by_side', since='first_day', by=['period', 'is_base', 'queue_id']) }}

),

figures as (

    {{ report_figures('sums', by=['period', 'is_base', 'queue_id']) }}

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

    {{ compare_figures('period_figures', 'base_figures', by=['period', 'queue_id']) }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    periods.base_start,
    periods.base_end,
    compared.queue_id,
    names.queue_name,
    {{ compared_columns('compared') }}
from compared
inner join periods on compared.period = periods.period
inner join {{ ref('dim_queues') }} as names on compared.queue_id = names.queue_id
where compared.messages_sent > 0 or compared.messages_sent_base > 0
order by periods.period_number, compared.queue_id
