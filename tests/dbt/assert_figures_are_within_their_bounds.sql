-- Rates lie within 0 and 1, converters are customers who were messaged and who ordered, nobody is messaged
-- without a message, nothing is less than nothing.
{{ config(meta={'dagster': {'ref': {'name': 'mart_overview'}}}) }}

{% for mart in [
    'mart_overview_daily', 'mart_queue_daily', 'mart_user_daily',
    'mart_overview', 'mart_queue_breakdown', 'mart_user_breakdown',
] %}
select
    '{{ mart }}' as mart,
    messages_sent,
    customers_messaged,
    customers_converted,
    conversion_rate,
    orders_generated,
    revenue_generated,
    revenue_refunded
from {{ ref(mart) }}
where
    not coalesce(conversion_rate between 0 and 1, messages_sent = 0)
    or customers_converted > customers_messaged
    or customers_converted > orders_generated
    or customers_converted < 0
    or customers_messaged > messages_sent
    or messages_in_open_window > messages_sent
    or revenue_refunded > revenue_generated
    or revenue_refunded < 0
{{ 'union all' if not loop.last }}
{% endfor %}
