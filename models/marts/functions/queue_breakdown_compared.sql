with

days as (

    {{ find_compared_days(ref('report_info')) }}

),

period_figures as (

    {{ break_down_with_skipped(
        ref('queue_breakdown'), ref('messages_by_day'), by=['queue_id'],
        first='(select days.first_day from days)', last='(select days.last_day from days)'
    ) }}

),

base_figures as (

    {{ break_down_with_skipped(
        ref('queue_breakdown'), ref('messages_by_day'), by=['queue_id'],
        first='(select days.first_base_day from days)', last='(select days.last_base_day from days)'
    ) }}

),

compared as (

    {{ compare_figures('period_figures', 'base_figures', by=['queue_id']) }}

)

select
    {{ compared_day_columns('days') }},
    compared.queue_id,
    names.queue_name,
    {{ compared_columns('compared') }}
from compared
inner join {{ ref('dim_queues') }} as names on compared.queue_id = names.queue_id
cross join days
where compared.messages_sent > 0 or compared.messages_sent_base > 0
