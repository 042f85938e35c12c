{{ config(materialized="ephemeral", contract={"enforced": false}) }}

with

first_days as (

    select min(message_date) as first_day
    from {{ ref('fct_messages') }}
    where message_date <= cast('{{ as_of_day() }}' as date)

)

{% for days in period_lengths() %}
select
    {{ loop.index }} as period_number,
    'last_{{ days }}_days' as period,
    {{ first_day_of_last(days) }} as period_start,
    as_of as period_end
from {{ ref('report_info') }}

union all
{% endfor %}

select
    {{ period_lengths() | length + 1 }} as period_number,
    'all_time' as period,
    coalesce(first_days.first_day, report_info.as_of) as period_start,
    report_info.as_of as period_end
from {{ ref('report_info') }} as report_info
cross join first_days
