{{
    config(
        unique_key='message_id',
        partition_by='message_date',
        pre_hook="{{ store_existing_rows(
            ref('affected_customers'),
            join_on='stored.customer_id = affected.customer_id'
            ~ ' and stored.message_date >= affected.first_day'
        ) }}",
        batches={'of': 'customers', 'relation': 'stg_messages'}
    )
}}

{#- Not in the incremental branch alone, which dbt does not see while it looks for what is upstream. -#}
{% set changed_messages = ref('changed_messages') %}
{% set columns = [
    'message_id', 'customer_id', 'queue_id', 'user_id', 'status', 'occurred_at', 'message_date'
] %}

with

{% if is_incremental() %}
messages as (

    {{ current_rows(changed_messages, 'message_id', columns) }}

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where {{ has_key_of('messages', 'message_id', ref('fct_message_orders'), 'sent_at', 'occurred_at') }}

),

last_days_before as (

    {{ last_days_before('messages', this, ref('affected_customers')) }}

),

{% else %}
messages as (

    select * from {{ ref('stg_messages') }}
    where {{ customer_is_in_batch('customer_id') }}

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where {{ customer_is_in_batch('customer_id') }}

),

-- No message is before those of a full refresh.
last_days_before as (

    select
        cast(null as string) as message_id,
        cast(null as string) as customer_id,
        cast(null as string) as queue_id,
        cast(null as string) as user_id,
        cast(null as date) as message_date,
        cast(null as date) as converted_date
    where false

),

{% endif %}
orders_of_messages as (

    select
        message_id,
        count(*) as orders_in_window,
        sum(order_value) as revenue_in_window,
        sum(refunded_value) as refunds_in_window,
        count(case when is_last_touch then 1 end) as orders_credited,
        sum(case when is_last_touch then order_value end) as revenue_credited
    from touches
    group by message_id

),

messages_with_orders as (

    select
        messages.message_id,
        messages.customer_id,
        messages.queue_id,
        messages.user_id,
        messages.status,
        messages.occurred_at,
        messages.message_date,
        coalesce(orders_of_messages.orders_in_window, 0) as orders_in_window,
        cast(coalesce(orders_of_messages.revenue_in_window, 0) as decimal(38, 2)) as revenue_in_window,
        cast(coalesce(orders_of_messages.refunds_in_window, 0) as decimal(38, 2)) as refunds_in_window,
        coalesce(orders_of_messages.orders_credited, 0) as orders_credited,
        cast(coalesce(orders_of_messages.revenue_credited, 0) as decimal(38, 2)) as revenue_credited,
        orders_of_messages.message_id is not null as is_converted,
        -- A skipped message opens no window.
        case when messages.status = 'sent' then messages.occurred_at + {{ attribution_window() }} end
            as window_closes_at
    from messages
    left join orders_of_messages on messages.message_id = orders_of_messages.message_id

),

sent_messages as (

    select
        message_id,
        customer_id,
        queue_id,
        user_id,
        message_date,
        case when is_converted then message_date end as converted_date
    from messages_with_orders
    where status = 'sent'

),

sent_messages_and_days_before as (

    select * from sent_messages

    union all

    select * from last_days_before

),

-- A message repeats in a range of days when the day of its customer's message before it is in the range. So
-- the customers of any range are counted without grouping their messages.
previous_days as (

    select
        message_id,
        lag(message_date) over of_customer as previous_sent_date,
        coalesce(lag(message_date) over of_customer <> message_date, true)
        and coalesce(lead(message_date) over of_customer <> message_date, true) as is_only_message_of_day,
        lag(message_date) over of_customer_in_queue as previous_sent_date_in_queue,
        lag(message_date) over of_customer_by_user as previous_sent_date_by_user,
        {{ last_known_before('converted_date', 'of_customer') }} as previous_converted_date,
        {{ last_known_before('converted_date', 'of_customer_in_queue') }}
            as previous_converted_date_in_queue,
        {{ last_known_before('converted_date', 'of_customer_by_user') }}
            as previous_converted_date_by_user
    from sent_messages_and_days_before
    window
        of_customer as (partition by customer_id order by message_date, message_id),
        of_customer_in_queue as (partition by customer_id, queue_id order by message_date, message_id),
        of_customer_by_user as (partition by customer_id, user_id order by message_date, message_id)

)

select
    messages.message_id,
    messages.customer_id,
    messages.queue_id,
    messages.user_id,
    messages.status,
    messages.occurred_at,
    messages.message_date,
    messages.orders_in_window,
    messages.revenue_in_window,
    messages.refunds_in_window,
    messages.orders_credited,
    messages.revenue_credited,
    messages.is_converted,
    messages.window_closes_at,
    previous_days.previous_sent_date,
    previous_days.previous_sent_date_in_queue,
    previous_days.previous_sent_date_by_user,
    previous_days.previous_converted_date,
    previous_days.previous_converted_date_in_queue,
    previous_days.previous_converted_date_by_user,
    coalesce(previous_days.is_only_message_of_day, false) as is_only_message_of_day,
    {{ unique_hash('messages.customer_id') }} as customer_digest
from messages_with_orders as messages
left join previous_days on messages.message_id = previous_days.message_id
