{{ config(materialized='view') }}

select
    message_id,
    order_id,
    customer_id,
    queue_id,
    user_id,
    message_date,
    sent_at,
    ordered_at,
    sales_channel,
    order_value,
    refunded_value,
    touch_number,
    touch_count,
    is_first_touch,
    is_last_touch
from {{ ref('order_touches') }}
