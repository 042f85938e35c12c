{% set content = [
    'order_id', 'customer_id', 'ordered_at', 'order_value', 'refunded_value', 'sales_channel', 'status'
] %}

with

changes as (

    {{ changes_of_versions(
        source('raw', 'order_events'),
        source('raw', 'removed_order_events'),
        ref('superseded_orders'),
        'order_id',
        content
    ) }}

)

select
    order_id,
    customer_id,
    ordered_at,
    order_value,
    refunded_value,
    sales_channel,
    status,
    change
from changes
