with

-- Without a filter on users, the figures of a queue are those of a range of days of all its messages.
counts as (

    select * from {{ ref('counts_by_day_and_queue') }}
    where {{ asked_for_queues_only() }}

),

messages as (

    select * from {{ ref('fct_messages') }}
    where
        {{ asked_for() }}
        and users is not null

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ asked_for() }}
        and users is not null

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ asked_for() }}

),

figures as (

    {{ report_figures(by=['queue_id'], since='cast(date_from as date)', gathered='users is not null') }}

)

select
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
where figures.messages_sent > 0
