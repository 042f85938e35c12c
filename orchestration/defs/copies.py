"""Where published versions are copied to, as assets: object storage, PostgreSQL.

Belongs here: what Dagster shows of a copy. Does not belong here: the copying (refresh.py). A copy that could
not be made is a check that warns; what is published stays published.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration import refresh
from orchestration.defs.outside import COPIES, POSTGRES, PUBLISHED
from orchestration.defs.resources import LockedHub
from orchestration.hub.ownership import FRESHNESS, OWNERS
from orchestration.object_storage.version_copies import Copied
from orchestration.postgres.bring_up import BroughtUp

COPY_IS_CURRENT = "latest_json_names_what_is_published"
POSTGRES_IS_CURRENT = "postgres_holds_what_is_published"


def build_copies_asset(url: str) -> dg.AssetsDefinition:
    """The asset that copies each published version to object storage.

    Args:
        url: the folder that it is copied to.
    """

    @dg.asset(
        key=COPIES,
        deps=[PUBLISHED],
        group_name="published",
        config_schema={},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        kinds={url.partition(":")[0], "parquet", "duckdb"},
        tags={"audience": "readers"},
        metadata={"url": url},
        # Of a version that could not be copied nothing is materialized.
        output_required=False,
        description=(
            "The published versions in object storage, each below its own prefix, and latest.json, which "
            "names the newest and is written last."
        ),
        check_specs=[
            dg.AssetCheckSpec(
                COPY_IS_CURRENT,
                asset=COPIES,
                description="The version that is published is the one that latest.json names.",
            )
        ],
    )
    def published_versions(
        context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        done = refresh.copy_version(lock.run_of(context))
        if isinstance(done, Copied):
            yield dg.MaterializeResult(
                metadata={
                    "version": done.version,
                    "versions_removed": len(done.removed),
                }
            )
        yield dg.AssetCheckResult(
            passed=isinstance(done, Copied),
            check_name=COPY_IS_CURRENT,
            asset_key=COPIES,
            severity=dg.AssetCheckSeverity.WARN,
        )

    return published_versions


def build_postgres_asset(manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The asset that brings a PostgreSQL database to each published version.

    Args:
        manifest: dbt's manifest.
    """

    @dg.asset(
        key=POSTGRES,
        deps=[PUBLISHED],
        group_name="published",
        config_schema={},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        kinds={"postgres"},
        tags={"audience": "readers"},
        # Of a version that the database was not brought to nothing is materialized.
        output_required=False,
        description=(
            "The published tables and the table functions that take a filter alone, in the schema "
            "contact_reports of a PostgreSQL database. Only rows that differ are sent, in one transaction."
        ),
        check_specs=[
            dg.AssetCheckSpec(
                POSTGRES_IS_CURRENT,
                asset=POSTGRES,
                description="The database holds the version that is published.",
            )
        ],
    )
    def reports_in_postgres(
        context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        done = refresh.bring_up_postgres(lock.run_of(context), manifest)
        if isinstance(done, BroughtUp):
            yield dg.MaterializeResult(
                metadata={
                    "version": done.version,
                    "rows_removed": done.removed,
                    "rows_inserted": done.inserted,
                    "loaded_anew": dg.MetadataValue.json(dict(done.reloaded)),
                }
            )
        yield dg.AssetCheckResult(
            passed=isinstance(done, BroughtUp),
            check_name=POSTGRES_IS_CURRENT,
            asset_key=POSTGRES,
            severity=dg.AssetCheckSeverity.WARN,
        )

    return reports_in_postgres
