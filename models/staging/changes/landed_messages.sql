-- Messages of which rows landed or were removed since the last finished refresh, in any version.

select
    message_id,
    id_digest
from {{ source('raw', 'message_events') }}
where file_id > {{ high_water_mark() }}

union

select
    message_id,
    id_digest
from {{ source('raw', 'removed_message_events') }}
