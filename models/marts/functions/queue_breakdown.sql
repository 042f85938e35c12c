with

messages as (

    select * from {{ ref('fct_messages') }}
    where {{ asked_for() }}

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}
    where {{ asked_for() }}

),

figures as (

    {{ report_figures(by=['queue_id']) }}

)

select
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
where figures.messages_sent > 0
