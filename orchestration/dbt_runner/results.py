"""What the last run of dbt did: whether all was built and checked, how long it took, and why it failed.

Belongs here: reading dbt's own record of a run. Does not belong here: how dbt is called (project.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from orchestration.dbt_runner.project import ModelsError
from orchestration.engines.engine import engine_of
from orchestration.printable import printable
from orchestration.settings import Settings

RUN_RESULTS = "run_results.json"

FAILING_ROWS_SHOWN = 5


def forget(target: Path) -> None:
    """Remove the record of the last run from a target folder, so that none takes it for that of the next."""
    (target / RUN_RESULTS).unlink(missing_ok=True)


def seconds_of(target: Path, seconds: float) -> dict[str, float]:
    """The time of the last run of dbt as that of its models and that of its checks.

    dbt runs models and checks side by side, so its time is divided in proportion to theirs.

    Args:
        target: the target folder of the run.
        seconds: how long the run took.
    """
    spent = {True: 0.0, False: 0.0}
    for result in json.loads((target / RUN_RESULTS).read_text(encoding="utf-8"))["results"]:
        spent[result["unique_id"].startswith("test.")] += result["execution_time"]
    share_of_checks = spent[True] / (sum(spent.values()) or 1)
    return {"models": seconds * (1 - share_of_checks), "checks": seconds * share_of_checks}


def rows_found(target: Path, settings: Settings) -> Mapping[str, str]:
    """The first rows that each check of the last run of dbt found, as text, by the unique id of the check.

    Args:
        target: the target folder of the run.
        settings: the settings of the hub.
    """
    run_results = target / RUN_RESULTS
    if not run_results.exists():
        return {}
    return _rows_found(run_results, run_results.stat().st_mtime_ns, settings)


@lru_cache(maxsize=1)
def _rows_found(run_results: Path, _modified_ns: int, settings: Settings) -> Mapping[str, str]:
    """Found once for all who show them, because it takes as long as the checks do."""
    results = json.loads(run_results.read_text(encoding="utf-8"))["results"]
    engine = engine_of(settings)
    return {
        result["unique_id"]: engine.failing_rows(result["compiled_code"], FAILING_ROWS_SHOWN)
        for result in results
        if result["status"] in ("fail", "warn")
    }


def why_dbt_failed(target: Path, settings: Settings) -> str | None:
    """Which checks or models failed, with the first rows that a failed check found.

    Args:
        target: the target folder of the run.
        settings: the settings of the hub.

    Returns:
        A message for the run's failure; None when dbt ended before it recorded anything.
    """
    run_results = target / RUN_RESULTS
    if not run_results.exists():
        return None
    results = json.loads(run_results.read_text(encoding="utf-8"))["results"]
    engine = engine_of(settings)
    parts = []
    for result in results:
        name = result["unique_id"].split(".")[2]
        if result["status"] == "fail":
            rows = rows_found(target, settings)[result["unique_id"]]
            parts.append(f"The check {name} failed: {result['message']}. Its first failing rows:\n{rows}")
        elif result["status"] == "error":
            message, advice = engine.explain(result["message"])
            parts.append(f"{name} could not be built or checked: {message}")
            if advice and advice not in parts:
                parts.append(advice)
    if not parts:
        return None
    parts.append("The published file was left as it is. Fix the cause, then run the refresh again.")
    return printable("\n\n".join(parts))


def warnings(target: Path, settings: Settings) -> list[str]:
    """What the checks that only warn found in the last run of dbt, each with its first rows.

    Args:
        target: the target folder of the run.
        settings: the settings of the hub.
    """
    found = []
    for result in json.loads((target / RUN_RESULTS).read_text(encoding="utf-8"))["results"]:
        if result["status"] == "warn":
            name = result["unique_id"].split(".")[2]
            rows = rows_found(target, settings)[result["unique_id"]]
            found.append(printable(f"The check {name} warns. The first rows that it found:\n{rows}"))
    return found


def require_checked(target: Path) -> None:
    """Make sure that the last run of dbt built and checked everything, so that its result may be published.

    Raises:
        ModelsError: when it did not, as after a failed check or when only a few models were built.
    """
    run_results = target / RUN_RESULTS
    if run_results.exists():
        results = json.loads(run_results.read_text(encoding="utf-8"))["results"]
        good = {result["unique_id"] for result in results if result["status"] in ("success", "pass", "warn")}
        nodes = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
        needed = {
            node["unique_id"]
            for node in nodes
            if node["resource_type"] in ("model", "seed", "test")
            and node["config"]["materialized"] != "ephemeral"
        }
        if needed <= good:
            return
    raise ModelsError(
        "The models were not all built and checked by the last run of dbt, so they are not published; "
        "readers keep what was published before. Run the job refresh as a whole."
    )
