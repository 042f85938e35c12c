{#- How many touches an order has within one day, one queue and one user. Most touches are the only ones there, and their
    orders count for the day, queue or user without being looked for among others. -#}

{#- How the names of columns end that say something within the groups of these columns: within a queue or a user, else
    within a day, else within all. -#}
{% macro scope_of(by) -%}
    {{ return(
        '_in_queue' if 'queue_id' in by
        else '_by_user' if 'user_id' in by
        else '_on_day' if 'message_date' in by
        else ''
    ) }}
{%- endmacro %}

{#- The CTE `counted_touches`: the touches, each with these counts beside its own. -#}
{% macro touches_counted_together(touches) -%}
    {{ return(adapter.dispatch('touches_counted_together')(
        touches, {'on_day': 'message_date', 'in_queue': 'queue_id', 'by_user': 'user_id'}
    )) }}
{%- endmacro %}

{#- The touches of an order are together already, so windows need no further shuffle. -#}
{% macro default__touches_counted_together(touches, shared) -%}
counted_touches as (

    select
        *,
        {%- for scope, column in shared.items() %}
        count(*) over (partition by customer_id, window_number, order_id, {{ column }}) as touch_count_{{ scope }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ touches }}

)
{%- endmacro %}

{#- Few touches have others beside them. To find those and join them takes a third of what windows over all do. -#}
{% macro duckdb__touches_counted_together(touches, shared) -%}
{%- for scope, column in shared.items() -%}
touched_again_{{ scope }} as (

    select
        order_id,
        {{ column }},
        count(*) as touch_count
    from {{ touches }}
    where touch_count > 1
    group by order_id, {{ column }}
    having count(*) > 1

),

{% endfor -%}
counted_touches as (

    select
        touches.*,
        {%- for scope in shared %}
        coalesce(touched_again_{{ scope }}.touch_count, 1) as touch_count_{{ scope }}
        {{- ',' if not loop.last }}
        {%- endfor %}
    from {{ touches }} as touches
    {%- for scope, column in shared.items() %}
    left join touched_again_{{ scope }}
        on
            touches.order_id = touched_again_{{ scope }}.order_id
            and touches.{{ column }} = touched_again_{{ scope }}.{{ column }}
    {%- endfor %}

)
{%- endmacro %}
