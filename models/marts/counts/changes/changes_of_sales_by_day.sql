-- What the changes since the last finished refresh add to sales_by_day: an inserted row counts +1, a removed
-- row -1.

with

orders as (

    select * from {{ changed_rows(ref('fct_orders')) }} as changes

),

message_orders as (

    select * from {{ changed_rows(ref('fct_message_orders')) }} as changes

),

sales as (

    {{ count_sales('orders', 'message_orders') }}

)

{{ sum_sales('sales') }}
