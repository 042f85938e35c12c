"""Another process that holds the lock of a hub.

Belongs here: taking the lock until the process is killed. Does not belong here: what a refresh does then.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from orchestration.settings import REPOSITORY

HOLDER = """
import sys, time
from pathlib import Path
from orchestration.warehouse.lock import refresh_lock
with refresh_lock(Path(sys.argv[1]), notify=print):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(lock: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until it is killed."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder
