"""Why figures changed between two published versions, in a terminal, read from the published file.

Belongs here: which two versions are compared, and how their difference is printed. Does not belong here: what
changed and why, which the published table functions say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.landing.notices import named
from orchestration.printable import printable, shown

PERIOD_DAYS = 30

MOST_ROWS = 20

Row = Mapping[str, Any]


class WhyError(RuntimeError):
    """Versions that cannot be compared; the message says why, and which ones are there."""


@dataclass(frozen=True)
class Hero:
    """A figure that the reports show first.

    Attributes:
        words: its name in the reports.
        write: how it is written.
        write_difference: how a difference of two of them is.
        made_of: the figures that it is computed from, each of which has rows.
    """

    words: str
    write: Callable[[Decimal], str]
    write_difference: Callable[[Decimal], str]
    made_of: tuple[str, ...]


def _count(value: Decimal) -> str:
    return f"{value:,.0f}"


def _money(value: Decimal) -> str:
    return f"{value:,.2f}"


def _rate(value: Decimal) -> str:
    return f"{value:.2%}"


def _points(value: Decimal) -> str:
    return f"{value * 100:.2f} pp"


HEROES = {
    "messages_sent": Hero("Total messages sent", _count, _count, ("messages_sent",)),
    "revenue_generated": Hero("Revenue generated", _money, _money, ("revenue_generated",)),
    "conversion_rate": Hero("Conversion rate", _rate, _points, ("customers_messaged", "customers_converted")),
    "active_users": Hero("Active users", _count, _count, ("active_users",)),
    "revenue_per_message": Hero(
        "Revenue per message", _money, _money, ("revenue_generated", "messages_sent")
    ),
}

BEHIND = sorted({figure for hero in HEROES.values() for figure in hero.made_of})


@dataclass(frozen=True)
class Comparison:
    """What changed between two versions.

    Attributes:
        before, after: the versions, as rows of ``versions``.
        period: the first and the last day that is compared.
        heroes: the figures that the reports show first, as rows of ``why_figures``.
        rows: the largest rows of ``why`` behind them.
        row_count: how many rows there are.
        restated_elsewhere: the first and the last day outside the period that was restated.
    """

    before: Row
    after: Row
    period: tuple[date, date]
    heroes: Sequence[Row]
    rows: Sequence[Row]
    row_count: int
    restated_elsewhere: tuple[date, date] | None


def compare(published: Path, from_version: str | None = None, to_version: str | None = None) -> Comparison:
    """Compare two versions over the last 30 days of the later one.

    Args:
        published: the published file.
        from_version: a name of a version, or an instant at which readers saw it; by default the one
            before the other.
        to_version: the same; by default the last one.

    Raises:
        WhyError: when there are no two such versions, or the ledger does not keep what lies between them.
    """
    if not published.exists():
        raise WhyError("Nothing has been published yet, so nothing has changed. Run `make run`.")
    with duckdb.connect(str(published), read_only=True) as connection, _explained():
        before, after = _chosen(connection, from_version, to_version)
        last = after["as_of"]
        first = last - timedelta(days=PERIOD_DAYS - 1)
        asked = [before["version"], after["version"], first, last]
        figures = _rows(connection, "from why_figures(?, ?, ?, ?)", *asked)
        rows = _rows(
            connection,
            f"""
            select *, count(*) over () as row_count
            from why(?, ?, ?, ?)
            where figure in (select unnest(?))
            order by
                abs(difference) desc, was_settled desc, figure, message_id, order_id, customer_id, user_id
            limit {MOST_ROWS}
            """,
            *asked,
            BEHIND,
        )
        elsewhere = _restated_elsewhere(connection, asked)
    heroes = [row for row in figures if row["figure"] in HEROES]
    row_count = rows[0]["row_count"] if rows else 0
    return Comparison(before, after, (first, last), heroes, rows, row_count, elsewhere)


def print_why(comparison: Comparison, console: Console) -> None:
    """Print the figures before and after, what of the difference is growth or restatement, and the rows."""
    first, last = comparison.period
    console.print(f"What changed in the figures of {first} to {last}, from version")
    for version in (comparison.before, comparison.after):
        console.print(
            f"  {version['version']}, published {version['published_at']:%Y-%m-%d %H:%M} UTC "
            f"as of {version['as_of']}{', to' if version is comparison.before else ''}"
        )
    console.print(_table(comparison))
    console.print(
        "Growth comes from messages whose window was still open at the earlier version, or that were sent\n"
        "after it. Restatement is all else: figures that were settled.\n"
    )
    if comparison.rows:
        console.print("What moved them, the largest first:\n")
    else:
        console.print("No message, order, customer or user moved one of them.")
    for row in comparison.rows:
        console.print(Text(f"  {_line(row)}"))
    more = comparison.row_count - len(comparison.rows)
    if more > 0:
        console.print(f"  and {more:,} more: {_query(comparison, first, last)}")
    if comparison.restated_elsewhere:
        days = comparison.restated_elsewhere
        console.print(
            f"\nSettled days outside of these were restated too, {days[0]} to {days[1]}: "
            f"{_query(comparison, *days)}"
        )


def _query(comparison: Comparison, first: date, last: date) -> str:
    """What to ask the published file for all rows."""
    names = f"'{comparison.before['version']}', '{comparison.after['version']}'"
    return f"select * from why({names}, date '{first}', date '{last}')"


def _restated_elsewhere(
    connection: duckdb.DuckDBPyConnection, asked: Sequence[object]
) -> tuple[date, date] | None:
    """The first and the last settled day outside the period that a version between the two restated."""
    ((first, last),) = connection.execute(
        """
        select min(day), max(day)
        from (
            select unnest([message_date_before, message_date_after]) as day
            from restatements
            where was_settled and to_version > least($1, $2) and to_version <= greatest($1, $2)
        )
        where day not between $3 and $4
        """,
        list(asked),
    ).fetchall()
    return (first, last) if first else None


def _table(comparison: Comparison) -> Table:
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    # Only the words give way where a terminal is narrow.
    table.add_column("", overflow="fold")
    for heading in ("Before", "After", "Growth", "Restatement"):
        table.add_column(heading, justify="right", no_wrap=True)
    currency = comparison.after["settings"]["currency"]
    for row in comparison.heroes:
        hero = HEROES[row["figure"]]
        words = f"{hero.words}, {currency}" if hero.write is _money else hero.words
        sides = ["-" if row[side] is None else hero.write(row[side]) for side in ("before", "after")]
        moved = [_signed(row[part], hero.write_difference) for part in ("growth", "restatement")]
        table.add_row(Text(shown(words)), *sides, *moved)
    return table


def _signed(value: Decimal | None, write: Callable[[Decimal], str]) -> str:
    if value is None:
        return "-"
    return f"{'+' if value > 0 else ''}{write(value)}"


def _line(row: Row) -> str:
    """What one message, order, customer or user moved, and why."""
    write = _money if row["figure"].startswith("revenue") else _count
    about = f"{row['figure']}, {row['entity']} {shown(row[row['entity'] + '_id'])}"
    fields = f" ({', '.join(row['changed_fields'])})" if row["changed_fields"] else ""
    files = [named(file["path"]) for file in row["files"] or ()]
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return (
        f"{_signed(row['difference'], write):>14}  {about}: {write(row['before'])} -> {write(row['after'])}, "
        f"{'settled' if row['was_settled'] else 'growth'}, {', '.join(row['causes'])}{fields}"
        f"{f', {files[0]}{more}' if files else ''}"
    )


def _chosen(
    connection: duckdb.DuckDBPyConnection, from_version: str | None, to_version: str | None
) -> tuple[Row, Row]:
    """The two versions that are compared."""
    versions = _rows(connection, "from versions order by version")
    after = _found(versions, to_version) if to_version else versions[-1]
    if from_version:
        return _found(versions, from_version), after
    for version in versions:
        if version["version"] == after["previous_version"]:
            return version, after
    raise WhyError(
        f"Before version {after['version']} nothing was published that it could be compared with. "
        f"{_kept(versions)}"
    )


def _found(versions: Sequence[Row], name: str) -> Row:
    """The version of a name, or the last one that was published at an instant or before it."""
    for version in versions:
        if version["version"] == name:
            return version
    instant = _instant(name)
    until = [version for version in versions if instant and version["published_at"] <= instant]
    if not until:
        raise WhyError(
            f"{shown(name)} is neither a version nor an instant (in UTC) at which one was published. "
            f"{_kept(versions)}"
        )
    return until[-1]


def _instant(text: str) -> datetime | None:
    """The instant in UTC that a text names, by its offset where it has one; None when it names none."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _kept(versions: Sequence[Row]) -> str:
    first, last = versions[0]["version"], versions[-1]["version"]
    return (
        f"There are {len(versions):,} versions, {first} to {last}: the published table `versions` lists them."
    )


@contextmanager
def _explained() -> Iterator[None]:
    """Within it, what the published file cannot answer ends with a sentence."""
    try:
        yield
    except duckdb.CatalogException:
        raise WhyError(
            "The published file was made by a version of this software that kept no record of what changed. "
            "`make run` publishes the first version that does."
        ) from None
    except duckdb.Error as error:
        raise WhyError(printable(str(error))) from None


def _rows(connection: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> list[Row]:
    cursor = connection.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
