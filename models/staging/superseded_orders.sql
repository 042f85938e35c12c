{{
    config(
        materialized='incremental',
        unique_key='order_id',
        pre_hook="{{ store_existing_rows(ref('landed_orders')) }}"
    )
}}

-- An order lands again, as another row, whenever it changes. Of its rows the greatest version counts; the
-- others are named here. They are few, so leaving them out of what landed costs less than storing the rest
-- once more.

with

order_events as (

    select * from {{ source('raw', 'order_events') }}
    {% if is_incremental() %}
    where {{ has_key_of(ref('landed_orders'), 'order_id', source('raw', 'order_events'), 'id_digest') }}
    {% else %}
    where {{ has_several_versions('order_id', source('raw', 'order_events')) }}
    {% endif %}

),

versions as (

    select
        order_id,
        file_id,
        row_number,
        has_version,
        row_number() over latest_first as version_rank,
        updated_at = first_value(updated_at) over latest_first
        and (
            status <> first_value(status) over latest_first
            or refunded_value <> first_value(refunded_value) over latest_first
            or order_value <> first_value(order_value) over latest_first
            or ordered_at <> first_value(ordered_at) over latest_first
            or customer_id is distinct from first_value(customer_id) over latest_first
            or sales_channel <> first_value(sales_channel) over latest_first
        ) as differs_at_equal_version
    from order_events
    window
        -- The greatest version wins. Equal versions are broken by what the rows say, never by when they
        -- arrived, so that any order of files gives the same order: cancelled before placed, then the greater
        -- refund, then the greater value. Of rows that say the same the first one stays, so that landing it
        -- again changes nothing.
        latest_first as (
            partition by order_id
            order by
                updated_at desc,
                status asc,
                refunded_value desc,
                order_value desc,
                ordered_at desc,
                customer_id desc nulls last,
                sales_channel desc,
                file_id asc,
                row_number asc
        )

)

select
    order_id,
    file_id,
    row_number,
    has_version,
    differs_at_equal_version
from versions
where version_rank > 1
