"""Where each engine keeps the tables of the models, and what a plan needs of them: which exist, how large.

Belongs here: finding, counting and preparing tables. Does not belong here: what a refresh computes
(incremental/plan.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Protocol

import duckdb

from orchestration.engines import spark
from orchestration.ledger import ledger_tables
from orchestration.settings import Engine, Settings
from orchestration.sql import column_names, identifier, one_row
from orchestration.warehouse import databases, stamps
from orchestration.warehouse.last_published import published_tables
from orchestration.warehouse.stamps import Stamp

Node = Mapping[str, Any]

# The databases with incremental models, each with the changes of its own.
DATABASES = ("warehouse", "reports")


class Tables(Protocol):
    """The tables of the models of a hub. All methods take a connection to the warehouse."""

    def missing(self, connection: duckdb.DuckDBPyConnection, nodes: Iterable[Node]) -> set[str]:
        """The names of those of the nodes that have no table."""

    def why_rebuilt(
        self, connection: duckdb.DuckDBPyConnection, last_finished: int, nodes: Iterable[Node]
    ) -> dict[str, list[str]]:
        """Names of those of the nodes whose tables may not be built on, each with the reasons.

        Args:
            connection: a connection to the warehouse.
            last_finished: the number of the last finished refresh.
            nodes: the models, seeds and checks.
        """

    def stamp(self, connection: duckdb.DuckDBPyConnection, stamp: Stamp) -> None:
        """Let the tables say which refresh has written to them last."""

    def prepare(
        self,
        connection: duckdb.DuckDBPyConnection,
        last_finished: int,
        rebuilt: Iterable[Node],
        incremental: Iterable[Node],
    ) -> None:
        """Make the tables ready for a refresh; see :func:`orchestration.incremental.plan.make_plan`.

        Args:
            connection: a connection to the warehouse.
            last_finished: the number of the last finished refresh, 0 when there is none.
            rebuilt: the models and seeds with a full refresh.
            incremental: the models with an incremental refresh.
        """

    def rows_of(self, node: Node) -> str | None:
        """The rows of a table, as a relation; None when it has none."""

    def changes_of(self, node: Node) -> str | None:
        """The same of the rows removed and inserted since the last finished refresh."""

    def count_unpublished(
        self, connection: duckdb.DuckDBPyConnection, nodes: Iterable[Node]
    ) -> dict[str, int]:
        """How many rows of each table are not in the published file: all of them where it cannot tell."""


def tables_of(settings: Settings) -> Tables:
    """The tables of a hub, where its engine keeps them."""
    return TablesOfSpark(settings) if settings.engine is Engine.SPARK else TablesOfDuckDB(settings)


class TablesOfDuckDB:
    """Tables of the two databases, with the changes of each beside them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def missing(self, connection: duckdb.DuckDBPyConnection, nodes: Iterable[Node]) -> set[str]:
        tables = {
            f"{identifier(database)}.{identifier(schema)}.{identifier(name)}"
            for database, schema, name in connection.execute(
                "select database_name, schema_name, table_name from duckdb_tables() where not internal"
            ).fetchall()
        }
        return {node["name"] for node in nodes if _table_of(node) not in tables}

    def why_rebuilt(
        self, connection: duckdb.DuckDBPyConnection, last_finished: int, nodes: Iterable[Node]
    ) -> dict[str, list[str]]:
        (stored,) = one_row(
            connection,
            "select count(*) from duckdb_tables() where database_name = 'reports' and schema_name = 'main' "
            "and not list_contains(?, table_name)",
            [ledger_tables.NAMES],
        )
        why = stamps.why_not_of(connection, self.settings.reports.name, stamps.of_reports(connection))
        # An empty one has just been made, in the place of one that was missing.
        if not why or not stored:
            return {}
        return {
            node["name"]: [why]
            for node in nodes
            if node["resource_type"] == "model" and node["database"] == "reports"
        }

    def stamp(self, connection: duckdb.DuckDBPyConnection, stamp: Stamp) -> None:
        stamps.write_to_reports(connection, stamp)

    def prepare(
        self,
        connection: duckdb.DuckDBPyConnection,
        last_finished: int,
        rebuilt: Iterable[Node],
        incremental: Iterable[Node],
    ) -> None:
        if not any(node["database"] == "reports" for node in incremental):
            databases.begin_reports_anew(connection, self.settings)
        for database in DATABASES:
            connection.execute("begin")
            _forget_changes_before(connection, database, last_finished)
            for node in rebuilt:
                if node["database"] == database:
                    connection.execute(f"drop table if exists {_change_feed_of(node)}")
            for node in incremental:
                if node["database"] == database:
                    connection.execute(
                        f"create table if not exists {_change_feed_of(node)} as "
                        f"select *, 'inserted' as change, 0 as refresh_number from {_table_of(node)} limit 0"
                    )
            connection.execute("commit")

    def rows_of(self, node: Node) -> str | None:
        return _table_of(node)

    def changes_of(self, node: Node) -> str | None:
        return _change_feed_of(node)

    def count_unpublished(
        self, connection: duckdb.DuckDBPyConnection, nodes: Iterable[Node]
    ) -> dict[str, int]:
        return _count_unpublished(
            connection, self.settings, {node["name"]: _table_of(node) for node in nodes}
        )


