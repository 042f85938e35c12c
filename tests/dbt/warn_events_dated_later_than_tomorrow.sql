-- Events of the future are loaded as they are, but somebody should look at the clock of their source.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_messages'}}}) }}

{% set tomorrow = today() + modules.datetime.timedelta(days=1) %}

select
    'message' as entity,
    message_id as id,
    occurred_at as dated
from {{ ref('fct_messages') }}
where {{ reporting_date('occurred_at') }} > cast('{{ tomorrow }}' as date)

union all

select
    'order' as entity,
    order_id as id,
    ordered_at as dated
from {{ ref('fct_orders') }}
where {{ reporting_date('ordered_at') }} > cast('{{ tomorrow }}' as date)
