"""When a refresh runs: the job, its daily schedule, and the sensor that starts it when files have landed."""

from __future__ import annotations

import time

import dagster as dg

from orchestration.defs.resources import ReadSettings
from orchestration.object_storage.stores import StoreError
from orchestration.operations import runs
from orchestration.operations.runs import landing_fingerprint
from orchestration.settings import Settings

refresh = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all(),
    description="Load what has landed, rebuild the models, run all checks, and publish if they pass.",
)

# The sensor waits until no file changes between two ticks, but for no more ticks than this: where files grow
# all day, what is whole has to be loaded too.
MOST_TICKS_OF_CHANGE = 10


def build_schedule(
    settings: Settings, read_settings: ReadSettings = Settings.from_environment
) -> dg.ScheduleDefinition:
    """The daily schedule: in the early morning of the reporting zone, when its last day is complete.

    Args:
        settings: the settings of the hub when Dagster starts.
        read_settings: gives them as they are at a tick.
    """

    def start_refresh(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        runs.fail_lost_runs(context.instance, read_settings(), in_daemon=True)
        return dg.RunRequest()

    return dg.ScheduleDefinition(
        name="refresh_daily",
        job=refresh,
        cron_schedule="0 4 * * *",
        execution_timezone=settings.timezone,
        execution_fn=start_refresh,
        description="A refresh each morning at 4 in the reporting time zone.",
    )


def build_sensor(read_settings: ReadSettings = Settings.from_environment) -> dg.SensorDefinition:
    """The sensor that starts a refresh soon after files have landed."""

    @dg.sensor(
        job=refresh,
        minimum_interval_seconds=60,
        description=(
            "Looks each minute, and starts a refresh when files have landed, changed or left and have been "
            "at rest for a minute. A refresh that failed is tried again; one that a check held back waits "
            "for other files or settings."
        ),
    )
    def refresh_when_files_land(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """Starts a refresh when the landing folder holds other files than those that were last published.

        A refresh that failed is tried again after a delay that doubles, up to an hour. One that a check held
        back is tried again when the files or the settings are others, one that a person terminated when the
        files are others. However a refresh was started, it counts.
        """
        settings = read_settings()
        runs.fail_lost_runs(context.instance, settings, in_daemon=True)
        try:
            landed = landing_fingerprint(settings)
        except StoreError as error:
            return dg.SkipReason(f"{error} The next tick looks again.")
        if landed is None:
            return dg.SkipReason("Nothing has landed.")
        are_at_rest = _are_at_rest(context, landed)
        if runs.is_any_unfinished(context.instance):
            return dg.SkipReason("A refresh is at work; the next one has to wait until it ends.")
        attempts = runs.record_canceled(
            context.instance, settings, runs.latest_attempts(context.instance), landed
        )
        reason = runs.why_none_is_due(runs.state_of(settings, landed), attempts, time.time())
        if reason:
            return dg.SkipReason(reason)
        if not are_at_rest:
            return dg.SkipReason(
                "Files have landed; a refresh starts when none has changed for one more tick."
            )
        # One refresh follows another, also when the daemon is killed between starting it and knowing that.
        return dg.RunRequest(run_key=f"{attempts[0].run_id if attempts else 'first'}:{landed}")

    return refresh_when_files_land


def _are_at_rest(context: dg.SensorEvaluationContext, landed: str) -> bool:
    """Whether the landed files are those of the tick before, or have changed for too many ticks to wait."""
    before, _, changes = (context.cursor or "").partition(":")
    ticks = 0 if before == landed else int(changes or 0) + 1
    context.update_cursor(f"{landed}:{ticks}")
    return ticks == 0 or ticks > MOST_TICKS_OF_CHANGE
