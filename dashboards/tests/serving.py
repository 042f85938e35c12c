"""A hub and a dashboard, started as a person starts them.

Belongs here: processes. Does not belong here: what the tests ask of them (superset_client.py).
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import requests
from superset_client import Superset

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINE = REPOSITORY / ".venv" / "bin" / "python"
# Some seconds where nothing else is at work; only one that hangs takes longer than this.
SECONDS_TO_START = 600
# The day of a message that is dated after the as-of day.
LATER = date.today() + timedelta(days=5)
# An order, its customer, the message before it, and the file with it: of a settled day, landed late.
HOSTILE_ID = "<img src=x onerror=alert(2)>{{ 7 * 7 }} 50%"
HOSTILE_FILE = f"{HOSTILE_ID}.jsonl"
PATIENCE = 120_000  # milliseconds until something is drawn, on a busy machine


@dataclass(frozen=True)
class Dashboard:
    """A dashboard that is being served."""

    address: str
    folder: Path
    published: Path
    passwords: dict[str, str]
    said: str

    def signed_in(self, user: str) -> Superset:
        """A client of the API, signed in."""
        return Superset(self.address, user, self.passwords[user])


def refresh(environment: dict[str, str], command: str) -> None:
    """Refresh a hub as a person does."""
    subprocess.run(
        [PIPELINE, "-m", "orchestration.cli", command],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(environment: dict[str, str], port: int, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start the dashboard, and wait until it answers; what it said comes with it."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dashboards.cli", "--port", str(port)],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        said = log.read_text()
        assert process.poll() is None, said
        if "Serving the dashboard" in said:
            try:
                if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                    return process, said
            except requests.RequestException:
                pass
        time.sleep(0.5)
    process.kill()
    raise AssertionError(f"The dashboard did not start: {said}")
