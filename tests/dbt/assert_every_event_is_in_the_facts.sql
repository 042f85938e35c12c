-- Each message and order that was accepted, in whatever version, has its row in the facts; no other has.
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

with

counts as (

    select
        'messages' as entity,
        (select count(distinct message_id) from {{ source('raw', 'message_events') }}) as accepted,
        (select count(*) from {{ ref('fct_messages') }}) as in_facts

    union all

    select
        'orders' as entity,
        (select count(distinct order_id) from {{ source('raw', 'order_events') }}) as accepted,
        (select count(*) from {{ ref('fct_orders') }}) as in_facts

)

select * from counts
where accepted <> in_facts
