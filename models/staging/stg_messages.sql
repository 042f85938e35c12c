select
    events.message_id,
    events.customer_id,
    events.queue_id,
    events.user_id,
    events.status,
    events.occurred_at,
    {{ reporting_date('events.occurred_at') }} as message_date,
    events.updated_at
from {{ source('raw', 'message_events') }} as events
where {{ is_latest_version('events', ref('superseded_messages')) }}
