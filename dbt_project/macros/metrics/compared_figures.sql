{#- A comparison: each figure of a period beside that of its base, the days that it is compared with. -#}

{#- One row per group that either side has. `period_figures` and `base_figures` have the columns of report_figures, one
    row for each group of `by`; a side without a row has no messages of the group. -#}
{% macro compare_figures(period_figures, base_figures, by=[]) %}
    with

    sides as (

        select
            {% for column in by %}
            coalesce(of_period.{{ column }}, of_base.{{ column }}) as {{ column }},
            {% endfor %}
            coalesce(of_period.messages_sent, 0) as messages_sent,
            coalesce(of_base.messages_sent, 0) as messages_sent_base,
            coalesce(of_period.messages_skipped, 0) as messages_skipped,
            coalesce(of_base.messages_skipped, 0) as messages_skipped_base,
            coalesce(of_period.customers_messaged, 0) as customers_messaged,
            coalesce(of_base.customers_messaged, 0) as customers_messaged_base,
            coalesce(of_period.customers_converted, 0) as customers_converted,
            coalesce(of_base.customers_converted, 0) as customers_converted_base,
            of_period.conversion_rate,
            of_base.conversion_rate as conversion_rate_base,
            coalesce(of_period.orders_generated, 0) as orders_generated,
            coalesce(of_base.orders_generated, 0) as orders_generated_base,
            cast(coalesce(of_period.revenue_generated, 0) as decimal(38, 2)) as revenue_generated,
            cast(coalesce(of_base.revenue_generated, 0) as decimal(38, 2)) as revenue_generated_base,
            cast(coalesce(of_period.revenue_refunded, 0) as decimal(38, 2)) as revenue_refunded,
            cast(coalesce(of_base.revenue_refunded, 0) as decimal(38, 2)) as revenue_refunded_base,
            cast(coalesce(of_period.revenue_credited, 0) as decimal(38, 2)) as revenue_credited,
            cast(coalesce(of_base.revenue_credited, 0) as decimal(38, 2)) as revenue_credited_base,
            coalesce(of_period.active_users, 0) as active_users,
            coalesce(of_base.active_users, 0) as active_users_base,
            of_period.revenue_per_message,
            of_base.revenue_per_message as revenue_per_message_base,
            coalesce(of_period.messages_in_open_window, 0) as messages_in_open_window,
            coalesce(of_base.messages_in_open_window, 0) as messages_in_open_window_base
        from {{ period_figures }} as of_period
        {% if by %}
        full outer join {{ base_figures }} as of_base on {{ same_group(by, 'of_period', 'of_base') }}
        {% else %}
        cross join {{ base_figures }} as of_base
        {% endif %}

    ),

    differences as (

        select
            *,
            messages_sent - messages_sent_base as messages_sent_difference,
            messages_skipped - messages_skipped_base as messages_skipped_difference,
            customers_messaged - customers_messaged_base as customers_messaged_difference,
            customers_converted - customers_converted_base as customers_converted_difference,
            conversion_rate - conversion_rate_base as conversion_rate_difference,
            orders_generated - orders_generated_base as orders_generated_difference,
            cast(revenue_generated - revenue_generated_base as decimal(38, 2)) as revenue_generated_difference,
            cast(revenue_refunded - revenue_refunded_base as decimal(38, 2)) as revenue_refunded_difference,
            cast(revenue_credited - revenue_credited_base as decimal(38, 2)) as revenue_credited_difference,
            active_users - active_users_base as active_users_difference,
            cast(revenue_per_message - revenue_per_message_base as decimal(38, 6))
                as revenue_per_message_difference
        from sides

    )

    select
        *,
        {{ rate('messages_sent_difference', 'messages_sent_base') }} as messages_sent_change,
        {{ rate('messages_skipped_difference', 'messages_skipped_base') }} as messages_skipped_change,
        {{ rate('customers_messaged_difference', 'customers_messaged_base') }}
            as customers_messaged_change,
        {{ rate('customers_converted_difference', 'customers_converted_base') }}
            as customers_converted_change,
        {{ rate('conversion_rate_difference', 'conversion_rate_base') }} as conversion_rate_change,
        100 * conversion_rate_difference as conversion_rate_points,
        {{ rate('orders_generated_difference', 'orders_generated_base') }} as orders_generated_change,
        {{ rate('revenue_generated_difference', 'revenue_generated_base') }}
            as revenue_generated_change,
        {{ rate('revenue_refunded_difference', 'revenue_refunded_base') }} as revenue_refunded_change,
        {{ rate('revenue_credited_difference', 'revenue_credited_base') }} as revenue_credited_change,
        {{ rate('active_users_difference', 'active_users_base') }} as active_users_change,
        {{ rate('revenue_per_message_difference', 'revenue_per_message_base') }}
            as revenue_per_message_change
    from differences
{% endmacro %}

{#- The columns of a comparison, in the order in which every mart and table function shows them. -#}
{% macro compared_columns(relation) -%}
    {%- for column in [
        'messages_sent',
        'messages_sent_base',
        'messages_sent_difference',
        'messages_sent_change',
        'messages_skipped',
        'messages_skipped_base',
        'messages_skipped_difference',
        'messages_skipped_change',
        'customers_messaged',
        'customers_messaged_base',
        'customers_messaged_difference',
        'customers_messaged_change',
        'customers_converted',
        'customers_converted_base',
        'customers_converted_difference',
        'customers_converted_change',
        'conversion_rate',
        'conversion_rate_base',
        'conversion_rate_difference',
        'conversion_rate_change',
        'conversion_rate_points',
        'orders_generated',
        'orders_generated_base',
        'orders_generated_difference',
        'orders_generated_change',
        'revenue_generated',
        'revenue_generated_base',
        'revenue_generated_difference',
        'revenue_generated_change',
        'revenue_refunded',
        'revenue_refunded_base',
        'revenue_refunded_difference',
        'revenue_refunded_change',
        'revenue_credited',
        'revenue_credited_base',
        'revenue_credited_difference',
        'revenue_credited_change',
        'active_users',
        'active_users_base',
        'active_users_difference',
        'active_users_change',
        'revenue_per_message',
        'revenue_per_message_base',
        'revenue_per_message_difference',
        'revenue_per_message_change',
        'messages_in_open_window',
        'messages_in_open_window_base',
    ] -%}
        {{ relation }}.{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
