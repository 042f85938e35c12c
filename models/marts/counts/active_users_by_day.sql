{{ config(concerned='concerned_message_days') }}

with

messages as (

    select * from {{ ref('fct_messages') }}
    {% if is_incremental() %}
    where message_date in (from {{ concerned_keys() }})
    {% endif %}

)

select
    message_date,
    queue_id,
    user_id,
    count(*) as messages_sent
from messages
where status = 'sent'
group by message_date, queue_id, user_id
