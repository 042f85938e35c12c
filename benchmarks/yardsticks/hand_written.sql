-- The yardstick: the landed Parquet files of a hub in UTC straight to the facts and the daily marts, in one
-- script, as an engineer would write it who trusts every file and makes everything anew each time.
--
-- Variables: landing, the folder of the landed files; as_of_ends_at, the end of the as-of day.

create temp macro money_per_unit(money, units) as (
    -- In millionths and rounded half up, without floating point.
    ((money * 1000000)::hugeint * 2 + units) // (2 * nullif(units, 0)) * 0.000001::decimal(7, 6)
)::decimal(38, 6);

-- Messages and orders: the latest version of each.

create temp table messages as
select
    message_id,
    customer_id,
    coalesce(queue_id, 'unassigned') as queue_id,
    coalesce(user_id, 'unassigned') as user_id,
    status,
    occurred_at,
    occurred_at::date as message_date,
from read_parquet(getvariable('landing') || '/messages/**/*.parquet')
qualify row_number() over (partition by message_id order by updated_at desc) = 1;

create temp table orders as
select
    order_id,
    customer_id,
    ordered_at,
    sales_channel,
    status,
    order_value,
    refunded_value,
from read_parquet(getvariable('landing') || '/orders/**/*.parquet')
qualify row_number() over (partition by order_id order by updated_at desc) = 1;

-- Facts. An order that a message touches lies in the message's stretch of 7 days or in the next one.

create table fct_message_orders as
with sent_messages as (
    select
        *,
        epoch_us(occurred_at) // 604800000000 + unnest([0, 1]) as stretch,
    from messages
    where status = 'sent'
),

eligible_orders as (
    select
        *,
        epoch_us(ordered_at) // 604800000000 as stretch,
    from orders
    where status = 'placed' and customer_id is not null
),

touches as (
    select
        sent_messages.message_id,
        eligible_orders.order_id,
        eligible_orders.customer_id,
        sent_messages.queue_id,
        sent_messages.user_id,
        sent_messages.message_date,
        sent_messages.occurred_at as sent_at,
        eligible_orders.ordered_at,
        eligible_orders.sales_channel,
        eligible_orders.order_value,
        eligible_orders.refunded_value,
    from sent_messages
    inner join eligible_orders
        on
            sent_messages.customer_id = eligible_orders.customer_id
            and sent_messages.stretch = eligible_orders.stretch
            and sent_messages.occurred_at <= eligible_orders.ordered_at
            and sent_messages.occurred_at + interval 168 hour > eligible_orders.ordered_at
)

select
    *,
    row_number() over (partition by order_id order by sent_at, message_id) as touch_number,
    count(*) over (partition by order_id) as touch_count,
    touch_number = 1 as is_first_touch,
    touch_number = touch_count as is_last_touch,
from touches;

create table fct_messages as
with brought as (
    select
        message_id,
        count(*) as orders_in_window,
        sum(order_value) as revenue_in_window,
        count(*) filter (is_last_touch) as orders_credited,
        sum(order_value) filter (is_last_touch) as revenue_credited,
    from fct_message_orders
    group by message_id
)

select
    messages.*,
    coalesce(brought.orders_in_window, 0) as orders_in_window,
    coalesce(brought.revenue_in_window, 0) as revenue_in_window,
    coalesce(brought.orders_credited, 0) as orders_credited,
    coalesce(brought.revenue_credited, 0) as revenue_credited,
    brought.message_id is not null as is_converted,
    if(status = 'sent', occurred_at + interval 168 hour, null) as window_closes_at,
from messages
left join brought using (message_id);

create table fct_orders as
with attributed as (
    select order_id
    from fct_message_orders
    where is_last_touch
)

select
    orders.*,
    attributed.order_id is not null as is_attributed,
from orders
left join attributed using (order_id);

-- Daily marts: first grouped by what counts once (customer, user, order), then by the day.

create table mart_overview_daily as
with customers as (
    select
        message_date,
        customer_id,
        count(*) filter (status = 'sent') as messages_sent,
        count(*) filter (status = 'skipped') as messages_skipped,
        bool_or(is_converted) as is_converted,
        sum(revenue_credited) as revenue_credited,
        count(*) filter (window_closes_at > getvariable('as_of_ends_at')) as messages_in_open_window,
    from fct_messages
    group by all
),

customer_figures as (
    select
        message_date,
        sum(messages_sent)::bigint as messages_sent,
        sum(messages_skipped)::bigint as messages_skipped,
        count(*) filter (messages_sent > 0) as customers_messaged,
        count(*) filter (is_converted) as customers_converted,
        sum(revenue_credited) as revenue_credited,
        sum(messages_in_open_window)::bigint as messages_in_open_window,
    from customers
    group by all
),

user_figures as (
    select
        message_date,
        count(*) as active_users,
    from (
        select distinct message_date, user_id from fct_messages
        where status = 'sent' and user_id <> 'unassigned'
    )
    group by all
),

