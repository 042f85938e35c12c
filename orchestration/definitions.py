"""Assembly only: assets, job, schedule, sensor, resources."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from orchestration.dbt_runner.project import prepared_project
from orchestration.defs.alert_sensors import build_alert_sensors
from orchestration.defs.assets import build_published_asset, event_assets
from orchestration.defs.dbt_models import build_dbt_assets
from orchestration.defs.resources import build_lock
from orchestration.defs.schedules import build_schedule, build_sensor, refresh
from orchestration.publishing.publish import PUBLISHED_LAYERS
from orchestration.settings import Settings
from orchestration.terminal.progress import console_logger


@dg.io_manager(config_schema={}, description="Steps hand data on in the databases; a run configures nothing.")
def no_values(_context: dg.InitResourceContext) -> dg.InMemoryIOManager:
    """What would hand values from one step to the next."""
    # Its constructor declares no types.
    return dg.InMemoryIOManager()  # type: ignore[no-untyped-call]


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
    dbt_models = build_dbt_assets(project)
    # By the schema, not by the group: change sets are of a layer too, and stay in the warehouse.
    published = build_published_asset(
        [spec.key for spec in dbt_models.specs if spec.key.path[0] in PUBLISHED_LAYERS]
    )
    return dg.Definitions(
        assets=[*event_assets, dbt_models, published],
        jobs=[refresh],
        schedules=[build_schedule(now, read_settings)],
        sensors=[build_sensor(read_settings), *build_alert_sensors(read_settings)],
        # No step hands a value to another. Dagster's own default lets a run name the folder of such values.
        resources={"lock": build_lock(read_settings), "io_manager": no_values, **(resources or {})},
        loggers={"console": console_logger},
        # One process for all steps: it holds the lock throughout, and starts in a fraction of the time.
        executor=dg.in_process_executor,
    )


defs = build_definitions()
