"""How a hub is, for an operator and for monitors: what was refreshed when, what waits, what is wrong.

Nothing here opens a database that a refresh writes, so it answers at once, also while one is at work or after
a database was damaged: it reads the published file, Dagster's record of runs, and a copy of the record of
landed files that each load leaves.

Belongs here: gathering, and what counts as failing. Does not belong here: how a refresh comes to be due
(runs.py).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState
from dagster._utils.schedules import cron_string_iterator
from sqlalchemy.exc import SQLAlchemyError

from orchestration import VERSION
from orchestration.faults import first_line
from orchestration.hub.ownership import STALE_AFTER
from orchestration.landing import discovery, states
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.discovery import recordable
from orchestration.landing.notices import listed
from orchestration.landing.quarantine import copy_rejected_rows
from orchestration.operations import runs
from orchestration.settings import Settings
from orchestration.sql import one_row, replace_parquet

# The daemon writes a sign of life each half minute.
DAEMON_IS_GONE_AFTER = timedelta(minutes=5)


@dataclass
class Status:
    """How a hub is. Instants are in UTC, durations in seconds, sizes in bytes; None is unknown, or none.

    Attributes:
        problems: why the hub is stale or failing, in words; empty when it is neither.
        warnings: what else an operator should know.
        last_success_at: when the refresh that made the published figures ended.
        newest_event_at: the newest published event up to the end of the as-of day.
        refresh_at_work: the run of the refresh at work; ``at_work_since`` says since when.
        files_waiting: landed files that no refresh has looked at as they are now.
        files_failed, files_arriving: of those that the last refresh looked at.
        quarantined_rows: rejected rows of landed files.
        next_tick_at: when the sensor or the schedule looks next.
        disk_used: what lies below the data directory.
        versions: of this software, and of that which published.
    """

    data_dir: str
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    last_success_at: datetime | None = None
    last_success_age: float | None = None
    newest_event_at: datetime | None = None
    refresh_at_work: str | None = None
    at_work_since: datetime | None = None
    files_waiting: int | None = None
    files_failed: int | None = None
    files_arriving: int | None = None
    quarantined_rows: int | None = None
    next_tick_at: datetime | None = None
    disk_used: int = 0
    disk_free: int = 0
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        """Whether the figures are neither stale nor kept from being refreshed."""
        return not self.problems

    def as_json(self) -> str:
        """One object, for programs."""
        values = {"is_well": self.is_well, **asdict(self)}
        return json.dumps(values, indent=2, default=lambda value: value.isoformat())

    def as_lines(self) -> list[str]:
        """A line for each thing, for people."""
        at_work = f"since {_instant(self.at_work_since)}, run {self.refresh_at_work}"
        files = f"{_count(self.files_waiting)} waiting, {_count(self.files_failed)} failed"
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return [
            f"hub                 {self.data_dir}",
            f"last success        {_instant(self.last_success_at)}",
            f"newest event        {_instant(self.newest_event_at)}",
            f"refresh at work     {at_work if self.refresh_at_work else 'none'}",
            f"files               {files}, {_count(self.files_arriving)} arriving",
            f"quarantined rows    {_count(self.quarantined_rows)}",
            f"next tick           {_instant(self.next_tick_at)}",
            f"disk                {self.disk_used / 1e9:.2f} GB used, {self.disk_free / 1e9:.2f} GB free",
            f"versions            {versions}",
        ]


def status_of(settings: Settings, instance: dg.DagsterInstance | None, now: datetime | None = None) -> Status:
    """How a hub is.

    Args:
        settings: the settings of the hub.
        instance: Dagster's record; None when it cannot be used.
        now: the present, in UTC.
    """
    now = now or datetime.now(UTC)
    status = Status(str(settings.data_dir), versions={"software": VERSION, "duckdb": duckdb.__version__})
    _add_published(status, settings, now)
    _add_files(status, settings)
    if instance:
        try:
            _add_runs(status, settings, instance)
            _add_next_tick(status, settings, instance, now)
        except SQLAlchemyError as error:
            status.problems.append(about_record(settings, error))
    status.disk_free = shutil.disk_usage(settings.data_dir).free
    status.disk_used = sum(_sizes(settings.data_dir))
    return status


def require_writable(folder: Path) -> None:
    """Write a file in a folder, of which nothing stays: a folder whose rights are right may be full.

    Raises:
        OSError: when it cannot be written.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"\0")


def about_record(settings: Settings, error: Exception) -> str:
    """The problem that Dagster's record cannot be used, without which nothing can be refreshed."""
    return (
        f"Dagster's record in {settings.dagster_home} cannot be read or written: {first_line(error)}. See "
        "that the disk has room, and that this user may write the folder and all that lies below it."
    )


