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

    {{ report_figures(by=['message_date']) }}

)

select
    figures.message_date,
    {{ figure_columns() }}
from figures
