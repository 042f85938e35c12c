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
    def dbt_models(context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]) -> Iterator[Any]:
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
