-- Each message and order that was accepted, in whatever version, has its row in the facts; no other has. All
-- rows that landed are there or superseded, and what supersedes a row is there. (That nothing is there twice,
-- another check says.)
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

{% set entities = {
    'message': (source('raw', 'message_events'), ref('superseded_messages'), ref('fct_messages')),
    'order': (source('raw', 'order_events'), ref('superseded_orders'), ref('fct_orders')),
} %}

with

counts as (

    {% for entity, (events, superseded, facts) in entities.items() %}
    select
        '{{ entity }}' as entity,
        (select count(*) from {{ events }}) - (select count(*) from {{ superseded }}) as expected,
        (select count(*) from {{ facts }}) as in_facts

    union all

    {% set looked_at = superseded if computed_whole(model.name) else changes_of(superseded.identifier) %}
    select
        '{{ entity }}' as entity,
        (select count(distinct {{ entity }}_id) from {{ looked_at }}) as expected,
        (
            select count(*) from {{ facts }}
            where {{ entity }}_id in (select {{ entity }}_id from {{ looked_at }})
        ) as in_facts
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from counts
where expected <> in_facts
