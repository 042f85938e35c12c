"""One writer at a time: the lock that a refresh holds from its first step to its last.

The operating system drops the lock when its holder ends, however it ends, so no lock is ever left behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr
from sqlalchemy.exc import SQLAlchemyError

from orchestration.defs.schedules import landing_fingerprint
from orchestration.hub import hub_toml
from orchestration.hub.rights import keep_to_owner, restrict
from orchestration.operations import retention, runs
from orchestration.operations.restoring import finish_restore
from orchestration.settings import Settings

WAIT_SECONDS = 3600
POLL_SECONDS = 0.5


class LockedError(RuntimeError):
    """Another refresh has held the lock for longer than this one is willing to wait."""


@contextmanager
def refresh_lock(
    path: Path, say: Callable[[str], object], wait_seconds: float = WAIT_SECONDS
) -> Iterator[None]:
    """Hold the lock of a data directory; wait for another refresh, and say for whom.

    Args:
        path: the file to lock.
        say: called once with who holds the lock, when it is held.
        wait_seconds: how long to wait, in seconds.

    Raises:
        LockedError: when the lock is still held after that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whoever can open the file can hold the lock, so no other user can, whatever the umask.
    path.touch(mode=0o600)
    with path.open("a+") as file:
        deadline = time.monotonic() + wait_seconds
        waiting = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not waiting:
                    say(f"Another refresh is at work ({_holder(path)}); this one waits until it has ended.")
                    waiting = True
                if time.monotonic() > deadline:
                    raise LockedError(
                        f"Another refresh ({_holder(path)}) has held {path} for more than "
                        f"{wait_seconds:.0f} seconds. Nothing was done. Wait for it or stop it, "
                        "then run again."
                    ) from None
                time.sleep(POLL_SECONDS)
        file.truncate(0)
        file.write(json.dumps({"process": os.getpid(), "since": datetime.now(UTC).isoformat(" ", "seconds")}))
        file.flush()
        yield


@contextmanager
def hub_lock(settings: Settings, say: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock of a hub; a restore that was killed is finished first.

    Raises:
        LockedError: when another refresh holds it for too long.
    """
    with refresh_lock(settings.lock, say):
        finish_restore(settings, say)
        yield


class RefreshLock(dg.ConfigurableResource):
    """The lock as a resource: whichever steps a run has, they hold it from the first to the last.

    All steps of a run have its settings, also when hub.toml is edited or a day ends meanwhile.
    """

    _settings: Settings = PrivateAttr()

    @property
    def settings(self) -> Settings:
        """The settings of the run, as they were when it got the lock."""
        return self._settings

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[RefreshLock]:
        keep_to_owner()
        settings = Settings.from_environment()
        run_id = context.run.run_id
        runs.hold_for_life(settings, run_id)
        with hub_lock(settings, say=context.log.warning):
            # Read again: the refresh that this one waited for may have written the first hub.toml.
            self._settings = Settings.from_environment()
            hub_toml.add_missing(self.settings.hub_file, self.settings.timezone, self.settings.currency)
            if notice := restrict(self.settings):
                context.log.warning(notice)
            # Before the first file is read: what lands meanwhile is for the next refresh to find.
            landed = landing_fingerprint(self.settings)
            runs.record_taken_in(context.instance, self.settings, run_id, landed)
            try:
                yield self
            finally:
                # dbt's integration copies files in with the rights that they had elsewhere.
                restrict(self.settings)
                _keep_within_bounds(context, self.settings)


def _keep_within_bounds(context: dg.InitResourceContext, settings: Settings) -> None:
    """Remove old runs, after a failed refresh too; what cannot be removed now is left for the next one."""
    try:
        retention.remove_old_runs(context.instance, settings, settings.hub.keep_runs_days)
    except (OSError, SQLAlchemyError) as error:
        context.log.warning(
            f"Old runs could not be removed from {settings.dagster_home}: {str(error).splitlines()[0]} The "
            "next refresh tries again. See that the disk has room and the folder may be written."
        )


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['process']}, since {holder['since']}"
    except (OSError, ValueError, KeyError):
        return "which has only just begun"
