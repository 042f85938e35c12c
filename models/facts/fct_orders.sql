{{ config(unique_key='order_id', concerned='concerned_orders') }}

with

orders as (

    select * from {{ concerned() if is_incremental() else ref('stg_orders') }}

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    {% if is_incremental() %}
    where {{ is_concerned(ref('fct_message_orders'), 'order_id') }}
    {% endif %}

),

credits as (

    select
        order_id,
        message_id,
        touch_count
    from touches
    where is_last_touch

)

select
    orders.order_id,
    orders.customer_id,
    orders.ordered_at,
    orders.sales_channel,
    orders.status,
    orders.order_value,
    orders.refunded_value,
    credits.order_id is not null as is_attributed,
    coalesce(credits.touch_count, 0) as touch_count,
    credits.message_id as credited_message_id
from orders
left join credits on orders.order_id = credits.order_id
