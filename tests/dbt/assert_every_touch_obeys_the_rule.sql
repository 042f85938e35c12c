-- The attribution rule once more, checked on what the facts say of the two sides of each touch: a converted
-- message and an attributed order.
{{ config(meta={'dagster': {'ref': {'name': 'fct_message_orders'}}}) }}

with

{% if computed_whole(model.name) %}
touches as (

    select * from {{ ref('fct_message_orders') }}

),

messages as (

    select * from {{ ref('fct_messages') }}
    where is_converted

),

orders as (

    select * from {{ ref('fct_orders') }}
    where is_attributed

)
{% else %}
-- Those of messages and orders that changed.
touches as (

    select
        message_id,
        order_id,
        sent_at,
        ordered_at
    from {{ ref('fct_message_orders') }}
    where {{ has_key_of(
        changes_of('fct_messages'), 'message_id', ref('fct_message_orders'), 'sent_at', 'occurred_at'
    ) }}

    union

    select
        message_id,
        order_id,
        sent_at,
        ordered_at
    from {{ ref('fct_message_orders') }}
    where {{ has_key_of(changes_of('fct_orders'), 'order_id', ref('fct_message_orders'), 'ordered_at') }}

),

messages as (

    select * from {{ ref('fct_messages') }}
    where
        is_converted
        and {{ has_key_of('touches', 'message_id', ref('fct_messages'), 'occurred_at', 'sent_at') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where
        is_attributed
        and {{ has_key_of('touches', 'order_id', ref('fct_orders'), 'ordered_at') }}

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