order_figures as (
    select
        message_date,
        count(*) as orders_generated,
        sum(order_value) as revenue_generated,
        sum(refunded_value) as revenue_refunded,
    from (select distinct message_date, order_id, order_value, refunded_value from fct_message_orders)
    group by all
)

select
    message_date,
    messages_sent,
    messages_skipped,
    customers_messaged,
    customers_converted,
    customers_converted / nullif(customers_messaged, 0) as conversion_rate,
    coalesce(order_figures.orders_generated, 0) as orders_generated,
    coalesce(order_figures.revenue_generated, 0) as revenue_generated,
    coalesce(order_figures.revenue_refunded, 0) as revenue_refunded,
    revenue_credited,
    coalesce(user_figures.active_users, 0) as active_users,
    money_per_unit(coalesce(order_figures.revenue_generated, 0), messages_sent) as revenue_per_message,
    messages_in_open_window,
from customer_figures
left join user_figures using (message_date)
left join order_figures using (message_date);

create table mart_queue_daily as
with customers as (
    select
        message_date,
        queue_id,
        customer_id,
        count(*) filter (status = 'sent') as messages_sent,
        count(*) filter (status = 'skipped') as messages_skipped,
        bool_or(is_converted) as is_converted,
        sum(revenue_credited) as revenue_credited,
        count(*) filter (window_closes_at > getvariable('as_of_ends_at')) as messages_in_open_window,
    from fct_messages
    group by all
),

customer_figures as (
    select
        message_date,
        queue_id,
        sum(messages_sent)::bigint as messages_sent,
        sum(messages_skipped)::bigint as messages_skipped,
        count(*) filter (messages_sent > 0) as customers_messaged,
        count(*) filter (is_converted) as customers_converted,
        sum(revenue_credited) as revenue_credited,
        sum(messages_in_open_window)::bigint as messages_in_open_window,
    from customers
    group by all
),

user_figures as (
    select
        message_date,
        queue_id,
        count(*) as active_users,
    from (
        select distinct message_date, queue_id, user_id from fct_messages
        where status = 'sent' and user_id <> 'unassigned'
    )
    group by all
),

order_figures as (
    select
        message_date,
        queue_id,
        count(*) as orders_generated,
        sum(order_value) as revenue_generated,
        sum(refunded_value) as revenue_refunded,
    from (select distinct message_date, queue_id, order_id, order_value, refunded_value from fct_message_orders)
    group by all
)

select
    message_date,
    queue_id,
    messages_sent,
    messages_skipped,
    customers_messaged,
    customers_converted,
    customers_converted / nullif(customers_messaged, 0) as conversion_rate,
    coalesce(order_figures.orders_generated, 0) as orders_generated,
    coalesce(order_figures.revenue_generated, 0) as revenue_generated,
    coalesce(order_figures.revenue_refunded, 0) as revenue_refunded,
    revenue_credited,
    coalesce(user_figures.active_users, 0) as active_users,
    money_per_unit(coalesce(order_figures.revenue_generated, 0), messages_sent) as revenue_per_message,
    messages_in_open_window,
from customer_figures
left join user_figures using (message_date, queue_id)
left join order_figures using (message_date, queue_id);

create table mart_user_daily as
with customers as (
    select
        message_date,
        user_id,
        customer_id,
        count(*) filter (status = 'sent') as messages_sent,
        count(*) filter (status = 'skipped') as messages_skipped,
        bool_or(is_converted) as is_converted,
        sum(revenue_credited) as revenue_credited,
        count(*) filter (window_closes_at > getvariable('as_of_ends_at')) as messages_in_open_window,
    from fct_messages
    group by all
),

customer_figures as (
    select
        message_date,
        user_id,
        sum(messages_sent)::bigint as messages_sent,
        sum(messages_skipped)::bigint as messages_skipped,
        count(*) filter (messages_sent > 0) as customers_messaged,
        count(*) filter (is_converted) as customers_converted,
        sum(revenue_credited) as revenue_credited,
        sum(messages_in_open_window)::bigint as messages_in_open_window,
    from customers
    group by all
),

order_figures as (
    select
        message_date,
        user_id,
        count(*) as orders_generated,
        sum(order_value) as revenue_generated,
        sum(refunded_value) as revenue_refunded,
    from (select distinct message_date, user_id, order_id, order_value, refunded_value from fct_message_orders)
    group by all
)

select
    message_date,
    user_id,
    messages_sent,
    messages_skipped,
    customers_messaged,
    customers_converted,
    customers_converted / nullif(customers_messaged, 0) as conversion_rate,
    coalesce(order_figures.orders_generated, 0) as orders_generated,
    coalesce(order_figures.revenue_generated, 0) as revenue_generated,
    coalesce(order_figures.revenue_refunded, 0) as revenue_refunded,
    revenue_credited,
    -- A user's own row has one user, who is active in it or not.
    if(messages_sent > 0 and user_id <> 'unassigned', 1, 0)::bigint as active_users,
    money_per_unit(coalesce(order_figures.revenue_generated, 0), messages_sent) as revenue_per_message,
    messages_in_open_window,
from customer_figures
left join order_figures using (message_date, user_id);
