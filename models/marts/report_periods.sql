{{ config(materialized="ephemeral", contract={"enforced": false}) }}

with

message_days as (

    select
        min(message_date) as first_day,
        max(message_date) as last_day
    from {{ ref('fct_messages') }}

)

{% for days in period_lengths() %}
select
    'last_{{ days }}_days' as period,
    {{ first_day_of_last(days) }} as period_start,
    as_of as period_end
from {{ ref('report_info') }}

union all
{% endfor %}

select
    'all_time' as period,
    coalesce(message_days.first_day, report_info.as_of) as period_start,
    coalesce(message_days.last_day, report_info.as_of) as period_end
from {{ ref('report_info') }} as report_info
cross join message_days
