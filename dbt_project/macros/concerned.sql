{#- What one landed event can change: the keys of each model that a refresh in part has to look at. Each is a
    query, over what changed to the left of the model; more keys than needed do no harm, one too few would.

    The order is the unit of the attribution: all messages that touch it lie in the window before it. -#}

{#- Messages and orders that landed since the last finished refresh, in any version. -#}
{% macro landed_messages() -%}
    select distinct message_id from {{ source('raw', 'message_events') }}
    where file_id > {{ loaded_through() }}
{%- endmacro %}

{% macro landed_orders() -%}
    select distinct order_id from {{ source('raw', 'order_events') }}
    where file_id > {{ loaded_through() }}
{%- endmacro %}

{#- Orders whose touches may differ: those that changed, and the orders of the same customer near a sent message
    that changed, near its old and near its new instant. Near is the message's stretch of time and the next one,
    as in order_touches. -#}
{% macro concerned_orders() -%}
    select order_id from {{ changes_of('stg_orders') }}

    union

    select orders.order_id
    from {{ ref('stg_orders') }} as orders
    inner join (
        select distinct
            customer_id,
            {{ window_number('occurred_at') }} + stretches_ahead.stretch_count as window_number
        from {{ changes_of('stg_messages') }}
        cross join (select unnest([0, 1]) as stretch_count) as stretches_ahead
        where status = 'sent'
    ) as messages
        on
            orders.customer_id = messages.customer_id
            and {{ window_number('orders.ordered_at') }} = messages.window_number
{%- endmacro %}

{#- Messages that may have brought something else, or may have another message before them: those of a customer from
    the first day on which one of the customer's messages or touches changed. -#}
{% macro concerned_messages() -%}
    select messages.message_id
    from {{ ref('stg_messages') }} as messages
    inner join (
        select
            customer_id,
            min(message_date) as first_day
        from (
            select
                customer_id,
                message_date
            from {{ changes_of('stg_messages') }}

            union all

            select
                customer_id,
                message_date
            from {{ changes_of('order_touches') }}
        ) as changes
        group by customer_id
    ) as customers
        on
            messages.customer_id = customers.customer_id
            and messages.message_date >= customers.first_day
{%- endmacro %}

{#- Orders that may be attributed otherwise: those that changed, and those whose touches did. -#}
{% macro concerned_order_facts() -%}
    select order_id from {{ changes_of('stg_orders') }}

    union

    select order_id from {{ changes_of('order_touches') }}
{%- endmacro %}

{#- Days whose messages may differ. -#}
{% macro concerned_message_days() -%}
    select message_date from {{ changes_of('fct_messages') }}
{%- endmacro %}

{#- Days whose counts may differ: those of messages and touches that changed, and those that have, or had when
    this model was last refreshed, messages with an open window, which the as-of day moves. -#}
{% macro concerned_days() -%}
    {{ concerned_message_days() }}

    union

    select message_date from {{ changes_of('order_touches') }}

    union

    select message_date from {{ this }}
    where messages_in_open_window > 0

    union

    select message_date from {{ ref('fct_messages') }}
    where window_closes_at > (select as_of_ends_at from {{ ref('report_info') }})
{%- endmacro %}
