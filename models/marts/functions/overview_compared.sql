with

days as (

    {{ find_compared_days(ref('report_info')) }}

),

period_figures as (

    select * from {{ ref('overview') }}(
        (select days.first_day from days),
        (select days.last_day from days),
        queues := queues,
        users := users
    )

),

base_figures as (

    select * from {{ ref('overview') }}(
        (select days.first_base_day from days),
        (select days.last_base_day from days),
        queues := queues,
        users := users
    )

),

compared as (

    {{ compare_figures('period_figures', 'base_figures') }}

)

select
    {{ compared_day_columns('days') }},
    {{ compared_columns('compared') }}
from compared
cross join days
