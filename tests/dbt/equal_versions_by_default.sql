-- Ids whose rows landed without updated_at, at one instant, and say different things: which one is newer
-- cannot be told, so a rule decides. A source whose events change should give updated_at.
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
where differs_at_equal_version and not has_version
{{ 'union all' if not loop.last }}
{% endfor %}
