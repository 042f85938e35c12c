{#- What an incremental refresh of fct_messages needs of the messages before the affected ones, which do not change: the day
    of the last one that converted, and of the last one that did not; per customer, per customer and queue, and per
    customer and user of the affected messages. A row without a queue or user is of all of them. -#}
{% macro last_days_before(messages, stored_messages, affected_customers) %}
    with

    earlier_messages as (

        select
            stored.customer_id,
            stored.queue_id,
            stored.user_id,
            stored.message_date,
            stored.is_converted
        from {{ stored_messages }} as stored
        inner join {{ affected_customers }} as affected
            on
                stored.customer_id = affected.customer_id
                and stored.message_date < affected.first_day
        where stored.status = 'sent'

    )

    select
        cast(null as string) as message_id,
        customer_id,
        cast(null as string) as queue_id,
        cast(null as string) as user_id,
        max(message_date) as message_date,
        case when is_converted then max(message_date) end as converted_date
    from earlier_messages
    where exists (
        select 1 from {{ messages }} as messages
        where messages.customer_id = earlier_messages.customer_id
    )
    group by customer_id, is_converted

    union all

    select
        cast(null as string) as message_id,
        customer_id,
        queue_id,
        cast(null as string) as user_id,
        max(message_date) as message_date,
        case when is_converted then max(message_date) end as converted_date
    from earlier_messages
    where exists (
        select 1 from {{ messages }} as messages
        where
            messages.customer_id = earlier_messages.customer_id
            and messages.queue_id = earlier_messages.queue_id
    )
    group by customer_id, queue_id, is_converted

    union all

    select
        cast(null as string) as message_id,
        customer_id,
        cast(null as string) as queue_id,
        user_id,
        max(message_date) as message_date,
        case when is_converted then max(message_date) end as converted_date
    from earlier_messages
    where exists (
        select 1 from {{ messages }} as messages
        where
            messages.customer_id = earlier_messages.customer_id
            and messages.user_id = earlier_messages.user_id
    )
    group by customer_id, user_id, is_converted
{% endmacro %}
