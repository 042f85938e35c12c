"""Assembly only: assets, job, schedule, sensor, resources."""

from __future__ import annotations

import dagster as dg

from orchestration.dbt_runner.project import build_dbt_assets, prepared_project
from orchestration.defs.assets import build_published_asset, event_assets
from orchestration.defs.schedules import build_schedule, refresh, refresh_when_files_land
from orchestration.publishing.publish import PUBLISHED_LAYERS
from orchestration.settings import Settings
from orchestration.terminal.progress import console_logger
from orchestration.warehouse.lock import RefreshLock


@dg.io_manager(config_schema={}, description="Steps hand data on in the databases; a run configures nothing.")
def no_values(_context: dg.InitResourceContext) -> dg.InMemoryIOManager:
    return dg.InMemoryIOManager()


def build_definitions() -> dg.Definitions:
    """All that Dagster knows of a hub."""
    settings = Settings.from_environment()
    project = prepared_project(settings.engine)
    dbt_models = build_dbt_assets(project)
    published = build_published_asset(
        [spec.key for spec in dbt_models.specs if spec.group_name in PUBLISHED_LAYERS]
    )
    return dg.Definitions(
        assets=[*event_assets, dbt_models, published],
        jobs=[refresh],
        schedules=[build_schedule(settings)],
        sensors=[refresh_when_files_land],
        # No step hands a value to another. Dagster's own default lets a run name the folder of such values.
        resources={"lock": RefreshLock(), "io_manager": no_values},
        loggers={"console": console_logger},
        # One process for all steps: it holds the lock throughout, and starts in a fraction of the time.
        executor=dg.in_process_executor,
    )


defs = build_definitions()
