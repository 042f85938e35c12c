"""Runs of the refresh as Dagster records them: which are at work, which are lost, and whether one is due.

A run holds a lock of its own for as long as its process lives, so the operating system decides which runs are
at work. What a refresh took in and published is kept as tags of its run, however it was started.

Belongs here: the lock of a run, failing lost runs, the state of refreshes that decides whether one is due.
Does not belong here: when to look (defs/schedules.py), and the lock by which refreshes take turns
(warehouse/lock.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO

import dagster as dg

from orchestration import VERSION
from orchestration.landing import discovery, retract
from orchestration.landing.contracts import CONTRACTS
from orchestration.object_storage.mirror import landed_in_store
from orchestration.settings import Settings

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

# The steps that make a run a refresh. A run of some of them, as when somebody materializes one asset or
# evaluates one check, is none.
STEPS_OF_A_REFRESH = frozenset(
    {*(f"raw__{contract.table}" for contract in CONTRACTS), "dbt_models", "published__contact_reports"}
)

# Tags of a run: the landed files that it took in, the settings that it had, the version that it published.
LANDED, SETTINGS, PUBLISHED = "contact/landed", "contact/settings", "contact/published"

# How long a run may take to start its process, how long that process may take to lock its file, and how long
# a run may stay in the queue while no other one is at work. Each takes seconds on an idle machine.
START_SECONDS = 120
LOCK_SECONDS = 900
QUEUE_SECONDS = 600

# A refresh that failed is tried again after this delay, which doubles with each failure up to the longest.
RETRY_SECONDS, LONGEST_RETRY_SECONDS = 60, 3600

# As many failures in a row as it takes to reach the longest delay.
ATTEMPTS_READ = 8

# The locks of the runs of this process. They stay open: the system drops them when the process ends.
_held: dict[Path, IO[str]] = {}


@dataclass(frozen=True)
class Attempt:
    """A refresh that has ended.

    Attributes:
        run_id: its run in Dagster.
        ended_at: when it ended, in seconds since 1970.
        is_published: whether it published.
        version: the version that it published; None when its run does not tell.
        landed: the fingerprint of the landed files that it took in; None when it did not come so far.
        settings: the fingerprint of its settings; None when it did not come so far.
        is_held_back: whether a blocking check failed.
        is_canceled: whether a person terminated it; one that ends with its service has failed.
    """

    run_id: str
    ended_at: float
    is_published: bool
    version: str | None
    landed: str | None
    settings: str | None
    is_held_back: bool
    is_canceled: bool = False


@dataclass(frozen=True)
class State:
    """What a refresh would begin with.

    Attributes:
        landed: the fingerprint of the files that have landed.
        settings: the fingerprint of the settings.
        version: the version that is published; None when there is none.
    """

    landed: str
    settings: str
    version: str | None


@dataclass(frozen=True)
class Unfinished:
    """A run that is unfinished by Dagster's record.

    Attributes:
        run: the run.
        since: when it was created, in UTC.
        why_lost: what became of it, in words, when it will not go on; None when it will.
    """

    run: dg.DagsterRun
    since: datetime
    why_lost: str | None


def hold_for_life(settings: Settings, run_id: str) -> None:
    """Lock the file of a run until this process ends; nothing happens where it holds the lock already."""
    path = _lock_of(settings, run_id)
    if path in _held:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Locked before it has its name, so that nobody finds it without its lock.
    unnamed = path.with_name(f".{path.name}")
    file = unnamed.open("w")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    unnamed.rename(path)
    _held[path] = file


def fail_lost_runs(instance: dg.DagsterInstance, settings: Settings, in_daemon: bool) -> list[str]:
    """Fail each run that is unfinished by Dagster's record although its process is gone.

    Args:
        instance: Dagster's record.
        settings: the settings of the hub.
        in_daemon: whether Dagster's daemon calls this. Only then can a run that waits in the queue be lost:
            without the daemon nothing takes it from there.

    Returns:
        The ids of the runs that were failed.
    """
    lost = [
        unfinished.run.run_id
        for unfinished in unfinished_runs(instance, settings, in_daemon)
        if end_lost_run(instance, unfinished)
    ]
    _remove_free_locks(settings)
    return lost


def end_lost_run(instance: dg.DagsterInstance, unfinished: Unfinished, is_canceled: bool = False) -> bool:
    """Record the end of a run if it is lost: as failed, or as canceled if a person has asked for that.

    Args:
        instance: Dagster's record.
        unfinished: the run.
        is_canceled: whether a person asks for it now; a run that is being canceled is known from its status.

    Returns:
        Whether it was lost.
    """
    # It may have ended between reading its record and looking for its process.
    run = instance.get_run_by_id(unfinished.run.run_id) if unfinished.why_lost else None
    if run is None or run.is_finished:
        return False
    message = (
        f"This run did not end, and {unfinished.why_lost}. Nothing is lost: readers keep what was "
        "published, and the next refresh finishes the work."
    )
    if is_canceled or run.status is dg.DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)
    return True


def unfinished_runs(
    instance: dg.DagsterInstance, settings: Settings, in_daemon: bool = False
) -> list[Unfinished]:
    """The runs that are unfinished by Dagster's record; for the arguments see :func:`fail_lost_runs`."""
    records = instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED))
    is_queue_stuck = in_daemon and all(
        record.dagster_run.status is dg.DagsterRunStatus.QUEUED for record in records
    )
    found = []
    for record in records:
        why_lost = None
        if record.dagster_run.status is dg.DagsterRunStatus.QUEUED:
            if is_queue_stuck and _seconds_since(record) >= QUEUE_SECONDS:
                why_lost = "it was never taken from the queue, although no other run was at work"
        elif not _is_at_work(instance, settings, record):
            why_lost = "its process is gone: it was killed, or the machine stopped"
        found.append(Unfinished(record.dagster_run, record.create_timestamp, why_lost))
    return found


