{#- Messages and touches, counted by their day and by the day of the one before them. Each kind has a previous day of
    its own: of a message the day of the message sent to the customer before it, of a converted message the day of the
    converted one before it, of a touch the day of the touch of the order before it.

    So the customers messaged in a range of days are the messages sent there, less those whose previous day is in the
    range too: one for each customer.

    The macros count over everything, in each queue and by each user. They take the rows of fct_messages and
    fct_message_orders as relations, with a column `times`: how often a row counts, -1 for one that was removed. They
    give rows of the same columns, several for each day and previous day, which sum_counts() adds up. -#}

{% macro count_repeats_of_all(messages, message_orders) %}
    with

    sent_messages as (

        select
            message_date,
            previous_sent_date,
            previous_converted_date,
            is_converted,
            times
        from {{ messages }}
        where
            status = 'sent'
            and {{ is_in_batch('message_date', type='date') }}

    ),

    touches as (

        select * from ({{ find_previous_touches(message_orders, 'touch_count') }}) as touches
        where {{ is_in_batch('message_date', type='date') }}

    )

    {{ count_by_previous_day('sent_messages', 'touches') }}
{% endmacro %}

{% macro count_repeats_in_queues(messages, message_orders) %}
    with

    sent_messages as (

        select
            queue_id,
            message_date,
            previous_sent_date_in_queue as previous_sent_date,
            previous_converted_date_in_queue as previous_converted_date,
            is_converted,
            times
        from {{ messages }}
        where status = 'sent'

    ),

    touches as (

        {{ find_previous_touches(message_orders, 'touch_count_in_queue', by=['queue_id']) }}

    )

    {{ count_by_previous_day('sent_messages', 'touches', by=['queue_id']) }}
{% endmacro %}

{% macro count_repeats_of_users(messages, message_orders) %}
    with

    sent_messages as (

        select
            user_id,
            message_date,
            previous_sent_date_by_user as previous_sent_date,
            previous_converted_date_by_user as previous_converted_date,
            is_converted,
            times
        from {{ messages }}
        where status = 'sent'

    ),

    touches as (

        {{ find_previous_touches(message_orders, 'touch_count_by_user', by=['user_id']) }}

    )

    {{ count_by_previous_day('sent_messages', 'touches', by=['user_id']) }}
{% endmacro %}

{#- The touches of changed orders as they are (`times` is 1) and as they were (-1). Where refreshes were killed, the first
    one removed them as they were, and the last one inserted them as they are. The feed has every touch of a changed
    order, also those that did not change, so the touch before each is among them. -#}
{% macro changed_touches(message_orders) %}
    (
        select
            *,
            case when change = 'inserted' then 1 else -1 end as times
        from (
            select
                *,
                min(refresh_number) over (partition by order_id) as first_refresh,
                max(refresh_number) over (partition by order_id) as last_refresh
            from {{ change_feed(message_orders) }} as feed
        ) as changes
        where refresh_number = case when change = 'inserted' then last_refresh else first_refresh end
    )
{% endmacro %}

{#- Touches with the day of the touch of the same order before them in their group. `touch_count` is the column that
    says how many touches the order has there. -#}
{% macro find_previous_touches(message_orders, touch_count, by=[]) %}
    -- The only touch of an order has none before it to search for.
    select
        {{ list_columns(by) }}
        message_date,
        order_value,
        refunded_value,
        times,
        cast(null as date) as previous_date
    from {{ message_orders }}
    where {{ touch_count }} = 1

    union all

    select
        {{ list_columns(by) }}
        message_date,
        order_value,
        refunded_value,
        times,
        -- Touches of one day need no order among them: all touches of an order have its value.
        lag(message_date) over (
            partition by {{ list_columns(by) }} order_id, times order by message_date
        ) as previous_date
    from {{ message_orders }}
    where {{ touch_count }} > 1
{% endmacro %}

{% macro count_by_previous_day(messages, touches, by=[]) %}
    select
        {{ list_columns(by) }}
        message_date,
        previous_sent_date as previous_date,
        sum(times) as messages_sent,
        0 as messages_converted,
        0 as touches,
        0 as touched_value,
        0 as touched_refunds
    from {{ messages }}
    {{ group_by(by + ['message_date', 'previous_sent_date']) }}

    union all

    select
        {{ list_columns(by) }}
        message_date,
        previous_converted_date as previous_date,
        0 as messages_sent,
        sum(times) as messages_converted,
        0 as touches,
        0 as touched_value,
        0 as touched_refunds
    from {{ messages }}
    where is_converted
    {{ group_by(by + ['message_date', 'previous_converted_date']) }}

    union all

    select
        {{ list_columns(by) }}
        message_date,
        previous_date,
        0 as messages_sent,
        0 as messages_converted,
        sum(times) as touches,
        sum(times * order_value) as touched_value,
        sum(times * refunded_value) as touched_refunds
    from {{ touches }}
    {{ group_by(by + ['message_date', 'previous_date']) }}
{% endmacro %}

{#- One row per group, day and previous day. -#}
{% macro sum_counts(counts, by=[]) %}
    select
        {{ list_columns(by) }}
        message_date,
        previous_date,
        cast(sum(messages_sent) as bigint) as messages_sent,
        cast(sum(messages_converted) as bigint) as messages_converted,
        cast(sum(touches) as bigint) as touches,
        cast(sum(touched_value) as decimal(38, 2)) as touched_value,
        cast(sum(touched_refunds) as decimal(38, 2)) as touched_refunds
    from {{ counts }}
    {{ group_by(by + ['message_date', 'previous_date']) }}
{% endmacro %}
