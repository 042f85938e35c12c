"""A refresh, in order: mirror, load what has landed, plan what to compute, build and check, publish, copy.

Belongs here: the steps, and what each leaves in the record of refreshes. Does not belong here: how a step
works (landing, incremental, dbt_runner, publishing), what Dagster shows of it (defs), when a refresh runs
(defs/schedules.py), and the lock that it holds (warehouse/lock.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.dbt_runner import results, seeds
from orchestration.dbt_runner.integration import DagsterDbtCliRuntimeError
from orchestration.dbt_runner.project import BUILD, ModelsError, environment_of, take_over_parse
from orchestration.engines.engine import engine_of
from orchestration.engines.tables import tables_of
from orchestration.faults import explained
from orchestration.incremental.plan import Plan, days_recomputed, make_plan, rows_replaced
from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.landing.load import load_entity
from orchestration.landing.load_report import LoadReport
from orchestration.object_storage.mirror import Mirroring, open_landing
from orchestration.object_storage.mirror import mirror as mirror_landing
from orchestration.object_storage.version_copies import Copied, CopyError, copy_published
from orchestration.operations.status import copy_record_of_files
from orchestration.postgres.bring_up import BringUpError, BroughtUp, bring_up
from orchestration.publishing.publish import Published
from orchestration.publishing.publish import publish as publish_reports
from orchestration.settings import Settings
from orchestration.warehouse import databases, run_log, stamps

Manifest = Mapping[str, Any]

Dbt = Callable[[Sequence[str]], Iterator[Any]]
"""Starts dbt with arguments, at once, and gives its events as they come."""


@dataclass(frozen=True)
class Run:
    """One refresh, or a run of some of its steps.

    Attributes:
        settings: the settings that it has from its first step to its last.
        run_id: its name in the record of refreshes; all steps of one refresh have the same.
        dbt_target: where dbt leaves its artifacts.
        log: called with each sentence that an operator should read.
        is_partial: whether it is a run of some steps alone, which is not shown among the refreshes.
    """

    settings: Settings
    run_id: str
    dbt_target: Path
    log: Callable[[str], object]
    is_partial: bool = False


def refresh(run: Run, manifest: Manifest, dbt: Dbt) -> Published:
    """Do all steps of a refresh. Any of them may be killed: the next refresh finishes the work.

    What tests and benchmarks call. In the job, assets that depend on each other in this order call the steps
    one by one, so that each is shown (defs/assets.py, defs/dbt_models.py), under the lock of the hub
    (defs/resources.py).

    Args:
        run: the refresh.
        manifest: dbt's manifest.
        dbt: how dbt is started.
    """
    mirror(run)
    with databases.connect(run.settings, run.log) as connection:
        for contract in CONTRACTS:
            load(connection, run, contract)
    planned = plan(run, manifest)
    for _ in build(run, manifest, planned, dbt):
        pass
    published = publish(run)
    copy_version(run)
    bring_up_postgres(run, manifest)
    return published


def mirror(run: Run) -> Mirroring | None:
    """Bring the landing folder in line with the folder in object storage that it mirrors, if it mirrors one.

    Raises:
        StoreError: when that cannot be listed or read.
    """
    store = open_landing(run.settings)
    done = mirror_landing(run.settings, store) if store else None
    for notice in done.notices if done else ():
        run.log(notice)
    return done


def load(connection: duckdb.DuckDBPyConnection, run: Run, contract: EventContract) -> LoadReport:
    """Load the landed files of an entity.

    Args:
        connection: a connection from :func:`orchestration.warehouse.databases.connect`.
        run: the refresh.
        contract: the contract of the entity.

    Raises:
        LandingError: when the landing folder is away.
    """
    started = time.monotonic()
    number = run_log.begin(connection, run.run_id, run.settings, run.is_partial)
    report = load_entity(connection, run.settings, contract)
    run_log.record_load(connection, number, report, time.monotonic() - started)
    copy_record_of_files(connection, run.settings)
    return report


def plan(run: Run, manifest: Manifest) -> Plan:
    """Decide what is computed again; see :func:`orchestration.incremental.plan.make_plan`.

    Raises:
        SeedError: when a seed cannot be used.
        WarehouseError: when the warehouse cannot be used.
    """
    results.forget(run.dbt_target)
    seeds.require_usable()
    with explained(run.settings), databases.connect(run.settings, run.log) as connection:
        for sentence in stamps.about_published(connection, run.settings):
            run.log(sentence)
        number = run_log.begin(connection, run.run_id, run.settings, run.is_partial)
        return make_plan(connection, manifest, run.settings, number)


def build(run: Run, manifest: Manifest, planned: Plan, dbt: Dbt) -> Iterator[Any]:
    """Build and check the models as planned.

    Args:
        run: the refresh.
        manifest: dbt's manifest.
        planned: the plan of this refresh.
        dbt: how dbt is started.

    Yields:
        The events of dbt.

    Raises:
        ModelsError: when a model could not be built, or a check has failed.
    """
    for reason in planned.reasons:
        run.log(f"Rebuilt with all downstream, since {reason}")
    settings, target = run.settings, run.dbt_target
    started = time.monotonic()
    take_over_parse(target, settings.engine)
    with environment_of(settings, planned):
        events = dbt(BUILD)
    try:
        yield from events
    except DagsterDbtCliRuntimeError as error:
        raise ModelsError(results.why_dbt_failed(target, settings) or str(error)) from None
    for warning in results.warnings(target, settings):
        run.log(warning)
    seconds = results.seconds_of(target, time.monotonic() - started)
    with databases.connect(settings) as connection:
        run_log.record_models(
            connection,
            run_log.begin(connection, run.run_id, settings, run.is_partial),
            rows_replaced(connection, manifest, planned, tables_of(settings)),
            days_recomputed(connection, manifest, planned, tables_of(settings)),
            seconds,
        )


def publish(run: Run) -> Published:
    """Publish what was built, once all of it is built and checked.

    Raises:
        ModelsError: when it is not.
        PartialRefreshError: when this run did not do every step before.
        PublishError: when the new version cannot be written, or is not whole.
    """
    results.require_checked(run.dbt_target)
    engine_of(run.settings).collect_reports()
    with databases.connect(run.settings) as connection:
        run_log.require_whole(connection, run.run_id)
    return publish_reports(run.settings, run.run_id, run.dbt_target)


def copy_version(run: Run) -> Copied | CopyError | None:
    """Copy what is published to object storage, where the settings name a folder there.

    Returns:
        What was copied; why it could not be, which is logged and stops nothing; None without a folder.
    """
    try:
        return copy_published(run.settings)
    except CopyError as error:
        run.log(str(error))
        return error


def bring_up_postgres(run: Run, manifest: Manifest) -> BroughtUp | BringUpError | None:
    """Bring a PostgreSQL database to what is published, where the settings name one.

    Returns:
        What was done; why it could not be, which is logged and stops nothing; None without a database.
    """
    try:
        done = bring_up(run.settings, manifest)
    except BringUpError as error:
        run.log(str(error))
        return error
    for sentence in done.sentences if done else ():
        run.log(sentence)
    return done
