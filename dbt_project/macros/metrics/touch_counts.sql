{#- Touches, each with how many of its order's touches lie on the same day, in the same queue and by the same user. Most
    are the only ones there, so their orders need no search for repeats. `touches` has the column touch_count, the
    number of all touches of the order. -#}
{% macro count_touches_in_groups(touches) -%}
    {{ return(adapter.dispatch('count_touches_in_groups')(touches)) }}
{%- endmacro %}

{#- The touches of an order are together already, so windows need no further shuffle. -#}
{% macro default__count_touches_in_groups(touches) -%}
    select
        *,
        count(*) over (partition by customer_id, time_bucket, order_id, message_date) as touch_count_on_day,
        count(*) over (partition by customer_id, time_bucket, order_id, queue_id) as touch_count_in_queue,
        count(*) over (partition by customer_id, time_bucket, order_id, user_id) as touch_count_by_user
    from {{ touches }}
{%- endmacro %}

{#- Few touches have others beside them. To find those and join them takes a third of what windows over all do. -#}
{% macro duckdb__count_touches_in_groups(touches) -%}
    select
        touches.*,
        coalesce(touches_on_day.touch_count, 1) as touch_count_on_day,
        coalesce(touches_in_queue.touch_count, 1) as touch_count_in_queue,
        coalesce(touches_by_user.touch_count, 1) as touch_count_by_user
    from {{ touches }} as touches
    left join ({{ find_repeated_touches(touches, 'message_date') }}) as touches_on_day
        on
            touches.order_id = touches_on_day.order_id
            and touches.message_date = touches_on_day.message_date
    left join ({{ find_repeated_touches(touches, 'queue_id') }}) as touches_in_queue
        on
            touches.order_id = touches_in_queue.order_id
            and touches.queue_id = touches_in_queue.queue_id
    left join ({{ find_repeated_touches(touches, 'user_id') }}) as touches_by_user
        on
            touches.order_id = touches_by_user.order_id
            and touches.user_id = touches_by_user.user_id
{%- endmacro %}

{% macro find_repeated_touches(touches, column) -%}
    select
        order_id,
        {{ column }},
        count(*) as touch_count
    from {{ touches }}
    where touch_count > 1
    group by order_id, {{ column }}
    having count(*) > 1
{%- endmacro %}
