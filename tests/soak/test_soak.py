"""The real daemon with its sensor, while processes are killed and the disk fills up: in the end, a rebuild's.

`make soak` runs it for three minutes, `make soak MINUTES=60` for an hour. Where no disk can be mounted, none
is filled.
"""

from __future__ import annotations

import random
import time
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from soak.daemon import Daemon, filled, small_disk
from support.finished_hubs import assert_finished
from support.outside_systems import Outside

from orchestration.operations import runs
from orchestration.operations.dagster_home import prepare_dagster_home
from orchestration.operations.runs import landing_fingerprint
from orchestration.settings import Settings

# How long the hub may take to recover once nothing dies any more: a start of the daemon, the time after which
# a start counts as lost, the longest delay of a retry, and two refreshes, on a busy machine.
RECOVERY_SECONDS = 300

# How long to wait for a run that a kill is to fall into.
WAIT_SECONDS = 60


def test_whatever_dies_the_hub_recovers_by_itself_and_equals_a_rebuild(
    tmp_path: Path, pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed := pytestconfig.getoption("--soak-seed"))
    deadline = time.monotonic() + 60 * pytestconfig.getoption("--minutes")
    print(f"\nseed {seed}")
    with small_disk(tmp_path / "disk") as is_small:
        hub = Settings(tmp_path / "disk" / "hub", "America/New_York", date(2026, 1, 31), "USD")
        monkeypatch.setenv("DAGSTER_HOME", "")
        prepare_dagster_home(hub)
        daemon = Daemon(hub, tmp_path / "daemon.log")
        try:
            soak(hub, daemon, rng, deadline, tmp_path / "disk" if is_small else None)
            began = time.monotonic()
            wait_until_recovered(hub, daemon)
            print(f"recovered in {time.monotonic() - began:.0f} s")
        except BaseException:
            print((tmp_path / "daemon.log").read_text()[-20_000:])
            raise
        finally:
            daemon.stop()
        print(f"{assert_finished(hub)} refreshes began")


def soak(hub: Settings, daemon: Daemon, rng: random.Random, deadline: float, disk: Path | None) -> None:
    """Until the deadline: land files, kill processes of the daemon, fill the disk if there is a small one."""
    outside = Outside(rng)
    while time.monotonic() < deadline:
        daemon.keep_alive()
        outside.land_a_batch(hub)
        # What dies between two refreshes alone would teach little.
        if rng.random() < 0.8:
            wait_for_a_refresh(hub, daemon)
        time.sleep(rng.uniform(0, 20))
        if disk and rng.random() < 0.25:
            with filled(disk):
                said(deadline, "the disk is full")
                time.sleep(rng.uniform(5, 20))
        else:
            said(deadline, f"killed {daemon.kill_any(rng)}")


def wait_for_a_refresh(hub: Settings, daemon: Daemon) -> None:
    """Return when a refresh is at work, or after a while without one."""
    deadline = time.monotonic() + WAIT_SECONDS
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
        while not instance.get_runs_count(started) and time.monotonic() < deadline:
            daemon.keep_alive()
            time.sleep(0.5)


def said(deadline: float, what: str) -> None:
    """Print what happened, and how many seconds before the end."""
    print(f"{max(0, deadline - time.monotonic()):4.0f} s left: {what}", flush=True)


def wait_until_recovered(hub: Settings, daemon: Daemon) -> None:
    """Return when all that has landed is published and no run is unfinished, by the daemon alone."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    landed = landing_fingerprint(hub)
    while True:
        daemon.keep_alive()
        with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
            is_idle = not runs.is_any_unfinished(instance)
            attempts = runs.latest_attempts(instance)
        if is_idle and attempts and attempts[0].is_published and attempts[0].landed == landed:
            return
        assert time.monotonic() < deadline, f"the hub did not recover; it ended {attempts}"
        time.sleep(2)
