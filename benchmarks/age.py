"""What a hub holds after a while at one refresh each quarter of an hour, and what a refresh takes then.

Belongs here: the state that so many refreshes leave: records of refreshes, runs of Dagster with their events
and logs, and rows that are kept of files that have left. Does not belong here: how one refresh is measured
(measure.py).
"""

from __future__ import annotations

import shutil
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import duckdb

from benchmarks import small_file, state
from benchmarks.generate import Recipe, generate
from benchmarks.history import hub_of
from benchmarks.measure import Measurement, apart, refresh
from orchestration.operations.retention import MOST_RUNS
from orchestration.settings import Settings

A_DAY = 24 * 4
AGES = {"a day": A_DAY, "a month": 30 * A_DAY, "a year": 365 * A_DAY}

# Texts in which Dagster names the run of a row.
NAMING_THE_RUN = ("run_id", "event", "run_body", "evaluation_event")


@dataclass(frozen=True)
class AtAge:
    """Refreshes of one small file at an age, and what the hub takes then, in bytes.

    Attributes:
        refreshes: how many refreshes the hub has behind it.
        dagster: what Dagster keeps.
        databases: the warehouse and the reports.
        rebuilt: the same databases after a rebuild.
    """

    refreshes: int
    measured: list[Measurement]
    dagster: int
    databases: int
    rebuilt: int


def at_ages(recipe: Recipe, runs: int, say: Callable[[str], None]) -> dict[str, AtAge]:
    """Measure refreshes of one small file in a hub of each age."""
    hub = hub_of(recipe)
    hub = Settings(hub.data_dir.with_name(f"{hub.data_dir.name}-age"), hub.timezone, hub.as_of, hub.currency)
    shutil.rmtree(hub.data_dir, ignore_errors=True)
    apart(generate, recipe, hub.data_dir)
    found = {}
    for name, refreshes in AGES.items():
        say(f"Refreshing {hub.data_dir.name} at the age of {name} ...")
        state.clear(hub)
        refresh(hub)
        rebuilt = _databases(hub)
        # Of each day one file of each entity has left since.
        _let_files_leave(recipe, hub, refreshes // A_DAY)
        refresh(hub)
        apart(add_refreshes, hub, refreshes)
        measured = []
        for run in range(runs):
            apart(small_file.land, recipe, hub.landing)
            small = hub.landing / "messages" / "small.parquet"
            small.rename(small.with_stem(f"small-{run}"))
            measured.append(refresh(hub))
        found[name] = AtAge(refreshes, measured, _bytes(hub.dagster_home), _databases(hub), rebuilt)
        _bring_files_back(hub)
    shutil.rmtree(hub.data_dir)
    return found


def add_refreshes(hub: Settings, refreshes: int) -> None:
    """Add what so many earlier refreshes would have left, as copies of what the last one left."""
    with duckdb.connect(str(hub.warehouse)) as connection:
        connection.execute(
            """
            insert into raw.refreshes by name
            select newest.* replace (
                -number as refresh_number,
                newest.run_id || number as run_id,
                newest.started_at - number * interval 15 minutes as started_at,
                newest.finished_at - number * interval 15 minutes as finished_at
            )
            from (from raw.refreshes order by refresh_number desc limit 1) as newest,
                range(?) as earlier (number)
            """,
            [refreshes],
        )
    events = max(
        (hub.dagster_home / "history" / "runs").glob("*-*.db"), key=lambda file: file.stat().st_mtime
    )
    newest = events.stem
    copies = [str(uuid.uuid4()) for _ in range(min(refreshes, MOST_RUNS))]
    for database, tables in {
        "history/runs.db": ("runs", "run_tags"),
        "history/runs/index.db": ("event_logs", "asset_check_executions"),
    }.items():
        with closing(sqlite3.connect(hub.dagster_home / database)) as record, record:
            for table in tables:
                _copy_rows(record, table, newest, copies)
    for run_id in copies:
        shutil.copyfile(events, events.with_stem(run_id))
        logs = hub.dagster_home / "storage" / newest
        if logs.exists():
            shutil.copytree(logs, logs.with_name(run_id))


def _copy_rows(connection: sqlite3.Connection, table: str, run_id: str, copies: list[str]) -> None:
    columns = [row[1] for row in connection.execute(f"pragma table_info({table})") if row[1] != "id"]
    values = ", ".join(
        f"replace({column}, '{run_id}', :copy)" if column in NAMING_THE_RUN else column for column in columns
    )
    connection.executemany(
        f"insert into {table} ({', '.join(columns)}) select {values} from {table} where run_id = '{run_id}'",
        [{"copy": copy} for copy in copies],
    )


def _let_files_leave(recipe: Recipe, hub: Settings, days: int) -> None:
    for number in range(min(days, recipe.days - 1)):
        for file in hub.landing.glob(f"*/{recipe.first_day + timedelta(days=number)}.*"):
            aside = hub.data_dir / state.ASIDE / file.relative_to(hub.data_dir)
            aside.parent.mkdir(parents=True, exist_ok=True)
            file.rename(aside)


def _bring_files_back(hub: Settings) -> None:
    aside = hub.data_dir / state.ASIDE
    for file in aside.rglob("*.*"):
        file.rename(hub.data_dir / file.relative_to(aside))
    shutil.rmtree(aside, ignore_errors=True)
    for landed in hub.landing.glob("*/small*"):
        landed.unlink()


def _databases(hub: Settings) -> int:
    return hub.warehouse.stat().st_size + hub.reports.stat().st_size


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
