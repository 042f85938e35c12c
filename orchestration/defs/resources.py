"""What the steps of a run share: the lock of the hub, and the settings that the run has from first to last.

Belongs here: what happens before the first step of a run and after its last. Does not belong here: the lock
itself (warehouse/lock.py), and which runs are removed (operations/retention.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from orchestration.hub import hub_toml
from orchestration.hub.rights import keep_to_owner, restrict
from orchestration.object_storage.stores import StoreError
from orchestration.operations import retention, runs
from orchestration.operations.record_engines import held_open
from orchestration.operations.runs import landing_fingerprint
from orchestration.refresh import Run
from orchestration.settings import Settings
from orchestration.warehouse.lock import hub_lock

ReadSettings = Callable[[], Settings]
"""Gives the settings of the hub as they are now."""


@dataclass(frozen=True)
class LockedHub:
    """A hub whose lock is held.

    Attributes:
        settings: the settings of the run, as they were when it got the lock.
    """

    settings: Settings

    def run_of(self, context: dg.AssetExecutionContext) -> Run:
        """The refresh that a step belongs to."""
        return Run(
            self.settings,
            context.run.run_id,
            self.settings.dbt_target,
            context.log.warning,
            is_partial=not runs.is_refresh(context.run),
        )


def build_lock(read_settings: ReadSettings) -> dg.ResourceDefinition:
    """The lock as a resource: whichever steps a run has, they hold it from the first to the last.

    All steps of a run have its settings, also when hub.toml is edited or a day ends meanwhile.
    """

    @dg.resource(config_schema={}, description="One run at a time writes to the hub; the others wait.")
    @contextmanager
    def lock(context: dg.InitResourceContext) -> Iterator[LockedHub]:
        run, instance, log = context.run, context.instance, context.log
        if run is None or instance is None or log is None:
            raise dg.DagsterInvariantViolationError("Only a run can hold the lock of a hub.")
        keep_to_owner()
        settings = read_settings()
        runs.hold_for_life(settings, run.run_id)
        with hub_lock(settings, notify=log.warning):
            # Read again: the refresh that this one waited for may have written the first hub.toml.
            settings = read_settings()
            hub_toml.add_missing(settings.hub_file, settings.timezone, settings.currency)
            if notice := restrict(settings):
                log.warning(notice)
            # Before the first file is read: what lands meanwhile is for the next refresh to find.
            # A store that cannot be listed ends the first step of the refresh, which says why.
            with suppress(StoreError):
                landed = landing_fingerprint(settings)
                runs.record_taken_in(instance, settings, run.run_id, landed)
            try:
                with held_open(settings.dagster_home, run.run_id):
                    yield LockedHub(settings)
            finally:
                # dbt's integration copies files in with the rights that they had elsewhere.
                restrict(settings)
                _keep_within_bounds(instance, settings, log.warning)

    return lock


def _keep_within_bounds(
    instance: dg.DagsterInstance, settings: Settings, log: Callable[[str], object]
) -> None:
    """Remove old runs, after a failed refresh too; what cannot be removed now is left for the next one."""
    try:
        retention.remove_old_runs(instance, settings, settings.hub.keep_runs_days)
    except (OSError, SQLAlchemyError) as error:
        log(
            f"Old runs could not be removed from {settings.dagster_home}: {str(error).splitlines()[0]} The "
            "next refresh tries again. See that the disk has room and the folder may be written."
        )
