"""The assets that are not dbt models: loading at one end, publishing at the other; thin, over functions.

Belongs here: what Dagster shows of a step. Does not belong here: the step (refresh.py).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
import duckdb

from orchestration import refresh
from orchestration.defs.metadata_tables import table, table_of
from orchestration.defs.outside import LANDING_STORE, landing_folders, landing_key
from orchestration.defs.plot import plot_of_messages
from orchestration.defs.resources import LockedHub
from orchestration.engines.engine import EngineError
from orchestration.faults import FaultError, explained
from orchestration.hub.ownership import FRESHNESS, OWNERS
from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.landing.discovery import LandingError
from orchestration.landing.load_report import LoadReport
from orchestration.landing.notices import left_behind, notices, too_many_gone, too_many_rejected
from orchestration.landing.quarantine import count_rejected, read_quarantine
from orchestration.ledger.restated import RestatedPeriod, restated_periods
from orchestration.object_storage.stores import StoreError
from orchestration.operations import runs
from orchestration.operations.status import status_of
from orchestration.publishing.publish import Published
from orchestration.settings import Settings
from orchestration.sql import one_row
from orchestration.warehouse import databases
from orchestration.warehouse.schema import columns_of_raw

PREVIEW_ROWS = 5
FAILED_FILES_SHOWN = 10
REFRESHES_SHOWN = 10
REJECTIONS_SHOWN = 20

FEW_RESTATED = "few_settled_figures_were_restated"


def build_mirror_assets() -> dg.AssetsDefinition:
    """The landing folders as the mirror of a folder in object storage."""

    @dg.multi_asset(
        specs=[spec.replace_attributes(deps=[LANDING_STORE]) for spec in landing_folders()],
        name="landing_mirror",
        config_schema={},
    )
    def landing_mirror(
        context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]
    ) -> Iterator[dg.MaterializeResult]:
        run = lock.run_of(context)
        with writing(run.settings):
            done = refresh.mirror(run)
        for contract in CONTRACTS:
            yield dg.MaterializeResult(
                asset_key=landing_key(contract),
                metadata=done.counts_of(contract.entity) if done else {},
            )

    return landing_mirror


def build_event_asset(contract: EventContract, manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The asset that loads the landed files of one entity.

    Args:
        contract: the contract of the entity.
        manifest: dbt's manifest, which describes the columns.
    """
    key = dg.AssetKey(["raw", contract.table])

    @dg.asset(
        key=key,
        deps=[landing_key(contract)],
        group_name="raw",
        # A run configures nothing.
        config_schema={},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        kinds={"python", "duckdb"},
        tags={"entity": contract.entity},
        metadata={"dagster/column_schema": _columns_of(contract, manifest)},
        description=(
            f"Accepted rows of the files in landing/{contract.entity}, with the rows that are kept of files "
            "that have left. Rejected rows are in quarantine.rejected_events, what became of each file in "
            "raw.landed_files."
        ),
        check_specs=_checks_of(key),
    )
    def event_asset(
        context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        run = lock.run_of(context)
        with writing(run.settings), databases.connect(run.settings, run.log) as connection:
            report = refresh.load(connection, run, contract)
            metadata = _load_metadata(connection, run.settings, contract, report)
            context.log_event(_rejected_events(connection, run.settings))
        for notice in notices(report):
            context.log.warning(notice)
        yield dg.MaterializeResult(metadata=metadata)
        yield from _check_results(report)

    return event_asset


def _columns_of(contract: EventContract, manifest: Mapping[str, Any]) -> dg.TableSchema:
    """The columns of the table of an entity, described as in the source of dbt."""
    (source,) = [source for source in manifest["sources"].values() if source["name"] == contract.table]
    columns = source["columns"]
    return dg.TableSchema(
        [
            dg.TableColumn(name, kind, columns[name]["description"] if name in columns else None)
            for name, kind in columns_of_raw(contract)
        ]
    )


def _checks_of(key: dg.AssetKey) -> list[dg.AssetCheckSpec]:
    """The checks of what landed, which the asset of this key makes."""
    return [
        dg.AssetCheckSpec(
            "every_landed_file_was_read",
            asset=key,
            description="No file failed; failed files are tried again.",
        ),
        dg.AssetCheckSpec(
            "no_overwritten_file_left_ids_behind",
            asset=key,
            blocking=True,
            description=(
                "The former ids of each overwritten file are landed, but for max_left_behind of them, or "
                "hub.toml says what overwriting it means."
            ),
        ),
        dg.AssetCheckSpec(
            "few_new_rows_were_rejected",
            asset=key,
            blocking=True,
            description=(
                "Of the rows that no published version has yet, max_rejected_share of hub.toml at most was "
                "rejected, or 100 rows."
            ),
        ),
        dg.AssetCheckSpec(
            "few_published_events_are_gone",
            asset=key,
            blocking=True,
            description=(
                "Of the events of the last published version, max_fall of hub.toml at most, or 100, are in "
                "no accepted row any more. Those that were retracted, or dropped because a file replaces "
                "what it held, do not count."
            ),
        ),
        dg.AssetCheckSpec(
            "no_row_was_rejected",
            asset=key,
            description="No row of the new files went to the quarantine.",
        ),
    ]


def _check_results(report: LoadReport) -> Iterator[dg.AssetCheckResult]:
    yield dg.AssetCheckResult(
        passed=not report.failed,
        check_name="every_landed_file_was_read",
        severity=dg.AssetCheckSeverity.WARN,
        metadata=dict(list(report.failed.items())[:FAILED_FILES_SHOWN]),
    )
    yield dg.AssetCheckResult(
        passed=not report.left_behind,
        check_name="no_overwritten_file_left_ids_behind",
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            path: left_behind(path, *ids)
            for path, ids in list(report.left_behind.items())[:FAILED_FILES_SHOWN]
        },
    )
    rejected, gone = report.too_many_rejected, report.too_many_gone
    yield _within_limit(
        "few_new_rows_were_rejected", too_many_rejected(report.entity, rejected) if rejected else None
    )
    yield _within_limit("few_published_events_are_gone", too_many_gone(report.entity, gone) if gone else None)
    yield dg.AssetCheckResult(
        passed=not report.rows_rejected,
        check_name="no_row_was_rejected",
        severity=dg.AssetCheckSeverity.WARN,
        metadata={**report.reasons, "see": "quarantine.rejected_events"},
    )


