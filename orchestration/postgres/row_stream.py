"""Rows from DuckDB into a table of PostgreSQL, as COPY reads them.

Belongs here: the stream. Does not belong here: which rows (row_changes.py).
"""

from __future__ import annotations

import os
import threading
from typing import Any

import duckdb

from orchestration.sql import literal

BLOCK_BYTES = 1 << 20


def send(
    connection: duckdb.DuckDBPyConnection, query: str, cursor: Any, target: str, options: str = "format csv"
) -> int:
    """Copy the rows of a query. DuckDB writes them while PostgreSQL reads them; nothing is put on a disk.

    Args:
        connection: the connection to DuckDB.
        query: gives the columns of the target in its order, each as text that COPY reads.
        cursor: of the connection to PostgreSQL.
        target: the table, with its columns.
        options: of COPY.

    Returns:
        How many rows it were.

    Raises:
        duckdb.Error: when DuckDB cannot write all of them; what was copied must be rolled back.
    """
    reading, writing = os.pipe()
    failed: list[Exception] = []

    def write() -> None:
        try:
            connection.cursor().execute(
                f"copy ({query}) to {literal(f'/dev/fd/{writing}')} "
                "(format csv, header false, use_tmp_file false)"
            )
        except duckdb.Error as error:
            failed.append(error)
        finally:
            os.close(writing)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        # Closed before the writer is waited for: where PostgreSQL stops reading, it stops writing.
        with os.fdopen(reading, "rb") as stream:
            cursor.copy_expert(f"copy {target} from stdin ({options})", stream, size=BLOCK_BYTES)
    finally:
        writer.join()
    if failed:
        raise failed[0]
    rows: int = cursor.rowcount
    return rows
