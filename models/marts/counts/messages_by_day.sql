{{
    config(
        unique_key='message_date',
        pre_hook="{{ keep_affected_rows(affected_days()) }}",
        cluster_by=['message_date']
    )
}}

{%- set as_of_ends_at = 'select info.as_of_ends_at from ' ~ ref('report_info') ~ ' as info' %}

with

messages as (

    select * from {{ ref('fct_messages') }}
    {% if is_incremental() %}
    where message_date in (select message_date from {{ affected_rows() }})
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
