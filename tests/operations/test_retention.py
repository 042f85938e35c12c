"""What Dagster keeps of runs stays within bounds, and the space is given back."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from orchestration.operations import retention
from orchestration.operations.dagster_home import prepare_dagster_home
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    settings = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    prepare_dagster_home(settings)
    return settings


@pytest.fixture
def instance(hub: Settings) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
        yield instance


def run_once(instance: dg.DagsterInstance, succeeds: bool = True) -> str:
    """One run, which leaves a megabyte of events and the result of a check."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("check", asset="asset")])
    def asset() -> dg.MaterializeResult:
        if not succeeds:
            raise dg.Failure("no")
        return dg.MaterializeResult(
            metadata={"text": os.urandom(500_000).hex()}, check_results=[dg.AssetCheckResult(passed=True)]
        )

    return dg.materialize([asset], instance=instance, raise_on_error=False).run_id


def kept_runs(instance: dg.DagsterInstance) -> set[str]:
    return {record.dagster_run.run_id for record in instance.get_run_records()}


def files_of(hub: Settings, run_id: str) -> list[Path]:
    return list(hub.dagster_home.rglob(f"*{run_id}*"))


def rows_of(hub: Settings, run_id: str) -> int:
    with closing(sqlite3.connect(hub.dagster_home / "history" / "runs" / "index.db")) as connection:
        return sum(
            connection.execute(f"select count(*) from {table} where run_id = ?", [run_id]).fetchone()[0]
            for table in ("event_logs", "asset_check_executions")
        )


def bytes_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_of_many_runs_the_newest_stay_and_nothing_is_left_of_the_others(
    hub: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_RUNS", 2)
    ids = [run_once(instance) for _ in range(6)]
    assert files_of(hub, ids[0])
    assert rows_of(hub, ids[0])
    before = bytes_of(hub.dagster_home)

    assert retention.remove_old_runs(instance, hub, keep_days=30) == 4

    assert kept_runs(instance) == set(ids[-2:])
    assert [files_of(hub, run_id) for run_id in ids[:4]] == [[]] * 4
    assert [rows_of(hub, run_id) for run_id in ids[:4]] == [0] * 4
    assert rows_of(hub, ids[-1])
    assert bytes_of(hub.dagster_home) < before / 2


def test_the_space_of_what_is_removed_later_is_given_back_too(
    hub: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_RUNS", 1)
    run_once(instance)
    retention.remove_old_runs(instance, hub, keep_days=30)
    before = bytes_of(hub.dagster_home)
    for _ in range(5):
        run_once(instance)

    retention.remove_old_runs(instance, hub, keep_days=30)

    assert bytes_of(hub.dagster_home) < 2 * before


def test_the_last_success_stays_however_old_it_is_and_whatever_failed_since(
    hub: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "MOST_RUNS", 2)
    ids = [run_once(instance), run_once(instance), *(run_once(instance, succeeds=False) for _ in range(3))]

    retention.remove_old_runs(instance, hub, keep_days=30)
    assert kept_runs(instance) == {ids[1], ids[3], ids[4]}

    retention.remove_old_runs(instance, hub, keep_days=0)
    assert kept_runs(instance) == {ids[1]}


def test_a_run_that_has_not_ended_stays(hub: Settings, instance: dg.DagsterInstance) -> None:
    @dg.job
    def nothing() -> None: ...

    run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTED)

    assert retention.remove_old_runs(instance, hub, keep_days=0) == 0
    assert kept_runs(instance) == {run.run_id}


def test_what_a_killed_removal_left_is_removed_by_the_next_one(
    hub: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = run_once(instance), run_once(instance)
    with monkeypatch.context() as killed:
        killed.setattr(instance.run_storage, "delete_run", lambda run_id: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            retention.remove_old_runs(instance, hub, keep_days=0)

    assert retention.remove_old_runs(instance, hub, keep_days=0) == 1
    assert old not in kept_runs(instance)
    assert files_of(hub, old) == []
