-- Credited orders and revenue are the same counted from the messages, from the touches and from the orders;
-- what lies in the windows of messages is the same counted from them and from the touches.
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

with

of_messages as (

    select
        coalesce(sum(times * orders_credited), 0) as order_count,
        coalesce(sum(times * revenue_credited), 0) as revenue,
        coalesce(sum(times * revenue_in_window), 0) as revenue_in_windows,
        coalesce(sum(times * refunds_in_window), 0) as refunds_in_windows
    from {{ rows_to_add_up(ref('fct_messages')) }}

),

of_touches as (

    select
        -- Each touched order has one first touch, so this counts the distinct orders.
        coalesce(sum(case when is_first_touch then times end), 0) as orders_touched,
        coalesce(sum(case when is_last_touch then times end), 0) as order_count,
        coalesce(sum(case when is_last_touch then times * order_value end), 0) as revenue,
        coalesce(sum(times * order_value), 0) as revenue_in_windows,
        coalesce(sum(times * refunded_value), 0) as refunds_in_windows
    from {{ rows_to_add_up(ref('fct_message_orders')) }}

),

of_orders as (

    select
        coalesce(sum(times), 0) as order_count,
        coalesce(sum(times * order_value), 0) as revenue
    from {{ rows_to_add_up(ref('fct_orders')) }}
    where is_attributed

)

select
    of_messages.order_count as orders_of_messages,
    of_touches.order_count as orders_of_touches,
    of_orders.order_count as orders_of_orders,
    of_messages.revenue as revenue_of_messages,
    of_touches.revenue as revenue_of_touches,
    of_orders.revenue as revenue_of_orders,
    of_messages.revenue_in_windows as revenue_in_windows_of_messages,
    of_touches.revenue_in_windows as revenue_in_windows_of_touches,
    of_messages.refunds_in_windows as refunds_in_windows_of_messages,
    of_touches.refunds_in_windows as refunds_in_windows_of_touches
from of_messages
cross join of_touches
cross join of_orders
where
    of_messages.order_count <> of_orders.order_count
    or of_touches.order_count <> of_orders.order_count
    or of_touches.orders_touched <> of_orders.order_count
    or of_messages.revenue <> of_orders.revenue
    or of_touches.revenue <> of_orders.revenue
    or of_messages.revenue_in_windows <> of_touches.revenue_in_windows
    or of_messages.refunds_in_windows <> of_touches.refunds_in_windows
