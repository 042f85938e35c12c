-- Days whose messages changed, and days that have messages with an open window, because the as-of day moves
-- it. Only messages_by_day knows which days had some at the last refresh, so it adds these.

select message_date from {{ change_feed(ref('fct_messages')) }} as feed

union

select message_date from {{ ref('fct_messages') }}
where window_closes_at > (select info.as_of_ends_at from {{ ref('report_info') }} as info)
