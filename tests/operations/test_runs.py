"""Runs whose process is gone, and when a refresh is due."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from support.landing import land_csv

from orchestration.defs import schedules
from orchestration.operations import runs
from orchestration.operations.dagster_home import prepare_dagster_home
from orchestration.operations.runs import Attempt, State, why_none_is_due
from orchestration.settings import Settings

RUN_ID = "00000000-0000-0000-0000-000000000001"

IN_PROGRESS = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

A_DAY = 24 * 60 * 60


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    return settings


@dg.op
def nothing() -> None: ...


@dg.job(name="refresh")
def refresh_job() -> None:
    nothing()


def unfinished_run(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED
) -> str:
    location = InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="orchestration.definitions"))
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), refresh_job.name)
    return instance.create_run_for_job(
        refresh_job,
        run_id=RUN_ID,
        status=status,
        remote_job_origin=origin,
    ).run_id


def status_of(instance: dg.DagsterInstance) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(RUN_ID)
    assert run
    return run.status


def hold(hub: Settings, is_held: Event) -> None:
    runs.hold_for_life(hub, RUN_ID)
    is_held.set()
    time.sleep(60)


@contextmanager
def process_of_the_run(hub: Settings) -> Iterator[BaseProcess]:
    """A process that holds the lock of the run until it is killed."""
    # A copy of this one, which has imported all that it needs.
    forked = multiprocessing.get_context("fork")
    is_held = forked.Event()
    process = forked.Process(target=hold, args=(hub, is_held))
    process.start()
    try:
        assert is_held.wait(60)
        yield process
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("status", IN_PROGRESS)
def test_a_run_whose_process_was_killed_is_failed_with_a_word_on_why(
    hub: Settings, status: dg.DagsterRunStatus
) -> None:
    with dg.DagsterInstance.ephemeral() as instance, process_of_the_run(hub) as process:
        unfinished_run(instance, status)
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == []
        process.kill()
        process.join()

        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == [RUN_ID]

        canceled = status is dg.DagsterRunStatus.CANCELING
        assert status_of(instance) is (
            dg.DagsterRunStatus.CANCELED if canceled else dg.DagsterRunStatus.FAILURE
        )
        messages = [entry.message for entry in instance.all_logs(RUN_ID)]
        assert any("its process is gone" in message for message in messages)
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == []
    assert list((hub.dagster_home / "at_work").iterdir()) == []


@pytest.mark.parametrize("status", IN_PROGRESS)
def test_a_run_that_never_got_a_process_is_lost_after_the_time_that_a_start_takes(
    hub: Settings, status: dg.DagsterRunStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        unfinished_run(instance, status)
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == []

        monkeypatch.setattr(runs, "START_SECONDS", 0)
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == [RUN_ID]


def test_a_run_whose_process_died_before_it_locked_its_file_is_lost_at_once(hub: Settings) -> None:
    waiting = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(waiting, stdin=subprocess.PIPE) as process,
        dg.DagsterInstance.ephemeral() as instance,
    ):
        unfinished_run(instance)
        instance.report_engine_event(
            f"Started process for run (pid: {process.pid}).",
            instance.get_run_by_id(RUN_ID),
            EngineEventData.in_process(process.pid),
        )
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == []
        process.kill()
        process.wait()
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == [RUN_ID]


def test_a_run_is_lost_in_the_queue_only_when_the_daemon_never_took_it(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        unfinished_run(instance, dg.DagsterRunStatus.QUEUED)
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == []

        monkeypatch.setattr(runs, "QUEUE_SECONDS", 0)
        assert runs.fail_lost_runs(instance, hub, in_daemon=False) == []
        assert runs.fail_lost_runs(instance, hub, in_daemon=True) == [RUN_ID]


@pytest.fixture
def instance_of_the_hub(hub: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's record with the settings that the commands give it."""
    prepare_dagster_home(hub)
    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
        yield instance