def is_any_unfinished(instance: dg.DagsterInstance) -> bool:
    """Whether a refresh is at work, or waits to be."""
    return bool(instance.get_runs_count(dg.RunsFilter(statuses=UNFINISHED)))


def is_refresh(run: dg.DagsterRun) -> bool:
    """Whether a run does all steps of a refresh; one with a selection, or that repeats another, may not."""
    is_whole_job = not run.asset_selection and run.asset_check_selection is None and run.parent_run_id is None
    return is_whole_job or set(run.step_keys_to_execute or ()) >= STEPS_OF_A_REFRESH


def record_taken_in(
    instance: dg.DagsterInstance, settings: Settings, run_id: str, landed: str | None
) -> None:
    """Record which landed files and settings a refresh begins with.

    Args:
        instance: Dagster's record.
        settings: the settings of the hub.
        run_id: the run of the refresh.
        landed: the fingerprint of the landed files; None when nothing has landed.
    """
    instance.add_run_tags(run_id, {LANDED: landed or "nothing", SETTINGS: settings_fingerprint(settings)})


def record_published(instance: dg.DagsterInstance, run_id: str, version: str) -> None:
    """Record that a refresh has published all that it took in."""
    instance.add_run_tags(run_id, {PUBLISHED: version})


def landing_fingerprint(settings: Settings) -> str | None:
    """A hash of what the file system says of all landed files; None when there are none.

    Of files that mirror a store it is what the store's listing says, copied or not.

    Raises:
        StoreError: when the store cannot be listed.
    """
    objects, mirrored = landed_in_store(settings)
    found: list[object] = [
        *sorted(objects.items()),
        *(
            (path, signature.size, signature.modified_ns, signature.inode)
            for contract in CONTRACTS
            if (settings.landing / contract.entity).is_dir()
            for path, signature in discovery.find(settings, contract.entity).files.items()
            if path not in mirrored
        ),
    ]
    # What was taken back changes the figures too, also where its file had left the landing folder before.
    if settings.retracted.is_dir():
        found += sorted(
            folder.name.removeprefix(retract.UNFINISHED) for folder in settings.retracted.iterdir()
        )
    return hashlib.sha256(repr(found).encode(errors="surrogateescape")).hexdigest() if found else None


