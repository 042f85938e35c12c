"""Rows of text files on their way into the database, as Arrow batches.

Belongs here: the tables in which such rows are kept until they are validated. Does not belong here: how a
file divides into rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import duckdb
import pyarrow as pa

from orchestration.landing.formats.common import LandedFile

# Rows that Python handles one by one are handed on in batches of so many.
BATCH_ROWS = 8192

STREAM = "arriving_rows"

Batches = Iterator[pa.RecordBatch]


def schema_of(columns: list[str]) -> pa.Schema:
    """The schema of a batch: where a row came from, why it cannot be read, and columns of text."""
    return pa.schema(
        [
            ("file_id", pa.int32()),
            ("row_number", pa.int64()),
            ("fault", pa.string()),
            *((name, pa.string()) for name in columns),
        ]
    )


def create_table(connection: duckdb.DuckDBPyConnection, table: str, columns: list[str]) -> None:
    """Create an empty temporary table for batches of :func:`schema_of`; one of that name is replaced."""
    described = [
        "file_id integer",
        "row_number bigint",
        "fault varchar",
        *(f"{name} varchar" for name in columns),
    ]
    connection.execute(f"create or replace temp table {table} ({', '.join(described)})")


def append_files(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: list[str],
    files: Mapping[int, LandedFile],
    read_file: Callable[[int, LandedFile], Batches],
) -> dict[int, Exception]:
    """Append the rows of files to a table, in one statement.

    Args:
        connection: a connection with an open transaction.
        table: a table of :func:`create_table`.
        columns: its columns of text.
        files: the files by their id.
        read_file: gives the rows of a file.

    Returns:
        Why each file that could not be read could not, by its id; some of its rows may be in the table.
    """
    errors: dict[int, Exception] = {}

    def read_files() -> Batches:
        for file_id, file in files.items():
            try:
                yield from read_file(file_id, file)
            # An error that passed through the database would be one of text, without its type and its file.
            except Exception as error:
                errors[file_id] = error

    connection.register(STREAM, pa.RecordBatchReader.from_batches(schema_of(columns), read_files()))
    try:
        connection.execute(f"insert into {table} from {STREAM}")
    finally:
        connection.unregister(STREAM)
    return errors


def store_counts(connection: duckdb.DuckDBPyConnection, counts: Mapping[int, int]) -> str:
    """Store how many rows files have, by their id; returns SQL with ``file_id, rows``."""
    connection.execute("create or replace temp table counted_text_rows (file_id integer, rows bigint)")
    connection.execute(
        "insert into counted_text_rows select unnest(?), unnest(?)", [list(counts), list(counts.values())]
    )
    return "select file_id, rows from counted_text_rows"
