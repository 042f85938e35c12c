"""The landing folders, the ledger and the dashboard, so that the lineage begins and ends where the data does.

Belongs here: assets that Dagster shows and does not materialize. Does not belong here: what it does
materialize (assets.py, dbt_models.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration.hub.ownership import OWNERS
from orchestration.landing.contracts import CONTRACTS, EventContract

PUBLISHED = dg.AssetKey(["published", "contact_reports"])


COPIES = dg.AssetKey(["object_storage", "published_versions"])
POSTGRES = dg.AssetKey(["postgres", "contact_reports"])
LANDING_STORE = dg.AssetKey(["object_storage", "landed"])


def landing_store(url: str) -> dg.AssetSpec:
    """The folder in object storage that the landing folder mirrors.

    Args:
        url: its URL.
    """
    return dg.AssetSpec(
        LANDING_STORE,
        group_name="landing",
        owners=OWNERS,
        kinds={url.partition(":")[0]},
        description="The objects that the outside world writes. A refresh copies them to the landing folder.",
        metadata={"url": url},
    )


def landing_key(contract: EventContract) -> dg.AssetKey:
    """The key of the landing folder of an entity."""
    return dg.AssetKey(["landing", contract.entity])


def landing_folders() -> list[dg.AssetSpec]:
    """The folders that the outside world writes to."""
    return [
        dg.AssetSpec(
            landing_key(contract),
            group_name="landing",
            owners=OWNERS,
            kinds={"file"},
            tags={"entity": contract.entity},
            description=(
                f"The files in landing/{contract.entity}, which only the outside world writes. `make files` "
                "lists them with their states."
            ),
        )
        for contract in CONTRACTS
    ]


def ledger(manifest: Mapping[str, Any]) -> list[dg.AssetSpec]:
    """The tables of the ledger. Publishing writes them, for the functions of the versions that follow.

    Args:
        manifest: dbt's manifest, in which they are sources.
    """
    return [
        dg.AssetSpec(
            dg.AssetKey(["ledger", source["name"]]),
            group_name="ledger",
            owners=OWNERS,
            kinds={"duckdb"},
            tags={"audience": "readers"},
            description=source["description"],
        )
        for source in manifest["sources"].values()
        if source["source_name"] == "ledger"
    ]


def dashboards(manifest: Mapping[str, Any]) -> list[dg.AssetSpec]:
    """The exposures of dbt. They read the published file, never the tables of the models.

    Args:
        manifest: dbt's manifest.
    """
    return [
        dg.AssetSpec(
            dg.AssetKey(["dashboards", exposure["name"]]),
            deps=[PUBLISHED],
            group_name="dashboards",
            owners=OWNERS,
            kinds={"superset", exposure["type"]},
            tags={"audience": "readers"},
            description=exposure["description"],
            metadata={
                "label": exposure["label"] or exposure["name"],
                **({"url": dg.MetadataValue.url(exposure["url"])} if exposure["url"] else {}),
            },
        )
        for exposure in manifest["exposures"].values()
    ]
