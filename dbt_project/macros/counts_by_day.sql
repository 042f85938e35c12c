{#- What the distinct figures of any range of days are counted from: messages and touches by their day and by the
    day of the one before them. One row per day, previous day and `by`, the queue or the user if given.

    Each kind has a previous day of its own: of a message the day of the message sent to the customer before it, of a
    converted message the day of the converted one before it, of a touch the day of the touch of the order before
    it; in the same queue, or by the same user, where `by` names these. So the customers messaged in a range of
    days are the messages sent whose previous day lies before the range: one for each customer. -#}
{% macro counts_by_day(by=none) -%}
    {%- set of_group = by ~ ', ' if by else '' -%}
    {%- set scope = {none: '', 'queue_id': '_in_queue', 'user_id': '_by_user'}[by] -%}
    with

    messages as (

        select * from {{ ref('fct_messages') }}
        {% if is_incremental() %}
        where message_date in (select message_date from {{ concerned() }})
        {% endif %}

    ),

    message_orders as (

        select * from {{ ref('fct_message_orders') }}
        {% if is_incremental() %}
        -- With the touches before those of the days concerned: of one order, they lie less than a window apart.
        where message_date in (
            select cast({{ dbt.dateadd('day', '-days_before.day_count', 'days.message_date') }} as date)
            from {{ concerned() }} as days
            cross join (select unnest(range({{ var('attribution_window_days') + 2 }})) as day_count) as days_before
        )
        {% endif %}

    ),

    touches as (

        -- Most orders are touched once, and need no looking for the touch before.
        select
            {{ of_group }}message_date,
            order_value,
            refunded_value,
            cast(null as date) as previous_date
        from message_orders
        where touch_count = 1

        union all

        select
            {{ of_group }}message_date,
            order_value,
            refunded_value,
            lag(message_date) over (
                partition by {{ of_group }}order_id order by message_date, message_id
            ) as previous_date
        from message_orders
        where touch_count > 1

    ),

    counts as (

        select
            {{ of_group }}message_date,
            previous_sent_date{{ scope }} as previous_date,
            count(case when status = 'sent' then 1 end) as messages_sent,
            count(case when status = 'skipped' then 1 end) as messages_skipped,
            0 as messages_converted,
            count(case when window_closes_at > (select as_of_ends_at from {{ ref('report_info') }}) then 1 end)
                as messages_in_open_window,
            sum(revenue_credited) as revenue_credited,
            0 as touches,
            0 as touched_value,
            0 as touched_refunds
        from messages
        group by {{ of_group }}message_date, previous_sent_date{{ scope }}

        union all

        select
            {{ of_group }}message_date,
            previous_converted_date{{ scope }} as previous_date,
            0 as messages_sent,
            0 as messages_skipped,
            count(*) as messages_converted,
            0 as messages_in_open_window,
            0 as revenue_credited,
            0 as touches,
            0 as touched_value,
            0 as touched_refunds
        from messages
        where is_converted
        group by {{ of_group }}message_date, previous_converted_date{{ scope }}

        union all

        select
            {{ of_group }}message_date,
            previous_date,
            0 as messages_sent,
            0 as messages_skipped,
            0 as messages_converted,
            0 as messages_in_open_window,
            0 as revenue_credited,
            count(*) as touches,
            sum(order_value) as touched_value,
            sum(refunded_value) as touched_refunds
        from touches
        {% if is_incremental() %}
        where message_date in (select message_date from {{ concerned() }})
        {% endif %}
        group by {{ of_group }}message_date, previous_date

    )

    select
        {{ of_group }}message_date,
        previous_date,
        cast(sum(messages_sent) as bigint) as messages_sent,
        cast(sum(messages_skipped) as bigint) as messages_skipped,
        cast(sum(messages_converted) as bigint) as messages_converted,
        cast(sum(messages_in_open_window) as bigint) as messages_in_open_window,
        cast(sum(revenue_credited) as decimal(38, 2)) as revenue_credited,
        cast(sum(touches) as bigint) as touches,
        cast(sum(touched_value) as decimal(38, 2)) as touched_value,
        cast(sum(touched_refunds) as decimal(38, 2)) as touched_refunds
    from counts
    group by {{ of_group }}message_date, previous_date
{%- endmacro %}