def copy_record_of_files(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Leave copies of the record of landed files and of their rejected rows beside the warehouse.

    They can be read while the warehouse is locked. Names that are not read are among the files.
    """
    listed = """
        from raw.landed_files
        union all by name
        select
            entity, path, case when reason is null then 'passed over' else 'not read' end as status,
            reason as error, 0 as rows_accepted, 0 as rows_rejected, 0 as rows_kept
        from raw.not_read
        order by path
    """
    replace_parquet(connection, listed, settings.record_of_files)
    copy_rejected_rows(connection, settings)


def _add_published(status: Status, settings: Settings, now: datetime) -> None:
    if not settings.published.exists():
        status.problems.append("Nothing has been published yet: land files, then `make run`.")
        return
    try:
        with duckdb.connect(str(settings.published), read_only=True) as connection:
            newest, version = one_row(connection, "select newest_event_at, software_version from report_info")
            (finished,) = one_row(connection, "select max(finished_at) from refreshes")
    except duckdb.Error as error:
        status.problems.append(
            f"The published file {settings.published} cannot be read: {str(error).splitlines()[0]} `make "
            "run` publishes it again."
        )
        return
    status.newest_event_at = newest and newest.replace(tzinfo=UTC)
    status.last_success_at = finished.replace(tzinfo=UTC)
    status.last_success_age = (now - status.last_success_at).total_seconds()
    status.versions["published"] = version
    if now - status.last_success_at > STALE_AFTER:
        status.problems.append(
            f"The figures are stale: the last refresh that succeeded ended "
            f"{status.last_success_age / 3600:.0f} hours ago."
        )


def _add_files(status: Status, settings: Settings) -> None:
    landed = {
        recordable(path): settings.data_dir / path
        for contract in CONTRACTS
        for path in discovery.find(settings, contract.entity).files
    }
    recorded: dict[str, tuple[str, int, int]] = {}
    try:
        rows = states.read_record(settings, ("path", "status", "size", "modified_ns", "rows_rejected"))
    except states.RecordError as error:
        status.warnings.append(str(error))
        return
    if rows is not None:
        recorded = {path: (state, size, modified) for path, state, size, modified, _ in rows}
        status.quarantined_rows = sum(rejected for *_, rejected in rows)
    status.files_waiting = sum(
        path not in recorded or _has_changed(location, *recorded[path][1:])
        for path, location in landed.items()
    )
    failed = sorted(path for path, (state, *_) in recorded.items() if state == "failed")
    status.files_failed = len(failed)
    status.files_arriving = sum(state == "arriving" for state, *_ in recorded.values())
    if failed:
        status.warnings.append(
            f"{len(failed)} files could not be read, such as {listed(failed)}; the others are published."
        )


def _has_changed(location: Path, size: int | None, modified: int | None) -> bool:
    try:
        found = location.stat()
    except OSError:
        return False
    return size is not None and (found.st_size, found.st_mtime_ns) != (size, modified)


def _add_runs(status: Status, settings: Settings, instance: dg.DagsterInstance) -> None:
    for unfinished in runs.unfinished_runs(instance, settings):
        if unfinished.why_lost:
            status.problems.append(
                f"The refresh {unfinished.run.run_id} did not end, and {unfinished.why_lost}. The next tick "
                "of the daemon, or `make run`, finishes its work."
            )
        else:
            status.refresh_at_work, status.at_work_since = unfinished.run.run_id, unfinished.since
    attempts = runs.latest_attempts(instance)
    if attempts and not attempts[0].is_published:
        status.problems.append(_why_not_published(attempts))


def _why_not_published(attempts: Sequence[runs.Attempt]) -> str:
    run_id = attempts[0].run_id
    if attempts[0].is_canceled:
        return (
            f"The last refresh, the run {run_id}, was terminated by a person; readers keep what was "
            "published before. `make run` finishes its work."
        )
    why = (
        "A check holds back what has landed"
        if attempts[0].is_held_back
        else f"The last refresh failed, as did {_failures_before(attempts)} before it"
    )
    return (
        f"{why}; readers keep what was published before. `make run` says what is wrong, and so does the run "
        f"{run_id} in Dagster's UI."
    )


def _failures_before(attempts: Sequence[runs.Attempt]) -> int:
    return next(
        (number - 1 for number, attempt in enumerate(attempts) if attempt.is_published), len(attempts) - 1
    )


def _add_next_tick(status: Status, settings: Settings, instance: dg.DagsterInstance, now: datetime) -> None:
    # A record in memory has none.
    states = instance.all_instigator_state() if instance.schedule_storage else []
    running = [state for state in states if state.is_running]
    if not running:
        status.warnings.append(
            "Neither the sensor nor the schedule is on: a refresh starts when somebody runs `make run`."
        )
        return
    status.next_tick_at = min(
        (tick for tick in (_next_tick(state, settings, now) for state in running) if tick), default=None
    )
    signs_of_life = [
        datetime.fromtimestamp(heartbeat.timestamp, UTC)
        for heartbeat in instance.get_daemon_heartbeats().values()
    ]
    if not signs_of_life or now - max(signs_of_life) > DAEMON_IS_GONE_AFTER:
        status.problems.append(
            "Dagster's daemon does not run, so neither the sensor nor the schedule starts one: start it."
        )


def _next_tick(state: InstigatorState, settings: Settings, now: datetime) -> datetime | None:
    data: Any = state.instigator_data
    if state.instigator_type is InstigatorType.SENSOR:
        if data is None or data.last_tick_timestamp is None:
            return now
        return datetime.fromtimestamp(data.last_tick_timestamp + (data.min_interval or 0), UTC)
    if data is None:
        return None
    times = cron_string_iterator(now.timestamp(), str(data.cron_schedule), settings.timezone)
    return next(times).astimezone(UTC)


def _sizes(folder: Path) -> Iterator[int]:
    for parent, _, names in os.walk(folder):
        for name in names:
            # What a refresh removes meanwhile takes no room, and a link has its own size.
            with suppress(OSError):
                yield os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118 - of 100,000 files


def _instant(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC" if instant else "-"


def _count(number: int | None) -> str:
    return "?" if number is None else f"{number:,}"
