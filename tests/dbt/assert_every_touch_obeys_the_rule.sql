-- The attribution rule once more, checked on what the touches say, which must be what the facts say of the
-- two sides of each touch: a converted message and an attributed order. Whether they say the same is told
-- by digests: to join the sides by their ids takes twice the memory, and where that is not there many times
-- as long.
{{ config(meta={'dagster': {'ref': {'name': 'fct_message_orders'}}}) }}

with

{% if computed_whole(model.name) %}
touches as (

    select * from {{ ref('fct_message_orders') }}

),

messages as (

    select * from {{ ref('fct_messages') }}
    where
        is_converted
        and status = 'sent'

),

orders as (

    select * from {{ ref('fct_orders') }}
    where
        is_attributed
        and status = 'placed'

)
{% else %}
-- Those of messages and orders that changed.
touches as (

    select
        message_id,
        order_id,
        customer_id,
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
        customer_id,
        sent_at,
        ordered_at
    from {{ ref('fct_message_orders') }}
    where {{ has_key_of(changes_of('fct_orders'), 'order_id', ref('fct_message_orders'), 'ordered_at') }}

),

messages as (

    select * from {{ ref('fct_messages') }}
    where
        is_converted
        and status = 'sent'
        and {{ has_key_of('touches', 'message_id', ref('fct_messages'), 'occurred_at', 'sent_at') }}

),

orders as (

    select * from {{ ref('fct_orders') }}
    where
        is_attributed
        and status = 'placed'
        and {{ has_key_of('touches', 'order_id', ref('fct_orders'), 'ordered_at') }}

)
{% endif %}

select
    message_id,
    order_id,
    customer_id,
    sent_at,
    ordered_at
from touches
where
    not coalesce(ordered_at >= sent_at and ordered_at < sent_at + {{ attribution_window() }}, false)
    or {{ digest_of('message_id', 'customer_id', 'sent_at', 'sent_at + ' ~ attribution_window()) }} not in (
        select {{ digest_of('message_id', 'customer_id', 'occurred_at', 'window_closes_at') }}
        from messages
    )
    or {{ digest_of('order_id', 'customer_id', 'ordered_at') }} not in (
        select {{ digest_of('order_id', 'customer_id', 'ordered_at') }}
        from orders
    )
