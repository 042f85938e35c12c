{#- The filter that all table functions share, over their parameters: days from date_from to date_to, both
    inclusive, and lists of queues and users, where no list means all of them. -#}
{% macro asked_for() -%}
    message_date between cast(date_from as date) and cast(date_to as date)
    and (queues is null or list_contains(cast(queues as varchar[]), queue_id))
    and (users is null or list_contains(cast(users as varchar[]), user_id))
{%- endmacro %}
