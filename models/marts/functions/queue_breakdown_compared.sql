with

days as (

    {{ find_compared_days(ref('report_info')) }}

),

sides as (

    {{ list_sides('days') }}

),

-- From here on as in queue_breakdown, with both sides in one pass.
counts as (

    {{ in_compared_days(ref('counts_by_day_and_queue'), 'sides') }}
    where {{ has_requested_queues_only() }}

),

messages as (

    select * from ({{ read_compared_days(ref('fct_messages'), 'sides') }}) as by_side
    where
        {{ has_requested_ids() }}
        and users is not null

),

touches as (

    select * from ({{ read_compared_days(ref('fct_message_orders'), 'sides') }}) as by_side
    where
        {{ has_requested_ids() }}
        and users is not null
        and touch_count_in_queue > 1

),

messages_by_day as (

    {{ in_compared_days(ref('messages_by_day'), 'sides') }}
    where {{ has_requested_ids() }}

),

sums as (

    {{ add_messages('messages_by_day', by=['is_base', 'queue_id']) }}

    union all

    {{ subtract_repeats('counts', since='first_day', by=['is_base', 'queue_id']) }}

    union all

    {{ subtract_repeated_customers('messages', by=['is_base', 'queue_id']) }}

    union all

    {{ subtract_repeated_orders('touches', by=['is_base', 'queue_id']) }}

),

figures as (

    {{ report_figures('sums', by=['is_base', 'queue_id']) }}

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

    {{ compare_figures('period_figures', 'base_figures', by=['queue_id']) }}

)

select
    {{ compared_day_columns('days') }},
    compared.queue_id,
    names.queue_name,
    {{ compared_columns('compared') }}
from compared
inner join {{ ref('dim_queues') }} as names on compared.queue_id = names.queue_id
cross join days
where compared.messages_sent > 0 or compared.messages_sent_base > 0
