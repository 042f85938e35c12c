with

messages as (

    select * from {{ ref('stg_messages') }}

),

orders_of_messages as (

    select
        message_id,
        count(*) as orders_in_window,
        sum(order_value) as revenue_in_window,
        count(case when is_last_touch then 1 end) as orders_credited,
        sum(case when is_last_touch then order_value end) as revenue_credited
    from {{ ref('fct_message_orders') }}
    group by message_id

)

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
    coalesce(orders_of_messages.orders_credited, 0) as orders_credited,
    cast(coalesce(orders_of_messages.revenue_credited, 0) as decimal(38, 2)) as revenue_credited,
    orders_of_messages.message_id is not null as is_converted,
    -- A skipped message opens no window.
    case when messages.status = 'sent' then messages.occurred_at + {{ attribution_window() }} end
        as window_closes_at
from messages
left join orders_of_messages on messages.message_id = orders_of_messages.message_id
