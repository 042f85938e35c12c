-- Figures count customers and orders by these numbers. Should two ids ever share one, set another
-- `digest_salt` in dbt_project/dbt_project.yml: the next refresh gives all ids other numbers, and publishes.
{{ config(meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

with

-- Of each order the one first touch.
orders as (

    select order_digest as hash_value from {{ ref('fct_message_orders') }}
    where is_first_touch
    {% if not is_full_refresh(model.name) %}
        and order_digest in (
            select changes.order_digest from {{ change_feed(ref('fct_message_orders')) }} as changes
            where changes.change = 'inserted'
        )
    {% endif %}

),

-- Of each customer the one sent message without one before it.
customers as (

    select customer_digest as hash_value from {{ ref('fct_messages') }}
    where
        status = 'sent'
        and previous_sent_date is null
    {% if not is_full_refresh(model.name) %}
        and customer_digest in (
            select changes.customer_digest from {{ change_feed(ref('fct_messages')) }} as changes
            where changes.change = 'inserted'
        )
    {% endif %}

)

select
    'order_digest' as hash_column,
    hash_value
from orders
group by hash_value
having count(*) > 1

union all

select
    'customer_digest' as hash_column,
    hash_value
from customers
group by hash_value
having count(*) > 1
