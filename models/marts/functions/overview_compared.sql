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

    select * from {{ ref('overview') }}(
        {{ first_compared_day() }}, {{ last_compared_day() }}, queues := queues, users := users
    )

),

base_figures as (

    select * from {{ ref('overview') }}(
        {{ first_base_day() }}, {{ last_base_day() }}, queues := queues, users := users
    )

),

compared as (

    {{ compare_figures('period_figures', 'base_figures') }}

)

select
    days.period_start,
    days.period_end,
    days.base_start,
    days.base_end,
    days.days_left_out,
    days.days_left_out_base,
    {{ compared_columns('compared') }}
from compared
cross join days
