-- Orders whose row of facts may differ, as they are and as they were: those that changed themselves, and
-- those whose touches did.

select
    order_id,
    ordered_at
from {{ ref('changed_orders') }}

union

select
    order_id,
    ordered_at
from {{ change_feed(ref('fct_message_orders')) }} as feed
