-- Events of the future are loaded as they are, but somebody should look at the clock of their source.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

{% set day_after_tomorrow = "cast('" ~ (today() + modules.datetime.timedelta(days=2)) ~ "' as date)" %}

select
    'message' as entity,
    message_id as id,
    occurred_at as dated
from {{ ref('fct_messages') }}
where occurred_at >= {{ start_of_day(day_after_tomorrow) }}

union all

select
    'order' as entity,
    order_id as id,
    ordered_at as dated
from {{ ref('fct_orders') }}
where ordered_at >= {{ start_of_day(day_after_tomorrow) }}
