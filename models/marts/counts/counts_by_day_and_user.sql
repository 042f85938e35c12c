{{
    config(
        unique_key=['user_id', 'message_date', 'previous_date'],
        pre_hook="{{ store_existing_rows(
            ref('changes_of_counts_by_day_and_user'), and_keys_of=change_feed(this)
        ) }}",
        cluster_by=['user_id', 'message_date']
    )
}}

with

{% if is_incremental() %}
-- What is stored, and what the changes add to it. What an earlier refresh, which was killed, has added already is
-- subtracted.
counts as (

    select
        user_id,
        message_date,
        previous_date,
        messages_sent,
        messages_converted,
        touches,
        touched_value,
        touched_refunds
    from {{ existing_rows() }}

    union all

    select * from {{ ref('changes_of_counts_by_day_and_user') }}

    union all

    select
        user_id,
        message_date,
        previous_date,
        -times * messages_sent as messages_sent,
        -times * messages_converted as messages_converted,
        -times * touches as touches,
        -times * touched_value as touched_value,
        -times * touched_refunds as touched_refunds
    from {{ changed_rows(this) }} as added_before

)

{% else %}
messages as (

    select
        *,
        1 as times
    from {{ ref('fct_messages') }}

),

message_orders as (

    select
        *,
        1 as times
    from {{ ref('fct_message_orders') }}

),

counts as (

    {{ count_repeats_of_users('messages', 'message_orders') }}

)

{% endif %}
{{ sum_counts('counts', by=['user_id']) }}
having sum(messages_sent) > 0 or sum(messages_converted) > 0 or sum(touches) > 0
{{ cluster_rows() }}
