"""Assembly only: assets, job, schedule, sensor, resources."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster import with_source_code_references

from orchestration.dbt_runner.integration import validate_manifest
from orchestration.dbt_runner.project import prepared_project
from orchestration.defs.alert_sensors import build_alert_sensors
from orchestration.defs.assets import (
    REJECTED_EVENTS,
    build_event_asset,
    build_mirror_assets,
    build_published_asset,
)
from orchestration.defs.copies import build_copies_asset, build_postgres_asset
from orchestration.defs.dbt_models import build_dbt_assets
from orchestration.defs.outside import dashboards, landing_folders, landing_store, ledger
from orchestration.defs.resources import build_lock
from orchestration.defs.schedules import build_schedule, build_sensor, refresh
from orchestration.landing.contracts import CONTRACTS
from orchestration.operations.record_engines import keep_engines
from orchestration.publishing.publish import PUBLISHED_LAYERS
from orchestration.settings import Settings
from orchestration.terminal.progress import console_logger


@dg.io_manager(config_schema={}, description="Steps hand data on in the databases; a run configures nothing.")
def no_values(_context: dg.InitResourceContext) -> dg.InMemoryIOManager:
    """What would hand values from one step to the next."""
    # Its constructor declares no types.
    return dg.InMemoryIOManager()  # type: ignore[no-untyped-call]


def _with_code_references(assets: Sequence[dg.AssetsDefinition]) -> Sequence[Any]:
    """The assets, each with the place in the code where it is defined."""
    with warnings.catch_warnings():
        # References to code are in beta; a terminal need not say so at each start.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return with_source_code_references(assets)


def _landing(settings: Settings) -> Sequence[Any]:
    """The landing folders, with what they mirror if they mirror anything."""
    if settings.landing_url is None:
        return landing_folders()
    return [landing_store(settings.landing_url), *_with_code_references([build_mirror_assets()])]


def _copies(settings: Settings, manifest: Mapping[str, Any]) -> list[dg.AssetsDefinition]:
    """What copies published versions elsewhere, if the settings say where."""
    copies = [build_copies_asset(settings.copies_url)] if settings.copies_url else []
    return [*copies, build_postgres_asset(manifest)] if settings.postgres_url else copies


def build_definitions(
    settings: Settings | None = None, resources: Mapping[str, object] | None = None
) -> dg.Definitions:
    """All that Dagster knows of a hub.

    Args:
        settings: the settings of the hub; without them each run reads those of the environment.
        resources: what replaces resources of the same names, as in a test.
    """

    def read_settings() -> Settings:
        return settings or Settings.from_environment()

    now = read_settings()
    project = prepared_project(now.engine)
    manifest = validate_manifest(project.manifest_path)
    dbt_models = build_dbt_assets(project)
    events = [build_event_asset(contract, manifest) for contract in CONTRACTS]
    # By the schema, not by the group: change sets are of a layer too, and stay in the warehouse.
    published = build_published_asset(
        [spec.key for spec in dbt_models.specs if spec.key.path[0] in PUBLISHED_LAYERS]
    )
    return dg.Definitions(
        assets=[
            *_landing(now),
            *ledger(manifest),
            *_with_code_references([*events, dbt_models, published, *_copies(now, manifest)]),
            REJECTED_EVENTS,
            *dashboards(manifest),
        ],
        jobs=[refresh],
        schedules=[build_schedule(now, read_settings)],
        sensors=[build_sensor(read_settings), *build_alert_sensors(read_settings)],
        # No step hands a value to another. Dagster's own default lets a run name the folder of such values.
        resources={"lock": build_lock(read_settings), "io_manager": no_values, **(resources or {})},
        loggers={"console": console_logger},
        # One process for all steps: it holds the lock throughout, and starts in a fraction of the time.
        executor=dg.in_process_executor,
    )


keep_engines()
defs = build_definitions()
