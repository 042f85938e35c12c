{#- What was sold, by the day of the order, each figure written once. What each means in words stands in
    models/marts/_sales.md. `sales` are rows of sales_by_day; rows without a queue are of orders that no message touched.
    `credited` says of which rows the credited orders are shown. -#}
{% macro sales_figures(sales, credited='true') %}
    with

    totals as (

        select
            order_date,
            sales_channel,
            cast(sum(orders) as bigint) as orders_placed,
            cast(sum(case when queue_id is not null then orders else 0 end) as bigint) as orders_attributed,
            cast(sum(case when queue_id is null then orders else 0 end) as bigint) as orders_unattributed,
            cast(sum(case when queue_id is not null and {{ credited }} then orders else 0 end) as bigint)
                as orders_credited,
            cast(sum(order_value) as decimal(38, 2)) as revenue_placed,
            cast(sum(case when queue_id is not null then order_value else 0 end) as decimal(38, 2))
                as revenue_attributed,
            cast(sum(case when queue_id is null then order_value else 0 end) as decimal(38, 2))
                as revenue_unattributed,
            cast(sum(case when queue_id is not null and {{ credited }} then order_value else 0 end) as decimal(38, 2))
                as revenue_credited,
            cast(sum(refunded_value) as decimal(38, 2)) as value_refunded
        from {{ sales }}
        group by order_date, sales_channel

    )

    select
        *,
        {{ rate('revenue_attributed', 'revenue_placed') }} as share_attributed,
        cast(revenue_placed - value_refunded as decimal(38, 2)) as value_net
    from totals
{% endmacro %}

{#- The columns of these figures, in the order in which the mart and the table function show them. -#}
{% macro sales_columns(relation) -%}
    {%- for column in [
        'orders_placed',
        'orders_attributed',
        'orders_unattributed',
        'orders_credited',
        'revenue_placed',
        'revenue_attributed',
        'revenue_unattributed',
        'revenue_credited',
        'share_attributed',
        'value_refunded',
        'value_net',
    ] -%}
        {{ relation }}.{{ column }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- What orders and touches add to the rows of sales_by_day: orders that no message touched, and those that one is credited
    with. The relations have the rows of fct_orders and fct_message_orders with a column `times`: how often a row counts,
    -1 for one that was removed. Several rows for each key, which sum_sales() adds up. -#}
{% macro count_sales(orders, message_orders) %}
    select
        order_date,
        sales_channel,
        cast(null as {{ dbt.type_string() }}) as queue_id,
        cast(null as {{ dbt.type_string() }}) as user_id,
        sum(times) as orders,
        sum(times * order_value) as order_value,
        sum(times * refunded_value) as refunded_value
    from {{ orders }}
    where
        status = 'placed'
        and not is_attributed
    group by order_date, sales_channel

    union all

    select
        order_date,
        sales_channel,
        queue_id,
        user_id,
        sum(times) as orders,
        sum(times * order_value) as order_value,
        sum(times * refunded_value) as refunded_value
    from (
        select
            *,
            {{ reporting_date('ordered_at') }} as order_date
        from {{ message_orders }}
        where is_last_touch
    ) as last_touches
    group by order_date, sales_channel, queue_id, user_id
{% endmacro %}

{#- One row per day, channel, queue and user. -#}
{% macro sum_sales(sales) %}
    select
        order_date,
        sales_channel,
        queue_id,
        user_id,
        cast(sum(orders) as bigint) as orders,
        cast(sum(order_value) as decimal(38, 2)) as order_value,
        cast(sum(refunded_value) as decimal(38, 2)) as refunded_value
    from {{ sales }}
    group by order_date, sales_channel, queue_id, user_id
{% endmacro %}
