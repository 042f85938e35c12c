{#- What the changes since the last finished refresh add to the counts: inserted rows count once, removed rows once
    less. What an earlier refresh, which was killed, has added already is subtracted. -#}

{% macro changes_of_counts_by_day() %}
    with

    changed_touches as (

        select * from {{ changed_touches() }}

    ),

    counts as (

        {{ count_repeats_of_all(changed_rows('fct_messages'), 'changed_touches') }}

        union all

        {{ counts_added_before('counts_by_day') }}

    )

    {{ sum_counts('counts') }}
{% endmacro %}

{% macro changes_of_counts_by_day_and_queue() %}
    with

    changed_touches as (

        select * from {{ changed_touches() }}

    ),

    counts as (

        {{ count_repeats_in_queues(changed_rows('fct_messages'), 'changed_touches') }}

        union all

        {{ counts_added_before('counts_by_day_and_queue', by=['queue_id']) }}

    )

    {{ sum_counts('counts', by=['queue_id']) }}
{% endmacro %}

{% macro changes_of_counts_by_day_and_user() %}
    with

    changed_touches as (

        select * from {{ changed_touches() }}

    ),

    counts as (

        {{ count_repeats_of_users(changed_rows('fct_messages'), 'changed_touches') }}

        union all

        {{ counts_added_before('counts_by_day_and_user', by=['user_id']) }}

    )

    {{ sum_counts('counts', by=['user_id']) }}
{% endmacro %}

{#- The touches of changed orders as they are now, and as they were. All touches of a changed order were recorded, so
    those that stayed as they are can be the touch before. -#}
{% macro changed_touches() %}
    (
        select
            *,
            case when change = 'inserted' then 1 else -1 end as times
        from (
            select
                *,
                min(refresh_number) over (partition by order_id) as first_refresh,
                max(refresh_number) over (partition by order_id) as last_refresh
            from {{ change_feed('fct_message_orders') }}
        ) as changes
        where refresh_number = case when change = 'inserted' then last_refresh else first_refresh end
    )
{% endmacro %}

{% macro counts_added_before(model_name, by=[]) %}
    select
        {{ list_columns(by) }}
        message_date,
        previous_date,
        -times * messages_sent as messages_sent,
        -times * messages_converted as messages_converted,
        -times * touches as touches,
        -times * touched_value as touched_value,
        -times * touched_refunds as touched_refunds
    from {{ changed_rows(model_name) }}
{% endmacro %}
