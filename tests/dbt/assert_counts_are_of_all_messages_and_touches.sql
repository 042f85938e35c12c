-- Figures start from all messages and touches, by day, and subtract the repeats: both are of the
-- same messages and touches, in all, in each queue and by each user.
{{ config(meta={'dagster': {'ref': {'name': 'messages_by_day'}}}) }}

with

both_sides as (

    {% for relation, group in [
        ('counts_by_day', 'null as queue_id, null as user_id'),
        ('counts_by_day_and_queue', 'queue_id, null as user_id'),
        ('counts_by_day_and_user', 'null as queue_id, user_id'),
    ] %}
    {% for side, sign in [('messages_by_day', '1'), (relation, '-1')] %}
    select
        '{{ relation }}' as counts,
        message_date,
        {{ group }},
        {{ sign }} * times as times,
        messages_sent,
        messages_converted,
        touches,
        touched_value,
        touched_refunds
    from {{ rows_to_add_up(ref(side)) }}
    {{ 'union all' if not loop.last }}
    {% endfor %}
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

differences as (

    select
        counts,
        message_date,
        queue_id,
        user_id,
        sum(times * messages_sent) as messages_sent,
        sum(times * messages_converted) as messages_converted,
        sum(times * touches) as touches,
        sum(times * touched_value) as touched_value,
        sum(times * touched_refunds) as touched_refunds
    from both_sides
    group by counts, message_date, queue_id, user_id

)

select * from differences
where
    messages_sent <> 0
    or messages_converted <> 0
    or touches <> 0
    or touched_value <> 0
    or touched_refunds <> 0
