{% set content = ['message_id', 'customer_id', 'queue_id', 'user_id', 'status', 'occurred_at'] %}

with

changes as (

    {{ changes_of_versions(
        source('raw', 'message_events'),
        source('raw', 'removed_message_events'),
        ref('superseded_messages'),
        'message_id',
        content
    ) }}

)

select
    message_id,
    customer_id,
    queue_id,
    user_id,
    status,
    occurred_at,
    {{ reporting_date('occurred_at') }} as message_date,
    change
from changes
