{#- All touches of an order are replaced together, so the order is the key.

    Clustered by month. Within a month, orders with several touches come first, because the table functions
    read only those from the facts. -#}
{{
    config(
        unique_key='order_id',
        partition_by='message_date',
        pre_hook="{{ store_existing_rows(ref('affected_orders'), pruning_key='ordered_at') }}",
        batches={'of': 'months', 'relation': 'stg_orders', 'happened': 'ordered_at'},
        cluster_by=[
            "date_trunc('month', message_date)",
            'touch_count_by_user = 1',
            'touch_count_in_queue = 1',
            'touch_count_on_day = 1',
            'touch_count = 1',
            'message_date'
        ]
    )
}}

-- A sent message touches every order that the same customer places from the instant of the message on
-- and before the attribution window closes, which is as long as attribution_window_days of dbt_project.yml
-- says. Cancelled orders and guest orders are never touched.
-- Of the messages that touch an order, the last one sent is credited with it.

with

{% if is_incremental() %}
orders as (

    select * from {{ ref('affected_orders') }}
    where is_latest

),

messages as (

    select * from {{ ref('stg_messages') }}
    where customer_id in (select orders.customer_id from orders)

),

{% else %}
orders as (

    select * from {{ ref('stg_orders') }}

),

messages as (

    select * from {{ ref('stg_messages') }}

),

{% endif %}
sent_messages as (

    select
        message_id,
        customer_id,
        queue_id,
        user_id,
        message_date,
        occurred_at as sent_at,
        occurred_at + {{ attribution_window() }} as window_closes_at
    from messages
    where
        status = 'sent'
        and {{ is_in_batch('occurred_at', reach=attribution_window()) }}

),

eligible_orders as (

    select
        *,
        {{ time_bucket('ordered_at') }} as time_bucket
    from orders
    where
        status = 'placed'
        and customer_id is not null
        and {{ is_in_batch('ordered_at') }}

),

-- Time buckets are as long as the window, so an order that a message touches is in the bucket of the message
-- or in the next one. Joining on the bucket too keeps the work in proportion to the orders around a message,
-- however long the history of a customer is. It adds no pair and loses none.
sent_messages_by_time_bucket as (

    {{ reach_time_buckets('sent_messages', 'sent_at') }}

),

touches as (

    select
        messages.message_id,
        orders.order_id,
        orders.customer_id,
        orders.time_bucket,
        messages.queue_id,
        messages.user_id,
        messages.message_date,
        messages.sent_at,
        orders.ordered_at,
        orders.sales_channel,
        orders.order_value,
        orders.refunded_value
    from sent_messages_by_time_bucket as messages
    inner join eligible_orders as orders
        on
            messages.customer_id = orders.customer_id
            and messages.reached_time_bucket = orders.time_bucket
            and messages.sent_at <= orders.ordered_at
            and messages.window_closes_at > orders.ordered_at

),

numbered_touches as (

    select
        *,
        -- Messages of one instant are told apart by their id, so that exactly one of them is the last.
        cast(row_number() over touches_of_order as bigint) as touch_number,
        count(*) over all_touches_of_order as touch_count
    from touches
    -- An order has one customer and one time bucket, so these two divide no order. With them, Spark finds its
    -- touches together where the join has left them, and does not shuffle them once more.
    window
        touches_of_order as (
            partition by customer_id, time_bucket, order_id order by sent_at, message_id
        ),
        all_touches_of_order as (
            partition by customer_id, time_bucket, order_id order by sent_at, message_id
            rows between unbounded preceding and unbounded following
        )

),

counted_touches as (

    {{ count_touches_in_groups('numbered_touches') }}

)

select
    message_id,
    order_id,
    customer_id,
    queue_id,
    user_id,
    message_date,
    sent_at,
    ordered_at,
    sales_channel,
    order_value,
    refunded_value,
    touch_number,
    touch_count,
    touch_number = 1 as is_first_touch,
    touch_number = touch_count as is_last_touch,
    touch_count_on_day,
    touch_count_in_queue,
    touch_count_by_user,
    {{ unique_hash('order_id') }} as order_digest
from counted_touches
{{ cluster_rows() }}
