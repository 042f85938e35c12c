with

sales_of_days as (

    select * from {{ ref('sales_by_day') }}
    where order_date between cast(date_from as date) and cast(date_to as date)

),

figures as (

    {{ sales_figures(
        'sales_of_days', credited=is_requested('queue_id', 'queues') ~ ' and ' ~ is_requested('user_id', 'users')
    ) }}

)

select
    figures.order_date,
    figures.sales_channel,
    {{ sales_columns('figures') }}
from figures
