with

days as (

    {{ find_compared_days(ref('report_info')) }}

),

sides as (

    {{ list_sides('days') }}

),

-- From here on as in user_breakdown, with both sides in one pass.
counts as (

    {{ in_compared_days(ref('counts_by_day_and_user'), 'sides') }}
    where {{ has_requested_users_only() }}

),

messages as (

    select * from ({{ read_compared_days(ref('fct_messages'), 'sides') }}) as by_side
    where
        {{ has_requested_ids() }}
        and queues is not null

),

-- Few customers repeat with a user in a range of days.
repeated_customers as (

    select customer_digest from messages
    where previous_sent_date_by_user >= first_day

),

messages_of_repeated_customers as (

    select * from messages
    where customer_digest in (select repeated_customers.customer_digest from repeated_customers)

),

touches as (

    select * from ({{ read_compared_days(ref('fct_message_orders'), 'sides') }}) as by_side
    where
        {{ has_requested_ids() }}
        and queues is not null
        and touch_count_by_user > 1

),

messages_by_day as (

    {{ in_compared_days(ref('messages_by_day'), 'sides') }}
    where {{ has_requested_ids() }}

),

sums as (

    {{ add_messages('messages_by_day', by=['is_base', 'user_id']) }}

    union all

    {{ subtract_repeats('counts', since='first_day', by=['is_base', 'user_id']) }}

    union all

    {{ subtract_repeated_customers('messages_of_repeated_customers', by=['is_base', 'user_id']) }}

    union all

    {{ subtract_repeated_orders('touches', by=['is_base', 'user_id']) }}

),

figures as (

    {{ report_figures('sums', by=['is_base', 'user_id']) }}

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

    {{ compare_figures('period_figures', 'base_figures', by=['user_id']) }}

)

select
    {{ compared_day_columns('days') }},
    compared.user_id,
    names.user_name,
    {{ compared_columns('compared') }}
from compared
inner join {{ ref('dim_users') }} as names on compared.user_id = names.user_id
cross join days
where compared.messages_sent > 0 or compared.messages_sent_base > 0
