"""One refresh in a fresh process: what it took, and where the time went.

Belongs here: how one refresh is measured. Does not belong here: which refreshes are (run.py), and what is
made of the figures (results.py).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from orchestration.settings import REPOSITORY, Settings

SHARES = ("start-up", "loading", "models", "checks", "planning and recording", "publishing")
LOADING_STEPS = ("loading messages", "loading orders")


@dataclass(frozen=True)
class Step:
    """One step of a refresh; rows replaced are None where a step replaces none."""

    seconds: float
    rows_replaced: int | None = None


@dataclass(frozen=True)
class Measurement:
    """One refresh.

    Attributes:
        wall, cpu: seconds.
        memory: the peak of the largest process, in MB.
        shares: wall seconds by share; they add up to ``wall``.
        steps: loading, each model in the order in which dbt ran them, and all checks.
        landed: how many files, messages and orders it loaded.
        rebuilt_because: why models were computed anew; empty when all were refreshed in part.
    """

    wall: float
    cpu: float
    memory: float
    shares: Mapping[str, float]
    steps: Mapping[str, Step]
    landed: tuple[int, int, int]
    rebuilt_because: Sequence[str]

    @property
    def between(self) -> float:
        """Wall seconds between start-up and publishing."""
        return self.wall - self.shares["start-up"] - self.shares["publishing"]

    @property
    def working(self) -> float:
        """Wall seconds of loading, models and checks."""
        return self.shares["loading"] + self.shares["models"] + self.shares["checks"]


def refresh(settings: Settings) -> Measurement:
    """Refresh a hub in a fresh process, as a person would.

    Raises:
        SystemExit: when the refresh fails.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "run", "--period", "all_time"],
        cwd=REPOSITORY,
        env={**os.environ, **settings.as_environment()},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"The refresh of {settings.data_dir} failed; run it by hand to see why.")
    results = json.loads((settings.dbt_target / "run_results.json").read_text())
    record = _record(settings)
    return Measurement(
        wall=wall,
        # The children that the process waited for, dbt above all, are in its account.
        cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss / 1024,
        shares=_shares(settings, wall, results),
        steps=_steps(results, record),
        landed=(
            record["files_loaded"],
            record["messages_accepted"] + record["messages_rejected"],
            record["orders_accepted"] + record["orders_rejected"],
        ),
        rebuilt_because=record["rebuilt_because"],
    )


def _shares(settings: Settings, wall: float, results: Mapping[str, Any]) -> dict[str, float]:
    """Wall seconds by share, from Dagster's record of the steps and dbt's record of its nodes.

    dbt runs models and checks side by side, so its time is divided in proportion to theirs.
    """
    import dagster as dg

    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        (run,) = instance.get_run_records(limit=1)
        run_id = run.dagster_run.run_id
        steps = {step.step_key: step for step in instance.get_run_step_stats(run_id)}
        # The step says nothing before the plan is made, and something as soon as it is.
        planned = min(
            entry.timestamp
            for entry in instance.all_logs(run_id)
            if entry.step_key == "dbt_models" and not entry.is_dagster_event
        )
    seconds = {key: step.end_time - step.start_time for key, step in steps.items()}
    dbt_step = steps["dbt_models"]
    dbt_ended = datetime.fromisoformat(results["metadata"]["generated_at"]).timestamp()
    in_dbt = results["elapsed_time"]
    node_seconds = {True: 0.0, False: 0.0}
    for node in results["results"]:
        node_seconds[_is_check(node)] += node["execution_time"]
    share_of_checks = node_seconds[True] / sum(node_seconds.values())
    shares = {
        "loading": seconds["raw__message_events"] + seconds["raw__order_events"],
        "models": in_dbt * (1 - share_of_checks),
        "checks": in_dbt * share_of_checks,
        # Before dbt starts and after it has run its last node: closing the warehouse is work too.
        "planning and recording": (planned - dbt_step.start_time) + (dbt_step.end_time - dbt_ended),
        "publishing": seconds["published__contact_reports"],
    }
    return {"start-up": wall - sum(shares.values()), **shares}


def _steps(results: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Step]:
    """The loading of each entity, each model, and all checks together."""
    steps = {
        step: Step(record["seconds_by_step"][step], record[f"{step.removeprefix('loading ')}_accepted"])
        for step in LOADING_STEPS
    }
    checks = 0.0
    for node in results["results"]:
        if _is_check(node):
            checks += node["execution_time"]
        elif node["unique_id"].startswith("model."):
            name = node["unique_id"].split(".")[2]
            steps[name] = Step(node["execution_time"], record["rows_replaced_by_model"].get(name))
    return {**steps, "all checks": Step(checks)}


def _is_check(node: Mapping[str, Any]) -> bool:
    return node["unique_id"].startswith("test.")


def _record(settings: Settings) -> dict[str, Any]:
    """The published record of the newest refresh."""
    with duckdb.connect(str(settings.published), read_only=True) as connection:
        newest = connection.sql("from refreshes order by refresh_number desc limit 1")
        (row,) = newest.fetchall()
        return dict(zip(newest.columns, row, strict=True))
