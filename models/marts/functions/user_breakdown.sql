with

-- Without a filter on queues, the repeats are those of a range of days of all messages of a user.
counts as (

    select * from {{ ref('counts_by_day_and_user') }}
    where {{ matches_users_only() }}

),

messages as {{ read_each_time() }} (

    select
        user_id,
        customer_digest,
        status,
        is_converted,
        previous_sent_date_by_user
    from {{ ref('fct_messages') }}
    where
        {{ matches_filter() }}
        and queues is not null
        and status = 'sent'

),

-- Few customers repeat with a user in a range of days.
repeated_customers as (

    select customer_digest from messages
    where previous_sent_date_by_user >= cast(date_from as date)

),

messages_of_repeated_customers as (

    select * from messages
    where customer_digest in (select repeated_customers.customer_digest from repeated_customers)

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ matches_filter() }}
        and queues is not null
        and touch_count_by_user > 1

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ matches_filter() }}

),

sums as (

    {{ add_messages('messages_by_day', by=['user_id']) }}

    union all

    {{ subtract_repeats('counts', since='cast(date_from as date)', by=['user_id']) }}

    union all

    {{ subtract_repeated_customers('messages_of_repeated_customers', by=['user_id']) }}

    union all

    {{ subtract_repeated_orders('touches', by=['user_id']) }}

),

figures as (

    {{ report_figures('sums', by=['user_id']) }}

)

select
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id
where figures.messages_sent > 0
