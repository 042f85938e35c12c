with

counts as (

    select * from {{ ref('counts_by_day') }}

),

active_users as (

    select * from {{ ref('active_users_by_day') }}

),

figures as (

    {{ report_figures(by=['message_date'], since='message_date') }}

)

select
    figures.message_date,
    {{ figure_columns() }}
from figures
