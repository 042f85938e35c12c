{{
    config(
        unique_key='order_id',
        partition_by='order_date',
        pre_hook="{{ store_existing_rows(ref('orders_with_affected_facts'), pruning_key='ordered_at') }}",
        batches={'of': 'months', 'relation': 'stg_orders', 'happened': 'ordered_at'}
    )
}}

{#- Not in the incremental branch alone, which dbt does not see while it looks for what is upstream. -#}
{% set changed_orders = ref('changed_orders') %}
{% set columns = [
    'order_id', 'customer_id', 'ordered_at', 'sales_channel', 'status', 'order_value', 'refunded_value'
] %}

with

{% if is_incremental() %}
orders as (

    {{ current_rows(changed_orders, 'order_id', columns) }}

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where {{ has_key_of('orders', 'order_id', ref('fct_message_orders'), 'ordered_at') }}

),

{% else %}
orders as (

    select * from {{ ref('stg_orders') }}
    where {{ is_in_batch('ordered_at') }}

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where {{ is_in_batch('ordered_at') }}

),

{% endif %}
credits as (

    select
        order_id,
        message_id,
        touch_count
    from touches
    where is_last_touch

)

select
    orders.order_id,
    orders.customer_id,
    orders.ordered_at,
    {{ reporting_date('orders.ordered_at') }} as order_date,
    orders.sales_channel,
    orders.status,
    orders.order_value,
    orders.refunded_value,
    credits.order_id is not null as is_attributed,
    coalesce(credits.touch_count, 0) as touch_count,
    credits.message_id as credited_message_id
from orders
left join credits on orders.order_id = credits.order_id
