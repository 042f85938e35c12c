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
    where {{ asked_for_all() }}

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
    where {{ asked_for_one_queue() }}

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
    where {{ asked_for_one_user() }}

),

-- For any other filter the repeats are computed from the facts.
messages as (

    select * from {{ ref('fct_messages') }}
    where {{ asked_for_otherwise() }}

),

touches as (

    select * from {{ ref('fct_message_orders') }}
    where
        {{ asked_for_otherwise() }}
        and touch_count > 1

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ asked_for() }}

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
