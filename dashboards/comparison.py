"""The SQL of what stands beside the days before: the big figures, and the messages over time.

Belongs here: how the figures of the days and of their base are queried together. Does not belong here:
which days are the base (days.py), and how a change is written (in_words.py).
"""

from __future__ import annotations

from dashboards import words
from dashboards.filters import ARGUMENTS, FILTERS, empty
from dashboards.in_words import FIGURES_IN_WORDS, change_in_words, in_words, quoted

BASE_DAYS = """
{%- set first_base_day -%} cast('{{ days.first_base }}' as date) {%- endset -%}
{%- set last_base_day -%} cast('{{ days.last_base }}' as date) {%- endset -%}
"""

BASE_ARGUMENTS = ARGUMENTS.replace("first_day", "first_base_day").replace("last_day", "last_base_day")

COMPARED_ARGUMENTS = ARGUMENTS.replace(
    "    queues", "    base_from := {{ first_base_day }},\n    base_to := {{ last_base_day }},\n    queues", 1
)

FIGURES = FIGURES_IN_WORDS | {"messages_in_open_window": "count"}

# Said once below each figure.
AGAINST = "{{ texts([days.said_base]) }}"


def _in_words(name: str, kind: str) -> str:
    """The columns of a big figure: itself, its change, what the change is against, what it means."""
    value, base = f"figures.{name}", f"figures.{name}_base"
    change = change_in_words(value, base, kind)
    return f"""
    {in_words(value, quoted(kind))} as {name},
    {{% if days.is_compared %}}{change}{{% else %}}''{{% endif %}} as {name}_change,
    {AGAINST} as {name}_against,
    replace({quoted(words.SUBTITLES[name])}, '{{days}}', cast(info.attribution_window_days as varchar))
        as {name}_meaning,"""


# One row of texts.
OVERVIEW_IN_WORDS = f"""{FILTERS}{BASE_DAYS}
select{"".join(_in_words(name, kind) for name, kind in FIGURES.items())}
    {empty()}
from
    {{%- if days.is_compared %}}
    overview_compared{COMPARED_ARGUMENTS}
    {{%- else %}}
    (
        select *, {", ".join(f"null as {name}_base" for name in FIGURES)}
        from overview{ARGUMENTS}
    )
    {{%- endif %}} as figures
cross join report_info as info"""


def _share(arguments: str) -> str:
    """The share of the revenue of all orders of some days that is credited to the messages."""
    return f"(select sum(revenue_credited) / nullif(sum(revenue_placed), 0) from sales{arguments})"


# By the day of the order. Without a filter, all that is attributed is credited.
SHARE_IN_WORDS = f"""{FILTERS}{BASE_DAYS}
select{_in_words("share_of_all_revenue", "rate")}
    {empty()}
from (
    select
        {_share(ARGUMENTS)} as share_of_all_revenue,
        {{% if days.is_compared %}}{_share(BASE_ARGUMENTS)}{{% else %}}null{{% endif %}}
            as share_of_all_revenue_base
) as figures
cross join report_info as info"""

# What the line and its tooltip show of a day, and of the day at the same place of the base.
OF_A_DAY = {
    "messages_sent": "0",
    "messages_skipped": "0",
    "revenue_generated": "0",
    "conversion_rate": "null",
}

MESSAGES_OVER_TIME = f"""{FILTERS}{BASE_DAYS}
select
    cast(days.day as date) as message_date,
    {", ".join(f"coalesce(figures.{name}, {nothing}) as {name}" for name, nothing in OF_A_DAY.items())},
    {{%- if days.is_compared %}}
    {", ".join(f"coalesce(bases.{name}, {nothing}) as {name}_base" for name, nothing in OF_A_DAY.items())},
    {{%- else %}}
    {", ".join(f"cast(null as double precision) as {name}_base" for name in OF_A_DAY)},
    {{%- endif %}}
    {empty()}
from generate_series(
    cast({{{{ first_day }}}} as timestamp), cast({{{{ last_day }}}} as timestamp), interval '1 day'
) as days (day)
left join messages_over_time{ARGUMENTS} as figures on cast(days.day as date) = figures.message_date
{{%- if days.is_compared %}}
left join messages_over_time{BASE_ARGUMENTS} as bases
    on cast(days.day as date) - {{{{ first_day }}}} = bases.message_date - {{{{ first_base_day }}}}
{{%- endif %}}"""
