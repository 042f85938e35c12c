with

sums as (

    {{ add_messages(ref('messages_by_day'), by=['message_date']) }}

    union all

    {{ subtract_repeats(ref('counts_by_day'), since='message_date', by=['message_date']) }}

),

figures as (

    {{ report_figures('sums', by=['message_date']) }}

)

select
    figures.message_date,
    {{ figure_columns() }}
from figures
