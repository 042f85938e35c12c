with

counts as (

    select * from {{ ref('counts_by_day') }}

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}

),

figures as (

    {{ report_figures(by=['message_date'], since='message_date') }}

)

select
    figures.message_date,
    {{ figure_columns() }}
from figures
