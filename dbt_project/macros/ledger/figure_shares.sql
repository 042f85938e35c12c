{#- What each message and touch has to do with the figures: one row per figure and the message, order, customer or user
    that it counts once. What a figure counts or sums is the greatest share of each of these, so that two messages to a
    customer make one customer. `rows` has the columns of a side of `restatements`; `keep` names the columns that are
    handed on. -#}
{% macro figure_shares(rows, keep) %}
    {%- for figure, entity, id, share, condition in [
        ('messages_sent', 'message', 'message_id', '1', "entity = 'message' and status = 'sent'"),
        ('messages_skipped', 'message', 'message_id', '1', "entity = 'message' and status = 'skipped'"),
        ('customers_messaged', 'customer', 'customer_id', '1', "entity = 'message' and status = 'sent'"),
        ('customers_converted', 'customer', 'customer_id', '1', "entity = 'touch'"),
        ('orders_generated', 'order', 'order_id', '1', "entity = 'touch'"),
        ('revenue_generated', 'order', 'order_id', 'order_value', "entity = 'touch'"),
        ('revenue_refunded', 'order', 'order_id', 'refunded_value', "entity = 'touch'"),
        ('revenue_credited', 'order', 'order_id', 'order_value', "entity = 'touch' and is_last_touch"),
        (
            'active_users', 'user', 'user_id', '1',
            "entity = 'message' and status = 'sent' and user_id <> 'unassigned'"
        ),
        ('messages_in_open_window', 'message', 'message_id', '1', "entity = 'message' and is_in_open_window"),
    ] %}
    select
        {{ list_columns(keep) }}
        '{{ figure }}' as figure,
        '{{ entity }}' as entity,
        {{ id }} as entity_id,
        customer_id,
        cast({{ share }} as decimal(38, 2)) as share
    from {{ rows }}
    where {{ condition }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{% endmacro %}
