{#- The metrics of the reports, each written once. What each means in words stands in models/marts/_figures.md.

    Every message counts its customer and every touch its order, so both are counted as often as they repeat within a
    group: on a day, in a period, in a filter's range of days. A mart or table function adds the messages up, subtracts
    the repeats, and takes the metrics from the sums:

        sums as (
            add_messages(...)
            union all
            subtract_repeats(...)
        ),
        figures as ( report_figures('sums', ...) )

    Where a group is a range of days of all messages, of one queue or of one user, the repeats are known from a
    counts_by_day model (subtract_repeats). For any other set of messages they are computed from the facts
    (subtract_repeated_customers, subtract_repeated_orders).

    In each macro, the relation is given as an argument, and `by` lists the columns of the groups. -#}

{#- One row per group, with the metrics. `sums` has the rows of the macros below. Without `by`, one row in all, also for
    no message. Where `groups` names a relation, each of its rows is a group, also one without messages. -#}
{% macro report_figures(sums, by=[], groups=none) %}
    with

    sums_of_groups as (

        select
            {{ list_columns(by) }}
            sum(messages_sent) as messages_sent,
            sum(messages_skipped) as messages_skipped,
            sum(customers_messaged) as customers_messaged,
            sum(customers_converted) as customers_converted,
            sum(orders_generated) as orders_generated,
            sum(revenue_generated) as revenue_generated,
            sum(revenue_refunded) as revenue_refunded,
            sum(revenue_credited) as revenue_credited,
            sum(active_users) as active_users,
            sum(messages_in_open_window) as messages_in_open_window
        from {{ sums }}
        {{ group_by(by) }}

    ),

    {%- set groups = groups or 'sums_of_groups' %}

    totals as (

        select
            {{ list_columns(by, groups) }}
            cast(coalesce(sums_of_groups.messages_sent, 0) as bigint) as messages_sent,
            cast(coalesce(sums_of_groups.messages_skipped, 0) as bigint) as messages_skipped,
            cast(coalesce(sums_of_groups.customers_messaged, 0) as bigint) as customers_messaged,
            cast(coalesce(sums_of_groups.customers_converted, 0) as bigint) as customers_converted,
            cast(coalesce(sums_of_groups.orders_generated, 0) as bigint) as orders_generated,
            cast(coalesce(sums_of_groups.revenue_generated, 0) as decimal(38, 2)) as revenue_generated,
            cast(coalesce(sums_of_groups.revenue_refunded, 0) as decimal(38, 2)) as revenue_refunded,
            cast(coalesce(sums_of_groups.revenue_credited, 0) as decimal(38, 2)) as revenue_credited,
            cast(coalesce(sums_of_groups.active_users, 0) as bigint) as active_users,
            cast(coalesce(sums_of_groups.messages_in_open_window, 0) as bigint) as messages_in_open_window
        from {{ groups }}
        {% if groups != 'sums_of_groups' %}
        left join sums_of_groups on {{ same_group(by, groups, 'sums_of_groups') }}
        {% endif %}

    )

    select
        *,
        {{ rate('customers_converted', 'customers_messaged') }} as conversion_rate,
        {{ money_per_unit('revenue_generated', 'messages_sent') }} as revenue_per_message
    from totals
{% endmacro %}

{#- What messages add to the sums. `messages` are rows of messages_by_day. -#}
{% macro add_messages(messages, by=[]) %}
    select
        {{ list_columns(by) }}
        sum(messages_sent) as messages_sent,
        sum(messages_skipped) as messages_skipped,
        -- Each as often as it repeats, until the repeats are subtracted.
        sum(messages_sent) as customers_messaged,
        sum(messages_converted) as customers_converted,
        sum(touches) as orders_generated,
        sum(touched_value) as revenue_generated,
        sum(touched_refunds) as revenue_refunded,
        sum(revenue_credited) as revenue_credited,
        -- Nobody is `unassigned`.
        count(distinct case when messages_sent > 0 and user_id <> 'unassigned' then user_id end) as active_users,
        sum(messages_in_open_window) as messages_in_open_window
    from {{ messages }}
    {{ group_by(by) }}
{% endmacro %}

{#- Minus the repeats in ranges of days that begin with the day `since`. `counts` are rows of counts_by_day, or of its
    like by queue or by user: a message or touch repeats when the one before it is in the range too. -#}
{% macro subtract_repeats(counts, since, by=[]) %}
    select
        {{ list_columns(by) }}
        0 as messages_sent,
        0 as messages_skipped,
        -sum(messages_sent) as customers_messaged,
        -sum(messages_converted) as customers_converted,
        -sum(touches) as orders_generated,
        -sum(touched_value) as revenue_generated,
        -sum(touched_refunds) as revenue_refunded,
        0 as revenue_credited,
        0 as active_users,
        0 as messages_in_open_window
    from {{ counts }}
    where previous_date >= {{ since }}
    {{ group_by(by) }}
{% endmacro %}

{#- Minus the repeats of customers, computed from the facts: a customer counts once per group, and once as converted.
    `messages` are rows of fct_messages; it may leave out customers that have one message in their group. -#}
{% macro subtract_repeated_customers(messages, by=[]) %}
    select
        {{ list_columns(by) }}
        0 as messages_sent,
        0 as messages_skipped,
        sum(1 - message_count) as customers_messaged,
        sum(least(1 - converted_count, 0)) as customers_converted,
        0 as orders_generated,
        0 as revenue_generated,
        0 as revenue_refunded,
        0 as revenue_credited,
        0 as active_users,
        0 as messages_in_open_window
    from (
        select
            {{ list_columns(by) }}
            count(*) as message_count,
            count(case when is_converted then 1 end) as converted_count
        from {{ messages }}
        where status = 'sent'
        {{ group_by(by + ['customer_digest']) }}
        having count(*) > 1
    ) as repeated_customers
    {{ group_by(by) }}
{% endmacro %}

{#- Minus the repeats of orders, computed from the facts: an order counts once per group. `touches` are rows of
    fct_message_orders; it may leave out orders that have one touch in their group. -#}
{% macro subtract_repeated_orders(touches, by=[]) %}
    select
        {{ list_columns(by) }}
        0 as messages_sent,
        0 as messages_skipped,
        0 as customers_messaged,
        0 as customers_converted,
        -sum(repeats) as orders_generated,
        -sum(repeats * order_value) as revenue_generated,
        -sum(repeats * refunded_value) as revenue_refunded,
        0 as revenue_credited,
        0 as active_users,
        0 as messages_in_open_window
    from (
        select
            {{ list_columns(by) }}
            order_value,
            refunded_value,
            count(*) - 1 as repeats
        from {{ touches }}
        {{ group_by(by + ['order_digest', 'order_value', 'refunded_value']) }}
        having count(*) > 1
    ) as repeated_orders
    {{ group_by(by) }}
{% endmacro %}

{#- The columns of the metrics, in the order in which every mart and table function shows them. -#}
{% macro figure_columns(relation='figures') -%}
    {%- for figure in [
        'messages_sent',
        'messages_skipped',
        'customers_messaged',
        'customers_converted',
        'conversion_rate',
        'orders_generated',
        'revenue_generated',
        'revenue_refunded',
        'revenue_credited',
        'active_users',
        'revenue_per_message',
        'messages_in_open_window',
    ] -%}
        {% if relation %}{{ relation }}.{% endif %}{{ figure }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
