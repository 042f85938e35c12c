"""How a hub is, at once, whatever is at work or broken."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from support.landing import land_csv
from support.lock_holder import hold
from support.pipeline import refresh
from support.small_hub import copied

from orchestration import VERSION, cli
from orchestration.operations import runs
from orchestration.operations.dagster_home import prepare_dagster_home
from orchestration.operations.runs import landing_fingerprint
from orchestration.operations.status import Status, copy_record_of_files, status_of
from orchestration.settings import REPOSITORY, Settings
from orchestration.warehouse import databases

Command = Callable[..., subprocess.CompletedProcess[str]]

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}


@dg.job(name="refresh")
def refresh_job() -> None: ...


@pytest.fixture(scope="module")
def hub_with_rejections(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub that was refreshed once: a message loaded, a row rejected, and a file that cannot be read."""
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE, {**MESSAGE, "message_id": ""}])
    (hub.landing / "messages" / "broken.csv.gz").write_bytes(b"no gzip")
    refresh(hub)
    with databases.connect(hub) as connection:
        copy_record_of_files(connection, hub)
    return hub


@pytest.fixture
def instance(hub_with_rejections: Settings, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's record of that hub: its one refresh published what has landed."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        add_run(instance, hub_with_rejections, dg.DagsterRunStatus.SUCCESS)
        yield instance


def add_run(instance: dg.DagsterInstance, hub: Settings, status: dg.DagsterRunStatus) -> str:
    run_id = instance.create_run_for_job(refresh_job, status=status).run_id
    runs.record_taken_in(instance, hub, run_id, landing_fingerprint(hub))
    if status is dg.DagsterRunStatus.SUCCESS:
        runs.record_published(instance, run_id, "a version")
    return run_id


def test_a_hub_that_is_well_says_what_was_refreshed_and_what_waits(
    hub_with_rejections: Settings, instance: dg.DagsterInstance
) -> None:
    late = land_csv(hub_with_rejections.landing / "orders" / "late.csv", [{"order_id": "o1"}])
    status = status_of(hub_with_rejections, instance)
    late.unlink()

    assert status.problems == []
    assert (status.files_waiting, status.files_failed, status.files_arriving) == (1, 1, 0)
    assert "landing/messages/broken.csv.gz" in status.warnings[0]
    assert status.quarantined_rows == 1
    assert status.newest_event_at == datetime(2026, 1, 10, 10, tzinfo=UTC)
    assert status.last_success_age
    assert 0 < status.last_success_age < 3600
    assert status.refresh_at_work is None
    assert status.versions == {"software": VERSION, "published": VERSION, "duckdb": duckdb.__version__}
    assert status.disk_used > hub_with_rejections.warehouse.stat().st_size
    assert status.disk_free > 0
    assert status_of(hub_with_rejections, instance).files_waiting == 0


def test_figures_are_stale_after_a_day_and_a_half(
    hub_with_rejections: Settings, instance: dg.DagsterInstance
) -> None:
    now = datetime.now(UTC)

    assert status_of(hub_with_rejections, instance, now + timedelta(hours=35)).is_well
    (problem,) = status_of(hub_with_rejections, instance, now + timedelta(hours=40)).problems
    assert "stale: the last refresh that succeeded ended 40 hours ago" in problem


def test_a_refresh_that_failed_is_a_problem_until_one_succeeds(
    hub_with_rejections: Settings, instance: dg.DagsterInstance
) -> None:
    for _ in range(2):
        failed = add_run(instance, hub_with_rejections, dg.DagsterRunStatus.FAILURE)
    (problem,) = status_of(hub_with_rejections, instance).problems
    assert "The last refresh failed, as did 1 before it; readers keep what was published" in problem
    assert failed in problem

    add_run(instance, hub_with_rejections, dg.DagsterRunStatus.SUCCESS)
    assert status_of(hub_with_rejections, instance).is_well


def test_a_refresh_that_a_person_terminated_is_no_failure_but_a_problem(
    hub_with_rejections: Settings, instance: dg.DagsterInstance
) -> None:
    canceled = add_run(instance, hub_with_rejections, dg.DagsterRunStatus.CANCELED)

    (problem,) = status_of(hub_with_rejections, instance).problems
    assert f"The last refresh, the run {canceled}, was terminated by a person" in problem


def test_the_refresh_at_work_is_named_and_a_lost_one_is_a_problem(
    hub_with_rejections: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = add_run(instance, hub_with_rejections, dg.DagsterRunStatus.STARTED)
    at_work = status_of(hub_with_rejections, instance)
    assert at_work.is_well
    assert at_work.refresh_at_work == run_id
    assert at_work.at_work_since

    monkeypatch.setattr(runs, "START_SECONDS", 0)
    (problem,) = status_of(hub_with_rejections, instance).problems
    assert f"The refresh {run_id} did not end, and its process is gone" in problem


def test_a_sensor_that_is_on_without_a_daemon_is_a_problem(
    hub_with_rejections: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    class State:
        is_running = True
        instigator_type = None
        instigator_data = None

    monkeypatch.setattr(type(instance), "all_instigator_state", lambda self: [State()])

    (problem,) = status_of(hub_with_rejections, instance).problems
    assert "Dagster's daemon does not run" in problem


def test_a_new_hub_has_published_nothing(tmp_path: Path) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    with dg.DagsterInstance.ephemeral() as instance:
        status = status_of(hub, instance)

    assert "Nothing has been published yet" in status.problems[0]
    assert status.last_success_at is None
    assert status.quarantined_rows is None


def test_the_command_answers_while_a_refresh_is_at_work_and_the_warehouse_damaged(
    tmp_path: Path, command: Command
) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    prepare_dagster_home(hub)
    hub.warehouse.write_bytes(b"damaged" * 1000)
    hub.record_of_files.write_bytes(b"damaged" * 1000)
    with hold(hub.lock) as holder:
        for_people = command(hub, "status")
        for_programs = command(hub, "status", "--json")
        files = command(hub, "files")
        holder.kill()

    assert (for_people.returncode, for_programs.returncode) == (1, 1)
    assert "✗ Nothing has been published yet" in for_people.stdout
    assert f"{hub.record_of_files}, the copy of the record of files, cannot be read" in for_people.stdout
    assert files.returncode == 1
    assert f"{hub.record_of_files}, the copy of the record of files, cannot be read" in files.stdout
    assert "Traceback" not in files.stdout + files.stderr
    read = json.loads(for_programs.stdout)
    assert read["is_well"] is False
    assert read.keys() >= Status.__dataclass_fields__.keys()


def no_file_can_grow() -> None:
    """As on a full disk, whoever runs it."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def a_file_is_in_the_way(hub: Settings) -> None:
    """As where rights are missing, also for a user who may do all."""
    hub.dagster_home.mkdir()
    (hub.dagster_home / "history").touch()


@pytest.mark.parametrize("is_full", [True, False])
def test_a_record_of_runs_that_cannot_be_written_is_a_problem_for_people_and_for_programs(
    hub_with_rejections: Settings, is_full: bool
) -> None:
    hub = copied(hub_with_rejections, hub_with_rejections.data_dir.parent / f"copy-{is_full}")
    if is_full:
        prepare_dagster_home(hub)
        dg.DagsterInstance.from_config(str(hub.dagster_home)).dispose()
    else:
        a_file_is_in_the_way(hub)
    for_people, for_programs = (
        subprocess.run(
            [sys.executable, "-m", "orchestration.cli", "status", *options],
            cwd=REPOSITORY,
            env={**os.environ, **hub.as_environment(), "COLUMNS": "500"},
            preexec_fn=no_file_can_grow if is_full else None,
            capture_output=True,
            text=True,
            check=False,
        )
        for options in ([], ["--json"])
    )

    assert (for_people.returncode, for_programs.returncode) == (1, 1)
    assert f"✗ Dagster's record in {hub.dagster_home} cannot be read or written" in for_people.stdout
    read = json.loads(for_programs.stdout)
    (problem,) = read["problems"]
    assert f"Dagster's record in {hub.dagster_home} cannot be read or written" in problem
    # All else is said as ever.
    assert read["newest_event_at"] == "2026-01-10T10:00:00+00:00"


def test_a_folder_in_which_no_file_can_be_made_is_a_problem_although_the_record_can_be_written(
    hub_with_rejections: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(dir: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(dir))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    # The command sets it.
    monkeypatch.setenv("DAGSTER_HOME", "")

    assert cli.status(hub_with_rejections, as_json=True) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert f"Permission denied: '{hub_with_rejections.dagster_home}'" in problem
