"""A refresh without Dagster around it, quick enough to run for each generated history.

Belongs here: the steps of orchestration/refresh.py with dbt in this process. What Dagster adds is tested in
test_refresh.py.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.schemas.run import RunExecutionResult
from dbt.cli.main import dbtRunner

from orchestration import refresh as steps
from orchestration.dbt_runner.process import spare_overhead
from orchestration.dbt_runner.project import (
    PARSING_ALL,
    environment_of,
    prepared_project,
    project_arguments,
    take_over_parse,
)
from orchestration.hub import hub_toml
from orchestration.incremental.plan import Plan, finish
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.load import load_entity
from orchestration.landing.load_report import LoadReport
from orchestration.operations.rebuilding import remove_warehouse
from orchestration.publishing.publish import Published
from orchestration.publishing.publish import publish as publish_reports
from orchestration.refresh import Manifest, Run
from orchestration.settings import Engine, Settings
from orchestration.warehouse import databases

# dbt's parse of the project, shared by all tests of a session.
DBT_TARGET = Path(tempfile.gettempdir()) / f"contact-reporting-tests-{os.getpid()}"

# As dbt in the process of a refresh.
spare_overhead()


def edit_hub_file(settings: Settings, **values: object) -> Settings:
    """Set keys of hub.toml, as a person with an editor would; returns the settings of the edited hub."""
    hub_toml.add_missing(settings.hub_file, settings.timezone, settings.currency)
    text = settings.hub_file.read_text(encoding="utf-8")
    for key, value in values.items():
        text, found = re.subn(rf"(?m)^{key} = .*$", f"{key} = {json.dumps(value)}", text)
        assert found == 1, f"{key} is in hub.toml {found} times"
    settings.hub_file.write_text(text, encoding="utf-8")
    return Settings.from_environment(
        {**settings.as_environment(), "CONTACT_TIMEZONE": "", "CONTACT_CURRENCY": ""}
    )


def run_of(settings: Settings, run_id: str, log: Callable[[str], object] = lambda sentence: None) -> Run:
    """A refresh of this name whose dbt shares its parse with those of other hubs."""
    return Run(settings, run_id, DBT_TARGET, log)


def load(settings: Settings) -> list[LoadReport]:
    """Load what has landed; returns what is reported of messages and of orders."""
    with databases.connect(settings) as connection:
        return [load_entity(connection, settings, contract) for contract in CONTRACTS]


def run_dbt(settings: Settings, *arguments: str, plan: Plan | None = None) -> None:
    """Run dbt in this process against the warehouse of a hub; fail with dbt's own words."""
    take_over_parse(DBT_TARGET, settings.engine)
    with environment_of(settings, plan):
        invoke_dbt(*arguments)


def invoke_dbt(*arguments: str) -> None:
    """The same in an environment that says which hub it is."""
    with contextlib.nullcontext() if PARSING_ALL in arguments else leaving_manifest():
        # As Dagster calls it, or it would parse all again; but its log would take a tenth of the time.
        how = ["--target", Engine.DUCKDB.value, "--quiet", "--log-level-file", "none"]
        result = dbtRunner().invoke([*arguments, *how, *project_arguments(DBT_TARGET)])
    DuckDBConnectionManager.close_all_connections()
    # Text, which pytest shows whole.
    assert result.success, repr(result.exception) if result.exception else describe_failures(result.result)


def describe_failures(result: object) -> str:
    """The nodes that failed, each with dbt's message."""
    assert isinstance(result, RunExecutionResult), result
    return "\n".join(
        f"{node.node.name}: {node.message}"
        for node in result.results
        if node.status not in ("success", "pass", "warn")
    )


@contextlib.contextmanager
def leaving_manifest() -> Iterator[None]:
    """Within it, dbt does not write its manifest, as in a refresh whose sources are unchanged."""
    with (
        patch("dbt.parser.manifest.write_manifest", autospec=True),
        patch("dbt.task.runnable.write_manifest", autospec=True),
    ):
        yield


def build(settings: Settings, *arguments: str) -> None:
    """One refresh up to publishing, checks included, which then counts as finished."""
    run_id = str(uuid.uuid4())
    load_and_build(settings, run_id, *arguments)
    with databases.connect(settings) as connection:
        finish(connection, settings, run_id, version="none", seconds=0)


def refresh(settings: Settings, log: Callable[[str], object] = lambda sentence: None) -> Path:
    """One refresh: load, build and check the models, publish. Returns the published file.

    No check of what has landed holds it back, since Dagster makes those: ``load`` returns what they look at.
    """
    run_id = str(uuid.uuid4())
    steps.refresh(run_of(settings, run_id, log), manifest(), dbt_in_process())
    return settings.published


def rebuild(settings: Settings, log: Callable[[object], object] = lambda sentence: None) -> Path:
    """A full refresh, from nothing but the files in ``landing`` and ``kept``. Returns the published file."""
    remove_warehouse(settings, log, log)
    return refresh(settings, log)


def publish(settings: Settings, run_id: str) -> Published:
    """Publish what a run has built."""
    return publish_reports(settings, run_id, DBT_TARGET)


def load_and_build(settings: Settings, run_id: str, *arguments: str) -> None:
    """Load what has landed, then build and check the models, as a run of this id."""
    run = run_of(settings, run_id)
    with databases.connect(settings) as connection:
        for contract in CONTRACTS:
            steps.load(connection, run, contract)
    planned = steps.plan(run, manifest())
    for _ in steps.build(run, manifest(), planned, dbt_in_process(*arguments)):
        pass


def plan(
    settings: Settings,
    run_id: str,
    of: Manifest | None = None,
    log: Callable[[str], object] = lambda sentence: None,
) -> Plan:
    """The plan of a refresh, by the manifest of the project or another one."""
    return steps.plan(run_of(settings, run_id, log), of or manifest())


def dbt_in_process(*further: str) -> steps.Dbt:
    """dbt in this process; what it did is known at its end, so it has no events."""

    def dbt(arguments: Sequence[str]) -> Iterator[Any]:
        invoke_dbt(*arguments, *further)
        return iter(())

    return dbt


def executed(model: str) -> str:
    """The SQL by which the last build made the table of a model."""
    (file,) = (DBT_TARGET / "run").rglob(f"{model}.sql")
    return file.read_text(encoding="utf-8")


@functools.cache
def manifest() -> dict[str, Any]:
    """dbt's manifest of the project."""
    return json.loads(prepared_project().manifest_path.read_text())


def models_and_seeds() -> int:
    """How many models and seeds the project has."""
    return sum(node["resource_type"] in ("model", "seed") for node in manifest()["nodes"].values())


@contextlib.contextmanager
def reading(published: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file as a reader opens it."""
    with duckdb.connect(str(published), read_only=True) as connection:
        yield connection
