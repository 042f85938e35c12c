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

    {{ report_figures(by=['message_date', 'user_id']) }}

)

select
    figures.message_date,
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id
