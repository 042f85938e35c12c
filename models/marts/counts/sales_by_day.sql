{{
    config(
        unique_key=['order_date', 'sales_channel', 'queue_id', 'user_id'],
        partition_by='order_date',
        pre_hook="{{ store_existing_rows(
            ref('changes_of_sales_by_day'), and_keys_of=change_feed(this)
        ) }}",
        cluster_by=['order_date']
    )
}}

with

{% if is_incremental() %}
-- What is stored, and what the changes add to it. What an earlier refresh, which was killed, has added already is
-- subtracted.
sales as (

    select
        order_date,
        sales_channel,
        queue_id,
        user_id,
        orders,
        order_value,
        refunded_value
    from {{ existing_rows() }}

    union all

    select * from {{ ref('changes_of_sales_by_day') }}

    union all

    select
        order_date,
        sales_channel,
        queue_id,
        user_id,
        -times * orders as orders,
        -times * order_value as order_value,
        -times * refunded_value as refunded_value
    from {{ changed_rows(this) }} as added_before

)

{% else %}
orders as (

    select
        *,
        1 as times
    from {{ ref('fct_orders') }}

),

message_orders as (

    select
        *,
        1 as times
    from {{ ref('fct_message_orders') }}

),

sales as (

    {{ count_sales('orders', 'message_orders') }}

)

{% endif %}
{{ sum_sales('sales') }}
having sum(orders) > 0
{{ cluster_rows() }}
