"""What Dagster keeps of runs, bounded by age and count: their records, events, logs and files.

The record of refreshes in the warehouse is not part of it: a row for each, for ever.

Belongs here: which runs are removed, all that is left of one, and giving the space back. Does not belong
here: ticks of the sensor and the schedule, which Dagster removes itself (dagster.yaml), and published
versions (publishing/publish.py).
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import dagster as dg
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from sqlalchemy import select

from orchestration.operations.record_engines import DATABASES, events_of
from orchestration.operations.runs import FINISHED
from orchestration.settings import Settings

if TYPE_CHECKING:
    from dagster._core.storage.event_log import SqliteEventLogStorage

# At a refresh each quarter of an hour these are five days, and some 600 MB.
MOST_RUNS = 500

# How many runs are removed, and how many pages of 4 KB each database gives back, in one refresh: what takes
# half a second. Each refresh adds one run.
RUNS_A_REFRESH = 15
PAGES_A_REFRESH = 5_000

# More results of checks than a run has, with those of a last success that stays before it.
CHECKS_OF_A_RUN = 1_000

# Until a database has been rewritten once, it gives nothing back. A small one is rewritten in a moment. A
# larger one, of a hub that an older version left without bound, is once most of it is free: in seconds, once.
QUICKLY_REWRITTEN, REWRITTEN_ONCE = 32 * 1024 * 1024, 512 * 1024 * 1024


def remove_old_runs(instance: dg.DagsterInstance, settings: Settings, keep_days: int) -> int:
    """Remove runs that are older than some days, and the oldest ones beyond a number of runs.

    The last successful run stays, and so do runs that have not ended. Each step may be killed: a run whose
    record is left is removed by the next refresh.

    Args:
        instance: Dagster's record.
        settings: the settings of the hub.
        keep_days: for how many days runs are kept.

    Returns:
        How many runs were removed.
    """
    oldest_kept = datetime.now(UTC) - timedelta(days=keep_days)
    excess = instance.get_runs_count() - MOST_RUNS
    successes = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1)
    kept = {record.dagster_run.run_id for record in successes}
    oldest = instance.get_run_records(
        dg.RunsFilter(statuses=FINISHED), limit=RUNS_A_REFRESH + len(kept), ascending=True
    )
    due = [
        record.dagster_run.run_id
        for number, record in enumerate(oldest)
        if (number < excess or record.create_timestamp < oldest_kept)
        and record.dagster_run.run_id not in kept
    ][:RUNS_A_REFRESH]
    _remove(instance, settings, due)
    for database in DATABASES:
        _give_space_back(settings.dagster_home / database)
    return len(due)


def _remove(instance: dg.DagsterInstance, settings: Settings, run_ids: Sequence[str]) -> None:
    # The storage of dagster.yaml, whose runs have a database each.
    storage = cast("SqliteEventLogStorage", instance.event_log_storage)
    checks = AssetCheckExecutionsTable
    with storage.index_connection() as connection:
        for run_id in run_ids:
            storage.delete_events_for_run(connection, run_id)
            # Dagster leaves these. They have no index by run, but those of the oldest run come first.
            first = select(checks.c.id).order_by(checks.c.id).limit(CHECKS_OF_A_RUN)
            connection.execute(checks.delete().where(checks.c.id.in_(first), checks.c.run_id == run_id))
    for run_id in run_ids:
        events = events_of(settings.dagster_home, run_id)
        for ending in ("", "-wal", "-shm"):
            events.with_name(f"{events.name}{ending}").unlink(missing_ok=True)
        shutil.rmtree(settings.dagster_home / "storage" / run_id, ignore_errors=True)
        # Last: as long as it is there, the next refresh finds what a killed one left.
        instance.run_storage.delete_run(run_id)


def _give_space_back(database: Path) -> None:
    """Shrink a database of SQLite by its free pages; one that is in use is left for the next refresh."""
    if not database.exists():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(database, timeout=0.1)) as connection:
        pages, free, size, gives_back = (
            connection.execute(f"pragma {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size", "auto_vacuum")
        )
        used = (pages - free) * size
        if gives_back:
            # As a script, since a single statement of this kind stops after its first page.
            connection.executescript(f"pragma incremental_vacuum({PAGES_A_REFRESH})")
        elif used <= (REWRITTEN_ONCE if free > pages / 2 else QUICKLY_REWRITTEN):
            # The setting takes effect when the database is rewritten.
            connection.execute("pragma auto_vacuum = incremental")
            connection.execute("vacuum")
        connection.execute("pragma wal_checkpoint(truncate)").fetchall()
