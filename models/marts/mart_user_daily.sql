with

sums as (

    {{ add_messages(ref('messages_by_day'), by=['message_date', 'user_id']) }}

    union all

    {{ subtract_repeats(
        ref('counts_by_day_and_user'), since='message_date', by=['message_date', 'user_id']
    ) }}

),

figures as (

    {{ report_figures('sums', by=['message_date', 'user_id']) }}

)

select
    figures.message_date,
    figures.user_id,
    names.user_name,
    {{ figure_columns() }}
from figures
inner join {{ ref('dim_users') }} as names on figures.user_id = names.user_id
