"""dbt as Dagster assets: the models between raw and the marts, and their tests as checks that block.

Belongs here: how dbt is prepared and called, and what is said when it fails. Does not belong here: SQL.
"""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import (
    DagsterDbtCliRuntimeError,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliResource,
    DbtProject,
    dbt_assets,
)
from packaging.version import Version

from orchestration.dbt_runner import seeds
from orchestration.dbt_runner.sources import hash_of_sources, is_parsed, record_parsed
from orchestration.engines import spark
from orchestration.engines.tables import tables_of
from orchestration.faults import advice_on, explained, fault_of
from orchestration.hub.ownership import FRESHNESS, OWNERS
from orchestration.incremental import plan as planning
from orchestration.incremental.plan import Plan, make_plan
from orchestration.printable import SHOWN_CHARACTERS
from orchestration.settings import REPOSITORY, Engine, Settings
from orchestration.sql import literal
from orchestration.warehouse import databases, run_log, stamps
from orchestration.warehouse.lock import RefreshLock

PROJECT_DIR = REPOSITORY / "dbt_project"

DBT_PROCESS = REPOSITORY / "orchestration" / "dbt_runner" / "process.py"

# Unit tests say whether the models are right, not whether the data is; they run in the test suite.
BUILD = ["build", "--exclude-resource-type", "unit_test"]

# For a target in which dbt would take files for parsed that have changed since (sources.py).
PARSING_ALL = "--no-partial-parse"

FAILING_ROWS_SHOWN = 5


class ModelsError(RuntimeError):
    """Models that cannot be read, or are not built and checked; the message says what to do."""


def dbt_executable() -> str:
    """dbt of this environment, whatever the shell would find."""
    return str(Path(sys.executable).with_name("dbt"))


def project_arguments(target: Path) -> list[str]:
    """What a dbt command outside Dagster needs to be told: the project, and where its artifacts go."""
    project = str(PROJECT_DIR)
    return [
        *("--project-dir", project, "--profiles-dir", project),
        *("--target-path", str(target), "--log-path", str(target)),
    ]


class DbtOfThisEnvironment(DbtCliResource):
    """dbt, called at once: what its integration prepares before each call takes as long as half a build."""

    @cached_property
    def _cli_version(self) -> Version:
        # Instead of a process that prints it, and first asks the package registry for a newer one.
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:
        # It would parse all of dbt's macros, to fetch metadata from the warehouse that nobody asks for here.
        return None


def dbt_of(project: DbtProject) -> DbtCliResource:
    """What calls dbt for a project.

    Not a resource of the job: the configuration of a run could then name the program, its flags and its
    folders, and so run anything.
    """
    return DbtOfThisEnvironment(
        project_dir=project,
        dbt_executable=sys.executable,
        global_config_flags=[str(DBT_PROCESS)],
    )


def prepared_project(engine: Engine = Engine.DUCKDB) -> DbtProject:
    """The dbt project as an engine runs it, with a manifest that is up to date with its sources.

    Raises:
        ModelsError: when dbt cannot read the project.
    """
    target_path = "target" if engine is Engine.DUCKDB else f"target-{engine.value}"
    project = DbtProject(project_dir=PROJECT_DIR, target=engine.value, target_path=Path(target_path))
    target = project.manifest_path.parent
    if not is_parsed(target, engine):
        target.mkdir(parents=True, exist_ok=True)
        with project.manifest_path.with_suffix(".lock").open("w") as lock:
            # Of processes that begin at one moment one makes the manifest; the others wait, and find it made.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_parsed(target, engine):
                sources = hash_of_sources(engine)
                _parse(project)
                record_parsed(target, sources)
    return project


def _parse(project: DbtProject) -> None:
    try:
        seeds.require_text()
    except seeds.SeedError as error:
        raise ModelsError(f"{error} Nothing was done.") from None
    parse = dbt_of(project).cli(["parse", "--quiet", PARSING_ALL], target_path=project.manifest_path.parent)
    try:
        parse.wait()
    except DagsterDbtCliRuntimeError as error:
        raise ModelsError(f"dbt cannot read the models, so nothing was done. {error}") from None


# The events that an asset has loaded and those that it has removed are two sources of dbt.
SHARED_KEYS = DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True)


