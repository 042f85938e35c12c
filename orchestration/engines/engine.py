"""What every engine does, whichever it is, and the one place that chooses between them.

Belongs here: the protocol. Does not belong here: how an engine does it (duckdb_engine.py, spark_engine.py),
the tables of the models (tables.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from orchestration.settings import Engine, Settings

if TYPE_CHECKING:
    import duckdb

    from orchestration.landing.arrivals import Load
    from orchestration.landing.batch_loader import DueFile
    from orchestration.landing.contracts import EventContract

# The folder of the dbt project that holds dbt's parse of it for an engine.
PARSED_IN = {Engine.DUCKDB: "target", Engine.SPARK: "target-spark"}


class EngineError(RuntimeError):
    """An engine cannot do its work; the message says why and what to do."""


class ComputeEngine(Protocol):
    """What computes the models of a hub, and stores the landed events where it can read them.

    All methods that take a connection take one to the warehouse.
    """

    def version(self) -> dict[str, str]:
        """The name and version of what the models run on."""

    def environment(self) -> dict[str, str]:
        """What a process of dbt needs in its environment, beyond the settings of the hub."""

    def open_events(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let the warehouse show the landed events as the tables of ``raw``.

        Raises:
            WarehouseError: when the events are not those of the warehouse's records.
        """

    def renew_events(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Compute again what another version of the engine has computed of the events."""

    def load_files(self, load: Load, files: Sequence[DueFile]) -> None:
        """Load files; see :func:`orchestration.landing.batch_loader.load_files`.

        Raises:
            EngineError: when the engine cannot be started, or is lost meanwhile.
        """

    def insert_events(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: EventContract,
        rows: str,
        file_ids: Collection[int],
    ) -> None:
        """Insert accepted rows.

        Args:
            connection: a connection with an open transaction.
            contract: the contract of the entity.
            rows: SQL with the columns that :func:`orchestration.landing.casting.check` gives.
            file_ids: the ids of their contents.
        """

    def delete_events(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: EventContract,
        condition: str,
        parameters: Mapping[str, object],
    ) -> None:
        """Delete the rows that are recorded as removed.

        Args:
            connection: a connection with an open transaction.
            contract: the contract of the entity.
            condition: SQL that is true for them, with the table under the name ``rows``.
            parameters: the parameters of the condition.
        """

    def tidy_events(self, connection: duckdb.DuckDBPyConnection, contract: EventContract) -> None:
        """Bring what the engine stores of an entity in line with the warehouse, outside any transaction."""

    def explain(self, message: str) -> tuple[str, str | None]:
        """An error of the engine in words for people, and what to do about it, where that is known."""

    def failing_rows(self, query: str, limit: int) -> str:
        """The first rows of a query over the models, as text."""

    def collect_reports(self) -> None:
        """Fill the database of the reports with the tables that readers need.

        Raises:
            ModelsError: when the table functions cannot be made.
        """

    def has_built_reports(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
        """Whether the database of the reports is the one that the refresh of a run has built."""

    def published_files(self, tables: Collection[str]) -> Iterator[tuple[Path, Path]] | None:
        """The files of tables that are published beside the database; None when the engine has no such files.

        Yields:
            A file, and its path below the published folder.
        """


def engine_of(settings: Settings) -> ComputeEngine:
    """The engine of a hub."""
    # Imported when it is chosen: an engine loads and publishes, and both of these ask for the engine.
    if settings.engine is Engine.SPARK:
        from orchestration.engines.spark_engine import SparkEngine

        return SparkEngine(settings)
    from orchestration.engines.duckdb_engine import DuckDBEngine

    return DuckDBEngine(settings)


def require_ready(settings: Settings) -> None:
    """See that the engine can be started, before anything is done or imported for a refresh.

    Raises:
        EngineError: when something that it needs is missing.
    """
    if settings.engine is Engine.SPARK:
        from orchestration.engines import spark

        spark.require_ready(settings)
