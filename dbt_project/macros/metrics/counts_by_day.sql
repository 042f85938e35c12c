{#- What comes again in any range of days is known from here: messages and touches by their day and by the day of the
    one before them. One row per day, previous day and `by`, the queue or the user if given.

    Each kind has a previous day of its own: of a message the day of the message sent to the customer before it, of a
    converted message the day of the converted one before it, of a touch the day of the touch of the order before
    it; in the same queue, or by the same user, where `by` names these. So the customers messaged in a range of
    days are the messages sent there, less those whose previous day lies in the range too: one for each customer. -#}
{% macro counts_by_day(by=none) -%}
    {%- set of_group = by ~ ', ' if by else '' -%}
    {% if is_incremental() %}
    -- What was counted, and what has to be added to it.
    with

    counts as (

        select
            {{ of_group }}message_date,
            previous_date,
            messages_sent,
            messages_converted,
            touches,
            touched_value,
            touched_refunds
        from {{ stored_rows() }}

        union all

        select * from {{ concerned() }}

    )

    {{ sums_of_counts(by) }}
    having sum(messages_sent) > 0 or sum(messages_converted) > 0 or sum(touches) > 0

    {% else %}
    with

    messages as (

        select
            *,
            1 as times
        from {{ ref('fct_messages') }}
        where
            status = 'sent'
            {% if not by %}
            and {{ is_in_slice('message_date', type='date') }}
            {% endif %}

    ),

    message_orders as (

        select
            *,
            1 as times
        from {{ ref('fct_message_orders') }}
        {% if not by %}
        -- Touches of an order are less than a window apart: where clocks go forward, one day more.
        where {{ is_in_slice(
            'message_date', reach='(' ~ attribution_window() ~ " + interval '1 day')", type='date'
        ) }}
        {% endif %}

    ),

    {{ counts_of_rows(by) }}

    {{ sums_of_counts(by) }}
    {{ lies_together() }}
    {% endif %}
{%- endmacro %}

{#- What the changes since the last finished refresh add to the counts: rows that came count once, rows that went
    count once less. What an earlier refresh, which was killed, added already is taken away again. -#}
{% macro changes_of_counts() -%}
    {%- set by = config.get('counted_by') -%}
    {%- set of_group = by ~ ', ' if by else '' -%}
    with

    messages as (

        select
            *,
            case when is_added then 1 else -1 end as times
        from {{ changes_of('fct_messages') }}
        where status = 'sent'

    ),

    -- All touches of a changed order were recorded, so those that stayed as they are can be the touch before.
    changes_of_touches as (

        select
            *,
            min(refresh_number) over (partition by order_id) as first_refresh,
            max(refresh_number) over (partition by order_id) as last_refresh
        from {{ changes_of('fct_message_orders') }}

    ),

    message_orders as (

        select
            *,
            case when is_added then 1 else -1 end as times
        from changes_of_touches
        -- As they are now, and as they were.
        where refresh_number = case when is_added then last_refresh else first_refresh end

    ),

    {{ counts_of_rows(by) }},

    counts_and_what_was_added as (

        select * from counts

        union all

        select
            {{ of_group }}message_date,
            previous_date,
            case when is_added then -messages_sent else messages_sent end as messages_sent,
            case when is_added then -messages_converted else messages_converted end as messages_converted,
            case when is_added then -touches else touches end as touches,
            case when is_added then -touched_value else touched_value end as touched_value,
            case when is_added then -touched_refunds else touched_refunds end as touched_refunds
        from {{ changes_of(model.name) }}

    )

    {{ sums_of_counts(by, 'counts_and_what_was_added') }}
{%- endmacro %}

{#- The CTE `counts`, of the relations `messages` (sent ones) and `message_orders`, each row `times` times. -#}
{% macro counts_of_rows(by) -%}
    {%- set of_group = by ~ ', ' if by else '' -%}
    {%- set scope = scope_of([by]) -%}
    touches as (

        -- A touch that is the only one of its order here has none before it to look for.
        select
            {{ of_group }}message_date,
            order_value,
            refunded_value,
            times,
            cast(null as date) as previous_date
        from message_orders
        where touch_count{{ scope }} = 1

        union all

        select
            {{ of_group }}message_date,
            order_value,
            refunded_value,
            times,
            -- Touches of one day need no order among them: all touches of an order have its value.
            lag(message_date) over (
                partition by {{ of_group }}order_id, times order by message_date
            ) as previous_date
        from message_orders
        where touch_count{{ scope }} > 1

    ),

    counts as (

        select
            {{ of_group }}message_date,
            previous_sent_date{{ scope }} as previous_date,
            sum(times) as messages_sent,
            0 as messages_converted,
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
            sum(times) as messages_converted,
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
            0 as messages_converted,
            sum(times) as touches,
            sum(times * order_value) as touched_value,
            sum(times * refunded_value) as touched_refunds
        from touches
        {% if not by %}
        where {{ is_in_slice('message_date', type='date') }}
        {% endif %}
        group by {{ of_group }}message_date, previous_date

    )
{%- endmacro %}

{% macro sums_of_counts(by, counts='counts') -%}
    {%- set of_group = by ~ ', ' if by else '' -%}
    select
        {{ of_group }}message_date,
        previous_date,
        cast(sum(messages_sent) as bigint) as messages_sent,
        cast(sum(messages_converted) as bigint) as messages_converted,
        cast(sum(touches) as bigint) as touches,
        cast(sum(touched_value) as decimal(38, 2)) as touched_value,
        cast(sum(touched_refunds) as decimal(38, 2)) as touched_refunds
    from {{ counts }}
    group by {{ of_group }}message_date, previous_date
{%- endmacro %}
