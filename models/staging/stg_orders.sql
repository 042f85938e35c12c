{{ config(unique_key='order_id', concerned='landed_orders') }}

with

order_events as (

    select
        order_id,
        customer_id,
        ordered_at,
        order_value,
        refunded_value,
        sales_channel,
        status,
        updated_at
    from {{ source('raw', 'order_events') }}
    {% if is_incremental() %}
    where file_id > {{ loaded_through() }}
    {% endif %}

),

{% if is_incremental() %}
latest_so_far as (

    select
        order_id,
        customer_id,
        ordered_at,
        order_value,
        refunded_value,
        sales_channel,
        status,
        updated_at
    from {{ stored_rows() }}

),
{% endif %}

contenders as (

    select * from order_events
    {% if is_incremental() %}
    union all
    select * from latest_so_far
    {% endif %}

),

versions as (

    select
        *,
        row_number() over (
            partition by order_id
            -- The greatest version wins. Equal versions are broken by what the rows say, never by when
            -- they arrived, so that any order of files gives the same order.
            order by
                updated_at desc,
                status desc,
                ordered_at desc,
                customer_id desc nulls last,
                order_value desc,
                refunded_value desc,
                sales_channel desc
        ) as version_rank
    from contenders

)

select
    order_id,
    customer_id,
    ordered_at,
    order_value,
    refunded_value,
    sales_channel,
    status,
    updated_at
from versions
where version_rank = 1
{{ stored_by('ordered_at') }}
