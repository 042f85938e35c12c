with

messages as (

    select * from {{ ref('fct_messages') }}

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}

),

figures as (

    {{ report_figures(by=['message_date']) }}

)

select
    figures.message_date,
    {{ figure_columns() }}
from figures
