"""One writer at a time: the lock that a refresh holds from its first step to its last.

The operating system drops the lock when its holder ends, however it ends, so no lock is ever left behind.

Belongs here: taking the lock, and waiting for it. Does not belong here: what a run does once it has it
(defs/resources.py).
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

from orchestration.operations.restoring import finish_restore
from orchestration.settings import Settings

WAIT_SECONDS = 3600
POLL_SECONDS = 0.5


class LockedError(RuntimeError):
    """Another refresh has held the lock for longer than this one is willing to wait."""


@contextmanager
def refresh_lock(
    path: Path, notify: Callable[[str], object], wait_seconds: float = WAIT_SECONDS
) -> Iterator[None]:
    """Hold the lock of a data directory; wait for another refresh, and say for whom.

    Args:
        path: the file to lock.
        notify: called once with who holds the lock, when it is held.
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
                    notify(
                        f"Another refresh is at work ({_holder(path)}); this one waits until it has ended."
                    )
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
def hub_lock(settings: Settings, notify: Callable[[str], object]) -> Iterator[None]:
    """Hold the lock of a hub; a restore that was killed is finished first.

    Raises:
        LockedError: when another refresh holds it for too long.
    """
    with refresh_lock(settings.lock, notify):
        finish_restore(settings, notify)
        yield


def _holder(path: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['process']}, since {holder['since']}"
    except (OSError, ValueError, KeyError):
        return "which has only just begun"
