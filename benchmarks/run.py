"""Measures whole refreshes, each in a fresh process, and says where the time goes.

Belongs here: what is run, what is measured, and the table of results. Does not belong here: the data
(generate.py), and any judgement: targets are for the reader to hold the figures against.

    python -m benchmarks.run [--messages 1000000] [--orders 2000000] [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from rich.console import Console
from rich.table import Table

from benchmarks.generate import DEFAULT_LAST_DAY, Recipe, generate
from examples.complete_journey.land import land
from orchestration.settings import REPOSITORY, Settings

DATA = REPOSITORY / "benchmarks" / "data"
RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"
DAYS = 730

SHARES = ("start-up", "loading", "models", "tests", "publishing")


@dataclass(frozen=True)
class Measurement:
    """One refresh: wall and CPU seconds, peak memory in MB, and wall seconds by share."""

    wall: float
    cpu: float
    memory: float
    shares: Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="how often each refresh is measured")
    options = parser.parse_args(arguments)
    console = Console(highlight=False)

    name = f"{options.messages:,} messages, {options.orders:,} orders, Parquet"
    console.print(f"Generating {name} ...")
    generated = Settings(DATA / f"{options.messages}-{options.orders}", "UTC", DEFAULT_LAST_DAY, "USD")
    generate(Recipe(options.messages, options.orders, DAYS, DEFAULT_LAST_DAY, "parquet"), generated.data_dir)
    example = Settings(DATA / "complete_journey", "UTC", date(2017, 12, 31), "USD")
    land(example.landing)

    measured = {
        "The Complete Journey (`make example`)": measure(example, options.runs, console),
        name: measure(generated, options.runs, console),
        "the same again, nothing new": measure(generated, options.runs, console, keep_warehouse=True),
    }
    report(measured, console)
    return 0


def measure(
    settings: Settings, runs: int, console: Console, keep_warehouse: bool = False
) -> list[Measurement]:
    """Refresh a hub several times, each time from the landed files alone unless the warehouse is kept."""
    measurements = []
    for run in range(1, runs + 1):
        console.print(f"Refreshing {settings.data_dir.name}, run {run} of {runs} ...")
        if not keep_warehouse:
            for path in settings.data_dir.iterdir():
                if path.name not in ("landing", "generated.json"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
        measurements.append(refresh(settings))
    return measurements


def refresh(settings: Settings) -> Measurement:
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
    return Measurement(
        wall=wall,
        # The children that the process waited for, dbt above all, are in its account.
        cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss / 1024,
        shares=shares(settings, wall),
    )


def shares(settings: Settings, wall: float) -> dict[str, float]:
    """Wall seconds by share, from Dagster's record of the steps and dbt's record of its nodes.

    dbt runs models and tests side by side, so its time is divided in proportion to theirs.
    """
    import dagster as dg

    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        (run,) = instance.get_run_records(limit=1)
        steps = {
            step.step_key: step.end_time - step.start_time
            for step in instance.get_run_step_stats(run.dagster_run.run_id)
        }
    results = json.loads((settings.dbt_target / "run_results.json").read_text())
    node_seconds = {True: 0.0, False: 0.0}
    for node in results["results"]:
        node_seconds[node["unique_id"].startswith("test.")] += node["execution_time"]
    test_share = node_seconds[True] / sum(node_seconds.values())
    in_dbt = results["elapsed_time"]
    loading = steps["raw__message_events"] + steps["raw__order_events"]
    publishing = steps["published__contact_reports"]
    return {
        "start-up": wall - loading - in_dbt - publishing,
        "loading": loading,
        "models": in_dbt * (1 - test_share),
        "tests": in_dbt * test_share,
        "publishing": publishing,
    }


def report(measured: Mapping[str, Sequence[Measurement]], console: Console) -> None:
    """Print the medians and write them to RESULTS.md."""
    headings = ["Refresh of", "Wall s (min-max)", "CPU s", "Peak MB", *(f"{share} s" for share in SHARES)]
    lines = []
    for name, runs in measured.items():
        walls = [run.wall for run in runs]
        lines.append(
            [
                name,
                f"{statistics.median(walls):.1f} ({min(walls):.1f}-{max(walls):.1f})",
                f"{statistics.median(run.cpu for run in runs):.1f}",
                f"{max(run.memory for run in runs):.0f}",
                *(f"{statistics.median(run.shares[share] for run in runs):.1f}" for share in SHARES),
            ]
        )
    table = Table(*headings)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    RESULTS.write_text(
        "# Results of `make bench`\n\n"
        f"Medians of {len(next(iter(measured.values())))} runs in fresh processes; memory is that of the "
        "largest process.\n"
        f"Machine: {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}.\n\n"
        + "\n".join(
            "| " + " | ".join(line) + " |"
            for line in [headings, ["---"] + ["---:"] * (len(headings) - 1), *lines]
        )
        + "\n"
    )
    console.print(f"Written to {RESULTS.relative_to(REPOSITORY)}")


if __name__ == "__main__":
    sys.exit(main())
