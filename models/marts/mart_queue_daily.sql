with

counts as (

    select * from {{ ref('counts_by_day_and_queue') }}

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}

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
