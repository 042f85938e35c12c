{{ config(concerned='concerned_message_days') }}

with

messages as (

    select * from {{ ref('fct_messages') }}
    {% if is_incremental() %}
    where message_date in (select message_date from {{ concerned() }})
    {% endif %}

)

select distinct
    message_date,
    queue_id,
    user_id
from messages
where status = 'sent'
