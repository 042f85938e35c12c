{{ config(materialized="ephemeral", contract={"enforced": false}) }}

{% for days in period_lengths() %}
select
    {{ loop.index }} as period_number,
    'last_{{ days }}_days' as period,
    {{ first_day_of_last(days) }} as period_start,
    as_of as period_end,
    {{ first_day_of_last(2 * days) }} as base_start,
    {{ last_day_before_last(days) }} as base_end
from {{ ref('report_info') }}
{{ 'union all' if not loop.last }}
{% endfor %}
