with

-- The repeats of all messages, of one queue or of one user: a filter selects rows of one of the three.
counts as (

    select
        message_date,
        previous_date,
        messages_sent,
        messages_converted,
        touches,
        touched_value,
        touched_refunds
    from {{ ref('counts_by_day') }}
    where {{ matches_no_filter() }}

    union all

    select
        message_date,
        previous_date,
        messages_sent,
        messages_converted,
        touches,
        touched_value,
        touched_refunds
    from {{ ref('counts_by_day_and_queue') }}
    where {{ matches_one_queue() }}

    union all

    select
        message_date,
        previous_date,
        messages_sent,
        messages_converted,
        touches,
        touched_value,
        touched_refunds
    from {{ ref('counts_by_day_and_user') }}
    where {{ matches_one_user() }}

),

-- For any other filter the repeats are computed from the facts.
messages as (

    select * from {{ ref('fct_messages') }}
    where {{ matches_other_filter() }}

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ matches_other_filter() }}
        and touch_count > 1

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ matches_filter() }}

),

sums as (

    {{ add_messages('messages_by_day') }}

    union all

    {{ subtract_repeats('counts', since='cast(date_from as date)') }}

    union all

    {{ subtract_repeated_customers('messages') }}

    union all

    {{ subtract_repeated_orders('touches') }}

),

figures as (

    {{ report_figures('sums') }}

)

select
    {{ figure_columns() }}
from figures