def _within_limit(check_name: str, why_held_back: str | None) -> dg.AssetCheckResult:
    """The result of a check of a limit of hub.toml."""
    return dg.AssetCheckResult(
        passed=why_held_back is None,
        check_name=check_name,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"held back": why_held_back} if why_held_back else {},
    )


@contextmanager
def writing(settings: Settings) -> Iterator[None]:
    """Says what to do when the warehouse cannot be written, as on a full disk, or the engine is not there."""
    try:
        with explained(settings):
            yield
    except (EngineError, LandingError, StoreError, FaultError) as error:
        raise dg.Failure(description=str(error)) from None


REJECTED_EVENTS = dg.AssetSpec(
    ["quarantine", "rejected_events"],
    deps=[dg.AssetKey(["raw", contract.table]) for contract in CONTRACTS],
    group_name="quarantine",
    owners=OWNERS,
    freshness_policy=FRESHNESS,
    kinds={"python", "duckdb"},
    description=(
        "The rejected rows of the landed files, each with its file, row number and every reason. A row is "
        "open as long as no good row has landed with its id. `make quarantine` shows the rows in a terminal, "
        "`make quarantine CSV=yes` writes all of them to a file."
    ),
)


def _rejected_events(connection: duckdb.DuckDBPyConnection, settings: Settings) -> dg.AssetMaterialization:
    """What is in the quarantine.

    Each load reports it, not a step of its own: a check that holds publishing back because rows were rejected
    would keep that step from running.
    """
    counts = {contract.entity: count_rejected(connection, contract) for contract in CONTRACTS}
    found = read_quarantine(settings)
    rejections = found.rejections[:REJECTIONS_SHOWN] if found else ()
    newest = found.rows if found else ()
    return dg.AssetMaterialization(
        REJECTED_EVENTS.key,
        metadata={
            "dagster/row_count": sum(rows for rows, _ in counts.values()),
            "open_rows": sum(open_rows for _, open_rows in counts.values()),
            **{f"open_rows_of_{entity}": open_rows for entity, (_, open_rows) in counts.items()},
            "by_file_and_reason": table_of(
                ("rows", "path", "reason"), [(one.rows, one.path, one.reason) for one in rejections]
            ),
            "newest_rows": table_of(
                ("path", "row_number", "reasons", "raw_text"),
                [(row.path, row.row_number, ", ".join(row.reasons), row.raw_text) for row in newest],
            ),
        },
    )


