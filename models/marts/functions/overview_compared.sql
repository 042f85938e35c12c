{%- set counted = [
    'previous_date', 'messages_sent', 'messages_converted', 'touches', 'touched_value', 'touched_refunds'
] -%}

with

days as (

    {{ find_compared_days(ref('report_info')) }}

),

sides as (

    {{ list_sides('days') }}

),

-- From here on as in overview, with both sides in one pass.
counts as (

    {{ in_compared_days(ref('counts_by_day'), 'sides', counted) }}
    where {{ has_no_filter() }}

    union all

    {{ in_compared_days(ref('counts_by_day_and_queue'), 'sides', counted) }}
    where {{ has_only_requested_queue() }}

    union all

    {{ in_compared_days(ref('counts_by_day_and_user'), 'sides', counted) }}
    where {{ has_only_requested_user() }}

),

messages as (

    select * from ({{ read_compared_days(ref('fct_messages'), 'sides') }}) as by_side
    where
        {{ has_requested_ids() }}
        and {{ has_other_filter() }}

),

touches as (

    select * from ({{ read_compared_days(ref('fct_message_orders'), 'sides') }}) as by_side
    where
        {{ has_requested_ids() }}
        and {{ has_other_filter() }}
        and touch_count > 1

),

messages_by_day as (

    {{ in_compared_days(ref('messages_by_day'), 'sides') }}
    where {{ has_requested_ids() }}

),

sums as (

    {{ add_messages('messages_by_day', by=['is_base']) }}

    union all

    {{ subtract_repeats('counts', since='first_day', by=['is_base']) }}

    union all

    {{ subtract_repeated_customers('messages', by=['is_base']) }}

    union all

    {{ subtract_repeated_orders('touches', by=['is_base']) }}

),

-- A side without messages has a row too.
figures as (

    {{ report_figures('sums', by=['is_base'], groups='sides') }}

),

period_figures as (

    select * from figures
    where not is_base

),

base_figures as (

    select * from figures
    where is_base

),

compared as (

    {{ compare_figures('period_figures', 'base_figures') }}

)

select
    {{ compared_day_columns('days') }},
    {{ compared_columns('compared') }}
from compared
cross join days
