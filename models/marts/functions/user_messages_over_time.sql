with

-- A customer with one message on a day does not repeat on it.
messages as (

    select * from {{ ref('fct_messages') }}
    where
        {{ matches_filter() }}
        and queues is not null
        and not is_only_message_of_day

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ matches_filter() }}
        and queues is not null
        and touch_count_by_user > 1

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where
        {{ matches_filter() }}
        and queues is not null

),

sums as (

    {{ add_messages('messages_by_day', by=['message_date', 'user_id']) }}

    union all

    {{ subtract_repeated_customers('messages', by=['message_date', 'user_id']) }}

    union all

    {{ subtract_repeated_orders('touches', by=['message_date', 'user_id']) }}

),

figures as (

    {{ report_figures('sums', by=['message_date', 'user_id']) }}

)

select
    figures.message_date,
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id

union all

-- Without a filter on queues, the rows of the daily mart are the answer.
select
    message_date,
    user_id,
    user_name,
    {{ figure_columns(none) }}
from {{ ref('mart_user_daily') }}
where {{ matches_users_only() }}
