-- Sales are those of the orders, attributed or not, day by day and channel by channel. In the mart, all of
-- them are those that were attributed and those that were not.
{{ config(meta={'dagster': {'ref': {'name': 'mart_sales_daily'}}}) }}

with

both_sides as (

    select
        order_date,
        sales_channel,
        is_attributed,
        times as orders,
        times * order_value as order_value,
        times * refunded_value as refunded_value
    from {{ rows_to_add_up(ref('fct_orders')) }}
    where status = 'placed'

    union all

    select
        order_date,
        sales_channel,
        queue_id is not null as is_attributed,
        -times * orders as orders,
        -times * order_value as order_value,
        -times * refunded_value as refunded_value
    from {{ rows_to_add_up(ref('sales_by_day')) }}

),

differences as (

    select
        order_date,
        sales_channel,
        is_attributed,
        sum(orders) as orders,
        sum(order_value) as order_value
    from both_sides
    group by order_date, sales_channel, is_attributed
    having
        sum(orders) <> 0
        or sum(order_value) <> 0
        or sum(refunded_value) <> 0

)

select
    'of the orders' as sales,
    order_date,
    sales_channel,
    orders,
    order_value
from differences

union all

select
    'in the mart' as sales,
    order_date,
    sales_channel,
    orders_placed - orders_attributed - orders_unattributed as orders,
    revenue_placed - revenue_attributed - revenue_unattributed as order_value
from {{ ref('mart_sales_daily') }}
where
    orders_placed <> orders_attributed + orders_unattributed
    or revenue_placed <> revenue_attributed + revenue_unattributed
    or orders_credited <> orders_attributed
    or revenue_credited <> revenue_attributed
    or value_net <> revenue_placed - value_refunded
