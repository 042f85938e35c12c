"""The record of refreshes: one row of raw.refreshes for each, from its first step to its publishing.

Belongs here: what is remembered of a refresh, and when it counts as finished. Does not belong here: what
follows from it for the next refresh (incremental/plan.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from orchestration import VERSION
from orchestration.settings import Settings
from orchestration.sql import identifier, one_row

if TYPE_CHECKING:
    from orchestration.landing.load_report import LoadReport

STEPS_BEFORE_PUBLISHING = {"loading messages", "loading orders", "models", "checks"}


class PartialRefreshError(RuntimeError):
    """A run that did only some of the steps of a refresh."""


def take_over(connection: duckdb.DuckDBPyConnection, published_file: Path) -> None:
    """Let a new warehouse take over the log of earlier refreshes from the published file, where it can."""
    (known,) = one_row(connection, "select count(*) from raw.refreshes")
    if known or not published_file.exists():
        return
    recorded = None
    # A published file that cannot be read, or knows no such record, has nothing to give.
    with suppress(duckdb.Error), duckdb.connect(str(published_file), read_only=True) as published:
        recorded = published.sql("from refreshes").to_arrow_table()
    if recorded is not None:
        # At once: after a year at a refresh each quarter of an hour there are 35,000.
        connection.register("recorded_refreshes", recorded)
        listed = ", ".join(identifier(name) for name in recorded.column_names)
        connection.execute(f"insert into raw.refreshes ({listed}) select {listed} from recorded_refreshes")
        connection.unregister("recorded_refreshes")


def begin(
    connection: duckdb.DuckDBPyConnection, run_id: str, settings: Settings, is_partial: bool = False
) -> int:
    """Begin the refresh of a run, or find it when an earlier step of the run has begun it.

    Args:
        connection: a connection to the warehouse.
        run_id: the run of the refresh.
        settings: the settings of the hub.
        is_partial: whether the run does only some of the steps. It has a number as well, because it may
            write to the tables of the models, but readers do not see it among the refreshes.

    Returns:
        The number of the refresh.
    """
    connection.execute(
        """
        insert into raw.refreshes by name
        select
            (select coalesce(max(refresh_number), 0) + 1 from raw.refreshes) as refresh_number,
            $run_id as run_id,
            $now as started_at,
            0 as files_loaded,
            0 as files_failed,
            0 as messages_accepted,
            0 as messages_rejected,
            0 as orders_accepted,
            0 as orders_rejected,
            map {} as seconds_by_step,
            $software_version as software_version,
            $engine as engine,
            $timezone as timezone,
            $currency as currency,
            $is_partial as is_partial
        where $run_id not in (select run_id from raw.refreshes)
        """,
        {
            "run_id": run_id,
            "now": _now(),
            "software_version": VERSION,
            "engine": settings.engine.value,
            "timezone": settings.timezone,
            "currency": settings.currency,
            "is_partial": is_partial,
        },
    )
    return one_row(connection, "select refresh_number from raw.refreshes where run_id = ?", [run_id])[0]


def record_load(
    connection: duckdb.DuckDBPyConnection, number: int, report: LoadReport, seconds: float
) -> None:
    """Add what the loading of an entity did.

    Args:
        connection: a connection to the warehouse.
        number: the number of the refresh.
        report: what it did.
        seconds: how long it took.
    """
    connection.execute(
        f"""
        update raw.refreshes
        set
            files_loaded = files_loaded + $loaded,
            files_failed = files_failed + $failed,
            {report.entity}_accepted = $accepted,
            {report.entity}_rejected = $rejected,
            seconds_by_step = map_concat(seconds_by_step, map {{$step: $seconds::double}})
        where refresh_number = $number
        """,
        {
            "loaded": report.files_loaded,
            "failed": len(report.failed),
            "accepted": report.rows_accepted,
            "rejected": report.rows_rejected,
            "step": f"loading {report.entity}",
            "seconds": round(seconds, 3),
            "number": number,
        },
    )


def record_plan(
    connection: duckdb.DuckDBPyConnection, number: int, loaded_through: int, rebuilt_because: Sequence[str]
) -> None:
    """Add how far the landed files are taken in, and why models are rebuilt."""
    connection.execute(
        "update raw.refreshes set loaded_through = ?, rebuilt_because = ? where refresh_number = ?",
        [loaded_through, list(rebuilt_because), number],
    )


def record_models(
    connection: duckdb.DuckDBPyConnection,
    number: int,
    rows_replaced: Mapping[str, int],
    days_recomputed: int,
    seconds: Mapping[str, float],
) -> None:
    """Add what the models did.

    Args:
        connection: a connection to the warehouse.
        number: the number of the refresh.
        rows_replaced: for each model, how many rows are new or other than before.
        days_recomputed: how many days have other figures than before.
        seconds: how long each step took.
    """
    connection.execute(
        """
        update raw.refreshes
        set
            rows_replaced = $total,
            rows_replaced_by_model = map($models::varchar[], $rows::bigint[]),
            days_recomputed = $days,
            seconds_by_step = map_concat(seconds_by_step, map($steps::varchar[], $seconds::double[]))
        where refresh_number = $number
        """,
        {
            "total": sum(rows_replaced.values()),
            "models": list(rows_replaced),
            "rows": list(rows_replaced.values()),
            "days": days_recomputed,
            "steps": list(seconds),
            "seconds": [round(value, 3) for value in seconds.values()],
            "number": number,
        },
    )


def require_whole(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Make sure that a run did all steps of a refresh, as a re-execution of its last ones does not.

    Raises:
        PartialRefreshError: when a step before publishing is not in the record of the run.
    """
    steps = connection.execute(
        "select unnest(map_keys(seconds_by_step)) from raw.refreshes where run_id = ?", [run_id]
    ).fetchall()
    if not {step for (step,) in steps} >= STEPS_BEFORE_PUBLISHING:
        raise PartialRefreshError(
            "This run did only some of the steps of a refresh, so nothing was published; readers keep what "
            "was published before. Run the job refresh as a whole."
        )


def finish(connection: duckdb.DuckDBPyConnection, run_id: str, version: str, seconds: float) -> None:
    """Close the record: what the refresh made is checked and published."""
    connection.execute(
        """
        update raw.refreshes
        set
            finished_at = $now,
            version_published = $version,
            seconds_by_step = map_concat(seconds_by_step, map {'publishing': $seconds::double})
        where run_id = $run_id
        """,
        {"now": _now(), "version": version, "seconds": round(seconds, 3), "run_id": run_id},
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
