"""Whether the files of a hub belong together: each says which refresh has written it last.

The warehouse knows all refreshes by number and run, whose id is random. The reports and Spark's folder carry
the last one that wrote to them, the published file its record of refreshes. A copy of another day, or of
another hub, says something else than the warehouse.

Belongs here: writing stamps, and comparing them. Does not belong here: what is rebuilt then
(incremental/plan.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from orchestration.durable import replacing_file
from orchestration.settings import Settings
from orchestration.sql import one_row

# Not among the tables that are published, nor among the changes, which a refresh drops.
SCHEMA = "reports.stamps"


@dataclass(frozen=True)
class Stamp:
    """The refresh that wrote a file last.

    Attributes:
        refresh_number: its number.
        run_id: its run.
        is_complete: whether it had written all that it writes.
    """

    refresh_number: int
    run_id: str
    is_complete: bool


def stamp_of(connection: duckdb.DuckDBPyConnection, number: int, is_complete: bool) -> Stamp:
    """The stamp of a refresh that the warehouse knows."""
    (run_id,) = one_row(connection, "select run_id from raw.refreshes where refresh_number = ?", [number])
    return Stamp(number, run_id, is_complete)


def stamp_of_run(connection: duckdb.DuckDBPyConnection, run_id: str, is_complete: bool) -> Stamp:
    """The same, by its run."""
    (number,) = one_row(connection, "select refresh_number from raw.refreshes where run_id = ?", [run_id])
    return Stamp(number, run_id, is_complete)


def last_planned(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The number of the last refresh that has come to its plan; None before the first one."""
    (number,) = one_row(
        connection, "select max(refresh_number) from raw.refreshes where loaded_through is not null"
    )
    return number


def write_to_reports(connection: duckdb.DuckDBPyConnection, stamp: Stamp) -> None:
    """Stamp the database of the reports."""
    connection.execute("begin")
    connection.execute(f"create schema if not exists {SCHEMA}")
    connection.execute(
        f"create or replace table {SCHEMA}.last_refresh as "
        "select ?::integer as refresh_number, ?::varchar as run_id, ?::boolean as is_complete",
        [stamp.refresh_number, stamp.run_id, stamp.is_complete],
    )
    connection.execute("commit")


def of_reports(connection: duckdb.DuckDBPyConnection) -> Stamp | None:
    """The stamp of the database of the reports; None when it has none."""
    with suppress(duckdb.CatalogException):
        found = connection.execute(
            f"select refresh_number, run_id, is_complete from {SCHEMA}.last_refresh"
        ).fetchone()
        return Stamp(*found) if found else None
    return None


def write_to_file(file: Path, stamp: Stamp) -> None:
    """Stamp a folder by a file in it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(file) as beside:
        beside.write_text(json.dumps(asdict(stamp)), encoding="utf-8")


def of_file(file: Path) -> Stamp | None:
    """The stamp that :func:`write_to_file` wrote; None when there is none."""
    with suppress(OSError, ValueError, TypeError):
        return Stamp(**json.loads(file.read_text(encoding="utf-8")))
    return None


def why_not_of(connection: duckdb.DuckDBPyConnection, name: str, stamp: Stamp | None) -> str | None:
    """Why a file with this stamp does not belong to the warehouse, for people; None if it does.

    A refresh stamps a file before the warehouse records its plan, so one that was killed in between has left
    a greater number. What a refresh has finished must be complete.
    """
    planned = last_planned(connection)
    if planned is None:
        return None
    if stamp is None:
        return f"{name} does not say which refresh wrote it"
    known = connection.execute(
        "select refresh_number, finished_at is not null from raw.refreshes where run_id = ?", [stamp.run_id]
    ).fetchall()
    if [number for number, _ in known] != [stamp.refresh_number]:
        return f"{name} was written by a refresh that the warehouse does not know"
    if stamp.refresh_number < planned:
        return f"{name} is of refresh {stamp.refresh_number} and the warehouse of refresh {planned}"
    if known[0][1] and not stamp.is_complete:
        return f"{name} was copied before refresh {planned} had ended"
    return None


def about_published(connection: duckdb.DuckDBPyConnection, settings: Settings) -> Iterator[str]:
    """A sentence for people when the published file is not the one that was published last."""
    if not settings.published.exists():
        return
    ends = "What readers have seen since may not be what was published last; this refresh publishes again."
    try:
        with duckdb.connect(str(settings.published), read_only=True) as published:
            last = published.execute(
                "select refresh_number, run_id from refreshes where finished_at is not null "
                "order by refresh_number desc limit 1"
            ).fetchone()
    except duckdb.Error:
        last = None
    if last is None:
        yield f"The published file {settings.published} cannot be read. This refresh publishes again."
        return
    number, run_id = last
    (finished,) = one_row(
        connection, "select max(refresh_number) from raw.refreshes where finished_at is not null"
    )
    if (number, run_id) not in connection.execute(
        "select refresh_number, run_id from raw.refreshes"
    ).fetchall():
        yield f"The published file is of refresh {number}, which the warehouse does not know. {ends}"
    elif finished is not None and number < finished:
        yield f"The published file is of refresh {number}, and refresh {finished} has published since. {ends}"