@pytest.mark.parametrize("is_of_the_daemon", [True, False])
def test_terminate_ends_a_run_whose_process_and_server_are_gone(
    hub: Settings, instance_of_the_hub: dg.DagsterInstance, is_of_the_daemon: bool
) -> None:
    with process_of_the_run(hub) as process:
        unfinished_run(instance_of_the_hub)
        if is_of_the_daemon:
            no_server = {"host": "localhost", "socket": str(hub.data_dir / "gone")}
            instance_of_the_hub.add_run_tags(RUN_ID, {GRPC_INFO_TAG: json.dumps(no_server)})
        process.kill()
        process.join()

    # What the button of the web UI does.
    assert instance_of_the_hub.run_coordinator.cancel_run(RUN_ID)
    assert status_of(instance_of_the_hub) is dg.DagsterRunStatus.CANCELED


def test_terminate_leaves_a_run_at_work_to_its_server(
    hub: Settings, instance_of_the_hub: dg.DagsterInstance
) -> None:
    with process_of_the_run(hub) as process:
        unfinished_run(instance_of_the_hub)
        assert not instance_of_the_hub.run_coordinator.cancel_run(RUN_ID)
        assert status_of(instance_of_the_hub) is dg.DagsterRunStatus.CANCELING
        process.kill()


def test_the_sensor_makes_up_for_a_refresh_that_was_killed(hub: Settings) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [{"message_id": "m1"}])
    with dg.DagsterInstance.ephemeral() as instance, process_of_the_run(hub) as process:
        unfinished_run(instance)
        context = dg.build_sensor_context(instance=instance)
        waiting = schedules.build_sensor()(context)
        assert isinstance(waiting, dg.SkipReason)
        assert "A refresh is at work" in str(waiting.skip_message)
        process.kill()
        process.join()

        delayed = schedules.build_sensor()(context)
        assert isinstance(delayed, dg.SkipReason)
        assert "it is tried again in" in str(delayed.skip_message)
        assert status_of(instance) is dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize("is_in_the_queue", [False, True])
def test_the_sensor_repeats_a_refresh_that_a_person_terminated_only_for_other_files(
    hub: Settings, is_in_the_queue: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [{"message_id": "m1"}])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + A_DAY)
    with dg.DagsterInstance.ephemeral() as instance:
        unfinished_run(instance, dg.DagsterRunStatus.CANCELED)
        # In the queue it has not yet come so far as to record what has landed.
        if not is_in_the_queue:
            runs.record_taken_in(instance, hub, RUN_ID, runs.landing_fingerprint(hub))
        context = dg.build_sensor_context(instance=instance)
        for _ in range(3):
            ticked = schedules.build_sensor()(context)
            assert isinstance(ticked, dg.SkipReason)
            assert "terminated by a person" in str(ticked.skip_message)

        land_csv(hub.landing / "messages" / "b.csv", [{"message_id": "m2"}])
        schedules.build_sensor()(context)
        assert isinstance(schedules.build_sensor()(context), dg.RunRequest)


def test_the_schedule_fails_what_is_lost_before_it_starts_a_refresh(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "START_SECONDS", 0)
    with dg.DagsterInstance.local_temp(str(hub.data_dir)) as instance:
        unfinished_run(instance)
        schedule = schedules.build_schedule(hub)
        ticked = schedule.evaluate_tick(dg.build_schedule_context(instance=instance))

        assert len(ticked.run_requests or ()) == 1
        assert status_of(instance) is dg.DagsterRunStatus.FAILURE


NOW = State("a", "s", "v")
FAILED = Attempt(
    "run", ended_at=0, is_published=False, version=None, landed="a", settings="s", is_held_back=False
)
PUBLISHED = replace(FAILED, is_published=True, version="v")
HELD_BACK = replace(FAILED, is_held_back=True)


def test_what_was_published_is_not_refreshed_again_and_what_landed_since_is() -> None:
    assert why_none_is_due(NOW, [], now=0) is None
    assert "Nothing has landed" in str(why_none_is_due(NOW, [PUBLISHED], now=A_DAY))
    assert "Nothing has landed" in str(
        why_none_is_due(replace(NOW, settings="other"), [PUBLISHED, FAILED], now=A_DAY)
    )
    assert why_none_is_due(replace(NOW, landed="b"), [PUBLISHED], now=0) is None


def test_a_hub_whose_backup_was_brought_back_is_refreshed() -> None:
    assert why_none_is_due(replace(NOW, version="older"), [PUBLISHED], now=0) is None
    assert why_none_is_due(replace(NOW, version=None), [PUBLISHED], now=0) is None


