{{
    config(
        materialized='incremental',
        unique_key='message_id',
        pre_hook="{{ store_existing_rows(ref('landed_messages')) }}"
    )
}}

-- A message lands again, as another row, whenever it changes. Of its rows the greatest version counts; the
-- others are named here. They are few, so leaving them out of what landed costs less than storing the rest
-- once more.

with

message_events as (

    select * from {{ source('raw', 'message_events') }}
    {% if is_incremental() %}
    where {{ has_key_of(ref('landed_messages'), 'message_id', source('raw', 'message_events'), 'id_digest') }}
    {% else %}
    where {{ has_several_versions('message_id', source('raw', 'message_events')) }}
    {% endif %}

),

versions as (

    select
        message_id,
        file_id,
        row_number,
        has_version,
        row_number() over latest_first as version_rank,
        updated_at = first_value(updated_at) over latest_first
        and (
            status <> first_value(status) over latest_first
            or occurred_at <> first_value(occurred_at) over latest_first
            or customer_id <> first_value(customer_id) over latest_first
            or queue_id <> first_value(queue_id) over latest_first
            or user_id <> first_value(user_id) over latest_first
        ) as differs_at_equal_version
    from message_events
    window
        -- The greatest version wins. Equal versions are broken by what the rows say, never by when they
        -- arrived, so that any order of files gives the same message: sent before skipped. Of rows that say
        -- the same the first one stays, so that landing it again changes nothing.
        latest_first as (
            partition by message_id
            order by
                updated_at desc,
                status asc,
                occurred_at desc,
                customer_id desc,
                queue_id desc,
                user_id desc,
                file_id asc,
                row_number asc
        )

)

select
    message_id,
    file_id,
    row_number,
    has_version,
    differs_at_equal_version
from versions
where version_rank > 1
