{#- The figures of the reports, written once. Every daily mart, period mart and table function selects them
    from here, so a figure cannot mean one thing in one place and another in the next. What each figure
    means in words stands in models/marts/_figures.md.

    `by` are the columns that divide the messages into groups, besides the days. A group begins with the day `since`.
    Every message counts its customer and every touch its order; those that come again in their group are taken off
    as often as they do. Expects these relations (usually import CTEs):
      messages_by_day   rows of messages_by_day, of the days, queues and users asked for
      counts            what comes again, in groups that are ranges of days of all messages, of queues or of users: rows
                        of counts_by_day, or of its like by queue or user
      messages          for any other set of messages: rows of fct_messages
      message_orders    rows of fct_message_orders of those messages
    What comes again is taken either from counts or from the facts: the others must be without rows. `gathered` is the
    condition, as text, on which it is the facts: 'true', or one on the parameters of a table function. Without it
    there are only counts.

    Gives one row per group that has a message, with the columns of `by` and of figure_columns(); without `by` one
    row in all, also for an empty set. Where `groups` names a relation, each of its rows is a group, also one
    without messages. -#}
{% macro report_figures(by=[], since=none, groups=none, gathered=none) %}
    {%- set groups_relation = groups or 'sums' -%}
    {%- set of_group = by | join(', ') ~ ', ' if by else '' -%}
    {%- set group_by = 'group by ' ~ by | join(', ') if by else '' -%}
    with

    {% if gathered %}
    {{ customers_gathered(by, since) }},

    {{ orders_gathered(by) }},
    {% endif %}

    parts as (

        select
            {{ of_group }}
            sum(messages_sent) as messages_sent,
            sum(messages_skipped) as messages_skipped,
            sum({{ unless_all_are_gathered('messages_sent', by, gathered) }}) as customers_messaged,
            sum({{ unless_all_are_gathered('messages_converted', by, gathered) }}) as customers_converted,
            sum(touches) as orders_generated,
            sum(touched_value) as revenue_generated,
            sum(touched_refunds) as revenue_refunded,
            sum(revenue_credited) as revenue_credited,
            count(distinct case when messages_sent > 0 then user_id end) as active_users,
            sum(messages_in_open_window) as messages_in_open_window
        from messages_by_day
        {{ group_by }}

        {% if gathered != 'true' %}
        union all

        select
            {{ of_group }}
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
        from counts
        where previous_date >= {{ since }}
        {{ group_by }}
        {% endif %}

        {% if gathered %}
        union all

        select
            {{ of_group }}
            0 as messages_sent,
            0 as messages_skipped,
            sum(customers_messaged) as customers_messaged,
            sum(customers_converted) as customers_converted,
            0 as orders_generated,
            0 as revenue_generated,
            0 as revenue_refunded,
            0 as revenue_credited,
            0 as active_users,
            0 as messages_in_open_window
        from customers
        {{ group_by }}

        union all

        select
            {{ of_group }}
            0 as messages_sent,
            0 as messages_skipped,
            0 as customers_messaged,
            0 as customers_converted,
            -sum(times_again) as orders_generated,
            -sum(times_again * order_value) as revenue_generated,
            -sum(times_again * refunded_value) as revenue_refunded,
            0 as revenue_credited,
            0 as active_users,
            0 as messages_in_open_window
        from orders
        {{ group_by }}
        {% endif %}

    ),

    sums as (

        select
            {{ of_group }}
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
        from parts
        {{ group_by }}

    ),

    totals as (

        select
            {% for column in by %}{{ groups_relation }}.{{ column }}, {% endfor %}
            cast(coalesce(sums.messages_sent, 0) as bigint) as messages_sent,
            cast(coalesce(sums.messages_skipped, 0) as bigint) as messages_skipped,
            cast(coalesce(sums.customers_messaged, 0) as bigint) as customers_messaged,
            cast(coalesce(sums.customers_converted, 0) as bigint) as customers_converted,
            cast(coalesce(sums.orders_generated, 0) as bigint) as orders_generated,
            cast(coalesce(sums.revenue_generated, 0) as decimal(38, 2)) as revenue_generated,
            cast(coalesce(sums.revenue_refunded, 0) as decimal(38, 2)) as revenue_refunded,
            cast(coalesce(sums.revenue_credited, 0) as decimal(38, 2)) as revenue_credited,
            cast(coalesce(sums.active_users, 0) as bigint) as active_users,
            cast(coalesce(sums.messages_in_open_window, 0) as bigint) as messages_in_open_window
        from {{ groups_relation }}
        {% if groups %}
        left join sums on {{ same_group(by, groups_relation, 'sums') }}
        {% endif %}

    )

    select
        *,
        cast(customers_converted as double) / nullif(customers_messaged, 0) as conversion_rate,
        {{ money_per_unit('revenue_generated', 'messages_sent') }} as revenue_per_message
    from totals
{% endmacro %}

{#- The CTE `customers`: of the messages gathered, what each customer adds to those counted. -#}
{% macro customers_gathered(by, since) -%}
    {%- set of_group = by | join(', ') ~ ', ' if by else '' -%}
    customers as (

        {% if all_are_gathered(by) %}
        select
            {{ of_group }}
            1 as customers_messaged,
            case when bool_or(is_converted) then 1 else 0 end as customers_converted
        from messages
        where status = 'sent'
        group by {{ of_group }}customer_digest
        {% else %}
        select
            {{ of_group }}
            1 - count(*) as customers_messaged,
            least(1 - count(case when is_converted then 1 end), 0) as customers_converted
        from messages
        where
            status = 'sent'
            {% if 'message_date' in by %}
            and not is_only_message_of_day
            {% else %}
            and customer_digest in (
                select customer_digest from messages
                where previous_sent_date_by_user >= {{ since }}
            )
            {% endif %}
        group by {{ of_group }}customer_digest
        having count(*) > 1
        {% endif %}

    )
{%- endmacro %}

{#- Few customers come again on a day or from a user: only these are gathered, and taken off. In another range so many do
    that it takes less to gather all, and to count none of them by message. -#}
{% macro all_are_gathered(by) -%}
    {{ return('message_date' not in by and 'user_id' not in by) }}
{%- endmacro %}

{% macro unless_all_are_gathered(messages, by, gathered) -%}
    {%- if gathered and all_are_gathered(by) -%}
    case when {{ gathered }} then 0 else {{ messages }} end
    {%- else -%}
    {{ messages }}
    {%- endif -%}
{%- endmacro %}

{#- The CTE `orders`: those touched again in their group, and how often. Most touches are the only ones there. -#}
{% macro orders_gathered(by) -%}
    {%- set of_group = by | join(', ') ~ ', ' if by else '' -%}
    {%- set scope = scope_of(by) -%}
    orders as (

        select
            {{ of_group }}
            order_value,
            refunded_value,
            count(*) - 1 as times_again
        from message_orders
        where touch_count{{ scope }} > 1
        group by {{ of_group }}order_digest, order_value, refunded_value
        having count(*) > 1

    )
{%- endmacro %}

{% macro same_group(by, left_relation, right_relation) -%}
    {%- for column in by -%}
        {{ left_relation }}.{{ column }} = {{ right_relation }}.{{ column }}
        {%- if not loop.last %} and {% endif -%}
    {%- else -%}
        true
    {%- endfor -%}
{%- endmacro %}

{#- The columns of the figures, in the order in which every mart and table function shows them. -#}
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
