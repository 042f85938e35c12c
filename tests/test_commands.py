"""Commands when something is in their way: one sentence, no traceback, nothing lost."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from support.commands import FORKING
from support.landing import land_csv
from support.pipeline import reading, refresh

from orchestration.settings import REPOSITORY, Settings

Command = Callable[..., subprocess.CompletedProcess[str]]

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}

INTERRUPTED = "! Interrupted. What was loaded is kept, readers keep what was published"


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [{**MESSAGE, "queue_id": "漢字"}])
    (hub.landing / "orders").mkdir()
    return hub


def started(hub: Settings, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """A command in a process group of its own, as a terminal starts it."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **hub.as_environment(), "COLUMNS": "120", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_an_output_that_cannot_show_a_character_shows_another(hub: Settings) -> None:
    running = started(hub, "run", PYTHONIOENCODING="latin-1")
    printed, errors = running.communicate()

    assert running.returncode == 0, printed + errors
    assert errors == b""
    assert b"+ message_events: 1 new files" in printed
    assert b"??" in printed
    assert hub.published.exists()


def test_an_output_that_nobody_reads_any_more_stops_no_refresh(hub: Settings) -> None:
    running = started(hub, "run")
    assert running.stdout
    assert running.stderr
    running.stdout.readline()
    running.stdout.close()

    assert running.wait() == 0, running.stderr.read()
    assert running.stderr.read() == b""
    with reading(hub.published) as connection:
        assert connection.sql("select message_id from fct_messages").fetchall() == [("m1",)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], "Refreshing"),
        (["rebuild"], "Rebuilt with all downstream"),
        (["docs", "--port", "0"], "Building the docs"),
    ],
)
def test_an_interrupted_command_ends_with_one_line(hub: Settings, arguments: list[str], words: str) -> None:
    running = started(hub, *arguments)
    assert running.stdout
    before = next(line for line in running.stdout if words in line.decode())
    os.killpg(running.pid, signal.SIGINT)
    printed, errors = running.communicate()

    assert running.returncode == 130, before + printed + errors
    assert errors == b""
    *repeated, last = printed.splitlines(keepends=True)
    assert last.decode().startswith(INTERRUPTED)
    # A line that was being printed may be printed once more.
    assert {line for line in repeated if b"still at work" not in line} <= {before}


def test_a_disk_that_dagster_finds_full_first_is_named(hub: Settings) -> None:
    refresh(hub)
    running = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run"],
        cwd=REPOSITORY,
        env={**os.environ, **hub.as_environment()},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
        capture_output=True,
        text=True,
        check=False,
    )

    assert running.returncode == 1
    assert "Traceback" not in running.stdout + running.stderr
    assert running.stderr == ""
    # Dagster's own folder lies on the same disk.
    assert f"Make sure that the disk of {hub.data_dir}" in running.stdout
    assert "has room, then run again." in running.stdout
    with reading(hub.published) as connection:
        assert connection.sql("select message_id from fct_messages").fetchall() == [("m1",)]


def test_a_damaged_record_of_runs_is_named_with_advice_that_helps(hub: Settings, command: Command) -> None:
    refresh(hub)
    command(hub, "status")
    (record,) = hub.dagster_home.rglob("runs.db")
    record.write_bytes(b"no database" * 1000)

    damaged = command(hub, "run")
    assert damaged.returncode == 1
    assert "Traceback" not in damaged.stdout + damaged.stderr
    assert f"Something in {hub.dagster_home} could not be read" in damaged.stdout
    assert "move that folder away" in damaged.stdout

    hub.dagster_home.rename(hub.data_dir / "moved")
    again = command(hub, "run")
    assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.parametrize("port", ["99999", "-1", "two"])
def test_a_port_that_is_none_is_refused_before_anything_starts(
    hub: Settings, command: Command, port: str
) -> None:
    refused = command(hub, "docs", "--port", port)

    assert refused.returncode == 2
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not hub.warehouse.exists()


def test_a_port_that_is_taken_ends_the_docs_before_they_are_built(hub: Settings, command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = command(hub, "docs", "--port", port)

    assert refused.returncode == 1
    assert refused.stdout.startswith(f"✗ Port {port} cannot be used: ")
    assert "PORT=..." in refused.stdout
    assert "Building" not in refused.stdout
    assert not hub.warehouse.exists()


@pytest.mark.parametrize("target", ["ui", "docs", "dashboard"])
def test_make_hands_a_port_over_as_it_was_typed(target: str) -> None:
    with_port, without = (
        subprocess.run(
            ["make", "--dry-run", target, *variables],
            cwd=REPOSITORY,
            env={name: value for name, value in os.environ.items() if name != "PORT"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for variables in (["PORT=$(shell echo 1)"], [])
    )

    assert f'{"dashboards.cli" if target == "dashboard" else target} --port "$PORT"\n' in with_port
    assert "--port" not in without


def test_what_sets_up_an_environment_says_that_it_is_at_work() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    installing = [line for line in makefile.splitlines() if re.search(r"\$\(INSTALL\)|-m venv", line)]
    working = makefile.partition("WORKING := ")[2].partition("\n\n")[0].replace("sleep 5", "sleep 0.1")

    assert len(installing) > 5
    assert [line for line in installing if "$(WORKING) " not in line] == []
    # Whoever starts it may ignore the signal that ends other programs: the words must end all the same.
    ran = subprocess.run(
        ["bash", "-c", "trap '' TERM; exec make --file=-"],
        input=f"SHELL := /bin/bash\nWORKING := {working}\nslow:\n\t@$(WORKING) bash -c 'sleep 1; exit 3'\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "still at work" in ran.stdout
    # The command's own failure, which make reports.
    assert "Error 3" in ran.stderr


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path, command: Command) -> None:
    (tmp_path / "hub").write_text("in the way")

    finished = command(Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD"), "run")

    assert finished.returncode in (1, 2)
    assert "Traceback" not in finished.stdout + finished.stderr
    assert str(tmp_path / "hub") in finished.stdout
    assert finished.stderr == ""


def test_commands_are_forked_from_a_process_that_has_imported_the_libraries() -> None:
    is_missing = "import sys; sys.exit('dagster' not in sys.modules or 'orchestration.cli' in sys.modules)"
    process = FORKING.Process(target=exec, args=(is_missing,))
    process.start()
    process.join()

    assert process.exitcode == 0
