-- Each period's breakdowns add up to its overview in what adds up: messages sent and credited revenue.
{{ config(meta={'dagster': {'ref': {'name': 'mart_overview'}}}) }}

with

breakdowns as (

    {% for mart in ['mart_queue_breakdown', 'mart_user_breakdown'] %}
    select
        '{{ mart }}' as mart,
        period,
        sum(messages_sent) as messages_sent,
        sum(revenue_credited) as revenue_credited
    from {{ ref(mart) }}
    group by period
    {{ 'union all' if not loop.last }}
    {% endfor %}

)

select
    overview.period,
    breakdowns.mart,
    overview.messages_sent,
    breakdowns.messages_sent as messages_sent_in_breakdown,
    overview.revenue_credited,
    breakdowns.revenue_credited as revenue_credited_in_breakdown
from {{ ref('mart_overview') }} as overview
left join breakdowns on overview.period = breakdowns.period
where
    coalesce(breakdowns.messages_sent, 0) <> overview.messages_sent
    or coalesce(breakdowns.revenue_credited, 0) <> overview.revenue_credited
