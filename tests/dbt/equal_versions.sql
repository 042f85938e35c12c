-- Ids whose rows of one version say different things: a rule decides which counts, but their source should
-- say.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'superseded_orders'}}}) }}

{% set versions = {
    'message': ('message_id', ref('superseded_messages')),
    'order': ('order_id', ref('superseded_orders')),
} %}

{% for entity, (id, superseded) in versions.items() %}
select distinct
    '{{ entity }}' as entity,
    {{ id }} as id
from {{ superseded }}
where differs_at_equal_version and has_version
{{ 'union all' if not loop.last }}
{% endfor %}