class LayerTranslator(DagsterDbtTranslator):
    """Groups are layers."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "seed":
            return "raw"
        return dbt_resource_props["fqn"][1]

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        return spec.replace_attributes(owners=OWNERS, freshness_policy=FRESHNESS)


def build_dbt_assets(project: DbtProject) -> dg.AssetsDefinition:
    """The one asset definition that runs all of dbt, with an asset for each model and seed."""

    @dbt_assets(
        manifest=project.manifest_path, project=project, dagster_dbt_translator=LayerTranslator(SHARED_KEYS)
    )
    def dbt_models(context: dg.AssetExecutionContext, lock: RefreshLock) -> Iterator[Any]:
        settings = lock.settings
        manifest = json.loads(project.manifest_path.read_text(encoding="utf-8"))
        run_results = settings.dbt_target / "run_results.json"
        run_results.unlink(missing_ok=True)
        seeds.require_usable()
        with explained(settings):
            plan = planned(settings, manifest, context.run_id, context.log.warning)
        for reason in plan.reasons:
            context.log.warning(f"Rebuilt from all landed rows, since {reason}")
        started = time.monotonic()
        sources = hash_of_sources(settings.engine)
        parsing = [] if is_parsed(settings.dbt_target, settings.engine) else [PARSING_ALL]
        with environment_of(settings, plan):
            invocation = dbt_of(project).cli(
                [*BUILD, *parsing], context=context, target_path=settings.dbt_target
            )
        try:
            yield from invocation.stream()
        except DagsterDbtCliRuntimeError as error:
            raise dg.Failure(description=why_dbt_failed(run_results, settings) or str(error)) from None
        record_parsed(settings.dbt_target, sources)
        record_models(settings, manifest, context.run_id, plan, run_results, time.monotonic() - started)

    return dbt_models


def planned(
    settings: Settings,
    manifest: Mapping[str, Any],
    run_id: str,
    say: Callable[[str], None] = lambda message: None,
) -> Plan:
    """The plan of the refresh of a run; see :func:`orchestration.incremental.plan.make_plan`."""
    with databases.connect(settings, say=say) as connection:
        for sentence in stamps.about_published(connection, settings):
            say(sentence)
        return make_plan(connection, manifest, settings, run_log.begin(connection, run_id, settings))


def record_models(
    settings: Settings,
    manifest: Mapping[str, Any],
    run_id: str,
    plan: Plan,
    run_results: Path,
    seconds: float,
) -> None:
    """Record what the models did.

    dbt runs models and checks side by side, so its time is divided in proportion to theirs.
    """
    spent = {True: 0.0, False: 0.0}
    for result in json.loads(run_results.read_text(encoding="utf-8"))["results"]:
        spent[result["unique_id"].startswith("test.")] += result["execution_time"]
    share_of_checks = spent[True] / (sum(spent.values()) or 1)
    with databases.connect(settings) as connection:
        run_log.record_models(
            connection,
            run_log.begin(connection, run_id, settings),
            planning.rows_replaced(connection, manifest, plan, tables_of(settings)),
            planning.days_recomputed(connection, manifest, plan, tables_of(settings)),
            {"models": seconds * (1 - share_of_checks), "checks": seconds * share_of_checks},
        )


@contextmanager
def environment_of(settings: Settings, plan: Plan | None = None) -> Iterator[None]:
    """The settings, and the plan of a refresh, as environment variables while a process is started."""
    before = dict(os.environ)
    os.environ.update(settings.as_environment())
    if settings.engine is Engine.SPARK:
        os.environ.update(spark.environment_of(settings))
    if plan:
        os.environ.update(plan.as_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def why_dbt_failed(run_results: Path, settings: Settings) -> str | None:
    """Which checks or models failed, with the first rows that a failed check found.

    Args:
        run_results: dbt's own record of its run.
        settings: the settings of the hub.

    Returns:
        A message for the run's failure; None when dbt ended before it recorded anything.
    """
    if not run_results.exists():
        return None
    results = json.loads(run_results.read_text(encoding="utf-8"))["results"]
    parts = []
    for result in results:
        name = result["unique_id"].split(".")[2]
        if result["status"] == "fail":
            find_rows = _failing_rows_of_spark if settings.engine is Engine.SPARK else _failing_rows
            rows = find_rows(settings, result["compiled_code"])
            parts.append(f"The check {name} failed: {result['message']}. Its first failing rows:\n{rows}")
        elif result["status"] == "error":
            message = result["message"]
            fault = fault_of(message)
            advice = advice_on(fault, settings.data_dir, settings) if fault else None
            if settings.engine is Engine.SPARK:
                message = spark.without_stack(message)
                advice = spark.advice_on(message)
            parts.append(f"{name} could not be built or checked: {message}")
            if advice and advice not in parts:
                parts.append(advice)
    if not parts:
        return None
    parts.append("The published file was left as it is. Mend the cause, then run the refresh again.")
    return "\n\n".join(parts)


def require_checked(dbt_target: Path) -> None:
    """Make sure that the last run of dbt built and checked everything, so that its result may be published.

    Raises:
        ModelsError: when it did not, as after a failed check or when only a few models were built.
    """
    run_results = dbt_target / "run_results.json"
    if run_results.exists():
        results = json.loads(run_results.read_text(encoding="utf-8"))["results"]
        good = {result["unique_id"] for result in results if result["status"] in ("success", "pass", "warn")}
        nodes = json.loads((dbt_target / "manifest.json").read_text(encoding="utf-8"))["nodes"].values()
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


def _failing_rows(settings: Settings, query: str) -> str:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal(str(settings.reports))} as reports (read_only)")
        rows = connection.sql(query).limit(FAILING_ROWS_SHOWN)
        return rows.df().to_string(index=False, max_colwidth=SHOWN_CHARACTERS)


def _failing_rows_of_spark(settings: Settings, query: str) -> str:
    # By dbt, which reaches Spark in whichever way the models do.
    with environment_of(settings):
        shown = subprocess.run(
            [
                *(dbt_executable(), "show", "--quiet", "--inline", f"{{% raw %}}{query}{{% endraw %}}"),
                *("--limit", str(FAILING_ROWS_SHOWN)),
                *project_arguments(settings.data_dir / "dbt-show"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    return shown.stdout.strip()
