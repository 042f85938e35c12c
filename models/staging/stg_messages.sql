{{
    config(post_hook="{{ keep_change_feed_of_versions(
        source('raw', 'message_events'), source('raw', 'removed_message_events'), ref('superseded_messages'), 'message_id'
    ) }}")
}}

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
