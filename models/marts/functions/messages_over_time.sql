with

-- A customer with one message on a day does not repeat on it.
messages as (

    select * from {{ ref('fct_messages') }}
    where
        {{ matches_other_filter() }}
        and not is_only_message_of_day

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ matches_other_filter() }}
        and touch_count > 1
        and touch_count_on_day > 1

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ matches_other_filter() }}

),

sums as (

    {{ add_messages('messages_by_day', by=['message_date']) }}

    union all

    {{ subtract_repeated_customers('messages', by=['message_date']) }}

    union all

    {{ subtract_repeated_orders('touches', by=['message_date']) }}

),

figures as (

    {{ report_figures('sums', by=['message_date']) }}

),

rows_of_daily_marts as (

    select
        message_date,
        {{ figure_columns(none) }}
    from {{ ref('mart_overview_daily') }}
    where {{ matches_no_filter() }}

    union all

    select
        message_date,
        {{ figure_columns(none) }}
    from {{ ref('mart_queue_daily') }}
    where {{ matches_one_queue() }}

    union all

    select
        message_date,
        {{ figure_columns(none) }}
    from {{ ref('mart_user_daily') }}
    where {{ matches_one_user() }}

)

select
    figures.message_date,
    {{ figure_columns() }}
from figures

union all

select
    message_date,
    {{ figure_columns(none) }}
from rows_of_daily_marts
