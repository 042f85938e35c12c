"""The sensors that alert: after a refresh, and when no data comes. They are off until they are switched on.

Belongs here: when Dagster looks, and what it remembers. Does not belong here: what an alert says, and how it
is delivered (operations/alerts.py).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg
import duckdb

from orchestration.defs.resources import ReadSettings
from orchestration.defs.schedules import refresh
from orchestration.operations import alerts
from orchestration.operations.runs import checks_not_passed
from orchestration.settings import Settings

# How often it is looked whether data has come, in seconds.
SECONDS_BETWEEN_LOOKS = 15 * 60

# With the longest delay between two attempts, those of a week and more.
FAILURES_READ = 200

NO_REFRESH = "This run is no refresh."

WARN = dg.AssetCheckSeverity.WARN
OFF = dg.DefaultSensorStatus.STOPPED


def build_alert_sensors(
    read_settings: ReadSettings = Settings.from_environment,
) -> list[dg.SensorDefinition]:
    """The three sensors that alert."""
    return [_on_failure(read_settings), _on_warnings(read_settings), _on_silence(read_settings)]


def _on_failure(read_settings: ReadSettings) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="alert_when_a_refresh_fails",
        # Those of the command line too, which Dagster takes for runs of another code location.
        monitor_all_code_locations=True,
        default_status=OFF,
        description="Alerts when a refresh fails; once a day while refreshes keep failing.",
    )
    def alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run_id = context.dagster_run.run_id
        to = alerts.addresses()
        if context.dagster_run.job_name != refresh.name:
            return dg.SkipReason(NO_REFRESH)
        if not to:
            return dg.SkipReason(alerts.HOW_TO_SET)
        if not is_first_of_its_day(*_failures(context.instance, run_id)):
            return dg.SkipReason("Refreshes keep failing, which was reported less than a day ago.")
        alerts.deliver(alerts.on_failure(read_settings(), run_id), to)
        return None

    return alert


def _on_warnings(read_settings: ReadSettings) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,
        name="alert_when_checks_warn",
        # Those of the command line too, which Dagster takes for runs of another code location.
        monitor_all_code_locations=True,
        default_status=OFF,
        description="Alerts when a check warns that had not warned in the refresh before.",
    )
    def alert(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
        instance, run_id = context.instance, context.dagster_run.run_id
        to = alerts.addresses()
        if context.dagster_run.job_name != refresh.name:
            return dg.SkipReason(NO_REFRESH)
        if not to:
            return dg.SkipReason(alerts.HOW_TO_SET)
        before = _refreshes_before(instance, run_id, [dg.DagsterRunStatus.SUCCESS], limit=1)
        known = checks_not_passed(instance, before[0].dagster_run.run_id, WARN) if before else set()
        warned = sorted(checks_not_passed(instance, run_id, WARN) - known)
        if not warned:
            return dg.SkipReason("No check warns that had not warned before.")
        alerts.deliver(alerts.on_warnings(read_settings(), run_id, warned), to)
        return None

    return alert


def _on_silence(read_settings: ReadSettings) -> dg.SensorDefinition:
    @dg.sensor(
        name="alert_when_no_data_comes",
        minimum_interval_seconds=SECONDS_BETWEEN_LOOKS,
        default_status=OFF,
        description=(
            "Alerts when the newest published message or order is too old, whether or not refreshes succeed. "
            "Once for each silence."
        ),
    )
    def alert(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        to = alerts.addresses()
        if not to:
            return dg.SkipReason(alerts.HOW_TO_SET)
        settings, hours = read_settings(), alerts.hours_without_data()
        if not settings.published.exists():
            return dg.SkipReason("Nothing has been published yet.")
        try:
            silent = alerts.silent_entities(settings, now(), hours)
        except duckdb.Error as error:
            raise alerts.AlertError(
                f"The published file {settings.published} cannot be read; `make run` publishes it again."
            ) from error
        known = json.loads(context.cursor or "{}")
        state = {entity: str(instant) for entity, instant in silent.items()}
        news = {entity: silent[entity] for entity in silent if known.get(entity) != state[entity]}
        if news:
            alerts.deliver(alerts.on_silence(settings, news, hours), to)
        # Only when it is delivered does it count as reported.
        context.update_cursor(json.dumps(state))
        return dg.SkipReason(f"Reported: {', '.join(news)}." if news else "Nothing new to report.")

    return alert


def now() -> datetime:
    """The present instant; a function of its own, so that tests do not depend on the clock."""
    return datetime.now(UTC)


def is_first_of_its_day(began: datetime, failed_before: Sequence[datetime]) -> bool:
    """Whether a failed refresh is the first since one succeeded, or the first of a further day since then.

    Args:
        began: when the refresh began.
        failed_before: when those that failed before it began, back to one that succeeded, the newest first.
    """
    if not failed_before:
        return True
    newest, oldest = failed_before[0], failed_before[-1]
    return (began - oldest).days > (newest - oldest).days


def _failures(instance: dg.DagsterInstance, run_id: str) -> tuple[datetime, list[datetime]]:
    """When a failed refresh began, and those that failed before it."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    before = _refreshes_before(instance, run_id, ended, limit=FAILURES_READ)
    failed = itertools.takewhile(
        lambda record: record.dagster_run.status is dg.DagsterRunStatus.FAILURE, before
    )
    return _began(instance, run_id), [record.create_timestamp for record in failed]


def _refreshes_before(
    instance: dg.DagsterInstance, run_id: str, statuses: Sequence[dg.DagsterRunStatus], limit: int
) -> Sequence[dg.RunRecord]:
    """The refreshes of some statuses that began before a run, the newest first."""
    return instance.get_run_records(
        dg.RunsFilter(
            job_name=refresh.name, statuses=list(statuses), created_before=_began(instance, run_id)
        ),
        limit=limit,
    )


def _began(instance: dg.DagsterInstance, run_id: str) -> datetime:
    record = instance.get_run_record_by_id(run_id)
    # A run that was removed meanwhile began before now.
    return record.create_timestamp if record else now()
