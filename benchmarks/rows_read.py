"""How many rows each model and the checks of a refresh read, from DuckDB's own count.

Belongs here: executing again, in a warehouse that is thrown away afterwards, what dbt executed. Does not
belong here: time; a statement that is executed again finds its data in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb

from orchestration.settings import Settings


def rows_read(settings: Settings) -> dict[str, int]:
    """Rows that the statements of each model, and of all checks together, scan in tables.

    Rows of groups that DuckDB leaves out because their least and greatest values rule them out are not
    counted. The warehouse is as it was after the refresh, so each model finds the same changes to its left,
    and replaces nothing; what it reads of its own table can differ by the rows that it replaced.

    Args:
        settings: the settings of a hub whose warehouse may be changed, just after a refresh.
    """
    counts: dict[str, int] = {}
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("attach ? as reports", [str(settings.reports)])
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("pragma enable_profiling = 'no_output'")
        for node, query in _queries(settings.dbt_target / "dbt.log"):
            kind, _, name = node.split(".")[:3]
            step = "all checks" if kind == "test" else name
            for statement in connection.extract_statements(query):
                if statement.type != duckdb.StatementType.TRANSACTION:
                    connection.execute(statement.query).fetchall()
                    counts[step] = counts.get(step, 0) + _scanned(connection)
    return counts


def _queries(log: Path) -> Iterator[tuple[str, str]]:
    """What the last dbt of a log executed for models and tests: the node and the query."""
    queries: list[tuple[str, str, str]] = []
    for line in log.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        if event["info"]["name"] == "SQLQuery":
            node = event["data"].get("node_info", {}).get("unique_id", "")
            if node.startswith(("model.", "test.")):
                queries.append((event["info"]["invocation_id"], node, event["data"]["sql"]))
    for invocation, node, query in queries:
        if invocation == queries[-1][0]:
            yield node, query


def _scanned(connection: duckdb.DuckDBPyConnection) -> int:
    """The rows that the last statement scanned; statements without a plan have no such count."""
    profile = json.loads(connection.get_profiling_information())
    return profile.get("query", {}).get("total_rows_scanned", 0)
