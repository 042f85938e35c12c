with

-- Without a filter on queues, the figures of a user are those of a range of days of all its messages.
counts as (

    select * from {{ ref('counts_by_day_and_user') }}
    where {{ asked_for_users_only() }}

),

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
    where {{ asked_for() }}

),

figures as (

    {{ report_figures(by=['user_id'], since='cast(date_from as date)', gathered='queues is not null') }}

)

select
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id
where figures.messages_sent > 0