def settings_fingerprint(settings: Settings) -> str:
    """A hash of all that can change what a check says of the same files."""
    text = json.dumps([settings.as_environment(), repr(settings.hub), VERSION], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def latest_attempts(instance: dg.DagsterInstance) -> list[Attempt]:
    """The refreshes that ended last, the newest first; runs that are none are left out."""
    attempts: list[Attempt] = []
    for record in _finished_runs(instance):
        if is_refresh(record.dagster_run):
            attempts.append(_attempt(instance, record, is_newest=not attempts))
        if len(attempts) == ATTEMPTS_READ:
            break
    return attempts


def record_canceled(
    instance: dg.DagsterInstance, settings: Settings, attempts: Sequence[Attempt], landed: str
) -> list[Attempt]:
    """Record what had landed when the newest refresh was canceled, if that was before it could do so itself.

    Args:
        instance: Dagster's record.
        settings: the settings of the hub.
        attempts: the refreshes that ended last, the newest first.
        landed: the fingerprint of the landed files at the first look after it.

    Returns:
        The attempts, as they are recorded now.
    """
    if not attempts or not attempts[0].is_canceled or attempts[0].landed:
        return [*attempts]
    record_taken_in(instance, settings, attempts[0].run_id, landed)
    return [replace(attempts[0], landed=landed), *attempts[1:]]


def state_of(settings: Settings, landed: str) -> State:
    """What a refresh would begin with.

    Args:
        settings: the settings of the hub.
        landed: the fingerprint of the files that have landed.
    """
    version = settings.published.resolve().parent.name if settings.published.exists() else None
    return State(landed, settings_fingerprint(settings), version)


def why_none_is_due(state: State, attempts: Sequence[Attempt], now: float) -> str | None:
    """Why no refresh is due, in words for people; None when one is.

    Args:
        state: what a refresh would begin with.
        attempts: the refreshes that ended last, the newest first.
        now: the present, in seconds since 1970.
    """
    if not attempts:
        return None
    newest = attempts[0]
    if newest.is_published:
        # Another version is published where a backup was brought back.
        is_current = (newest.landed, newest.version) == (state.landed, state.version)
        return "Nothing has landed since the last refresh." if is_current else None
    if newest.is_canceled:
        if newest.landed == state.landed:
            return (
                "The last refresh was terminated by a person. The next one starts when other files land, by "
                "the schedule, or when somebody starts it."
            )
        return None
    if newest.is_held_back:
        if (newest.landed, newest.settings) == (state.landed, state.settings):
            return (
                "A check holds back what has landed; the last run says which. The same files and settings "
                "would fail again: fix the files or the settings, and a refresh starts."
            )
        return None
    failures = next(
        (number for number, attempt in enumerate(attempts) if attempt.is_published), len(attempts)
    )
    delay = min(RETRY_SECONDS * 2 ** (failures - 1), LONGEST_RETRY_SECONDS)
    # A clock that was set back must not make this wait for longer.
    if 0 <= now - newest.ended_at < delay:
        wait = newest.ended_at + delay - now
        return f"The last refresh failed; it is tried again in {wait:.0f} s. The last run says why it failed."
    return None


def _finished_runs(instance: dg.DagsterInstance) -> Iterator[dg.RunRecord]:
    """The runs that have ended, the newest first, read a few at a time."""
    cursor = None
    while records := instance.get_run_records(
        dg.RunsFilter(statuses=FINISHED), limit=ATTEMPTS_READ, cursor=cursor
    ):
        yield from records
        cursor = records[-1].dagster_run.run_id


def _attempt(instance: dg.DagsterInstance, record: dg.RunRecord, is_newest: bool) -> Attempt:
    run = record.dagster_run
    # A run of before there were these tags published when it succeeded.
    is_of_old = run.status is dg.DagsterRunStatus.SUCCESS and LANDED not in run.tags
    is_published = PUBLISHED in run.tags or is_of_old
    return Attempt(
        run_id=run.run_id,
        ended_at=record.end_time or record.update_timestamp.timestamp(),
        is_published=is_published,
        version=run.tags.get(PUBLISHED),
        landed=run.tags.get(LANDED),
        settings=run.tags.get(SETTINGS),
        # Only of the newest is it asked whether a check failed, since the answer takes opening its log.
        is_held_back=is_newest
        and not is_published
        and bool(checks_not_passed(instance, run.run_id, dg.AssetCheckSeverity.ERROR)),
        is_canceled=run.status is dg.DagsterRunStatus.CANCELED and not is_published,
    )


def checks_not_passed(instance: dg.DagsterInstance, run_id: str, severity: dg.AssetCheckSeverity) -> set[str]:
    """The names of the checks of a severity that did not pass in a run."""
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluations = [
        entry.dagster_event.asset_check_evaluation_data for entry in entries if entry.dagster_event
    ]
    return {
        evaluation.check_name
        for evaluation in evaluations
        if not evaluation.passed and evaluation.severity is severity
    }


def _is_at_work(instance: dg.DagsterInstance, settings: Settings, record: dg.RunRecord) -> bool:
    run_id = record.dagster_run.run_id
    is_locked = _is_locked(_lock_of(settings, run_id))
    if is_locked is not None:
        return is_locked
    # It has not come so far as to lock its file.
    process = _process_of(instance, run_id)
    if process is None:
        return _seconds_since(record) < START_SECONDS
    # In time the number of a process is given to another one.
    return _exists(process) and _seconds_since(record) < LOCK_SECONDS


def _process_of(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that Dagster started for a run; None before it has."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata = entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        if "pid" in metadata:
            return int(str(metadata["pid"].value))
    return None


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _seconds_since(record: dg.RunRecord) -> float:
    """For how long a run has had its status; a clock that was set back makes none younger."""
    changed = max(record.create_timestamp.timestamp(), record.update_timestamp.timestamp())
    return abs(time.time() - changed)


def _lock_of(settings: Settings, run_id: str) -> Path:
    return settings.dagster_home / "at_work" / run_id


def _is_locked(path: Path) -> bool | None:
    """Whether a process holds the lock of a file; None when there is no such file."""
    if path in _held:
        return True
    try:
        with path.open() as file:
            # Shared, so that two who look at the same moment do not take each other for the run.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return True
    return False


def _remove_free_locks(settings: Settings) -> None:
    with suppress(FileNotFoundError):
        for path in (settings.dagster_home / "at_work").iterdir():
            if not path.name.startswith(".") and not _is_locked(path):
                path.unlink(missing_ok=True)
