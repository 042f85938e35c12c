"""The definitions of the project with a sensor that is on and ticks each few seconds: minutes suffice.

Belongs here: the times alone. What the sensor decides is the project's own.
"""

from __future__ import annotations

import dagster as dg

from orchestration.definitions import build_definitions
from orchestration.defs.schedules import build_sensor, refresh
from orchestration.operations import runs

runs.START_SECONDS = 30
runs.RETRY_SECONDS = 5
runs.LONGEST_RETRY_SECONDS = 20

refresh_when_files_land = build_sensor()


@dg.sensor(
    name=refresh_when_files_land.name,
    job=refresh,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def impatient_sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """The sensor of the project, in a hurry."""
    decided = refresh_when_files_land(context)
    assert isinstance(decided, dg.RunRequest | dg.SkipReason)
    return decided


def definitions_in_a_hurry() -> dg.Definitions:
    """All of the project's definitions, with that sensor in the place of its own."""
    project = build_definitions()
    return dg.Definitions(
        assets=project.assets,
        jobs=project.jobs,
        sensors=[impatient_sensor],
        resources=project.resources,
        loggers=project.loggers,
        executor=project.executor,
    )


defs = definitions_in_a_hurry()
