-- The attribution rule once more, checked on what the facts say of the two sides of each touch.
{{ config(meta={'dagster': {'ref': {'name': 'fct_message_orders'}}}) }}

with

{% if computed_whole(model.name) %}
touches as (

    select
        message_id,
        order_id
    from {{ ref('fct_message_orders') }}

),

messages as (

    select * from {{ ref('fct_messages') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

)
{% else %}
touches as (

    select
        message_id,
        order_id
    from {{ ref('fct_message_orders') }}
    where message_id in (select message_id from {{ changes_of('fct_messages') }})

    union

    select
        message_id,
        order_id
    from {{ ref('fct_message_orders') }}
    where order_id in (select order_id from {{ changes_of('fct_orders') }})

),

messages as (

    select * from {{ ref('fct_messages') }}
    where message_id in (select touches.message_id from touches)

),

orders as (

    select * from {{ ref('fct_orders') }}
    where order_id in (select touches.order_id from touches)

)
{% endif %}

select
    touches.message_id,
    touches.order_id,
    messages.status as message_status,
    orders.status as order_status,
    messages.occurred_at,
    orders.ordered_at
from touches
left join messages on touches.message_id = messages.message_id
left join orders on touches.order_id = orders.order_id
where
    not coalesce(
        messages.status = 'sent'
        and orders.status = 'placed'
        and orders.customer_id = messages.customer_id
        and orders.ordered_at >= messages.occurred_at
        and orders.ordered_at < messages.window_closes_at,
        false
    )
