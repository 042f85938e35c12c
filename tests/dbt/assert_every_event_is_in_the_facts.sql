-- Each message and order that was accepted, in whatever version, has its row in the facts; no other has. All
-- rows that landed are there or superseded, and what supersedes a row is there. (That nothing is there twice,
-- another check says.)
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

{% set entities = {
    'message': (
        'message_id', ref('changed_messages'),
        source('raw', 'message_events'), source('raw', 'removed_message_events'),
        ref('superseded_messages'), ref('fct_messages'), 'occurred_at',
    ),
    'order': (
        'order_id', ref('changed_orders'),
        source('raw', 'order_events'), source('raw', 'removed_order_events'),
        ref('superseded_orders'), ref('fct_orders'), 'ordered_at',
    ),
} %}

with

counts as (

    {% for entity, (id, changes, events, removed, superseded, facts, happened_at) in entities.items() %}
    select
        '{{ entity }}' as entity,
        (select count(*) from {{ events }}) - (select count(*) from {{ superseded }}) as expected,
        (select count(*) from {{ facts }}) as in_facts

    union all

    {% if is_full_refresh(model.name) %}
    select
        '{{ entity }}' as entity,
        (select count(distinct {{ id }}) from {{ superseded }}) as expected,
        (
            select count(*) from {{ facts }}
            where {{ id }} in (select {{ id }} from {{ superseded }})
        ) as in_facts
    {% else %}
    -- The latest versions that landed are there; what was there still is, unless all its rows were removed.
    {% set gone = '(select * from ' ~ removed ~ ' where file_id <= ' ~ high_water_mark() ~ ')' %}
    {% set landed = '(select * from ' ~ changes ~ " where change = 'inserted')" %}
    select
        '{{ entity }}' as entity,
        (select count(*) from {{ landed }}) as expected,
        (
            select count(*) from {{ facts }}
            where {{ has_key_of(landed, id, facts, happened_at) }}
        ) as in_facts

    union all

    select
        '{{ entity }}' as entity,
        (select count(distinct {{ id }}) from {{ gone }})
        - (
            select count(distinct {{ id }}) from {{ events }}
            where {{ has_key_of(gone, id, events, 'id_digest') }}
        ) as expected,
        (
            select count(*)
            from (
                select {{ id }} from {{ rows_to_add_up(facts) }}
                group by {{ id }}
                having sum(times) < 0
            ) as gone
        ) as in_facts
    {% endif %}
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select * from counts
where expected <> in_facts
