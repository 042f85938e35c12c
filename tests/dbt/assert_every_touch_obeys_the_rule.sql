-- The attribution rule once more, checked on what the touches say of their messages and orders, and that it
-- is what these say of themselves: a converted message has as many touches as it has orders in its window, an
-- attributed order as many as it counts. Both sides are added up as hashes, which takes no memory, where a
-- join of them would have to hold them. Where the sum of a month is not 0, its touches are not those of its
-- messages or orders: a join of that month alone, by id, shows which.
{{ config(meta={'dagster': {'ref': {'name': 'fct_message_orders'}}}) }}

{%- set of_message = hash_of('message_id', 'customer_id', 'sent_at', 'sent_at + ' ~ attribution_window()) %}
{%- set of_order = hash_of('order_id', 'customer_id', 'ordered_at') %}

with

touches as (

    select * from {{ rows_to_add_up(ref('fct_message_orders')) }}

),

both_sides as (

    select
        'messages' as touches_of,
        date_trunc('month', sent_at) as month,
        times,
        {{ of_message }} as hash_value
    from touches

    union all

    select
        'messages' as touches_of,
        date_trunc('month', occurred_at) as month,
        -times * orders_in_window as times,
        {{ hash_of('message_id', 'customer_id', 'occurred_at', 'window_closes_at') }} as hash_value
    from {{ rows_to_add_up(ref('fct_messages')) }}
    where
        is_converted
        and status = 'sent'

    union all

    select
        'orders' as touches_of,
        date_trunc('month', ordered_at) as month,
        times,
        {{ of_order }} as hash_value
    from touches

    union all

    select
        'orders' as touches_of,
        date_trunc('month', ordered_at) as month,
        -times * touch_count as times,
        {{ of_order }} as hash_value
    from {{ rows_to_add_up(ref('fct_orders')) }}
    where
        is_attributed
        and status = 'placed'

),

months_that_differ as (

    select
        touches_of,
        month
    from both_sides
    group by touches_of, month
    having sum(times * cast(hash_value as decimal(38, 0))) <> 0

)

select
    touches_of,
    month,
    cast(null as {{ dbt.type_string() }}) as message_id,
    cast(null as {{ dbt.type_string() }}) as order_id
from months_that_differ

union all

select
    'outside of its window' as touches_of,
    date_trunc('month', sent_at) as month,
    message_id,
    order_id
from touches
where not coalesce(ordered_at >= sent_at and ordered_at < sent_at + {{ attribution_window() }}, false)
group by message_id, order_id, sent_at, ordered_at
having sum(times) > 0
