"""How many rows each model and the checks of a refresh read, from DuckDB's own count.

Belongs here: executing again, in a warehouse that is thrown away afterwards, what dbt executed. Does not
belong here: time; a statement that is executed again finds its data in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

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
    manifest = json.loads((settings.dbt_target / "manifest.json").read_text())
    results = json.loads((settings.dbt_target / "run_results.json").read_text())
    counts: dict[str, int] = {}
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("pragma enable_profiling = 'no_output'")
        for result in results["results"]:
            node = manifest["nodes"].get(result["unique_id"])
            if node is None or node["resource_type"] not in ("model", "test"):
                continue
            name = "all checks" if node["resource_type"] == "test" else node["name"]
            for statement in _statements(connection, settings, node, result["compiled_code"]):
                connection.execute(statement).fetchall()
                counts[name] = counts.get(name, 0) + _scanned(connection)
    return counts


def _statements(
    connection: duckdb.DuckDBPyConnection, settings: Settings, node: Mapping[str, Any], query: str
) -> Iterator[str]:
    """What dbt executes for a node and its query; nothing for views and functions, which read nothing."""
    match node["config"]["materialized"]:
        case "test":
            yield f"select count(*) from ({query})"
        case "table":
            yield f"create or replace temp table given as {query}"
        case "incremental":
            (file,) = (settings.dbt_target / "run").rglob(f"{node['name']}.sql")
            replacing = file.read_text(encoding="utf-8")
            given = re.search(rf"{node['name']}__dbt_tmp\d+", replacing)
            if given is None:  # computed whole
                yield f"create or replace temp table given as {query}"
                return
            yield f"create temp table {given[0]} as {query}"
            for statement in connection.extract_statements(replacing):
                yield statement.query


def _scanned(connection: duckdb.DuckDBPyConnection) -> int:
    """The rows that the last statement scanned; statements without a plan have no such count."""
    profile = json.loads(connection.get_profiling_information())
    return profile.get("query", {}).get("total_rows_scanned", 0)
