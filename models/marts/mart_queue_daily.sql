with

sums as (

    {{ add_messages(ref('messages_by_day'), by=['message_date', 'queue_id']) }}

    union all

    {{ subtract_repeats(
        ref('counts_by_day_and_queue'), since='message_date', by=['message_date', 'queue_id']
    ) }}

),

figures as (

    {{ report_figures('sums', by=['message_date', 'queue_id']) }}

)

select
    figures.message_date,
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
