with

messages as (

    select * from {{ ref('fct_messages') }}

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}

),

figures as (

    {{ report_figures(by=['message_date', 'queue_id']) }}

)

select
    figures.message_date,
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
