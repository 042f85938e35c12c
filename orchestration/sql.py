"""The few things about SQL that every module needs: quoting without parameters, single rows, whole files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb


def literal(text: str) -> str:
    """The text as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """The name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def one_row(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()
) -> tuple[Any, ...]:
    """The one row of a query's result."""
    (row,) = connection.execute(query, parameters).fetchall()
    return row


def column_names(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """The names of the columns of a table; none when there is no such table.

    Not within a transaction, which a missing table would abort. A query of DuckDB's catalog would bind every
    view of it first, which takes 10 ms.

    Args:
        connection: the connection.
        table: the table, named as in a query.
    """
    try:
        described = connection.execute(f"from {table} limit 0").description
    except duckdb.CatalogException:
        return []
    return [name for name, *_ in described or ()]


def replace_parquet(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    """Write the rows of a query to a Parquet file in one step: its readers see the former rows or these."""
    beside = file.with_name(f".{file.name}")
    connection.execute(f"copy ({query}) to {literal(str(beside))} (format parquet)")
    beside.replace(file)
