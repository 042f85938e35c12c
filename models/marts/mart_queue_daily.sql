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

    {{ report_figures(by=['message_date', 'queue_id'], since='message_date') }}

)

select
    figures.message_date,
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
