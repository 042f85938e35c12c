{#- The filters that the table functions share, over their parameters: days from date_from to date_to, both
    inclusive, and lists of queues and users, where no list means all of them.

    A question for all messages, for one queue or for one user is answered from relations that hold their figures
    already, any other one from the facts. Which it is stands in the parameters alone, so DuckDB leaves out of the plan
    what does not answer the question. -#}

{% macro asked_for() -%}
    {{ asked_days() }}
    and {{ is_asked('queue_id', 'queues') }}
    and {{ is_asked('user_id', 'users') }}
{%- endmacro %}

{% macro asked_days() -%}
    message_date between cast(date_from as date) and cast(date_to as date)
{%- endmacro %}

{#- By position: DuckDB looks for that once for each different id of a column. Asked whether a list contains an id, it
    joins every row with the list, which takes more than twice the time. -#}
{% macro is_asked(id, listed) -%}
    ({{ listed }} is null or list_position(cast({{ listed }} as varchar[]), {{ id }}) > 0)
{%- endmacro %}

{#- Rows of a relation that holds the figures of all messages, if the question is for all of them. -#}
{% macro asked_for_all() -%}
    {{ asked_days() }}
    and {{ asks_for_all() }}
{%- endmacro %}

{#- Rows of the one queue (user) asked for, if the question is for one queue (user) and nothing else. -#}
{% macro asked_for_one_queue() -%}
    {{ asked_days() }}
    and {{ asks_for_one('queues', 'users') }}
    and queue_id = list_min(cast(queues as varchar[]))
{%- endmacro %}

{% macro asked_for_one_user() -%}
    {{ asked_days() }}
    and {{ asks_for_one('users', 'queues') }}
    and user_id = list_min(cast(users as varchar[]))
{%- endmacro %}

{#- Rows of the queues (users) asked for, if the question names no users (queues). -#}
{% macro asked_for_queues_only() -%}
    {{ asked_days() }}
    and users is null
    and {{ is_asked('queue_id', 'queues') }}
{%- endmacro %}

{% macro asked_for_users_only() -%}
    {{ asked_days() }}
    and queues is null
    and {{ is_asked('user_id', 'users') }}
{%- endmacro %}

{#- Rows of the facts, if the question is none of those. -#}
{% macro asked_for_otherwise() -%}
    {{ asked_for() }}
    and {{ asks_otherwise() }}
{%- endmacro %}

{% macro asks_for_all() -%}
    queues is null and users is null
{%- endmacro %}

{#- An id that is listed twice is one, NULL is none. -#}
{% macro asks_for_one(listed, other) -%}
    {{ other }} is null and len(list_distinct(cast({{ listed }} as varchar[]))) = 1
{%- endmacro %}

{% macro asks_otherwise() -%}
    not coalesce(
        ({{ asks_for_all() }})
        or ({{ asks_for_one('queues', 'users') }})
        or ({{ asks_for_one('users', 'queues') }}),
        false
    )
{%- endmacro %}
