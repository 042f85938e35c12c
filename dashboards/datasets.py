"""What Superset asks the published file: the SQL of each dataset, a template that takes in the filter bar.

Belongs here: the SQL. Does not belong here: any figure, because the table functions of the published file
compute them; which days are requested (days.py); charts and their place (reports.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import jinja2

from dashboards import words
from dashboards.days import PublishedDays
from dashboards.versions import PublishedVersions

# What people choose from. Two queues or agents of one name are told apart by their identifiers.
NAMES = {
    label: f"""(
    select
        {entity}_id,
        case
            when count(*) over (partition by {entity}_name) = 1 then {entity}_name
            else {entity}_name || ' (' || {entity}_id || ')'
        end as {label}
    from dim_{entity}s
)"""
    for label, entity in (("queue", "queue"), ("agent", "user"))
}

# Text is handed over as hexadecimal digits: Superset would take braces in a literal for Jinja, and write %
# and backslashes twice.
TEXTS = """
{%- macro texts(names) -%}
    {%- for name in names -%}
        decode(from_hex('{{ (name | string).encode().hex() }}')){{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
"""

# The filter bar. The table functions take the days of both ends, and lists of identifiers.
FILTERS = (
    TEXTS
    + """
{%- set days = requested_days(
    filter_values('period', remove_filter=True),
    filter_values('from_day', remove_filter=True),
    filter_values('to_day', remove_filter=True)
) -%}
{%- set queues = filter_values('queue', remove_filter=True) -%}
{%- set agents = filter_values('agent', remove_filter=True) -%}
{%- set first_day -%} cast('{{ days.first }}' as date) {%- endset -%}
{%- set last_day -%} cast('{{ days.last }}' as date) {%- endset -%}
{%- set queue_ids -%}
    (select coalesce(list(queue_id), []) from QUEUES where queue in ({{ texts(queues) }}))
{%- endset -%}
{%- set user_ids -%}
    (select coalesce(list(user_id), []) from AGENTS where agent in ({{ texts(agents) }}))
{%- endset -%}
""".replace("QUEUES", NAMES["queue"]).replace("AGENTS", NAMES["agent"])
)

ARGUMENTS = """(
    {{ first_day }},
    {{ last_day }},
    queues := {{ queue_ids if queues else 'null' }},
    users := {{ user_ids if agents else 'null' }}
)"""

# The columns of the filter bar that a dataset does not give are empty: a chart is filtered by columns that
# it has.
FILTER_COLUMNS = ("period", "from_day", "to_day", "queue", "agent")


def _empty(*given: str) -> str:
    """The columns of the filter bar but those that are given."""
    return ", ".join(f"cast(null as varchar) as {name}" for name in FILTER_COLUMNS if name not in given)


def _of_function(name: str, given: str = "", names: str = "") -> str:
    """A dataset of a table function, and the column of the filter bar that it gives."""
    columns = f"{names}s.{given}, " if given else ""
    join = (
        f"\ninner join {NAMES[given]} as {names}s on figures.{names}_id = {names}s.{names}_id"
        if given
        else ""
    )
    return f"{FILTERS}\nselect figures.*, {columns}{_empty(given)}\nfrom {name}{ARGUMENTS} as figures{join}"


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
    sum(daily.messages_sent) as messages_sent,
    {_empty("agent")}
from daily
inner join ranked on daily.user_id = ranked.user_id
group by all"""

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
    strftime(min(touches.message_date), '%-d %b %Y') as "First message on",
    string_agg(distinct queues.queue, ', ' order by queues.queue) as queue,
    string_agg(distinct agents.agent, ', ' order by agents.agent) as agent,
    {_empty("queue", "agent")}
from fct_message_orders as touches
inner join {NAMES["queue"]} as queues on touches.queue_id = queues.queue_id
inner join {NAMES["agent"]} as agents on touches.user_id = agents.user_id
where
    touches.message_date between {{{{ first_day }}}} and {{{{ last_day }}}}
    {{% if queues %}}and list_contains({{{{ queue_ids }}}}, touches.queue_id){{% endif %}}
    {{% if agents %}}and list_contains({{{{ user_ids }}}}, touches.user_id){{% endif %}}
group by all"""

# One row: what the charts show, in words, and how far the data goes.
SHOWN = f"""{FILTERS}
select
    {{{{ texts([days.said]) }}}} as days_shown,
    'Data up to ' || strftime(as_of, '%-d %b %Y')
    || coalesce((
        select
            '; ' || sum(messages_sent)
            || case when sum(messages_sent) = 1 then ' message is' else ' messages are' end
            || ' dated later'
        from mart_overview_daily
        where message_date > as_of
        having sum(messages_sent) > 0
    ), '') as data_up_to,
    strftime(refreshed_at, 'Refreshed %-d %b %Y, %H:%M UTC') as refreshed,
    'Days in ' || timezone as timezone,
    {_empty()}
from report_info"""

# The tab of two versions: its own filters, and what why() and why_figures() are called with.
VERSIONS = (
    FILTERS
    + """
{%- set versions = requested_versions(
    filter_values('from_version', remove_filter=True),
    filter_values('to_version', remove_filter=True)
) -%}
"""
)

COMPARED = ARGUMENTS.replace(
    "(\n",
    """(
    {{ texts([versions.first]) }},
    {{ texts([versions.last]) }},
""",
    1,
)

VERSION_COLUMNS = "cast(null as varchar) as from_version, cast(null as varchar) as to_version"

# What moved the figures. Where there are no two versions, there are no rows of these columns.
MOVES = f"""
{{%- set moves -%}}
    {{%- if versions.is_comparable -%}}
        why{COMPARED}
    {{%- else -%}}
        (
            select
                '' as figure, '' as entity,
                '' as message_id, '' as order_id, '' as customer_id, '' as user_id,
                cast(0 as decimal(38, 2)) as before,
                cast(0 as decimal(38, 2)) as after,
                cast(0 as decimal(38, 2)) as difference,
                false as was_settled, [''] as causes, [''] as changed_fields, [{{'path': ''}}] as files
            where false
        )
    {{%- endif -%}}
{{%- endset -%}}
"""


def _said(code: str, meanings: Mapping[str, str]) -> str:
    """A code in words; one that has none stays as it is."""
    cases = " ".join(
        f"when {_quoted(name)} then {_quoted(meaning)}" for name, meaning in sorted(meanings.items())
    )
    return f"case {code} {cases} else {code} end"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# One row: the versions that are compared, and whether anything differs.
VERSIONS_COMPARED = f"""{VERSIONS}{MOVES}
select
    {{{{ texts([versions.said]) }}}} as compared,
    {{% if versions.is_comparable %}}
    (
        select
            case
                when count(*) = 0 then 'Nothing differs in these days, queues and agents'
                else
                    count(*) || case when count(*) = 1 then ' difference: ' else ' differences: ' end
                    || count(*) filter (not moves.was_settled) || ' by growth, '
                    || count(*) filter (moves.was_settled) || ' by restatement'
            end
        from {{{{ moves }}}} as moves
    )
    {{% else %}}
    ''
    {{% endif %}} as outcome,
    {_empty()},
    {VERSION_COLUMNS}"""


def _in_words(column: str, is_difference: bool) -> str:
    """SQL of a column of figures as text, formatted as the other charts are; NULL is a dash.

    Args:
        column: the column of why_figures().
        is_difference: whether it is written with its sign, and a rate in percentage points.
    """
    value = f"figures.{column}"
    plus = f"when {value} > 0 then '+'" if is_difference else ""
    percent = " pp" if is_difference else "%"
    return f"""case
        when {value} is null then {_quoted(words.NOTHING)}
        else
            case when shown.kind = 'money' then {{{{ texts([versions.currency_symbol]) }}}} || ' ' else '' end
            || case when {value} < 0 then '-' {plus} else '' end
            || case shown.kind
                when 'count' then format('{{:,}}', cast(abs({value}) as bigint))
                when 'money' then format('{{:,.2f}}', cast(round(abs({value}), 2) as double))
                else format('{{:,.2f}}', cast(round(abs({value}) * 100, 2) as double))
            end
            || case when shown.kind = 'rate' then '{percent}' else '' end
    end"""


# The big figures of the other tabs, in their order, and how they are formatted.
HERO_FIGURES = {
    "messages_sent": "count",
    "revenue_generated": "money",
    "conversion_rate": "rate",
    "active_users": "count",
    "revenue_per_message": "money",
}

HERO_ROWS = ",\n    ".join(
    f"({place}, '{name}', {_quoted(words.LABELS[name])}, '{kind}')"
    for place, (name, kind) in enumerate(HERO_FIGURES.items(), start=1)
)

CHANGED_FIGURES = f"""{VERSIONS}
select
    shown.place,
    shown.label as "Figure",
    {_in_words("before", is_difference=False)} as "Before",
    {_in_words("after", is_difference=False)} as "After",
    {_in_words("growth", is_difference=True)} as "Growth",
    {_in_words("restatement", is_difference=True)} as "Restatement",
    {_empty()},
    {VERSION_COLUMNS}
from (
    values
    {HERO_ROWS}
) as shown (place, figure, label, kind)
inner join
    {{%- if versions.is_comparable %}}
    why_figures{COMPARED}
    {{%- else %}}
    (
        select '' as figure, 0.0 as before, 0.0 as after, 0.0 as growth, 0.0 as restatement
        where false
    )
    {{%- endif %}} as figures
    on shown.figure = figures.figure"""


def _behind_the_changes(*figures: str) -> str:
    """A dataset of what moved these figures, a row for each figure and message, order, customer or agent."""
    return f"""{VERSIONS}{MOVES}
select
    row_number() over (
        order by
            abs(moves.difference) desc, moves.figure, moves.entity,
            moves.order_id, moves.message_id, moves.customer_id, moves.user_id
    ) as place,
    {_said("moves.figure", words.LABELS)} as "Figure",
    case moves.entity
        when 'message' then 'Message ' || moves.message_id
        when 'order' then 'Order ' || moves.order_id
        when 'customer' then 'Customer ' || moves.customer_id
        else 'Agent ' || coalesce(agents.agent, moves.user_id)
    end as "What",
    moves.before,
    moves.after,
    moves.difference,
    case when moves.was_settled then 'Restatement' else 'Growth' end as "Kind",
    array_to_string([{_said("cause", words.CAUSES)} for cause in moves.causes], ', ') as "Why",
    array_to_string([{_said("field", words.FIELDS)} for field in moves.changed_fields], ', ')
        as "Changed fields",
    array_to_string([file.path for file in moves.files], ', ') as "Files",
    {_empty()},
    {VERSION_COLUMNS}
from {{{{ moves }}}} as moves
left join {NAMES["agent"]} as agents on moves.user_id = agents.user_id
where moves.figure in ({", ".join(_quoted(figure) for figure in figures)})"""


# In two datasets, because amounts are formatted as money and sorted as numbers.
AMOUNTS = ("revenue_generated", "revenue_refunded", "revenue_credited")
COUNTS = (
    *("messages_sent", "messages_skipped", "messages_in_open_window", "customers_messaged"),
    *("customers_converted", "orders_generated", "active_users"),
)

# What is chosen from, not what is chosen: so that each choice can be changed.
VERSIONS_TO_CHOOSE = (
    TEXTS
    + """
select place, name as from_version, name as to_version
from (
    values
    (0, '')
    {%- for name in requested_versions([], []).choices %}
    , ({{ loop.index }}, {{ texts([name]) }})
    {%- endfor %}
) as choices (place, name)
where place > 0"""
)

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
    strftime(day, '%-d %b %Y') as from_day,
    strftime(day, '%-d %b %Y') as to_day,
    cast(null as varchar) as period
from generate_series(
    timestamp '{{ days.first }}',
    timestamp '{{ days.last }}',
    interval 1 day
) as days (day)"""
)

DATASETS = {
    "overview": _of_function("overview"),
    "messages_over_time": _of_function("messages_over_time"),
    "queue_breakdown": _of_function("queue_breakdown", "queue", "queue"),
    "user_messages_over_time": _of_function("user_messages_over_time", "agent", "user"),
    "strongest_members_over_time": STRONGEST_MEMBERS,
    "user_breakdown": _of_function("user_breakdown", "agent", "user"),
    "orders_behind_the_figures": ORDERS,
    "shown": SHOWN,
    "versions_compared": VERSIONS_COMPARED,
    "changed_figures": CHANGED_FIGURES,
    "changed_amounts": _behind_the_changes(*AMOUNTS),
    "changed_counts": _behind_the_changes(*COUNTS),
    "versions_to_choose": VERSIONS_TO_CHOOSE,
    "periods": PERIODS,
    "days": DAYS,
    "queues": f"select * from {NAMES['queue']} as queues",
    "agents": f"select * from {NAMES['agent']} as agents",
}


def without_filters(sql: str) -> str:
    """A dataset's SQL when nothing is filtered, of any days: for its columns."""
    some = date(2026, 1, 1)
    return (
        jinja2.Environment()
        .from_string(sql)
        .render(
            filter_values=lambda *_, **__: [],
            requested_days=PublishedDays(some, some, some).requested,
            requested_versions=PublishedVersions([], "UTC", "USD").requested,
        )
    )
