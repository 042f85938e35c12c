{% set changed = ref('changed_messages') %}
{% set first_instant = 'select min(occurred_at) from ' ~ changed %}
{% set last_instant = 'select max(occurred_at) + ' ~ attribution_window() ~ ' from ' ~ changed %}

-- Orders whose touches may differ, as they are now: those that changed, and those of the customer of a
-- changed message in the time bucket of the message or in the next one. fct_message_orders decides which of
-- them the message touches. Beside them the orders that changed, as they were: fct_message_orders
-- finds their existing touches by the instant that they had.

with

changed_messages_by_time_bucket as (

    {{ reach_time_buckets(changed, 'occurred_at') }}

)

select
    order_id,
    customer_id,
    ordered_at,
    order_value,
    refunded_value,
    sales_channel,
    status,
    change = 'inserted' as is_latest
from {{ ref('changed_orders') }}

union

select
    orders.order_id,
    orders.customer_id,
    orders.ordered_at,
    orders.order_value,
    orders.refunded_value,
    orders.sales_channel,
    orders.status,
    true as is_latest
from {{ ref('stg_orders') }} as orders
inner join changed_messages_by_time_bucket as messages
    on
        orders.customer_id = messages.customer_id
        and {{ time_bucket('orders.ordered_at') }} = messages.reached_time_bucket
where {{ is_between_found('orders.ordered_at', first_instant, last_instant) }}
