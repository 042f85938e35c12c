"""Dagster's web UI and daemon as a person starts and stops them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from orchestration.settings import REPOSITORY, Settings

pytestmark = pytest.mark.slow

SECONDS_TO_END = 60
MUTATION = "mutation { resetSchedule(scheduleSelector: {}) { __typename } }"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The web UI while the block is open, and the address that it printed."""
    settings = Settings(folder, "UTC", date(2026, 1, 31), "USD")
    with subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "ui", "--port", str(port)],
        cwd=REPOSITORY,
        env={**os.environ, **settings.as_environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout
            for line in process.stdout:
                if address := re.search(r"Serving .* (http://\S+)", line):
                    yield process, address[1]
                    break
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(SECONDS_TO_END)


def daemon_of(process: subprocess.Popen[str]) -> int:
    """The daemon's process, as soon as it is there."""
    deadline = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < deadline:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            if "dagster._daemon" in Path(f"/proc/{child}/cmdline").read_text():
                return int(child)
        time.sleep(0.1)
    raise AssertionError("there is no daemon")


def status(address: str, query: str | None = None, **headers: str) -> int:
    body = None if query is None else json.dumps({"query": query}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, named), timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def test_only_the_token_opens_the_web_ui_and_ctrl_c_ends_both_processes(tmp_path: Path) -> None:
    port = free_port()
    with started(tmp_path, port) as (process, address):
        base, token = address.split("?token=")
        daemon = daemon_of(process)
        known = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}

        assert status(f"{base}graphql", "{ version }", **known) == 200
        assert status(f"{base}graphql", "{ version }", Content_Type="application/json") == 401
        assert status(f"{base}graphql", "{ version }", **known, Origin="http://attacker.example") == 403
        assert status(f"{base}graphql?query={MUTATION.replace(' ', '%20')}", **known) == 405
        assert status(base, Host="attacker.example") == 400
        # The token of the web UI is no secret of a run.
        assert b"CONTACT_UI_TOKEN" not in Path(f"/proc/{daemon}/environ").read_bytes()

        for other_port, word in ((port, f"Port {port} cannot be used"), (free_port(), "served already")):
            second = subprocess.run(
                [sys.executable, "-m", "orchestration.cli", "ui", "--port", str(other_port)],
                cwd=REPOSITORY,
                env={**os.environ, "CONTACT_DATA_DIR": str(tmp_path)},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert second.returncode == 1
            assert word in second.stdout
        assert daemon_of(process) == daemon

        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS_TO_END) == 0
    assert not Path(f"/proc/{daemon}").exists()


def test_the_web_ui_ends_with_a_word_when_the_daemon_ends(tmp_path: Path) -> None:
    with started(tmp_path, free_port()) as (process, _):
        os.kill(daemon_of(process), signal.SIGKILL)
        assert process.stdout
        said = process.stdout.read()

        assert process.wait(SECONDS_TO_END) == 1
        assert "daemon ended by itself" in said
        assert "Traceback" not in said
