"""The few things about SQL that every module needs: quoting where no parameter can be bound, single rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
