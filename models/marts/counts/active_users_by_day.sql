{{ config(concerned='concerned_message_days') }}

select
    message_date,
    queue_id,
    user_id,
    count(*) as messages_sent
from {{ ref('fct_messages') }}
where
    status = 'sent'
    {% if is_incremental() %}
    and message_date in (from {{ concerned_keys() }})
    {% endif %}
group by message_date, queue_id, user_id
