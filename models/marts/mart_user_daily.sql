with

counts as (

    select * from {{ ref('counts_by_day_and_user') }}

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}

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