class TablesOfSpark:
    """Folders of Parquet files, one for each table, with those of the changes among them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def missing(self, connection: duckdb.DuckDBPyConnection, nodes: Iterable[Node]) -> set[str]:
        return {
            node["name"]
            for node in nodes
            if not spark.folder_of(self.settings, node["schema"], node["name"]).is_dir()
        }

    def why_rebuilt(
        self, connection: duckdb.DuckDBPyConnection, last_finished: int, nodes: Iterable[Node]
    ) -> dict[str, list[str]]:
        why = self._why_all_is_rebuilt(connection, last_finished)
        return {node["name"]: [why] for node in nodes} if why else {}

    def stamp(self, connection: duckdb.DuckDBPyConnection, stamp: Stamp) -> None:
        for file in spark.stamps_of(self.settings):
            stamps.write_to_file(file, stamp)

    def _why_all_is_rebuilt(self, connection: duckdb.DuckDBPyConnection, last_finished: int) -> str | None:
        if spark.folder_of(self.settings, "changes", "built_by_hand").is_dir():
            return "models were built by hand"
        _, of_tables = spark.stamps_of(self.settings)
        if why := stamps.why_not_of(connection, str(of_tables.parent), stamps.of_file(of_tables)):
            return why
        (unfinished,) = one_row(
            connection,
            "select count(*) from raw.refreshes where refresh_number > ? and loaded_through is not null",
            [last_finished],
        )
        # Tables of files are replaced in several steps, which no transaction holds together.
        return "the last refresh did not come to its end" if unfinished else None

    def prepare(
        self,
        connection: duckdb.DuckDBPyConnection,
        last_finished: int,
        rebuilt: Iterable[Node],
        incremental: Iterable[Node],
    ) -> None:
        # A table whose making was killed would stand in the way of the next one.
        for node in rebuilt:
            spark.forget_table(self.settings, node["schema"], node["name"])
        if not any(incremental):
            spark.forget_tables(self.settings, "changes")
        spark.forget_table(self.settings, "changes", "built_by_hand")
        spark.show_records(connection, self.settings)

    def rows_of(self, node: Node) -> str | None:
        return spark.rows_of(self.settings, node["schema"], node["name"])

    def changes_of(self, node: Node) -> str | None:
        return spark.rows_of(self.settings, "changes", node["name"])

    def count_unpublished(
        self, connection: duckdb.DuckDBPyConnection, nodes: Iterable[Node]
    ) -> dict[str, int]:
        rows = {node["name"]: self.rows_of(node) for node in nodes}
        counts = _count_unpublished(
            connection, self.settings, {name: table for name, table in rows.items() if table}
        )
        return {**dict.fromkeys(rows, 0), **counts}


def count_rows(connection: duckdb.DuckDBPyConnection, rows: str | None) -> int:
    """How many rows a relation has."""
    return one_row(connection, f"select count(*) from {rows}")[0] if rows else 0


def count_inserted(connection: duckdb.DuckDBPyConnection, changes: str | None) -> int:
    """How many of the rows of a change feed were inserted."""
    return count_rows(connection, changes and f"(from {changes} where change = 'inserted')")


def days_of(connection: duckdb.DuckDBPyConnection, rows: str | None) -> set[date]:
    """The days of messages of the rows of a relation."""
    if not rows:
        return set()
    return {day for (day,) in connection.execute(f"select distinct message_date from {rows}").fetchall()}


def _count_unpublished(
    connection: duckdb.DuckDBPyConnection, settings: Settings, tables: Mapping[str, str]
) -> dict[str, int]:
    """How many rows of each table the published file does not hold.

    Args:
        connection: a connection to the warehouse.
        settings: the settings of the hub.
        tables: what to select from, by the name of the table.
    """
    counts = {}
    with published_tables(connection, settings) as published:
        for name, table in tables.items():
            columns = set(column_names(connection, table))
            counted = table
            # A table that has other columns now is another one.
            if columns == set(published.get(name, ())):
                listed = ", ".join(map(identifier, published[name]))
                counted = f"(select {listed} from {table} except all from published.{identifier(name)})"
            try:
                (counts[name],) = one_row(connection, f"select count(*) from {counted}")
            except duckdb.Error:
                # The published file is damaged, which holds no refresh back.
                (counts[name],) = one_row(connection, f"select count(*) from {table}")
    return counts


def _forget_changes_before(connection: duckdb.DuckDBPyConnection, database: str, last_finished: int) -> None:
    """Leave only those changes that a database has seen since the last finished refresh."""
    connection.execute(f"create schema if not exists {database}.changes")
    connection.execute(f"create table if not exists {database}.changes.since (refresh_number integer)")
    since = connection.execute(f"from {database}.changes.since").fetchall()
    if since != [(last_finished,)]:
        connection.execute(f"drop schema {database}.changes cascade")
        connection.execute(f"create schema {database}.changes")
        connection.execute(
            f"create table {database}.changes.since as select ?::integer as refresh_number", [last_finished]
        )


def _table_of(node: Node) -> str:
    return f"{identifier(node['database'])}.{identifier(node['schema'])}.{identifier(node['name'])}"


def _change_feed_of(node: Node) -> str:
    return f"{identifier(node['database'])}.changes.{identifier(node['name'])}"
