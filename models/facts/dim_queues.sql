{{ config(materialized='table') }}

with

ids as (

    select distinct queue_id from {{ ref('fct_messages') }}

),

names as (

    -- Ids are compared without the blanks around them, as those of landed files are.
    select
        {{ trim_blanks('queue_id') }} as queue_id,
        queue_name
    from {{ ref('queue_names') }}

)

select
    ids.queue_id,
    coalesce(names.queue_name, case when ids.queue_id = 'unassigned' then 'Unassigned' else ids.queue_id end)
        as queue_name
from ids
left join names on ids.queue_id = names.queue_id
