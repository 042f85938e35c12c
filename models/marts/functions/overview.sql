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

    {{ report_figures() }}

)

select
    {{ figure_columns() }}
from figures
