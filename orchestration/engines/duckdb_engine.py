"""DuckDB as the engine: events and tables lie in the two databases, and the refresh itself computes.

Belongs here: what DuckDB does of what every engine does (engine.py). Does not belong here: how databases are
opened (warehouse/databases.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import duckdb

from orchestration.faults import advice_on, fault_of
from orchestration.landing import batch_loader
from orchestration.landing.arrivals import Load
from orchestration.landing.batch_loader import DueFile
from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.printable import SHOWN_CHARACTERS
from orchestration.settings import Settings
from orchestration.sql import literal, one_row
from orchestration.warehouse import schema, stamps


class DuckDBEngine:
    """The protocol of :class:`orchestration.engines.engine.ComputeEngine`, for DuckDB."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def version(self) -> dict[str, str]:
        return {"DuckDB": duckdb.__version__}

    def environment(self) -> dict[str, str]:
        return {}

    def open_events(self, connection: duckdb.DuckDBPyConnection) -> None:
        schema.make_event_tables(connection)

    def renew_events(self, connection: duckdb.DuckDBPyConnection) -> None:
        # Where another DuckDB loaded the rows, the hashes of their ids may be others.
        for contract in CONTRACTS:
            digest = schema.digest_of(contract)
            (differs,) = one_row(
                connection,
                f"select count(*) from (from raw.{contract.table} limit 1) where id_digest <> {digest}",
            )
            if differs:
                connection.execute(f"update raw.{contract.table} set id_digest = {digest}")

    def load_files(self, load: Load, files: Sequence[DueFile]) -> None:
        batch_loader.load_files(load, files)

    def insert_events(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: EventContract,
        rows: str,
        file_ids: Collection[int],
    ) -> None:
        digest = schema.digest_of(contract)
        connection.execute(
            f"insert into raw.{contract.table} by name select *, {digest} as id_digest from ({rows})"
        )

    def delete_events(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: EventContract,
        condition: str,
        parameters: Mapping[str, object],
    ) -> None:
        connection.execute(f"delete from raw.{contract.table} as rows where {condition}", parameters)

    def tidy_events(self, connection: duckdb.DuckDBPyConnection, contract: EventContract) -> None:
        # A transaction leaves nothing behind.
        return

    def explain(self, message: str) -> tuple[str, str | None]:
        fault = fault_of(message)
        return message, advice_on(fault, self.settings.data_dir, self.settings) if fault else None

    def failing_rows(self, query: str, limit: int) -> str:
        with duckdb.connect(str(self.settings.warehouse), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.execute(f"attach {literal(str(self.settings.reports))} as reports (read_only)")
            rows = connection.sql(query).limit(limit)
            return rows.df().to_string(index=False, max_colwidth=SHOWN_CHARACTERS)

    def collect_reports(self) -> None:
        # The models are built there.
        return

    def has_built_reports(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
        stamp = stamps.of_reports(connection)
        return stamp is not None and stamp.run_id == run_id

    def published_files(self, tables: Collection[str]) -> None:
        return None
