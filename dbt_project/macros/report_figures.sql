{#- The figures of the reports, written once. Every daily mart, period mart and table function selects them
    from here, so a figure cannot mean one thing in one place and another in the next. What each figure
    means in words stands in models/marts/_figures.md.

    `by` are the columns that divide the messages into groups, besides the days. A group begins with the day `since`.
    A customer or order counts with its first message or touch in the group: with the one before which there is
    none since that day. Expects these relations (usually import CTEs):
      messages_by_day   rows of messages_by_day, of the days, queues and users asked for
    and of `sources`, either or both, of which no message is in both:
      counts          rows of counts_by_day, or of its like by queue or user, if the groups are ranges of days of all
                      messages, of queues or of users
      facts           any other set of messages, as two relations:
        messages        rows of fct_messages
        message_orders  rows of fct_message_orders of those messages

    Gives one row per group that has a message, with the columns of `by` and of figure_columns(); without `by` one
    row in all, also for an empty set. Where `groups` names a relation, each of its rows is a group, also one
    without messages. -#}
{% macro report_figures(by=[], since=none, groups=none, sources=['counts']) %}
    {%- set groups_relation = groups or 'sums' -%}
    {%- set of_group = by | join(', ') ~ ', ' if by else '' -%}
    with

    {% if 'facts' in sources %}
    {{ customers_and_orders_of_facts(by, since) }}
    {% endif %}

    parts as (

        select
            {{ of_group }}
            messages_sent,
            messages_skipped,
            0 as customers_messaged,
            0 as customers_converted,
            0 as orders_generated,
            0 as revenue_generated,
            0 as revenue_refunded,
            revenue_credited,
            messages_in_open_window
        from messages_by_day

        {% if 'counts' in sources %}
        union all

        select
            {{ of_group }}
            0 as messages_sent,
            0 as messages_skipped,
            messages_sent as customers_messaged,
            messages_converted as customers_converted,
            touches as orders_generated,
            touched_value as revenue_generated,
            touched_refunds as revenue_refunded,
            0 as revenue_credited,
            0 as messages_in_open_window
        from counts
        where {{ is_first(since) }}
        {% endif %}

        {% if 'facts' in sources %}
        union all

        select
            {{ of_group }}
            0 as messages_sent,
            0 as messages_skipped,
            count(*) as customers_messaged,
            count(case when is_converted then 1 end) as customers_converted,
            0 as orders_generated,
            0 as revenue_generated,
            0 as revenue_refunded,
            0 as revenue_credited,
            0 as messages_in_open_window
        from customers
        {% if by %}group by {{ by | join(', ') }}{% endif %}

        union all

        select
            {{ of_group }}
            0 as messages_sent,
            0 as messages_skipped,
            0 as customers_messaged,
            0 as customers_converted,
            count(*) as orders_generated,
            sum(order_value) as revenue_generated,
            sum(refunded_value) as revenue_refunded,
            0 as revenue_credited,
            0 as messages_in_open_window
        from orders
        {% if by %}group by {{ by | join(', ') }}{% endif %}
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
            sum(messages_in_open_window) as messages_in_open_window
        from parts
        {% if by %}group by {{ by | join(', ') }}{% endif %}

    ),

    active_users_of_groups as (

        select distinct {{ (by + ['user_id']) | unique | join(', ') }}
        from messages_by_day
        where messages_sent > 0

    ),

    user_figures as (

        select
            {{ of_group }}
            count(*) as active_users
        from active_users_of_groups
        {% if by %}group by {{ by | join(', ') }}{% endif %}

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
            coalesce(user_figures.active_users, 0) as active_users,
            cast(coalesce(sums.messages_in_open_window, 0) as bigint) as messages_in_open_window
        from {{ groups_relation }}
        {% if groups %}
        left join sums on {{ same_group(by, groups_relation, 'sums') }}
        {% endif %}
        left join user_figures on {{ same_group(by, groups_relation, 'user_figures') }}

    )

    select
        *,
        cast(customers_converted as double) / nullif(customers_messaged, 0) as conversion_rate,
        {{ money_per_unit('revenue_generated', 'messages_sent') }} as revenue_per_message
    from totals
{% endmacro %}

{#- Each customer messaged and each order touched, once in its group, with the ways of telling them apart that cost
    least. In a range of days customers are gathered. On a day nearly all of them come with the first message of all
    in their group, which the previous day tells without gathering any; those that come with a later one, whether
    because the first is not among the messages asked for or besides it, are few: these are gathered, and matched
    with the first ones. Most orders are touched once in their group. -#}
{% macro customers_and_orders_of_facts(by, since) -%}
    {%- set of_group = by | join(', ') ~ ', ' if by else '' -%}
    {%- set scope = '_in_queue' if 'queue_id' in by else '_by_user' if 'user_id' in by else '' -%}
    {%- set scope_of_touches = scope or ('_on_day' if 'message_date' in by else '') -%}
    {%- set of_either = [] -%}
    {%- for column in by -%}
        {%- do of_either.append('coalesce(firsts.' ~ column ~ ', laters.' ~ column ~ ') as ' ~ column ~ ', ') -%}
    {%- endfor -%}
    sent_messages as (

        select
            {{ of_group }}
            customer_digest,
            is_converted,
            previous_sent_date{{ scope }} as previous_date
        from messages
        where status = 'sent'

    ),

    customers as (

        {% if 'message_date' in by %}
        select
            {{ of_either | join }}
            coalesce(firsts.is_converted, false) or coalesce(laters.is_converted, false) as is_converted
        from (
            select * from sent_messages
            where {{ is_first(since) }}
        ) as firsts
        full outer join (
            select
                {{ of_group }}
                customer_digest,
                bool_or(is_converted) as is_converted
            from sent_messages
            where not {{ is_first(since) }}
            group by {{ of_group }}customer_digest
        ) as laters
            on {{ same_group(by + ['customer_digest'], 'firsts', 'laters') }}
        {% else %}
        select
            {{ of_group }}
            bool_or(is_converted) as is_converted
        from sent_messages
        group by {{ of_group }}customer_digest
        {% endif %}

    ),

    orders as (

        select
            {{ of_group }}
            order_value,
            refunded_value
        from message_orders
        where touch_count{{ scope_of_touches }} = 1

        union all

        select
            {{ of_group }}
            order_value,
            refunded_value
        from (
            select distinct
                {{ of_group }}
                order_digest,
                order_value,
                refunded_value
            from message_orders
            where touch_count{{ scope_of_touches }} > 1
        ) as orders_of_several_touches

    ),
{%- endmacro %}

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
        {% if relation %}{{ relation }}.{% endif %}{{ figure }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
