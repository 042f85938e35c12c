"""When a refresh runs: the job, its daily schedule, and the sensor that starts it when files have landed."""

from __future__ import annotations

import hashlib

import dagster as dg

from orchestration.contracts import CONTRACTS
from orchestration.landing import discovery
from orchestration.settings import Settings

refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all(),
    description="Load what has landed, rebuild the models, run all checks, and publish if they pass.",
)

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_schedule(settings: Settings) -> dg.ScheduleDefinition:
    """The daily schedule: in the early morning of the reporting zone, when its last day is complete."""
    return dg.ScheduleDefinition(
        name="refresh_daily",
        job=refresh,
        cron_schedule="0 4 * * *",
        execution_timezone=settings.timezone,
        description="A refresh each morning at 4 in the reporting time zone.",
    )


@dg.sensor(job=refresh, minimum_interval_seconds=60)
def refresh_when_files_land(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Starts a refresh when the landing folder holds other files than when it last started one.

    A refresh that fails is not started again for the same files: what made it fail is for people to mend, and
    the daily schedule tries again anyway.
    """
    landed = landing_fingerprint(Settings.from_environment())
    if landed is None:
        return dg.SkipReason("Nothing has landed.")
    if landed == context.cursor:
        return dg.SkipReason("No file has landed since the last refresh was started.")
    if context.instance.get_runs_count(dg.RunsFilter(job_name=refresh.name, statuses=UNFINISHED)):
        return dg.SkipReason("Files have landed; the refresh at work has to end first.")
    context.update_cursor(landed)
    return dg.RunRequest(run_key=landed)


def landing_fingerprint(settings: Settings) -> str | None:
    """A hash of what the file system says of all landed files; None when there are none."""
    found = []
    for contract in CONTRACTS:
        if (settings.landing / contract.entity).is_dir():
            landing = discovery.find(
                settings.data_dir, settings.landing, contract.entity, settings.hub.links_to
            )
            found += [
                (file.path, signature.size, signature.modified_ns, signature.inode)
                for file, signature in landing.files.items()
            ]
    return hashlib.sha256(repr(found).encode(errors="surrogateescape")).hexdigest() if found else None
