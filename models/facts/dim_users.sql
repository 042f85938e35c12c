{{ config(materialized='table') }}

with

ids as (

    select distinct user_id from {{ ref('fct_messages') }}

),

names as (

    -- Ids are compared without the blanks around them, as those of landed files are.
    select
        {{ trim_blanks('user_id') }} as user_id,
        user_name
    from {{ ref('user_names') }}

)

select
    ids.user_id,
    coalesce(names.user_name, case when ids.user_id = 'unassigned' then 'Unassigned' else ids.user_id end)
        as user_name
from ids
left join names on ids.user_id = names.user_id
