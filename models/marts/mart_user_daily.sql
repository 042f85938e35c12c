{{ config(materialized='incremental', unique_key='message_date', concerned='concerned_days') }}

with

messages as (

    select * from {{ ref('fct_messages') }}
    {% if is_incremental() %}
    where message_date in ({{ concerned_days() }})
    {% endif %}

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}
    {% if is_incremental() %}
    where message_date in ({{ concerned_days() }})
    {% endif %}

),

figures as (

    {{ report_figures(by=['message_date', 'user_id'], since='message_date') }}

)

select
    figures.message_date,
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id
