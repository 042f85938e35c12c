{{
    config(
        unique_key=['user_id', 'message_date', 'previous_date'],
        pre_hook="{{ keep_affected_rows(changes_of_counts_by_day_and_user()) }}",
        cluster_by=['user_id', 'message_date']
    )
}}

with

{% if is_incremental() %}
-- What is stored, and what the changes add to it.
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

    select * from {{ affected_rows() }}

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
