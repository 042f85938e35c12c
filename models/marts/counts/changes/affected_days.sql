-- Days whose messages changed, and those that have messages with an open window, which the as-of day
-- moves. Days that had some at the last refresh only messages_by_day knows, so it adds them itself.

select message_date from {{ change_feed(ref('fct_messages')) }} as feed

union

select message_date from {{ ref('fct_messages') }}
where window_closes_at > (select info.as_of_ends_at from {{ ref('report_info') }} as info)
