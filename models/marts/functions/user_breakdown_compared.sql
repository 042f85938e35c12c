{{
    config(
        parameters=[
            'date_from',
            'date_to',
            "against := 'previous'",
            'base_from := null',
            'base_to := null',
            'complete_days_only := false',
            'queues := null',
            'users := null'
        ]
    )
}}

with

days as (

    {{ describe_compared_days() }}

),

period_figures as (

    {{ break_down_with_skipped(
        ref('user_breakdown'), ref('messages_by_day'), by=['user_id'],
        first=first_compared_day(), last=last_compared_day()
    ) }}

),

base_figures as (

    {{ break_down_with_skipped(
        ref('user_breakdown'), ref('messages_by_day'), by=['user_id'],
        first=first_base_day(), last=last_base_day()
    ) }}

),

compared as (

    {{ compare_figures('period_figures', 'base_figures', by=['user_id']) }}

)

select
    days.period_start,
    days.period_end,
    days.base_start,
    days.base_end,
    days.days_left_out,
    days.days_left_out_base,
    compared.user_id,
    names.user_name,
    {{ compared_columns('compared') }}
from compared
inner join {{ ref('dim_users') }} as names on compared.user_id = names.user_id
cross join days
where compared.messages_sent > 0 or compared.messages_sent_base > 0
