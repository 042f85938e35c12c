"""A database of PostgreSQL, held against a published file: every table and function, row for row.

Belongs here: reading both by plain SQL. Does not belong here: how the database was brought there.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg2

from support.strategies import Filter

FUNCTIONS = ("overview", "messages_over_time", "queue_breakdown", "user_messages_over_time", "user_breakdown")

COMPARISONS = ("overview_compared", "queue_breakdown_compared", "user_breakdown_compared")

# What the days of a comparison are compared with.
BASES: tuple[Mapping[str, str | bool | date], ...] = (
    {},
    {"against": "year"},
    {"against": "last_year_dates", "complete_days_only": True},
    {"base_from": date(2025, 12, 20), "base_to": date(2026, 1, 10), "complete_days_only": True},
)

# Of so many filters, the ledger is asked too.
LEDGER_FILTERS = 2

SCHEMA = "contact_reports"


def assert_same(file: Path, database: str, filters: Iterable[Filter]) -> None:
    """The database holds what the file holds, and answers as it does."""
    with (
        duckdb.connect(str(file), read_only=True) as published,
        psycopg2.connect(database) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("set timezone = 'UTC'")
        assert tables_of(cursor) == {name for (name,) in published.execute("show tables").fetchall()}
        for name in sorted(tables_of(cursor)):
            columns = [row[0] for row in published.execute(f"describe {name}").fetchall()]
            assert_same_rows(
                f"{name}",
                published.execute(f"select {', '.join(columns)} from {name}").fetchall(),
                rows(cursor, f"select {', '.join(columns)} from {SCHEMA}.{name}"),
            )
        asked = [*filters]
        for name, arguments in [*questions(asked), *questions_of_ledger(published, asked)]:
            named = {key: value for key, value in arguments.items() if key not in ("queues", "users")}
            given = published.execute(
                f"from {name}({listed(named, '?')}, queues := ?::varchar[], users := ?::varchar[])",
                [*arguments.values()],
            )
            columns = [column[0] for column in given.description]
            cursor.execute(
                f"select * from {SCHEMA}.{name}"
                f"({listed(named, '%s')}, queues := %s::text[], users := %s::text[])",
                [*arguments.values()],
            )
            assert [column.name for column in cursor.description] == columns, name
            assert_same_rows(f"{name}{arguments}", given.fetchall(), cursor.fetchall())


def listed(named: Iterable[str], placeholder: str) -> str:
    """The arguments of a call, but the lists of ids."""
    return ", ".join(f"{name} := {placeholder}" for name in named)


def questions(filters: Sequence[Filter]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each function with each filter, the comparisons with each kind of base in turn."""
    bases = itertools.cycle(BASES)
    for one in filters:
        days = {"date_from": one.date_from, "date_to": one.date_to}
        ids = {"queues": one.queues, "users": one.users}
        for name in (*FUNCTIONS, "sales"):
            yield name, {**days, **ids}
        for name in COMPARISONS:
            yield name, {**days, **next(bases), **ids}


def questions_of_ledger(
    published: duckdb.DuckDBPyConnection, filters: Sequence[Filter]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The functions of the ledger between the oldest version that it keeps, one later, and the newest."""
    kept = published.execute(
        "select version, published_at::varchar from versions where version >= "
        "(select max(version) from versions where not is_linked_to_previous) order by version"
    ).fetchall()
    (oldest, instant), (middle, _), (newest, _) = kept[0], kept[len(kept) // 2], kept[-1]
    for one in filters[:LEDGER_FILTERS]:
        days = {"date_from": one.date_from, "date_to": one.date_to}
        ids = {"queues": one.queues, "users": one.users}
        for name in ("why", "why_figures"):
            yield name, {"from_version": instant, "to_version": newest, **days, **ids}
            yield name, {"from_version": newest, "to_version": middle, **days, **ids}
        yield "figures_as_of", {"version": oldest, **days, **ids}


def assert_same_rows(name: str, expected: Sequence[Any], found: Sequence[Any]) -> None:
    missing, foreign = (Counter(map(plain, some)) for some in (expected, found))
    assert (missing - foreign, foreign - missing) == (Counter(), Counter()), name


def plain(value: Any) -> Any:
    """A value that can be counted and compared, whichever library it comes from; text without U+0000."""
    match value:
        case list() | tuple():
            return tuple(map(plain, value))
        case dict():
            return json.dumps(value, sort_keys=True, default=str)
        case str():
            return value.replace("\0", "\u2400")
        case Decimal():
            return value.normalize()
    return value


def tables_of(cursor: Any) -> set[str]:
    """The published tables, without what the database says of itself."""
    found = rows(cursor, f"select tablename from pg_tables where schemaname = '{SCHEMA}'")
    return {name for (name,) in found} - {"loaded_version", "loaded_tables"}


def rows(cursor: Any, query: str) -> list[tuple[Any, ...]]:
    cursor.execute(query)
    found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def written_by_last_load(cursor: Any, table: str) -> int:
    """How many rows of a table the transaction wrote that also wrote the version."""
    ((count,),) = rows(
        cursor,
        f"select count(*) from {SCHEMA}.{table} where xmin = (select xmin from {SCHEMA}.loaded_version)",
    )
    return count


def new_rows(before: Path, after: Path, table: str) -> int:
    """How many rows of a table the version after has that the one before has not."""
    with duckdb.connect(str(after), read_only=True) as connection:
        connection.execute(f"attach '{before}' as before (read_only)")
        return connection.execute(
            f"select count(*) from (from {table} except all from before.{table})"
        ).fetchall()[0][0]
