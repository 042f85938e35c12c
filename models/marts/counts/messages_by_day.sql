{#- All rows of a day are replaced together, so the day is the key. -#}
{{
    config(
        unique_key='message_date',
        pre_hook="{{ store_existing_rows(
            ref('affected_days'),
            and_keys_of='(select message_date from ' ~ this ~ ' where messages_in_open_window > 0)'
        ) }}",
        cluster_by=['message_date']
    )
}}

{%- set as_of_ends_at = 'select info.as_of_ends_at from ' ~ ref('report_info') ~ ' as info' %}

with

messages as (

    select * from {{ ref('fct_messages') }}
    {% if is_incremental() %}
    where
        message_date in (
            select affected.message_date from {{ ref('affected_days') }} as affected
            -- With the days that had messages with an open window at the last refresh.
            union all
            select existing.message_date from {{ existing_rows() }} as existing
        )
    {% endif %}

)

select
    message_date,
    queue_id,
    user_id,
    count(case when status = 'sent' then 1 end) as messages_sent,
    count(case when status = 'skipped' then 1 end) as messages_skipped,
    count(case when is_converted then 1 end) as messages_converted,
    cast(sum(orders_in_window) as bigint) as touches,
    cast(sum(revenue_in_window) as decimal(38, 2)) as touched_value,
    cast(sum(refunds_in_window) as decimal(38, 2)) as touched_refunds,
    count(case when window_closes_at > ({{ as_of_ends_at }}) then 1 end) as messages_in_open_window,
    cast(sum(revenue_credited) as decimal(38, 2)) as revenue_credited
from messages
group by message_date, queue_id, user_id
{{ cluster_rows() }}
