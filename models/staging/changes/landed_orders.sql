-- Orders of which rows landed or were removed since the last finished refresh, in any version.

select
    order_id,
    id_digest
from {{ source('raw', 'order_events') }}
where file_id > {{ high_water_mark() }}

union

select
    order_id,
    id_digest
from {{ source('raw', 'removed_order_events') }}
