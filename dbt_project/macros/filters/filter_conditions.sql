{#- The filters of the table functions, as conditions on their parameters: days from date_from to date_to, both
    inclusive, and lists of queues and users, where no list means all of them. `matches_...` is the whole filter,
    `has_...` leaves out the days, for comparisons, which find their own.

    All messages, one queue or one user are read from relations that hold their figures already, any other filter from
    the facts. Which of them a query needs depends on the parameters alone, so DuckDB removes the others from its plan. -#}

{% macro matches_filter() -%}
    {{ is_in_date_range() }}
    and {{ has_requested_ids() }}
{%- endmacro %}

{% macro is_in_date_range() -%}
    message_date between cast(date_from as date) and cast(date_to as date)
{%- endmacro %}

{% macro has_requested_ids() -%}
    {{ is_requested('queue_id', 'queues') }}
    and {{ is_requested('user_id', 'users') }}
{%- endmacro %}

{% macro is_requested(id, listed) -%}
    ({{ listed }} is null or {{ is_listed(id, listed) }})
{%- endmacro %}

{% macro is_listed(id, listed) -%}
    {{ return(adapter.dispatch('is_listed')(id, listed)) }}
{%- endmacro %}

{#- By position, because DuckDB computes that once for each different id of a column. To test whether a list contains an
    id, it joins every row with the list, which takes more than twice the time. -#}
{% macro default__is_listed(id, listed) -%}
    list_position(cast({{ listed }} as varchar[]), {{ id }}) > 0
{%- endmacro %}

{% macro postgres__is_listed(id, listed) -%}
    {{ id }} = any({{ listed }})
{%- endmacro %}

{#- Rows of a relation that holds the figures of all messages, if the query has no filter on queues or users. -#}
{% macro matches_no_filter() -%}
    {{ is_in_date_range() }}
    and {{ has_no_filter() }}
{%- endmacro %}

{#- Rows of the one requested queue (user), if the filter is one queue (user) and nothing else. -#}
{% macro matches_one_queue() -%}
    {{ is_in_date_range() }}
    and {{ has_only_requested_queue() }}
{%- endmacro %}

{% macro matches_one_user() -%}
    {{ is_in_date_range() }}
    and {{ has_only_requested_user() }}
{%- endmacro %}

{% macro has_only_requested_queue() -%}
    {{ has_one_of('queues', 'users') }}
    and queue_id = {{ first_id('queues') }}
{%- endmacro %}

{% macro has_only_requested_user() -%}
    {{ has_one_of('users', 'queues') }}
    and user_id = {{ first_id('users') }}
{%- endmacro %}

{#- Rows of the requested queues (users), if the filter names no users (queues). -#}
{% macro matches_queues_only() -%}
    {{ is_in_date_range() }}
    and {{ has_requested_queues_only() }}
{%- endmacro %}

{% macro matches_users_only() -%}
    {{ is_in_date_range() }}
    and {{ has_requested_users_only() }}
{%- endmacro %}

{% macro has_requested_queues_only() -%}
    users is null
    and {{ is_requested('queue_id', 'queues') }}
{%- endmacro %}

{% macro has_requested_users_only() -%}
    queues is null
    and {{ is_requested('user_id', 'users') }}
{%- endmacro %}

{#- Rows of the facts, if the filter is none of those. -#}
{% macro matches_other_filter() -%}
    {{ matches_filter() }}
    and {{ has_other_filter() }}
{%- endmacro %}

{% macro has_no_filter() -%}
    queues is null and users is null
{%- endmacro %}

{% macro has_one_of(listed, other) -%}
    {{ other }} is null and {{ count_ids(listed) }} = 1
{%- endmacro %}

{% macro first_id(listed) -%}
    {{ return(adapter.dispatch('first_id')(listed)) }}
{%- endmacro %}

{% macro default__first_id(listed) -%}
    list_min(cast({{ listed }} as varchar[]))
{%- endmacro %}

{% macro postgres__first_id(listed) -%}
    (select min(listed.id) from unnest({{ listed }}) as listed (id))
{%- endmacro %}

{#- An id that is listed twice is one, NULL is none. -#}
{% macro count_ids(listed) -%}
    {{ return(adapter.dispatch('count_ids')(listed)) }}
{%- endmacro %}

{% macro default__count_ids(listed) -%}
    len(list_distinct(cast({{ listed }} as varchar[])))
{%- endmacro %}

{% macro postgres__count_ids(listed) -%}
    (select count(distinct listed.id) from unnest({{ listed }}) as listed (id))
{%- endmacro %}

{% macro has_other_filter() -%}
    not coalesce(
        ({{ has_no_filter() }})
        or ({{ has_one_of('queues', 'users') }})
        or ({{ has_one_of('users', 'queues') }}),
        false
    )
{%- endmacro %}
