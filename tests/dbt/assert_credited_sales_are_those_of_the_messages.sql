-- Over all time, what is credited by the day of the order is what is credited by the day of the message, in
-- each queue and to each user.
{{ config(meta={'dagster': {'ref': {'name': 'sales_by_day'}}}) }}

with

by_order as (

    select
        queue_id,
        user_id,
        sum(order_value) as revenue_credited
    from {{ ref('sales_by_day') }}
    where queue_id is not null
    group by queue_id, user_id

),

by_message as (

    select
        queue_id,
        user_id,
        sum(revenue_credited) as revenue_credited
    from {{ ref('messages_by_day') }}
    group by queue_id, user_id

)

select
    coalesce(by_message.queue_id, by_order.queue_id) as queue_id,
    coalesce(by_message.user_id, by_order.user_id) as user_id,
    by_message.revenue_credited as by_day_of_message,
    by_order.revenue_credited as by_day_of_order
from by_message
full outer join by_order
    on
        by_message.queue_id = by_order.queue_id
        and by_message.user_id = by_order.user_id
where coalesce(by_message.revenue_credited, 0) <> coalesce(by_order.revenue_credited, 0)
