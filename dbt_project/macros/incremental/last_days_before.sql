{#- The CTE `last_days_before`, for an incremental refresh of fct_messages: what it has to look back to from sent messages of
    the affected customers. Their earlier messages stay as they are, and of these only the last day counts, the
    last one of all and the last converted one: of the customer, and in the queues and by the users of these
    messages. A row stands for the last message of its kind; where it is of no queue or no user, it is of any. -#}
{% macro last_days_before(messages) -%}
    earlier_messages as (

        select
            stored.customer_id,
            stored.queue_id,
            stored.user_id,
            stored.message_date,
            stored.is_converted
        from {{ this }} as stored
        inner join {{ affected_rows() }} as affected
            on
                stored.customer_id = affected.customer_id
                and stored.message_date < affected.first_day
        where stored.status = 'sent'

    ),

    last_days_before as (

        {% for scope in ['customer_id', 'customer_id, queue_id', 'customer_id, user_id'] %}
        select
            cast(null as string) as message_id,
            customer_id,
            {{ 'queue_id' if 'queue_id' in scope else 'cast(null as string) as queue_id' }},
            {{ 'user_id' if 'user_id' in scope else 'cast(null as string) as user_id' }},
            max(message_date) as message_date,
            case when is_converted then max(message_date) end as converted_date
        from earlier_messages
        where exists (
            select 1 from {{ messages }} as messages
            where {{ same_group(scope.split(', '), 'earlier_messages', 'messages') }}
        )
        group by {{ scope }}, is_converted
        {{ 'union all' if not loop.last }}
        {% endfor %}

    ),
{%- endmacro %}
