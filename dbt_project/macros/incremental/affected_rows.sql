{#- What one landed event can change: the affected rows or keys of each model, which an incremental refresh has to look
    at. Each is a query over what changed upstream. More than needed does no harm, one too few would.

    The order is the unit of the attribution: all messages that touch it are in the window before it. -#}

{#- Messages and orders of which rows landed or were removed since the last finished refresh, in any version. -#}
{% macro landed_messages() -%}
    select
        message_id,
        id_digest
    from {{ source('raw', 'message_events') }}
    where file_id > {{ high_water_mark() }}

    union

    select
        message_id,
        id_digest
    from {{ source('raw', 'removed_message_events') }}
{%- endmacro %}

{% macro landed_orders() -%}
    select
        order_id,
        id_digest
    from {{ source('raw', 'order_events') }}
    where file_id > {{ high_water_mark() }}

    union

    select
        order_id,
        id_digest
    from {{ source('raw', 'removed_order_events') }}
{%- endmacro %}

{#- Orders whose touches may differ, as they are now: those that changed, and those of the customer of a changed message
    in the time bucket of the message or in the next one. Which of them the message touches, fct_message_orders decides.
    Beside them the orders that changed, as they were, by which their existing touches are found. -#}
{% macro affected_orders() -%}
    {%- set messages = change_feed('stg_messages') -%}
    {%- set first_instant = "select min(occurred_at) from " ~ messages -%}
    {%- set last_instant = "select max(occurred_at) + " ~ attribution_window() ~ " from " ~ messages -%}
    select
        order_id,
        customer_id,
        ordered_at,
        order_value,
        refunded_value,
        sales_channel,
        status,
        change = 'inserted' as is_latest
    from {{ change_feed('stg_orders') }}

    union

    select
        orders.order_id,
        orders.customer_id,
        orders.ordered_at,
        orders.order_value,
        orders.refunded_value,
        orders.sales_channel,
        orders.status,
        true as is_latest
    from {{ ref('stg_orders') }} as orders
    inner join ({{ reach_time_buckets(messages, 'occurred_at') }}) as messages
        on
            orders.customer_id = messages.customer_id
            and {{ time_bucket('orders.ordered_at') }} = messages.reached_time_bucket
    -- Known before, so that orders of other times are pruned.
    where orders.ordered_at between {{ instant_found_by(first_instant) }} and {{ instant_found_by(last_instant) }}
{%- endmacro %}

{#- Orders whose row of facts may differ, as they are and as they were: those that changed themselves, and those whose
    touches did. -#}
{% macro orders_with_affected_facts() -%}
    select
        order_id,
        ordered_at
    from {{ change_feed('stg_orders') }}

    union

    select
        order_id,
        ordered_at
    from {{ change_feed('fct_message_orders') }}
{%- endmacro %}

{#- Customers of whose messages the orders may differ, or the message before them, and the first day on which one of the
    customer's messages or touches changed. Earlier messages do not change. -#}
{% macro affected_customers() -%}
    select
        customer_id,
        min(message_date) as first_day
    from (
        select
            customer_id,
            {{ reporting_date('occurred_at') }} as message_date
        from {{ change_feed('stg_messages') }}

        union all

        select
            customer_id,
            message_date
        from {{ change_feed('fct_message_orders') }}
    ) as changes
    group by customer_id
{%- endmacro %}

{#- Days whose messages may differ, and those that have, or had when this model was last refreshed, messages with an
    open window, which the as-of day moves. -#}
{% macro affected_days() -%}
    select message_date from {{ change_feed('fct_messages') }}

    union

    select message_date from {{ this }}
    where messages_in_open_window > 0

    union

    select message_date from {{ ref('fct_messages') }}
    where window_closes_at > (select as_of_ends_at from {{ ref('report_info') }})
{%- endmacro %}
