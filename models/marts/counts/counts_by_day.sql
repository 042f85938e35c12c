{{
    config(
        unique_key=['message_date', 'previous_date'],
        pre_hook="{{ store_existing_rows(
            ref('changes_of_counts_by_day'), and_keys_of=change_feed(this)
        ) }}",
        batches={'of': 'months', 'relation': 'fct_message_orders', 'happened': 'message_date'},
        cluster_by=['message_date']
    )
}}

with

{% if is_incremental() %}
-- What is stored, and what the changes add to it. What an earlier refresh, which was killed, has added already is
-- subtracted.
counts as (

    select
        message_date,
        previous_date,
        messages_sent,
        messages_converted,
        touches,
        touched_value,
        touched_refunds
    from {{ existing_rows() }}

    union all

    select * from {{ ref('changes_of_counts_by_day') }}

    union all

    select
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
    -- Touches of an order are less than a window apart: where clocks go forward, one day more.
    where {{ is_in_batch(
        'message_date', reach='(' ~ attribution_window() ~ " + interval '1 day')", type='date'
    ) }}

),

counts as (

    {{ count_repeats_of_all('messages', 'message_orders') }}

)

{% endif %}
{{ sum_counts('counts') }}
having sum(messages_sent) > 0 or sum(messages_converted) > 0 or sum(touches) > 0
{{ cluster_rows() }}
