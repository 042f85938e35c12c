with

counts as (

    {% set counted = [
        'message_date',
        'previous_date',
        'messages_sent',
        'messages_converted',
        'touches',
        'touched_value',
        'touched_refunds',
    ] | join(', ') %}
    select {{ counted }} from {{ ref('counts_by_day') }}
    where {{ asked_for_all() }}

    union all

    select {{ counted }} from {{ ref('counts_by_day_and_queue') }}
    where {{ asked_for_one_queue() }}

    union all

    select {{ counted }} from {{ ref('counts_by_day_and_user') }}
    where {{ asked_for_one_user() }}

),

messages as (

    select * from {{ ref('fct_messages') }}
    where {{ asked_for_otherwise() }}

),

message_orders as (

    select * from {{ ref('fct_message_orders') }}
    where {{ asked_for_otherwise() }}

),

messages_by_day as (

    select * from {{ ref('messages_by_day') }}
    where {{ asked_for() }}

),

figures as (

    {{ report_figures(since='cast(date_from as date)', gathered=asks_otherwise()) }}

)

select
    {{ figure_columns() }}
from figures
