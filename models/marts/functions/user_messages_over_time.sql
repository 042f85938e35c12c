with

messages as (

    select * from {{ ref('fct_messages') }}
    where
        {{ asked_for() }}
        and queues is not null

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ asked_for() }}
        and queues is not null

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where
        {{ asked_for() }}
        and queues is not null

),

figures as (

    {{ report_figures(by=['message_date', 'user_id'], since='message_date', gathered='true') }}

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
where {{ asked_for_users_only() }}
