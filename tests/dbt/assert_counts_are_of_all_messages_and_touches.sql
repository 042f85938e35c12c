-- Figures start from all messages and touches, by day, and take off what comes again there: both are of the same
-- messages and touches, in all, in each queue and by each user.
{{ config(meta={'dagster': {'ref': {'name': 'messages_by_day'}}}) }}

{% set counted = ['messages_sent', 'messages_converted', 'touches', 'touched_value', 'touched_refunds'] %}

{% for relation, by in [
    ('counts_by_day', []), ('counts_by_day_and_queue', ['queue_id']), ('counts_by_day_and_user', ['user_id']),
] %}
{%- set group = (by + ['message_date']) | join(', ') %}
select
    '{{ relation }}' as counts,
    message_date
from (
    select
        {{ group }},
        times,
        {{ counted | join(', ') }}
    from {{ rows_to_add_up(ref('messages_by_day')) }}

    union all

    select
        {{ group }},
        -times as times,
        {{ counted | join(', ') }}
    from {{ rows_to_add_up(ref(relation)) }}
) as both_sides
group by {{ group }}
having
    {%- for column in counted %}
    {{ 'or ' if not loop.first }}sum(times * {{ column }}) <> 0
    {%- endfor %}
{{ 'union all' if not loop.last }}
{% endfor %}
