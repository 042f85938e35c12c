{{ config(materialized='incremental', unique_key='message_id', concerned='landed_messages') }}

-- A message lands anew, as another row, whenever it changes. Of its rows the greatest version counts; the
-- others are named here. They are few, so leaving them out of what landed costs less than storing the rest
-- once more.

with

message_events as (

    select * from {{ source('raw', 'message_events') }}
    {% if is_incremental() %}
    where {{ has_key_of(concerned(), 'message_id', source('raw', 'message_events'), 'id_digest') }}
    {% else %}
    where {{ has_several_versions('message_id', source('raw', 'message_events')) }}
    {% endif %}

),

versions as (

    select
        message_id,
        file_id,
        row_number,
        row_number() over (
            partition by message_id
            -- The greatest version wins. Equal versions are broken by what the rows say, never by when they
            -- arrived, so that any order of files gives the same message. Of rows that say the same the first
            -- one stays, so that landing it again changes nothing.
            order by
                updated_at desc,
                status desc,
                occurred_at desc,
                customer_id desc,
                queue_id desc,
                user_id desc,
                file_id asc,
                row_number asc
        ) as version_rank
    from message_events

)

select
    message_id,
    file_id,
    row_number
from versions
where version_rank > 1
