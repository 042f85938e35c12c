"""Dagster's daemon for one hub, as a service manager runs it: started again whenever it is gone.

Belongs here: starting it, finding and killing its processes, filling the disk of the hub. Does not belong
here: what is expected of the hub.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestration.settings import REPOSITORY, Settings

DISK = "400m"


class Daemon:
    """The daemon with all that it starts: the server of the definitions, the runs, and dbt in them."""

    def __init__(self, hub: Settings, log: Path) -> None:
        self._environment = {
            **os.environ,
            **hub.as_environment(),
            "DAGSTER_HOME": str(hub.dagster_home),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")]),
        }
        # What tells its processes, and those that they started, from all others of the machine.
        self._mark = f"\0DAGSTER_HOME={hub.dagster_home}\0".encode()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def keep_alive(self) -> None:
        """Start it, unless it runs."""
        if self._process is None or self._process.poll() is not None:
            dagster = str(Path(sys.executable).with_name("dagster-daemon"))
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [dagster, "run", "-m", "soak.workspace"],
                    cwd=REPOSITORY,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                )

    def processes(self) -> dict[int, str]:
        """Its processes and those that they started, each with its command line."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit() and int(folder.name) != os.getpid():
                # A process may end meanwhile.
                with suppress(OSError):
                    if self._mark in b"\0" + (folder / "environ").read_bytes():
                        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                        found[int(folder.name)] = command.decode(errors="replace").strip()
        return found

    def kill_any(self, rng: random.Random) -> str:
        """Kill one of the processes, or all of them, as a power cut does. Returns which."""
        processes = self.processes()
        if not processes:
            return "none"
        # Processes that are all of one kind would be hit most; a power cut is as likely as any other.
        chosen = rng.choice([None, *sorted(processes)])
        for process in processes if chosen is None else [chosen]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if self._process is not None and chosen in (None, self._process.pid):
            self._process.wait()
        return f"all {len(processes)}" if chosen is None else processes[chosen][-100:]

    def stop(self) -> None:
        """End it as a service manager does, and whatever outlives that."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """A small disk at a folder, where this user may mount one. Yields whether it is there."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    try:
        yield mounted.returncode == 0
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Within it, the disk has no room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 65536):
            pass
    try:
        yield
    finally:
        filler.unlink()
