-- Credited orders and revenue are the same counted from the messages, from the touches and from the orders.
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

with

of_messages as (

    select
        coalesce(sum(orders_credited), 0) as order_count,
        coalesce(sum(revenue_credited), 0) as revenue
    from {{ ref('fct_messages') }}

),

of_touches as (

    select
        -- Each touched order has one first touch, so this counts the distinct orders.
        count(case when is_first_touch then 1 end) as orders_touched,
        count(case when is_last_touch then 1 end) as order_count,
        coalesce(sum(case when is_last_touch then order_value end), 0) as revenue
    from {{ ref('fct_message_orders') }}

),

of_orders as (

    select
        count(*) as order_count,
        coalesce(sum(order_value), 0) as revenue
    from {{ ref('fct_orders') }}
    where is_attributed

)

select
    of_messages.order_count as orders_of_messages,
    of_touches.order_count as orders_of_touches,
    of_orders.order_count as orders_of_orders,
    of_messages.revenue as revenue_of_messages,
    of_touches.revenue as revenue_of_touches,
    of_orders.revenue as revenue_of_orders
from of_messages
cross join of_touches
cross join of_orders
where
    of_messages.order_count <> of_orders.order_count
    or of_touches.order_count <> of_orders.order_count
    or of_touches.orders_touched <> of_orders.order_count
    or of_messages.revenue <> of_orders.revenue
    or of_touches.revenue <> of_orders.revenue
