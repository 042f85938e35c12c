-- Each message and order that was accepted, in whatever version, has its row in the facts; no other has. All
-- rows that landed are there or superseded, and what supersedes a row is there. (That nothing is there twice,
-- another check says.)
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

{% set entities = {
    'message': (source('raw', 'message_events'), ref('superseded_messages'), ref('fct_messages')),
    'order': (source('raw', 'order_events'), ref('superseded_orders'), ref('fct_orders')),
} %}

with

{% for entity, (events, superseded, facts) in entities.items() %}
superseded_{{ entity }}s as (

    select distinct {{ entity }}_id
    {% if computed_whole(model.name) %}
    from {{ superseded }}
    {% else %}
    -- Those of which no landed version is the latest; the latest versions that landed are looked at below.
    from {{ changes_of(superseded.identifier) }}
    where {{ entity }}_id not in (
        select landed.{{ entity }}_id from {{ changes_of('stg_' ~ entity ~ 's') }} as landed
        where landed.is_added
    )
    {% endif %}

),
{% endfor %}

counts as (

    {% for entity, (events, superseded, facts) in entities.items() %}
    select
        '{{ entity }}' as entity,
        (select count(*) from {{ events }}) - (select count(*) from {{ superseded }}) as expected,
        (select count(*) from {{ facts }}) as in_facts

    union all

    select
        '{{ entity }}' as entity,
        (select count(*) from superseded_{{ entity }}s) as expected,
        (
            select count(*) from {{ facts }}
            where {{ entity }}_id in (select {{ entity }}_id from superseded_{{ entity }}s)
        ) as in_facts

    {% if not computed_whole(model.name) %}
    {% set landed = changes_of('stg_' ~ entity ~ 's') %}
    {% set near = {'message': 'occurred_at', 'order': 'ordered_at'}[entity] %}
    union all

    select
        '{{ entity }}' as entity,
        (select count(*) from {{ landed }} where is_added) as expected,
        (
            select count(*) from {{ facts }}
            where {{ has_key_of('(select * from ' ~ landed ~ ' where is_added)', entity ~ '_id', facts, near) }}
        ) as in_facts
    {% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from counts
where expected <> in_facts
