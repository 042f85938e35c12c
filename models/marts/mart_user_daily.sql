with

counts as (

    select * from {{ ref('counts_by_day_and_user') }}

),

active_users as (

    select * from {{ ref('active_users_by_day') }}

),

figures as (

    {{ report_figures(by=['message_date', 'user_id'], since='message_date') }}

)

select
    figures.message_date,
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id
