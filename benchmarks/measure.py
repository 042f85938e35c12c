"""One process, or one refresh in a fresh process: what it took, and where the time of a refresh went.

Belongs here: how one process or refresh is measured. Does not belong here: which ones are (run.py), and what
is made of the figures (results.py).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from orchestration.settings import REPOSITORY, Settings

SHARES = ("start-up", "loading", "models", "checks", "planning and recording", "publishing")
LOADING_STEPS = ("loading messages", "loading orders")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Step:
    """One step of a refresh; rows replaced are None where a step replaces none."""

    seconds: float
    rows_replaced: int | None = None


@dataclass(frozen=True)
class Usage:
    """What a process and those that it started took.

    Attributes:
        wall, cpu: seconds.
        memory: the peak of the largest process, in MB.
    """

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True)
class Measurement(Usage):
    """One refresh.

    Attributes:
        shares: wall seconds by share; they add up to ``wall``.
        steps: loading, each model in the order in which dbt ran them, and all checks.
        landed: how many files, messages and orders it loaded.
        rebuilt_because: why models were computed anew; empty when all were refreshed in part.
    """

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


def measured(
    command: Sequence[str], environment: Mapping[str, str] | None = None, folder: Path = REPOSITORY
) -> Usage:
    """Run a command in a fresh process, with more variables in its environment; what it prints is dropped.

    Args:
        command: the command and its arguments.
        environment: the variables that are added.
        folder: where it is run.

    Raises:
        SystemExit: when the command fails.
    """
    variables = environment or {}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    if os.waitstatus_to_exitcode(status):
        by_hand = shlex.join([*(f"{name}={value}" for name, value in variables.items()), *command])
        raise SystemExit(
            f"This failed; run it by hand to see why: cd {shlex.quote(str(folder))} && {by_hand}"
        )
    # The children that the process waited for, dbt above all, are in its account.
    return Usage(wall, cpu=usage.ru_utime + usage.ru_stime, memory=usage.ru_maxrss / 1024)


def apart(function: Callable[..., Result], *arguments: object) -> Result:
    """Call a function in a process of its own.

    The peak memory of a process begins with that of the one that starts it: whatever this one ever held would
    be found in all that is measured later.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def refresh(hub: Settings, logged: bool = False) -> Measurement:
    """Refresh a hub in a fresh process, as a person would.

    Args:
        hub: the hub.
        logged: whether dbt keeps a log of all that it executes, which takes time.

    Raises:
        SystemExit: when the refresh fails.
    """
    usage = usage_of_refresh(hub, environment={"DBT_LOG_LEVEL_FILE": "debug"} if logged else {})
    results = json.loads((hub.dbt_target / "run_results.json").read_text())
    record = _record(hub)
    return Measurement(
        **asdict(usage),
        shares=_shares(hub, usage.wall, results),
        steps=_steps(results, record),
        landed=(
            record["files_loaded"],
            record["messages_accepted"] + record["messages_rejected"],
            record["orders_accepted"] + record["orders_rejected"],
        ),
        rebuilt_because=record["rebuilt_because"],
    )


def usage_of_refresh(
    hub: Settings, tree: Path | None = None, environment: Mapping[str, str] | None = None
) -> Usage:
    """What a refresh of a hub took in a fresh process.

    Args:
        hub: the hub.
        tree: another tree of this repository, by whose code and environment the hub is refreshed.
        environment: the variables that are added.

    Raises:
        SystemExit: when the refresh fails.
    """
    python = str(tree / ".venv" / "bin" / "python") if tree else sys.executable
    command = [python, "-m", "orchestration.cli", "run", "--period", "all_time"]
    return measured(command, {**hub.as_environment(), **(environment or {})}, tree or REPOSITORY)


def _shares(settings: Settings, wall: float, results: Mapping[str, Any]) -> dict[str, float]:
    """Wall seconds by share, from Dagster's record of the steps and dbt's record of its nodes.

    dbt runs models and checks side by side, so its time is divided in proportion to theirs.
    """
    import dagster as dg

    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        (run,) = instance.get_run_records(limit=1)
        run_id = run.dagster_run.run_id
        # Of steps that have ended, as they all have after a refresh.
        steps = {
            step.step_key: (step.start_time, step.end_time)
            for step in instance.get_run_step_stats(run_id)
            if step.start_time and step.end_time
        }
        # The step says nothing before the plan is made, and something as soon as it is.
        planned = min(
            entry.timestamp
            for entry in instance.all_logs(run_id)
            if entry.step_key == "dbt_models" and not entry.is_dagster_event
        )
    seconds = {key: end - start for key, (start, end) in steps.items()}
    dbt_started, dbt_step_ended = steps["dbt_models"]
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
        "planning and recording": (planned - dbt_started) + (dbt_step_ended - dbt_ended),
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
