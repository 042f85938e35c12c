"""Whether this version and this engine may use a warehouse that another one wrote.

Belongs here: what makes them refuse it. Does not belong here: replacing a warehouse of version 0.2.0
(upgrade.py).
"""

from __future__ import annotations

import duckdb
from packaging.version import Version

from orchestration import VERSION
from orchestration.landing.contracts import CONTRACTS
from orchestration.settings import Settings
from orchestration.sql import column_names
from orchestration.warehouse.errors import NewerVersionError, WarehouseError
from orchestration.warehouse.schema import columns_of_raw


def require_no_newer_version(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Require that no newer version has written to the warehouse, which would keep what this one cannot know.

    Raises:
        NewerVersionError: when one has.
    """
    try:
        last = connection.execute(
            "select software_version from raw.refreshes order by refresh_number desc limit 1"
        ).fetchall()
    except duckdb.CatalogException:
        return
    if last and Version(last[0][0]) > Version(VERSION):
        raise NewerVersionError(
            f"{settings.warehouse} was written by version {last[0][0]}; this is version {VERSION}. Nothing "
            "was changed, and readers keep what was published. Use that version or a newer one."
        )


def require_known_version(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Require that the landed rows are stored in the form of this version.

    Raises:
        WarehouseError: when they are not.
    """
    # By the columns, since the record of refreshes may have been taken over from an older warehouse.
    if any(
        {name for name, _ in columns_of_raw(contract)} - {*column_names(connection, f"raw.{contract.table}")}
        for contract in CONTRACTS
    ):
        raise WarehouseError(
            f"{settings.warehouse} was written by an older version, which kept the landed rows in another "
            "form. Nothing was changed, and readers keep what was published. `make rebuild` rebuilds it from "
            "the landed files."
        )


def require_same_engine(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Require that the engine of the settings has loaded the events, because each stores them elsewhere.

    Raises:
        WarehouseError: when another one has.
    """
    loaded_by = connection.execute(
        """
        select engine from raw.refreshes
        where exists (select 1 from raw.landed_files)
        order by refresh_number desc
        limit 1
        """
    ).fetchall()
    if loaded_by and loaded_by[0][0] != settings.engine.value:
        raise WarehouseError(
            f"{settings.warehouse} was loaded by the engine {loaded_by[0][0]}, and CONTACT_ENGINE is "
            f"{settings.engine.value}. Nothing was changed, and readers keep what was published. Set "
            "CONTACT_ENGINE back, or let `make rebuild` rebuild the warehouse with this engine."
        )
