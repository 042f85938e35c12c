-- What the changes since the last finished refresh add to counts_by_day: an inserted row counts +1, a removed
-- row -1.

with

messages as (

    select * from {{ changed_rows(ref('fct_messages')) }} as changes

),

message_orders as (

    select * from {{ changed_touches(ref('fct_message_orders')) }} as changes

),

counts as (

    {{ count_repeats_of_all('messages', 'message_orders') }}

)

{{ sum_counts('counts') }}
