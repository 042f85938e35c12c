"""Which days the filter bar requests, and how they are said: both ends inclusive, the last one the as-of day.

Belongs here: the periods to choose from, and what a chosen period and two chosen days mean together. Does not
belong here: the SQL that is given these days (datasets.py), and the bar itself (reports.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypedDict

from dashboards.connection import Database

DEFAULT_PERIOD = "Last 30 days"
ALL_TIME = "All time"
LATER_TOO = "All time and later"

# How a day may be written: as the lists of the bar have it, and in ISO 8601.
NOTATIONS = ("%d %b %Y", "%Y-%m-%d")

# No message is of such a day.
NEVER = (date(9999, 12, 31), date(1, 1, 1))

PUBLISHED_DAYS = """
select
    report_info.as_of,
    (select coalesce(min(message_date), report_info.as_of) from mart_overview_daily) as first_day,
    (select coalesce(max(message_date), report_info.as_of) from mart_overview_daily) as last_day
from report_info"""


class RequestedDays(TypedDict):
    """What a template of a dataset reads: days in ISO 8601, and the sentences that the dashboard shows."""

    first: str
    last: str
    said: str
    is_compared: bool
    first_base: str
    last_base: str
    said_base: str
    periods: list[str]


@dataclass(frozen=True)
class PublishedDays:
    """The days of what is published.

    Attributes:
        as_of: the last complete day.
        first: the day of the first message.
        last: the day of the last message, which can be later than the as-of day.
    """

    as_of: date
    first: date
    last: date

    def periods(self) -> dict[str, tuple[date, date]]:
        """The periods to choose from, in their order, each with its first and its last day."""
        end = self.as_of
        month = end.replace(day=1)
        month_before = (month - timedelta(days=1)).replace(day=1)
        periods = {
            **{f"Last {days} days": (end - timedelta(days=days - 1), end) for days in (7, 30, 90, 365)},
            "This month": (month, end),
            "Last month": (month_before, month - timedelta(days=1)),
            ALL_TIME: (min(self.first, end), end),
        }
        if self.last > end:
            periods[LATER_TOO] = (min(self.first, end), self.last)
        return periods

    def requested(self, periods: Sequence[str], first: Sequence[str], last: Sequence[str]) -> RequestedDays:
        """The days that are in the period and, where days are chosen, from the one to the other.

        Args:
            periods: the chosen period; none is the default one.
            first: the chosen first day, or none.
            last: the chosen last day, or none.

        Returns:
            The days. Where what is chosen cannot be read, or has no day in common, they are none, so that no
            chart shows other days than the bar names. Their base is the same number of days just before,
            where messages were sent on its first day or earlier: of a part of a base, any change looks great.
        """
        begin, end, said = self._requested(periods, first, last)
        base = self._base(begin, end)
        return {
            "first": begin.isoformat(),
            "last": end.isoformat(),
            "said": said,
            "is_compared": base is not None,
            "first_base": base[0].isoformat() if base else "",
            "last_base": base[1].isoformat() if base else "",
            "said_base": self._said_base(base, begin <= end),
            "periods": list(self.periods()),
        }

    def _said_base(self, base: tuple[date, date] | None, has_days: bool) -> str:
        if base:
            return f"against {say_days(*base)}"
        return f"not compared: messages begin on {say_day(self.first)}" if has_days else "not compared"

    def _base(self, begin: date, end: date) -> tuple[date, date] | None:
        days = (end - begin).days + 1
        if days < 1 or (begin - self.first).days < days:
            return None
        return begin - timedelta(days=days), begin - timedelta(days=1)

    def _requested(
        self, periods: Sequence[str], first: Sequence[str], last: Sequence[str]
    ) -> tuple[date, date, str]:
        period = ", ".join(periods) or DEFAULT_PERIOD
        if period not in self.periods():
            return *NEVER, f"No days: there is no period “{period}”. Choose one from the list."
        whole = self.periods()[period]
        days: list[date] = []
        for chosen, limit in zip((first, last), whole, strict=True):
            if (day := read_day(chosen, limit)) is None:
                return *NEVER, (
                    f"No days: “{', '.join(chosen)}” is not a day. Choose one from the list, or type it as "
                    f"{say_day(self.as_of)}."
                )
            days.append(day)
        if first and last and days[0] > days[1]:
            return *NEVER, f"No days: {say_day(days[0])} is after {say_day(days[1])}."
        begin, end = max(days[0], whole[0]), min(days[1], whole[1])
        if begin > end:
            return *NEVER, (
                f"No days: {say_days(*days)} has no day in common with “{period}”, {say_days(*whole)}."
            )
        return begin, end, f"{say_days(begin, end)}, {_of(period, (begin, end) == whole)}"


def _of(period: str, is_whole: bool) -> str:
    """The period behind its days: "all time" of the whole, "a part of all time" of some days of it."""
    return period[0].lower() + period[1:] if is_whole else f"a part of “{period}”"


def read_day(chosen: Sequence[str], limit: date) -> date | None:
    """The one day that is chosen; the limit when none is; None when it cannot be read."""
    if not chosen:
        return limit
    for notation in NOTATIONS:
        try:
            return datetime.strptime(" ".join(", ".join(chosen).split()), notation).date()
        except ValueError:
            continue
    return None


def say_day(day: date) -> str:
    """A day as people write it: 27 Nov 2026."""
    return f"{day.day} {day:%b} {day.year}"


def say_days(first: date, last: date) -> str:
    """Days as people write them: 29 Oct - 27 Nov 2026."""
    if first == last:
        return say_day(first)
    if first.year == last.year:
        return f"{first.day} {first:%b} - {say_day(last)}"
    return f"{say_day(first)} - {say_day(last)}"


def read_requested_days(
    database: Database,
) -> Callable[[Sequence[str], Sequence[str], Sequence[str]], RequestedDays]:
    """For the templates of the datasets: the days that are requested of what is published at that moment."""
    engine = database.engine()

    def requested_days(periods: Sequence[str], first: Sequence[str], last: Sequence[str]) -> RequestedDays:
        with engine.connect() as connected:
            row: Sequence[Any] = connected.exec_driver_sql(PUBLISHED_DAYS).one()
        return PublishedDays(*row).requested(periods, first, last)

    return requested_days
