-- Customers with a message whose orders, or the message before it, may have changed, and the first day on
-- which one of the customer's messages or touches changed. Messages of earlier days do not change.

with

changes as (

    select
        customer_id,
        message_date
    from {{ ref('changed_messages') }}

    union all

    select
        customer_id,
        message_date
    from {{ change_feed(ref('fct_message_orders')) }} as feed

)

select
    customer_id,
    min(message_date) as first_day
from changes
group by customer_id
