{{ config(materialized="ephemeral", contract={"enforced": false}) }}

with

message_days as (

    select
        min(message_date) as first_day,
        max(message_date) as last_day
    from {{ ref('fct_messages') }}

),

report_info as (

    select * from {{ ref('report_info') }}

)

{% for days in [7, 30, 90, 365] %}
select
    'last_{{ days }}_days' as period,
    cast({{ dbt.dateadd('day', 1 - days, 'as_of') }} as date) as period_start,
    as_of as period_end
from report_info

union all
{% endfor %}

select
    'all_time' as period,
    coalesce(message_days.first_day, report_info.as_of) as period_start,
    coalesce(message_days.last_day, report_info.as_of) as period_end
from report_info
cross join message_days
