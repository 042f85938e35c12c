"""Where published versions are copied to, as assets: object storage, PostgreSQL.

Belongs here: what Dagster shows of a copy. Does not belong here: the copying (refresh.py). A copy that could
not be made is a check that warns; what is published stays published.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg

from orchestration import refresh
from orchestration.defs.outside import COPIES, POSTGRES, PUBLISHED
from orchestration.defs.resources import LockedHub
from orchestration.hub.ownership import FRESHNESS, OWNERS
from orchestration.object_storage.version_copies import Copied
from orchestration.postgres.bring_up import BroughtUp
from orchestration.refresh import Run

COPY_IS_CURRENT = "latest_json_names_what_is_published"
POSTGRES_IS_CURRENT = "postgres_holds_what_is_published"


def build_copies_asset(url: str) -> dg.AssetsDefinition:
    """The asset that copies each published version to object storage.

    Args:
        url: the folder that it is copied to.
    """

    def copy(run: Run) -> dict[str, Any] | None:
        done = refresh.copy_version(run)
        if not isinstance(done, Copied):
            return None
        return {"version": done.version, "versions_removed": len(done.removed)}

    return _build(
        dg.AssetSpec(
            COPIES,
            kinds={url.partition(":")[0], "parquet", "duckdb"},
            metadata={"url": url},
            description=(
                "The published versions in object storage, each below its own prefix, and latest.json, which "
                "names the newest and is written last."
            ),
        ),
        dg.AssetCheckSpec(
            COPY_IS_CURRENT,
            asset=COPIES,
            description="The version that is published is the one that latest.json names.",
        ),
        copy,
    )


def build_postgres_asset(manifest: Mapping[str, Any]) -> dg.AssetsDefinition:
    """The asset that brings a PostgreSQL database to each published version.

    Args:
        manifest: dbt's manifest.
    """

    def copy(run: Run) -> dict[str, Any] | None:
        done = refresh.bring_up_postgres(run, manifest)
        if not isinstance(done, BroughtUp):
            return None
        return {
            "version": done.version,
            "rows_removed": done.removed,
            "rows_inserted": done.inserted,
            "loaded_anew": dg.MetadataValue.json(dict(done.reloaded)),
        }

    return _build(
        dg.AssetSpec(
            POSTGRES,
            kinds={"postgres"},
            description=(
                "The published tables and table functions, in the schema contact_reports of a PostgreSQL "
                "database. Only rows that differ are sent, in one transaction."
            ),
        ),
        dg.AssetCheckSpec(
            POSTGRES_IS_CURRENT,
            asset=POSTGRES,
            description="The database holds the version that is published.",
        ),
        copy,
    )


def _build(
    spec: dg.AssetSpec, check: dg.AssetCheckSpec, copy: Callable[[Run], dict[str, Any] | None]
) -> dg.AssetsDefinition:
    """An asset that follows each publishing.

    Args:
        spec: its key, kinds, metadata and description.
        check: what warns where the copy is not that of the published version.
        copy: makes the copy, and gives what Dagster shows of it; None where it could not be made.
    """

    @dg.asset(
        key=spec.key,
        deps=[PUBLISHED],
        group_name="published",
        config_schema={},
        owners=OWNERS,
        freshness_policy=FRESHNESS,
        kinds=spec.kinds,
        tags={"audience": "readers"},
        metadata=spec.metadata,
        # Of a version that could not be copied nothing is materialized.
        output_required=False,
        description=spec.description,
        check_specs=[check],
    )
    def published_copy(
        context: dg.AssetExecutionContext, lock: dg.ResourceParam[LockedHub]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        shown = copy(lock.run_of(context))
        if shown is not None:
            yield dg.MaterializeResult(metadata=shown)
        yield dg.AssetCheckResult(
            passed=shown is not None,
            check_name=check.name,
            asset_key=spec.key,
            severity=dg.AssetCheckSeverity.WARN,
        )

    return published_copy
