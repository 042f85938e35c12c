-- Messages and orders know their customers by the same ids. Where one side has e-mail addresses and the other
-- ids of profiles, every figure is zero, and nothing else says why.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

-- depends_on: {{ ref('report_info') }}

{% set month = "date_trunc('month', message_date)" %}

with

{% if not is_full_refresh(model.name) %}
-- Months that no change touches were looked at before, but for the one that grows.
months_to_check as (

    select {{ month }} as month_start from {{ changed_rows(ref('fct_messages')) }} as changes

    union

    select date_trunc('month', as_of) as month_start from {{ ref('report_info') }}

),

-- From the first to the last of these months: what is stored of other days is not even read.
days_to_check as (

    select
        cast(min(month_start) as date) as first_day,
        cast(max(month_start) + interval 1 month as date) as next_day
    from months_to_check

),

{% endif %}
messaged as (

    select
        {{ month }} as month_start,
        customer_id,
        max(case when is_converted then 1 else 0 end) as converted
    from {{ ref('fct_messages') }}
    where
        status = 'sent'
    {% if not is_full_refresh(model.name) %}
        and {{ month }} in (select month_start from months_to_check)
        and message_date >= (select first_day from days_to_check)
        and message_date < (select next_day from days_to_check)
    {% endif %}
    group by {{ month }}, customer_id

),

-- A customer who converted is one of an order. Where enough did, nobody has to search all orders.
months_in_doubt as (

    select month_start
    from messaged
    group by month_start
    having sum(converted) < 0.01 * count(*)

),

in_doubt as (

    select
        month_start,
        customer_id
    from messaged
    where month_start in (select months_in_doubt.month_start from months_in_doubt)

),

of_orders_too as (

    select distinct customer_id from {{ ref('fct_orders') }}
    where customer_id in (select in_doubt.customer_id from in_doubt)

),

known as (

    select
        month_start,
        customer_id,
        customer_id in (select of_orders_too.customer_id from of_orders_too) as is_known
    from in_doubt

),

months as (

    select
        month_start,
        count(*) as customers_messaged,
        count(case when is_known then 1 end) as customers_known_to_orders
    from known
    group by month_start
    having count(case when is_known then 1 end) < 0.01 * count(*)

),

unknown as (

    select
        known.month_start,
        known.customer_id,
        row_number() over (partition by known.month_start order by known.customer_id) as place
    from known
    inner join months on known.month_start = months.month_start
    where not known.is_known

),

of_orders as (

    select
        customer_id,
        row_number() over (order by customer_id) as place
    from (
        select distinct orders.customer_id
        from {{ ref('fct_orders') }} as orders
        inner join (
            select min(month_start) as month_start
            from months
            having count(*) > 0
        ) as any_month on true
        where orders.customer_id is not null
    ) as customers

)

-- Three of each side, beside each other.
select
    cast(months.month_start as date) as month_of_messages,
    months.customers_messaged,
    months.customers_known_to_orders,
    unknown.customer_id as customer_of_messages,
    of_orders.customer_id as customer_of_orders
from months
inner join unknown on months.month_start = unknown.month_start
left join of_orders on unknown.place = of_orders.place
where unknown.place <= 3
