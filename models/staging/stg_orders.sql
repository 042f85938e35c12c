select
    events.order_id,
    events.customer_id,
    events.ordered_at,
    events.order_value,
    events.refunded_value,
    events.sales_channel,
    events.status,
    events.updated_at
from {{ source('raw', 'order_events') }} as events
where {{ is_latest_version('events', ref('superseded_orders')) }}
