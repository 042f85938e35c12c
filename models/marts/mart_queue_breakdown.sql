with

periods as (

    select * from {{ ref('report_periods') }}

),

messages as (

    select
        periods.period,
        periods.period_start,
        messages.*
    from {{ ref('fct_messages') }} as messages
    inner join periods on messages.message_date between periods.period_start and periods.period_end

),

message_orders as (

    select
        periods.period,
        periods.period_start,
        message_orders.*
    from {{ ref('fct_message_orders') }} as message_orders
    inner join periods on message_orders.message_date between periods.period_start and periods.period_end

),

figures as (

    {{ report_figures(by=['period', 'queue_id'], since='period_start') }}

)

select
    periods.period,
    periods.period_start,
    periods.period_end,
    figures.queue_id,
    names.queue_name,
    {{ figure_columns() }}
from figures
inner join periods on figures.period = periods.period
inner join {{ ref('dim_queues') }} as names on figures.queue_id = names.queue_id
where figures.messages_sent > 0
