-- Credited revenue equals attributed revenue, counted from the messages and from the orders.
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

with

credited as (

    select
        coalesce(sum(orders_credited), 0) as orders_credited,
        coalesce(sum(revenue_credited), 0) as revenue_credited
    from {{ ref('fct_messages') }}

),

touched_orders as (

    select distinct order_id from {{ ref('fct_message_orders') }}

),

attributed as (

    select
        count(*) as orders_attributed,
        coalesce(sum(orders.order_value), 0) as revenue_attributed
    from {{ ref('fct_orders') }} as orders
    inner join touched_orders on orders.order_id = touched_orders.order_id

)

select
    credited.orders_credited,
    attributed.orders_attributed,
    credited.revenue_credited,
    attributed.revenue_attributed
from credited
cross join attributed
where
    credited.orders_credited <> attributed.orders_attributed
    or credited.revenue_credited <> attributed.revenue_attributed
