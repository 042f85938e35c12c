-- What adds up over messages is the same in the facts and in each daily mart, day by day.
{{ config(meta={'dagster': {'ref': {'name': 'mart_overview_daily'}}}) }}

with

facts as (

    select
        message_date,
        count(case when status = 'sent' then 1 end) as messages_sent,
        count(case when status = 'skipped' then 1 end) as messages_skipped,
        sum(revenue_credited) as revenue_credited
    from {{ ref('fct_messages') }}
    group by message_date

),

{% set daily_marts = ['mart_overview_daily', 'mart_queue_daily', 'mart_user_daily'] %}

marts as (

    {% for mart in daily_marts %}
    select
        '{{ mart }}' as mart,
        message_date,
        sum(messages_sent) as messages_sent,
        sum(messages_skipped) as messages_skipped,
        sum(revenue_credited) as revenue_credited
    from {{ ref(mart) }}
    group by message_date
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

names as (

    {% for mart in daily_marts %}
    select '{{ mart }}' as mart
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

days as (

    select
        names.mart,
        facts.*
    from facts
    cross join names

)

select
    coalesce(marts.mart, days.mart) as mart,
    coalesce(marts.message_date, days.message_date) as message_date,
    days.messages_sent as sent_in_facts,
    marts.messages_sent as sent_in_mart,
    days.revenue_credited as credited_in_facts,
    marts.revenue_credited as credited_in_mart
from days
full outer join marts on days.mart = marts.mart and days.message_date = marts.message_date
where
    days.messages_sent is distinct from marts.messages_sent
    or days.messages_skipped is distinct from marts.messages_skipped
    or days.revenue_credited is distinct from marts.revenue_credited
