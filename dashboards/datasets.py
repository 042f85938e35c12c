"""What Superset asks of what is published: the SQL of each dataset, a template that takes in the filter bar.

Belongs here: the SQL of breakdowns, lines and orders. Does not belong here: that of the big figures, which
stand beside the days before (comparison.py); any figure, because the published table functions compute them;
which days are requested (days.py); charts and their place (reports.py).
"""

from __future__ import annotations

from datetime import date

import jinja2

from dashboards.changes import DATASETS_OF_CHANGES
from dashboards.comparison import MESSAGES_OVER_TIME, OVERVIEW_IN_WORDS, SHARE_IN_WORDS
from dashboards.days import PublishedDays
from dashboards.dialects import Dialect
from dashboards.filters import ARGUMENTS, FILTERS, NAMES, TEXTS, empty
from dashboards.versions import PublishedVersions


def _of_function(name: str, given: str = "", names: str = "") -> str:
    """A dataset of a table function, and the column of the filter bar that it gives."""
    columns = f"{names}s.{given}, " if given else ""
    join = (
        f"\ninner join {NAMES[given]} as {names}s on figures.{names}_id = {names}s.{names}_id"
        if given
        else ""
    )
    return f"{FILTERS}\nselect figures.*, {columns}{empty(given)}\nfrom {name}{ARGUMENTS} as figures{join}"


# As many members have a line of their own; the others share one, so that lines can be told apart.
LINES = 10

STRONGEST_MEMBERS = f"""{FILTERS}
with daily as (
    select figures.message_date, figures.messages_sent, figures.user_id, users.agent
    from user_messages_over_time{ARGUMENTS} as figures
    inner join {NAMES["agent"]} as users on figures.user_id = users.user_id
),

ranked as (
    select user_id, row_number() over (order by sum(messages_sent) desc, agent) as place
    from daily
    group by user_id, agent
)

select
    daily.message_date,
    case
        when ranked.place <= {LINES} or (select count(*) from ranked) = {LINES + 1} then daily.agent
        else 'The ' || (select count(*) - {LINES} from ranked) || ' others'
    end as agent,
    cast(sum(daily.messages_sent) as bigint) as messages_sent,
    {empty("agent")}
from daily
inner join ranked on daily.user_id = ranked.user_id
group by 1, 2"""

# Each order once, however many of the selected messages touched it. Columns of text have names that people
# read, because Superset lists those beside the search box.
ORDERS = f"""{FILTERS}
select
    touches.order_id as "Order",
    touches.ordered_at,
    case touches.sales_channel
        when 'online' then 'Online'
        when 'in_store' then 'In store'
    end as "Channel",
    touches.order_value,
    touches.refunded_value,
    touches.customer_id as "Customer",
    count(*) as messages_before,
    {{{{ dialect.day_in_words('min(touches.message_date)') }}}} as "First message on",
    string_agg(distinct queues.queue, ', ' order by queues.queue) as queue,
    string_agg(distinct agents.agent, ', ' order by agents.agent) as agent,
    {empty("queue", "agent")}
from fct_message_orders as touches
inner join {NAMES["queue"]} as queues on touches.queue_id = queues.queue_id
inner join {NAMES["agent"]} as agents on touches.user_id = agents.user_id
where
    touches.message_date between {{{{ first_day }}}} and {{{{ last_day }}}}
    {{% if queues %}}and touches.queue_id in (select unnest({{{{ queue_ids }}}})){{% endif %}}
    {{% if agents %}}and touches.user_id in (select unnest({{{{ user_ids }}}})){{% endif %}}
group by
    touches.order_id, touches.ordered_at, touches.sales_channel, touches.order_value, touches.refunded_value,
    touches.customer_id"""

# One row: what the charts show, in words, and how far the data goes.
SHOWN = f"""{FILTERS}
select
    {{{{ texts([days.said]) }}}} as days_shown,
    'Data up to ' || {{{{ dialect.day_in_words('as_of') }}}}
    || coalesce((
        select
            '; ' || cast(sum(messages_sent) as bigint)
            || case when sum(messages_sent) = 1 then ' message is' else ' messages are' end
            || ' dated later'
        from mart_overview_daily
        where message_date > as_of
        having sum(messages_sent) > 0
    ), '') as data_up_to,
    'Refreshed ' || {{{{ dialect.minute_in_words('refreshed_at') }}}} || ' UTC' as refreshed,
    'Days in ' || timezone as timezone,
    {empty()}
from report_info"""

PERIODS = f"""{FILTERS}
select position, period
from (
    values
    {{%- for period in days.periods %}}
    ({{{{ loop.index }}}}, {{{{ texts([period]) }}}}){{{{ ',' if not loop.last }}}}
    {{%- endfor %}}
) as periods (position, period)"""

# The days of the chosen period, from the last one on. Not the chosen days, so that each can be changed.
DAYS = (
    TEXTS
    + """
{%- set days = requested_days(filter_values('period', remove_filter=True), [], []) -%}
select
    day,
    {{ dialect.day_in_words('day') }} as from_day,
    {{ dialect.day_in_words('day') }} as to_day,
    cast(null as varchar) as period
from generate_series(
    timestamp '{{ days.first }}',
    timestamp '{{ days.last }}',
    interval '1 day'
) as days (day)"""
)

DATASETS = {
    "overview": _of_function("overview"),
    "overview_in_words": OVERVIEW_IN_WORDS,
    "share_in_words": SHARE_IN_WORDS,
    "messages_over_time": MESSAGES_OVER_TIME,
    "queue_breakdown": _of_function("queue_breakdown", "queue", "queue"),
    "user_messages_over_time": _of_function("user_messages_over_time", "agent", "user"),
    "strongest_members_over_time": STRONGEST_MEMBERS,
    "user_breakdown": _of_function("user_breakdown", "agent", "user"),
    "orders_behind_the_figures": ORDERS,
    "shown": SHOWN,
    **DATASETS_OF_CHANGES,
    "periods": PERIODS,
    "days": DAYS,
    "queues": f"select * from {NAMES['queue']} as queues",
    "agents": f"select * from {NAMES['agent']} as agents",
}


def without_filters(sql: str, dialect: Dialect) -> str:
    """A dataset's SQL when nothing is filtered, of any days: for its columns."""
    some = date(2026, 1, 1)
    return (
        jinja2.Environment()
        .from_string(sql)
        .render(
            filter_values=lambda *_, **__: [],
            requested_days=PublishedDays(some, some, some).requested,
            requested_versions=PublishedVersions([], "UTC").requested,
            currency_symbol=lambda: "$",
            dialect=dialect,
        )
    )
