"""The dbt project: its manifest, and how dbt is called for it.

Belongs here: what dbt is told. Does not belong here: whether what it parsed is up to date (sources.py), what
is said of what it built (results.py), its models as assets (defs/dbt_models.py).
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from packaging.version import Version

from orchestration.dbt_runner import seeds
from orchestration.dbt_runner.integration import DagsterDbtCliRuntimeError, DbtCliResource, DbtProject
from orchestration.dbt_runner.sources import copy_parse, hash_of_sources, is_parsed, record_parsed
from orchestration.engines.engine import PARSED_IN, engine_of
from orchestration.incremental.plan import Plan
from orchestration.settings import REPOSITORY, Engine, Settings

PROJECT_DIR = REPOSITORY / "dbt_project"

DBT_PROCESS = REPOSITORY / "orchestration" / "dbt_runner" / "process.py"

# Where that process keeps compiled templates and JSON schemas, whatever the engine.
TEMPLATES = PROJECT_DIR / "target" / "templates"

# Unit tests say whether the models are right, not whether the data is; they run in the test suite.
BUILD = ["build", "--exclude-resource-type", "unit_test"]

# Where dbt would take files for parsed that have changed since (sources.py).
PARSING_ALL = "--no-partial-parse"


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

    # Its integration takes None for no adapter, though it does not declare so.
    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:  # type: ignore[override]
        # It would parse all of dbt's macros, to fetch metadata from the warehouse that nobody asks for here.
        return None


def dbt_of(project: DbtProject) -> DbtCliResource:
    """What calls dbt for a project.

    Not a resource of the job: the configuration of a run could then name the program, its flags and its
    folders, and so run anything.
    """
    return DbtOfThisEnvironment(
        # A project, which says its target too, though a path is declared.
        project_dir=project,  # type: ignore[arg-type]
        dbt_executable=sys.executable,
        global_config_flags=[str(DBT_PROCESS)],
    )


def prepared_project(engine: Engine = Engine.DUCKDB) -> DbtProject:
    """The dbt project as an engine runs it, with a manifest that is up to date with its sources.

    Raises:
        ModelsError: when dbt cannot read the project.
    """
    project = DbtProject(project_dir=PROJECT_DIR, target=engine.value, target_path=Path(PARSED_IN[engine]))
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


def take_over_parse(target: Path, engine: Engine) -> None:
    """Have dbt find the project parsed in a target folder: to parse it takes longer than a small refresh.

    No model depends on where a hub is, so the parse beside the project serves all hubs.

    Raises:
        ModelsError: when dbt cannot read the project.
    """
    if not is_parsed(target, engine):
        copy_parse(prepared_project(engine).manifest_path.parent, target)


def _parse(project: DbtProject) -> None:
    try:
        seeds.require_text()
    except seeds.SeedError as error:
        raise ModelsError(f"{error} Nothing was done.") from None
    # Those of sources that are gone would stay for ever.
    shutil.rmtree(TEMPLATES, ignore_errors=True)
    parse = dbt_of(project).cli(["parse", "--quiet", PARSING_ALL], target_path=project.manifest_path.parent)
    try:
        parse.wait()
    except DagsterDbtCliRuntimeError as error:
        raise ModelsError(f"dbt cannot read the models, so nothing was done. {error}") from None


@contextmanager
def environment_of(settings: Settings, plan: Plan | None = None) -> Iterator[None]:
    """The settings, and the plan of a refresh, as environment variables while a process is started."""
    before = dict(os.environ)
    os.environ.update(settings.as_environment())
    os.environ.update(engine_of(settings).environment())
    if plan:
        os.environ.update(plan.as_environment())
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
