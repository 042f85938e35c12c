"""The two reports in a terminal, read from the published file like any other reader does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from orchestration.printable import shown

BARS = " ▁▂▃▄▅▆▇█"

# Terminals with fewer columns get shorter lines of bars.
WIDE = 100

Row = Mapping[str, Any]

# Compared in percentage points.
RATES = ("conversion_rate", "share_attributed")

# Of two ranges of days of orders.
SHARES = """
select
    sum(revenue_attributed) filter (order_date between $1 and $2)
    / nullif(sum(revenue_placed) filter (order_date between $1 and $2), 0) as share_attributed,
    sum(revenue_attributed) filter (order_date between $3 and $4)
    / nullif(sum(revenue_placed) filter (order_date between $3 and $4), 0) as share_attributed_base
from mart_sales_daily
"""


@dataclass(frozen=True)
class Figures:
    """What both reports of a period print, as rows of the published file.

    Attributes:
        info: the one row of ``report_info``.
        overview: the figures of the period.
        compared: the same beside those of the previous period; None where there is none that is whole.
        share: the share of all revenue in the period, as ``share_attributed`` and ``share_attributed_base``.
        first_day: the day of the first message.
        days: its days, with the messages of each.
        queues, users: its breakdowns, those with most messages first.
        user_days: its days by user.
    """

    info: Row
    overview: Row
    compared: Row | None
    share: Row
    first_day: date
    days: Sequence[Row]
    queues: Sequence[Row]
    users: Sequence[Row]
    user_days: Sequence[Row]

    @property
    def period(self) -> tuple[date, date]:
        """The first and the last day."""
        return self.overview["period_start"], self.overview["period_end"]


def print_reports(published: Path, period: str, console: Console) -> None:
    """Print the Overview and the Team engagement report.

    Args:
        published: the published file.
        period: one of the periods of the period marts.
        console: where to print.
    """
    figures = _read(published, period)
    _print_overview(figures, console)
    _print_team_engagement(figures, console)
    info, newest = figures.info, figures.info["newest_event_at"]
    later = info["events_after_as_of"]
    console.print(
        f"\n[dim]{figures.overview['messages_in_open_window']:,} of the messages sent still have an open "
        f"window{_open_before(figures)}: their figures may rise. "
        f"As of {info['as_of']}, days in {info['timezone']}, "
        f"{f'newest event {newest} UTC' if newest else 'no event yet'}."
        f"{f' Events later than that day, not in the figures: {later:,}.' if later else ''}[/]"
    )


def _read(published: Path, period: str) -> Figures:
    with duckdb.connect(str(published), read_only=True) as connection:

        def rows(query: str, *parameters: object) -> list[Row]:
            result = connection.execute(query, parameters)
            names = [column[0] for column in result.description]
            return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

        (info,) = rows("from report_info")
        (overview,) = rows("from mart_overview where period = ?", period)
        first, last = overview["period_start"], overview["period_end"]
        ((first_day,),) = connection.sql(
            "select period_start from mart_overview where period = 'all_time'"
        ).fetchall()
        # A base that begins before the first message is no whole period: any change would look great.
        compared = rows("from mart_overview_compared where period = ? and base_start >= ?", period, first_day)
        base = (compared[0]["base_start"], compared[0]["base_end"]) if compared else (None, None)
        (share,) = rows(SHARES, first, last, *base)
        return Figures(
            info,
            overview,
            compared[0] if compared else None,
            share,
            first_day,
            days=rows("from messages_over_time(?, ?)", first, last),
            queues=rows(
                "from mart_queue_breakdown where period = ? order by messages_sent desc, queue_id", period
            ),
            users=rows(
                "from mart_user_breakdown where period = ? order by messages_sent desc, user_id", period
            ),
            user_days=rows("from user_messages_over_time(?, ?)", first, last),
        )


def _print_overview(figures: Figures, console: Console) -> None:
    overview, currency = figures.overview, figures.info["currency"]
    first, last = figures.period
    console.print()
    console.rule(f"[bold]Overview[/]  {first} to {last}")
    console.print(
        _heroes(
            {
                "Total messages sent": f"{overview['messages_sent']:,}",
                "Revenue generated": _money(overview["revenue_generated"], currency),
                "Conversion rate": _rate(overview["conversion_rate"]),
                "Share of all revenue": _rate(figures.share["share_attributed"]),
            },
            _changes(
                figures.compared and {**figures.compared, **figures.share},
                ("messages_sent", "revenue_generated", "conversion_rate", "share_attributed"),
            ),
        )
    )
    console.print(_days_before(figures))
    console.print(f"Messages sent over time  [cyan]{_bars(figures.days, first, last, most=50)}[/]\n")
    console.print(_breakdown("Queue", "queue_name", figures.queues, currency))


def _print_team_engagement(figures: Figures, console: Console) -> None:
    overview, currency = figures.overview, figures.info["currency"]
    first, last = figures.period
    console.print()
    console.rule(f"[bold]Team engagement[/]  {first} to {last}")
    console.print(
        _heroes(
            {
                "Active users": f"{overview['active_users']:,}",
                "Revenue per message": _money(overview["revenue_per_message"], currency),
            },
            _changes(figures.compared, ("active_users", "revenue_per_message")),
        )
    )
    console.print(_days_before(figures))
    days_by_user = defaultdict(list)
    for day in figures.user_days:
        days_by_user[day["user_id"]].append(day)
    most = 30 if console.width >= WIDE else 15
    over_time = {
        user["user_id"]: _bars(days_by_user[user["user_id"]], first, last, most) for user in figures.users
    }
    console.print(_breakdown("User", "user_name", figures.users, currency, over_time))


def _heroes(figures: Mapping[str, str], changes: Sequence[str]) -> Columns:
    return Columns(
        [
            Panel(f"[bold]{value}[/]{change and f'{chr(10)}{change}'}", title=name, padding=(0, 2))
            for (name, value), change in zip(figures.items(), changes, strict=True)
        ]
    )


def _changes(compared: Row | None, figures: Sequence[str]) -> list[str]:
    """The changes of some figures; empty where nothing is compared."""
    if compared is None:
        return [""] * len(figures)
    return [change_of(compared[figure], compared[f"{figure}_base"], figure in RATES) for figure in figures]


def change_of(value: float | Decimal | None, base: float | Decimal | None, is_rate: bool = False) -> str:
    """How much more a figure is than its base, in words beside the arrow: rates in percentage points."""
    if value is None:
        return "none now"
    if base is None or (base == 0 != value and not is_rate):
        return "nothing before"
    difference = float(value) - float(base)
    change = difference if is_rate else difference / (float(base) or 1)
    size = f"{abs(change):.1%}"
    if size == "0.0%":
        return "= as before"
    if is_rate:
        size = f"{size.rstrip('%')} points"
    return f"▲ {size} more" if change > 0 else f"▼ {size} less"


def _days_before(figures: Figures) -> str:
    """Which days the changes are against, or why there are none."""
    if figures.compared is not None:
        first, last = figures.compared["base_start"], figures.compared["base_end"]
        return f"[dim]▲▼ against the {(last - first).days + 1} days before, {first} to {last}[/]"
    return f"[dim]Not compared with the days before: messages begin on {figures.first_day}[/]"


def _open_before(figures: Figures) -> str:
    if figures.compared is None:
        return ""
    return f", and {figures.compared['messages_in_open_window_base']:,} of the days before"


def _breakdown(
    title: str, name: str, rows: Sequence[Row], currency: str, over_time: Mapping[str, str] | None = None
) -> Table:
    table = Table(
        title=f"{title} breakdown",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    # Only names give way where a terminal is narrow: a long one takes several lines.
    table.add_column(title, overflow="fold")
    if over_time is not None:
        table.add_column("Sent over time", style="cyan", no_wrap=True)
    numbers = {
        "Messages\nsent": [f"{row['messages_sent']:,}" for row in rows],
        "Messages\nskipped": [f"{row['messages_skipped']:,}" for row in rows],
        f"Revenue\ngenerated\n{currency}": [_money(row["revenue_generated"]) for row in rows],
        f"Revenue\nper message\n{currency}": [_money(row["revenue_per_message"]) for row in rows],
    }
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    for row, *cells in zip(rows, *numbers.values(), strict=True):
        bars = [over_time[row["user_id"]]] if over_time is not None else []
        table.add_row(Text(shown(row[name])), *bars, *cells)
    return table


def _money(value: Decimal | None, currency: str = "") -> str:
    return "-" if value is None else f"{value:,.2f} {currency}".strip()


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _bars(days: Sequence[Row], first: date, last: date, most: int) -> str:
    """Messages sent from the first to the last day, as a line of at most so many bars of equal stretches."""
    sent = {day["message_date"]: day["messages_sent"] for day in days}
    per_day = [sent.get(first + timedelta(days=offset), 0) for offset in range((last - first).days + 1)]
    stretch = -(-len(per_day) // most)
    totals = [sum(per_day[start : start + stretch]) for start in range(0, len(per_day), stretch)]
    highest = max(totals, default=0) or 1
    return "".join(BARS[-(-total * (len(BARS) - 1) // highest)] for total in totals)
