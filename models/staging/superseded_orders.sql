{{ config(materialized='incremental', unique_key='order_id', concerned='landed_orders') }}

-- An order lands anew, as another row, whenever it changes. Of its rows the greatest version counts; the
-- others are named here. They are few, so leaving them out of what landed costs less than storing the rest
-- once more.

with

order_events as (

    select * from {{ source('raw', 'order_events') }}
    {% if is_incremental() %}
    where {{ has_key_of(concerned(), 'order_id', source('raw', 'order_events'), 'id_digest') }}
    {% else %}
    where {{ has_several_versions('order_id', source('raw', 'order_events')) }}
    {% endif %}

),

versions as (

    select
        order_id,
        file_id,
        row_number,
        row_number() over (
            partition by order_id
            -- The greatest version wins. Equal versions are broken by what the rows say, never by when they
            -- arrived, so that any order of files gives the same order. Of rows that say the same the first
            -- one stays, so that landing it again changes nothing.
            order by
                updated_at desc,
                status desc,
                ordered_at desc,
                customer_id desc nulls last,
                order_value desc,
                refunded_value desc,
                sales_channel desc,
                file_id asc,
                row_number asc
        ) as version_rank
    from order_events

)

select
    order_id,
    file_id,
    row_number
from versions
where version_rank > 1
