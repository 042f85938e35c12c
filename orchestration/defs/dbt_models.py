"""dbt's seeds, models and tests as Dagster's assets and checks that block.

Belongs here: what Dagster shows of dbt. Does not belong here: what dbt is told and what it did (dbt_runner),
the step of the refresh around it (refresh.py).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration import refresh
from orchestration.dbt_runner.integration import (
    DagsterDbtTranslator,
    DagsterDbtTranslatorSettings,
    DbtProject,
    dbt_assets,
)
from orchestration.dbt_runner.project import ModelsError, dbt_of
from orchestration.defs.resources import LockedHub
from orchestration.hub.ownership import FRESHNESS, OWNERS
from orchestration.landing.notices import listed

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


def build_dbt_assets(project: DbtProject) -> dg.AssetsDefinition:
    """The one asset definition that runs all of dbt, with an asset for each model and seed."""

    @dbt_assets(
        manifest=project.manifest_path, project=project, dagster_dbt_translator=LayerTranslator(SHARED_KEYS)
    )
    def dbt_models(context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]) -> Iterator[Any]:
        require_current(context)
        run = lock.run_of(context)
        manifest = json.loads(project.manifest_path.read_text(encoding="utf-8"))
        planned = refresh.plan(run, manifest)

        def dbt(arguments: Sequence[str]) -> Iterator[Any]:
            return dbt_of(project).cli([*arguments], context=context, target_path=run.dbt_target).stream()

        try:
            yield from refresh.build(run, manifest, planned, dbt)
        except ModelsError as error:
            raise dg.Failure(description=str(error)) from None

    return dbt_models
