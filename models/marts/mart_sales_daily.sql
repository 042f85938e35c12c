with

figures as (

    {{ sales_figures(ref('sales_by_day')) }}

)

select
    figures.order_date,
    figures.sales_channel,
    {{ sales_columns('figures') }}
from figures
