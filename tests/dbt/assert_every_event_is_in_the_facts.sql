-- Each message and order that was accepted, in whatever version, has its row in the facts; no other has.
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

{% set entities = {
    'message': (source('raw', 'message_events'), ref('stg_messages'), ref('fct_messages')),
    'order': (source('raw', 'order_events'), ref('stg_orders'), ref('fct_orders')),
} %}

with

{% if computed_whole(model.name) %}
counts as (

    {% for entity, (events, latest, facts) in entities.items() %}
    select
        '{{ entity }}' as entity,
        (select count(distinct {{ entity }}_id) from {{ events }}) as expected,
        (select count(*) from {{ facts }}) as in_facts
    {{ 'union all' if not loop.last }}
    {% endfor %}

)
{% else %}
counts as (

    {% for entity, (events, latest, facts) in entities.items() %}
    select
        '{{ entity }}' as entity,
        (select count(*) from {{ latest }}) as expected,
        (select count(*) from {{ facts }}) as in_facts

    union all

    -- What was accepted since the last finished refresh.
    select
        '{{ entity }}' as entity,
        (
            select count(distinct {{ entity }}_id) from {{ events }}
            where file_id > {{ loaded_through() }}
        ) as expected,
        (
            select count(*) from {{ facts }}
            where {{ entity }}_id in (
                select {{ entity }}_id from {{ events }}
                where file_id > {{ loaded_through() }}
            )
        ) as in_facts
    {{ 'union all' if not loop.last }}
    {% endfor %}

)
{% endif %}

select * from counts
where expected <> in_facts
