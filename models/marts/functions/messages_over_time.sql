with

messages as (

    select * from {{ ref('fct_messages') }}
    where {{ asked_for_otherwise() }}

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}
    where {{ asked_for_otherwise() }}

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ asked_for_otherwise() }}

),

figures as (

    {{ report_figures(by=['message_date'], since='message_date', gathered='true') }}

),

rows_of_daily_marts as (

    select
        message_date,
        {{ figure_columns(none) }}
    from {{ ref('mart_overview_daily') }}
    where {{ asked_for_all() }}

    union all

    select
        message_date,
        {{ figure_columns(none) }}
    from {{ ref('mart_queue_daily') }}
    where {{ asked_for_one_queue() }}

    union all

    select
        message_date,
        {{ figure_columns(none) }}
    from {{ ref('mart_user_daily') }}
    where {{ asked_for_one_user() }}

)

select
    figures.message_date,
    {{ figure_columns() }}
from figures

union all

select
    message_date,
    {{ figure_columns(none) }}
from rows_of_daily_marts
