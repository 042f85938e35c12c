{#- The figures of the reports, written once. Every daily mart, period mart and table function selects them
    from here, so a figure cannot mean one thing in one place and another in the next. What each figure
    means in words stands in models/marts/_figures.md.

    What must count once is told in one of two ways:

    * A group that is a range of days, of all messages or of those of one queue or user, begins with the day
      `since`. Expects two relations (usually import CTEs):
        counts        rows of counts_by_day, or of its like by queue or user, of these days
        active_users  rows of active_users_by_day of these days
      A customer or order counts with the message or touch before which there is none in the range.
    * Any other set of messages. Expects two relations:
        messages        rows of fct_messages, sent and skipped
        message_orders  rows of fct_message_orders of those messages
      They are grouped twice, first by what must count once.

    `by` are the columns that divide the set. Gives one row per group that has a message, with the columns of
    `by` and of figure_columns(); without `by` one row in all, also for an empty set. Where `groups` names a
    relation, each of its rows is a group, also one without messages. -#}
{% macro report_figures(by=[], groups=none, since=none) %}
    {%- set groups_relation = groups or 'customer_figures' -%}
    with

    {% if since %}
    active_users_of_groups as (

        select distinct {{ (by + ['user_id']) | unique | join(', ') }}
        from active_users

    ),

    customer_figures as (

        select
            {% for column in by %}{{ column }}, {% endfor %}
            sum(messages_sent) as messages_sent,
            sum(messages_skipped) as messages_skipped,
            sum(case when {{ is_first(since) }} then messages_sent end) as customers_messaged,
            sum(case when {{ is_first(since) }} then messages_converted end) as customers_converted,
            sum(messages_in_open_window) as messages_in_open_window,
            sum(revenue_credited) as revenue_credited
        from counts
        {% if by %}group by {{ by | join(', ') }}{% endif %}

    ),

    order_figures as (

        select
            {% for column in by %}{{ column }}, {% endfor %}
            sum(touches) as orders_generated,
            sum(touched_value) as revenue_generated,
            sum(touched_refunds) as revenue_refunded
        from counts
        where {{ is_first(since) }}
        {% if by %}group by {{ by | join(', ') }}{% endif %}

    ),

    {% else %}
    customers as (

        select
            {% for column in by %}{{ column }}, {% endfor %}
            customer_id,
            count(case when status = 'sent' then 1 end) as messages_sent,
            count(case when status = 'skipped' then 1 end) as messages_skipped,
            count(case when is_converted then 1 end) as messages_converted,
            count(case when window_closes_at > (select as_of_ends_at from {{ ref('report_info') }}) then 1 end)
                as messages_in_open_window,
            sum(revenue_credited) as revenue_credited
        from messages
        group by {{ (by + ['customer_id']) | join(', ') }}

    ),

    customer_figures as (

        select
            {% for column in by %}{{ column }}, {% endfor %}
            sum(messages_sent) as messages_sent,
            sum(messages_skipped) as messages_skipped,
            count(case when messages_sent > 0 then 1 end) as customers_messaged,
            count(case when messages_converted > 0 then 1 end) as customers_converted,
            sum(messages_in_open_window) as messages_in_open_window,
            sum(revenue_credited) as revenue_credited
        from customers
        {% if by %}group by {{ by | join(', ') }}{% endif %}

    ),

    active_users_of_groups as (

        select distinct {{ (by + ['user_id']) | unique | join(', ') }}
        from messages
        where status = 'sent'

    ),

    orders as (

        select distinct {{ (by + ['order_id', 'order_value', 'refunded_value']) | join(', ') }}
        from message_orders

    ),

    order_figures as (

        select
            {% for column in by %}{{ column }}, {% endfor %}
            count(*) as orders_generated,
            sum(order_value) as revenue_generated,
            sum(refunded_value) as revenue_refunded
        from orders
        {% if by %}group by {{ by | join(', ') }}{% endif %}

    ),
    {% endif %}

    user_figures as (

        select
            {% for column in by %}{{ column }}, {% endfor %}
            count(*) as active_users
        from active_users_of_groups
        {% if by %}group by {{ by | join(', ') }}{% endif %}

    ),

    totals as (

        select
            {% for column in by %}{{ groups_relation }}.{{ column }}, {% endfor %}
            cast(coalesce(customer_figures.messages_sent, 0) as bigint) as messages_sent,
            cast(coalesce(customer_figures.messages_skipped, 0) as bigint) as messages_skipped,
            cast(coalesce(customer_figures.customers_messaged, 0) as bigint) as customers_messaged,
            cast(coalesce(customer_figures.customers_converted, 0) as bigint) as customers_converted,
            cast(coalesce(order_figures.orders_generated, 0) as bigint) as orders_generated,
            cast(coalesce(order_figures.revenue_generated, 0) as decimal(38, 2)) as revenue_generated,
            cast(coalesce(order_figures.revenue_refunded, 0) as decimal(38, 2)) as revenue_refunded,
            cast(coalesce(customer_figures.revenue_credited, 0) as decimal(38, 2)) as revenue_credited,
            coalesce(user_figures.active_users, 0) as active_users,
            cast(coalesce(customer_figures.messages_in_open_window, 0) as bigint) as messages_in_open_window
        from {{ groups_relation }}
        {% if groups %}
        left join customer_figures on {{ same_group(by, groups_relation, 'customer_figures') }}
        {% endif %}
        left join user_figures on {{ same_group(by, groups_relation, 'user_figures') }}
        left join order_figures on {{ same_group(by, groups_relation, 'order_figures') }}

    )

    select
        *,
        cast(customers_converted as double) / nullif(customers_messaged, 0) as conversion_rate,
        {{ money_per_unit('revenue_generated', 'messages_sent') }} as revenue_per_message
    from totals
{% endmacro %}

{% macro is_first(since) -%}
    coalesce(previous_date < {{ since }}, true)
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
        {{ relation }}.{{ figure }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
