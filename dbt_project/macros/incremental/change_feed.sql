{#- The change feed of an incremental model: its removed and inserted rows since the last finished refresh, told apart by
    the column `change`, each with the number of the refresh: several where some were killed. It is stored in the
    database of the model, because a transaction writes to one database. In a full refresh there is none, which reads
    as one without rows. -#}
{% macro change_feed(relation) -%}
    {%- if is_full_refresh(model.name) -%}
    (
        select
            *,
            'inserted' as change,
            0 as refresh_number
        from {{ relation }}
        where false
    )
    {%- else -%}
    {{ return(relation.incorporate(path={'schema': 'changes'})) }}
    {%- endif -%}
{%- endmacro %}

{#- The rows of a model that changed, as a relation: `times` is 1 for a row that was inserted, -1 for one that was
    removed. -#}
{% macro changed_rows(relation) %}
    (
        select
            *,
            case when change = 'inserted' then 1 else -1 end as times
        from {{ change_feed(relation) }} as changes
    )
{% endmacro %}

{#- The touches of changed orders as they are (`times` is 1) and as they were (-1). Where refreshes were killed, the first
    one removed them as they were, and the last one inserted them as they are. The feed has every touch of a changed
    order, also those that did not change, so the touch before each is among them. -#}
{% macro changed_touches(message_orders) %}
    (
        select
            *,
            case when change = 'inserted' then 1 else -1 end as times
        from (
            select
                *,
                min(refresh_number) over (partition by order_id) as first_refresh,
                max(refresh_number) over (partition by order_id) as last_refresh
            from {{ change_feed(message_orders) }} as feed
        ) as changes
        where refresh_number = case when change = 'inserted' then last_refresh else first_refresh end
    )
{% endmacro %}

{#- What a test has to add up: all rows (`times` is 1) or, where what did not change was tested before, the changed rows. -#}
{% macro rows_to_add_up(relation) -%}
    {%- if is_full_refresh(model.name) -%}
    (select *, 1 as times from {{ relation }})
    {%- else -%}
    {{ changed_rows(relation) }}
    {%- endif -%}
{%- endmacro %}
