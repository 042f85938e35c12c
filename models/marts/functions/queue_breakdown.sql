with

-- Without a filter on users, the repeats are those of a range of days of all messages of a queue.
counts as (

    select * from {{ ref('counts_by_day_and_queue') }}
    where {{ matches_queues_only() }}

),

messages as (

    select * from {{ ref('fct_messages') }}
    where
        {{ matches_filter() }}
        and users is not null

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ matches_filter() }}
        and users is not null
        and touch_count_in_queue > 1

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ matches_filter() }}

),

sums as (

    {{ add_messages('messages_by_day', by=['queue_id']) }}

    union all

    {{ subtract_repeats('counts', since='cast(date_from as date)', by=['queue_id']) }}

    union all

    {{ subtract_repeated_customers('messages', by=['queue_id']) }}

    union all

    {{ subtract_repeated_orders('touches', by=['queue_id']) }}

),

figures as (

    {{ report_figures('sums', by=['queue_id']) }}

)

select
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
where figures.messages_sent > 0