def test_a_refresh_that_failed_is_tried_again_after_a_delay_that_doubles_to_an_hour() -> None:
    delays = []
    for failures in range(1, 9):
        attempts = [FAILED] * failures
        delay = next(now for now in range(0, 2 * 3600, 60) if not why_none_is_due(NOW, attempts, now))
        delays.append(delay // 60)
        assert why_none_is_due(replace(NOW, landed="b"), attempts, delay * 60 - 1) == (
            why_none_is_due(NOW, attempts, delay * 60 - 1)
        )
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert why_none_is_due(NOW, [FAILED, PUBLISHED, FAILED, FAILED], now=60) is None


def test_a_clock_that_was_set_back_does_not_delay_the_next_try() -> None:
    assert why_none_is_due(NOW, [replace(FAILED, ended_at=A_DAY)], now=0) is None


def test_what_a_check_held_back_is_tried_again_for_other_files_or_settings_only() -> None:
    assert "A check holds back" in str(why_none_is_due(NOW, [HELD_BACK], now=A_DAY))
    assert why_none_is_due(replace(NOW, landed="b"), [HELD_BACK], now=0) is None
    assert why_none_is_due(replace(NOW, settings="other"), [HELD_BACK], now=0) is None


def test_a_changed_limit_or_day_is_another_setting_and_a_comment_is_none(hub: Settings) -> None:
    hub.hub_file.write_text('timezone = "UTC"\ncurrency = "USD"\n')
    before = runs.settings_fingerprint(Settings.from_environment())
    hub.hub_file.write_text('timezone = "UTC"\ncurrency = "USD"\n# A comment.\n')
    assert runs.settings_fingerprint(Settings.from_environment()) == before
    hub.hub_file.write_text('timezone = "UTC"\ncurrency = "USD"\nmax_fall = 0.5\n')
    assert runs.settings_fingerprint(Settings.from_environment()) != before
    assert runs.settings_fingerprint(replace(hub, as_of=date(2026, 2, 1))) != before


@pytest.mark.parametrize(
    ("severity", "is_held_back"), [(dg.AssetCheckSeverity.ERROR, True), (dg.AssetCheckSeverity.WARN, False)]
)
def test_a_failed_blocking_check_is_known_from_the_record_of_its_run(
    hub: Settings, severity: dg.AssetCheckSeverity, is_held_back: bool
) -> None:
    @dg.asset(check_specs=[dg.AssetCheckSpec("check", asset="asset")])
    def asset() -> Iterator[dg.AssetCheckResult]:
        yield dg.AssetCheckResult(passed=False, check_name="check", severity=severity)
        raise dg.Failure("the step that checks fails")

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([asset], instance=instance, raise_on_error=False)
        (attempt,) = runs.latest_attempts(instance)

    assert attempt.is_held_back == is_held_back
    assert not attempt.is_published


def test_a_run_of_before_there_were_tags_counts_by_its_status(hub: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        unfinished_run(instance, dg.DagsterRunStatus.SUCCESS)
        (of_old,) = runs.latest_attempts(instance)
        assert of_old.is_published
        assert why_none_is_due(NOW, [of_old], now=0) is None

        # With tags it is a run that did not come to publishing, such as one of a single step.
        runs.record_taken_in(instance, hub, RUN_ID, "a")
        assert not runs.latest_attempts(instance)[0].is_published


def test_a_hub_that_has_instance_settings_keeps_them_and_gets_those_that_it_lacks(hub: Settings) -> None:
    instance = hub.dagster_home / "dagster.yaml"
    instance.parent.mkdir()
    own = "# Ours.\ntelemetry:\n  enabled: false\nrun_queue:\n  max_concurrent_runs: 1\n"
    instance.write_text(own)

    prepare_dagster_home(hub)

    written = instance.read_text()
    assert written.startswith(own)
    assert "concurrency:" not in written
    assert "retention:" in written
    assert written.count("telemetry:") == 1
    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as read:
        assert not read.telemetry_enabled
    prepare_dagster_home(hub)
    assert instance.read_text() == written
