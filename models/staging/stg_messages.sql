{{ config(unique_key='message_id', concerned='landed_messages') }}

with

message_events as (

    select
        message_id,
        customer_id,
        queue_id,
        user_id,
        status,
        occurred_at,
        updated_at
    from {{ source('raw', 'message_events') }}
    {% if is_incremental() %}
    where file_id > {{ loaded_through() }}
    {% endif %}

),

{% if is_incremental() %}
latest_so_far as (

    select
        message_id,
        customer_id,
        queue_id,
        user_id,
        status,
        occurred_at,
        updated_at
    from {{ stored_rows() }}

),
{% endif %}

contenders as (

    select * from message_events
    {% if is_incremental() %}
    union all
    select * from latest_so_far
    {% endif %}

),

versions as (

    select
        *,
        row_number() over (
            partition by message_id
            -- The greatest version wins. Equal versions are broken by what the rows say, never by when
            -- they arrived, so that any order of files gives the same message.
            order by
                updated_at desc,
                status desc,
                occurred_at desc,
                customer_id desc,
                queue_id desc,
                user_id desc
        ) as version_rank
    from contenders

)

select
    message_id,
    customer_id,
    queue_id,
    user_id,
    status,
    occurred_at,
    {{ reporting_date('occurred_at') }} as message_date,
    updated_at
from versions
where version_rank = 1
{{ stored_by('occurred_at') }}
