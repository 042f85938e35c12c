"""dbt's seeds, models and tests as Dagster's assets and checks that block.

Belongs here: what Dagster shows of dbt. Does not belong here: what dbt is told and what it did (dbt_runner),
the step of the refresh around it (refresh.py).
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration import refresh
from orchestration.dbt_runner import results
from orchestration.dbt_runner.integration import (
    DagsterDbtCliRuntimeError,
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtCliInvocation,
    DbtProject,
    dbt_assets,
)
from orchestration.dbt_runner.project import ModelsError, dbt_of
from orchestration.defs.resources import LockedHub
from orchestration.hub.ownership import FRESHNESS, OWNERS
from orchestration.landing.notices import listed
from orchestration.printable import printable
from orchestration.refresh import Run

# The events that an asset has loaded and those that it has removed are two sources of dbt.
SETTINGS = DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True, enable_code_references=True)

# What the generic checks claim of their columns, in words.
CLAIMS = {
    "unique": "Each {columns} comes once.",
    "unique_without_blanks": "Each {columns} comes once, the blanks around it aside.",
    "unique_combination": "Each combination of {columns} comes once.",
    "not_null": "Every row has a {columns}.",
    "accepted_values": "The {columns} is one of {values}.",
}


class LayerTranslator(DagsterDbtTranslator):
    """Groups are layers."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        if dbt_resource_props["resource_type"] == "seed":
            return "raw"
        return dbt_resource_props["fqn"][1]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        # Without the SQL, which the code reference leads to.
        return dbt_resource_props["description"]

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        # Of a source there is none.
        materialized = dbt_resource_props["config"].get("materialized")
        tags = super().get_tags(dbt_resource_props)
        return {**tags, "materialized": materialized} if materialized else tags

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        return spec and spec._replace(description=description_of_check(manifest["nodes"][unique_id]))

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        return spec.replace_attributes(owners=OWNERS, freshness_policy=FRESHNESS)


def description_of_check(check: Mapping[str, Any]) -> str:
    """What a check of dbt claims, in words.

    Args:
        check: its node in the manifest. One that is a query of its own begins with a comment that says so.
    """
    if check["description"]:
        return check["description"]
    generic = check.get("test_metadata")
    if generic is None:
        comment = itertools.takewhile(lambda line: line.startswith("--"), check["raw_code"].splitlines())
        return " ".join(line.removeprefix("--").strip() for line in comment)
    arguments = generic["kwargs"]
    columns = ", ".join(arguments.get("columns") or [arguments["column_name"]])
    claim = CLAIMS.get(generic["name"], f"{generic['name']} of {{columns}}.")
    return claim.format(columns=columns, values=", ".join(map(str, arguments.get("values", ()))))


def require_current(context: dg.AssetExecutionContext) -> None:
    """Make sure that a run was started by definitions that have the models and checks of today's project.

    A run selects its models when it is started, from what the code location knew when it was loaded. Its
    process loads the project again, and may find others.

    Raises:
        Failure: when a model or check has come or gone since; the message names them and says what to do.
    """
    loaded = _outputs_when_loaded(context.instance, context.run, context.op_def.name)
    today = {
        **{name: key.path[-1] for name, key in context.assets_def.node_keys_by_output_name.items()},
        **{name: spec.name for name, spec in context.assets_def.node_check_specs_by_output_name.items()},
    }
    if loaded is None or loaded == today.keys():
        return
    new = sorted(name for output, name in today.items() if output not in loaded)
    gone = sorted(loaded - today.keys())
    changes = [f"{word}: {listed(names)}" for word, names in (("new", new), ("gone", gone)) if names]
    raise dg.Failure(
        description=(
            "The models or checks are others than when Dagster loaded its definitions "
            f"({'; '.join(changes)}), so this run would not build all of them. Nothing was built, and "
            "readers keep what was published. In the web UI, choose Deployment and Reload definitions "
            "(or stop `make ui` and start it again), then start the refresh again."
        )
    )


def _outputs_when_loaded(instance: dg.DagsterInstance, run: dg.DagsterRun, op: str) -> set[str] | None:
    """The outputs of an op, one for each model and check, in the definitions that a run was started by.

    They are all there for a run with a selection too.
    """
    snapshot = instance.get_job_snapshot(run.job_snapshot_id) if run.job_snapshot_id else None
    ops = snapshot.node_defs_snapshot.op_def_snaps if snapshot else []
    return next(
        ({output.name for output in found.output_def_snaps} for found in ops if found.name == op), None
    )


def with_row_counts(started: DbtCliInvocation) -> Iterator[Any]:
    """The events of dbt, in which each table has the number of rows that its process says (process.py)."""
    for said in started.stream_raw_events():
        rows = said.raw_event["data"].get("node_info", {}).get("row_count")
        for event in said.to_default_asset_events(
            manifest=started.manifest,
            dagster_dbt_translator=started.dagster_dbt_translator,
            context=started.context,
            target_path=started.target_path,
            project=started.project,
        ):
            if rows is not None and isinstance(event, dg.Output):
                counted = {**event.metadata, "dagster/row_count": rows}
                yield dg.Output(event.value, event.output_name, metadata=counted)
            else:
                yield event


def with_rows_found(events: Iterable[Any], run: Run) -> Iterator[Any]:
    """The events of dbt, in which each check that did not pass shows the first rows that it found.

    They come last, because the databases can be read once dbt has ended.
    """
    not_passed: list[dg.AssetCheckResult] = []
    failure = None
    try:
        for event in events:
            if isinstance(event, dg.AssetCheckResult) and not event.passed:
                not_passed.append(event)
            else:
                yield event
    except DagsterDbtCliRuntimeError as error:
        failure = error
    if not_passed:
        found = results.rows_found(run.dbt_target, run.settings)
        for check in not_passed:
            rows = found.get(str(check.metadata["unique_id"].value))
            shown = {"first_rows": dg.MetadataValue.text(printable(rows))} if rows else {}
            yield check._replace(metadata={**check.metadata, **shown})
    if failure:
        raise failure


def build_dbt_assets(project: DbtProject) -> dg.AssetsDefinition:
    """The one asset definition that runs all of dbt, with an asset for each model and seed."""

    @dbt_assets(
        manifest=project.manifest_path, project=project, dagster_dbt_translator=LayerTranslator(SETTINGS)
    )
    def dbt_models(context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]) -> Iterator[Any]:
        require_current(context)
        run = lock.run_of(context)
        manifest = json.loads(project.manifest_path.read_text(encoding="utf-8"))
        planned = refresh.plan(run, manifest)

        def dbt(arguments: Sequence[str]) -> Iterator[Any]:
            started = dbt_of(project).cli([*arguments], context=context, target_path=run.dbt_target)
            return with_rows_found(with_row_counts(started), run)

        try:
            yield from refresh.build(run, manifest, planned, dbt)
        except ModelsError as error:
            raise dg.Failure(description=str(error)) from None

    return dbt_models
