"""The last published version beside the warehouse, for what a refresh compares with it.

Belongs here: opening it. Does not belong here: what is compared, and publishing (publishing/publish.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb

from orchestration.settings import Settings
from orchestration.sql import literal


@contextmanager
def published_tables(
    connection: duckdb.DuckDBPyConnection, settings: Settings
) -> Iterator[Mapping[str, Sequence[str]]]:
    """The columns of each published table, which is in the database ``published`` within the block."""
    try:
        connection.execute(f"attach {literal(str(settings.published.resolve()))} as published (read_only)")
    except duckdb.Error:
        # There is none yet, or it is damaged: then the next one is published in its place.
        yield {}
        return
    try:
        yield dict(
            connection.execute(
                "select table_name, list(column_name order by column_index) from duckdb_columns() "
                "where database_name = 'published' group by table_name"
            ).fetchall()
        )
    finally:
        connection.execute("detach published")