def build_published_asset(tables: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The asset that publishes the facts and marts.

    Args:
        tables: the assets of the facts and marts, which must have passed their checks before.
    """

    @dg.asset(
        key=dg.AssetKey(["published", "contact_reports"]),
        deps=tables,
        group_name="published",
        config_schema={},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        kinds={"python", "duckdb"},
        tags={"audience": "readers"},
        description="The file that readers open: facts, marts and table functions, replaced in one step.",
        check_specs=[
            dg.AssetCheckSpec(
                FEW_RESTATED,
                asset=["published", "contact_reports"],
                description=(
                    "Of the credited revenue of each period's settled days, max_restated_share of hub.toml "
                    "at most is other than in the version before, or that of 100 orders."
                ),
            )
        ],
    )
    def contact_reports(
        context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]
    ) -> dg.MaterializeResult:
        run = lock.run_of(context)
        with writing(run.settings):
            published = refresh.publish(run)
        runs.record_published(context.instance, context.run.run_id, published.version.parent.name)
        with duckdb.connect(str(run.settings.published), read_only=True) as connection:
            metadata = _published_metadata(connection, published, run.settings)
            restated = restated_periods(connection)
        return dg.MaterializeResult(
            check_results=[_few_restated(restated, run.settings.hub.max_restated_share)],
            metadata={
                **metadata,
                "restated_revenue": dg.MetadataValue.float(
                    float(sum(period.moved_revenue for period in restated if period.period == "all_time"))
                ),
                "status": dg.MetadataValue.json(
                    json.loads(status_of(run.settings, context.instance).as_json())
                ),
            },
        )

    return contact_reports


def _load_metadata(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract, report: LoadReport
) -> dict[str, dg.MetadataValue]:
    at = contract.happened_at
    total, newest = one_row(
        connection,
        f"select count(*), max({at}) filter ({at} < $as_of_ends_at) from raw.{contract.table}",
        {"as_of_ends_at": settings.as_of_ends_at},
    )
    preview = connection.sql(f"from raw.{contract.table} limit {PREVIEW_ROWS}")
    return {
        "dagster/row_count": dg.MetadataValue.int(total),
        "files_loaded": dg.MetadataValue.int(report.files_loaded),
        "files_failed": dg.MetadataValue.int(len(report.failed)),
        "files_left_alone": dg.MetadataValue.int(len(report.left_alone)),
        "rows_landed": dg.MetadataValue.int(report.rows_landed),
        "rows_accepted": dg.MetadataValue.int(report.rows_accepted),
        "rows_rejected": dg.MetadataValue.int(report.rows_rejected),
        "days_touched": dg.MetadataValue.int(report.days_touched),
        "newest_event_at": dg.MetadataValue.text(str(newest)),
        "preview": table(preview),
    }


def _few_restated(periods: Sequence[RestatedPeriod], share: float) -> dg.AssetCheckResult:
    exceeding = [period for period in periods if period.is_more_than(share)]
    return dg.AssetCheckResult(
        passed=not exceeding,
        check_name=FEW_RESTATED,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            period.period: (
                f"{period.moved_revenue:,.2f} of {period.settled_revenue:,.2f} moved, by {period.orders:,} "
                f"orders, which is more than max_restated_share = {share} of hub.toml. `make why` says why; "
                "readers see the new figures."
            )
            for period in exceeding
        },
    )


def _published_metadata(
    connection: duckdb.DuckDBPyConnection, published: Published, settings: Settings
) -> dict[str, dg.MetadataValue]:
    overview = table(
        connection.sql(
            "select period, messages_sent, revenue_generated, conversion_rate, revenue_per_message "
            "from mart_overview"
        )
    )
    refreshes = table(
        connection.sql(
            "select refresh_number, started_at, files_loaded, messages_accepted, orders_accepted, "
            "messages_rejected + orders_rejected as rows_rejected, days_recomputed, rows_replaced, "
            "array_to_string(rebuilt_because, '; ') as rebuilt_because, "
            "seconds_by_step::varchar as seconds_by_step, version_published "
            f"from refreshes order by refresh_number desc limit {REFRESHES_SHOWN}"
        )
    )
    (latest,) = connection.sql(
        "select days_recomputed, rows_replaced from refreshes order by refresh_number desc limit 1"
    ).fetchall()
    days = connection.sql(
        "select message_date, messages_sent from mart_overview_daily "
        "where message_date <= (select as_of from report_info) order by message_date desc limit 90"
    ).fetchall()
    return {
        "path": dg.MetadataValue.path(settings.published),
        "version": dg.MetadataValue.path(published.version),
        "bytes": dg.MetadataValue.int(published.version.stat().st_size),
        "rows": dg.MetadataValue.json(published.rows),
        "days_recomputed": dg.MetadataValue.int(latest[0]),
        "rows_replaced": dg.MetadataValue.int(latest[1]),
        "refreshes": refreshes,
        "table_functions": dg.MetadataValue.json(published.functions),
        "overview": overview,
        "messages_per_day": dg.MetadataValue.md(plot_of_messages(list(reversed(days)))),
    }
