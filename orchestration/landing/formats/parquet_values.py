"""Columns of Parquet files that pyarrow reads for the database: what the database refuses, or rounds.

One text that is no UTF-8 or no JSON, or one timestamp that is millions of years away, makes the database
refuse a whole file. A decimal of more than 38 digits it reads as a double.

Belongs here: such columns, value by value. Does not belong here: all other columns (parquet_files.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.landing.formats.common import LandedFile, UnreadableFilesError
from orchestration.sql import identifier

# Rows that are held in memory at once.
BATCH_ROWS = 65_536

# Units of timestamps in nanoseconds; the database holds microseconds in 64 bits.
NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def create_table(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    files: Mapping[int, LandedFile],
    columns: Mapping[str, str],
) -> None:
    """Read columns of files into a temporary table.

    It has ``file_id, row_number``, ``fault`` (``invalid_utf8`` where one of the texts is not UTF-8, or NULL),
    and for each field its value as text: a number in the notation of JSON, a timestamp in UTC, in ISO 8601 or
    as ``infinity``.

    Args:
        connection: a connection with an open transaction.
        table: the name of the table; one of that name is replaced.
        files: the files by their id.
        columns: the column of each field.

    Raises:
        UnreadableFilesError: when one of the files cannot be read.
    """
    named = "".join(f", {identifier(field)} varchar" for field in columns)
    connection.execute(
        f"create or replace temp table {table} (file_id integer, row_number bigint, fault varchar{named})"
    )
    for file_id, file in files.items():
        try:
            # In nanoseconds, timestamps of far years would turn into others.
            with pq.ParquetFile(file.location, coerce_int96_timestamp_unit="us") as content:
                for rows in _read_rows(file_id, content, columns):
                    connection.from_arrow(rows).insert_into(table)
        except (pa.ArrowException, OSError) as error:
            raise UnreadableFilesError({file: error}) from error


def _read_rows(file_id: int, content: pq.ParquetFile, columns: Mapping[str, str]) -> Iterator[pa.Table]:
    first_row = 1
    for batch in content.iter_batches(BATCH_ROWS, columns=list(columns.values())):
        is_valid = pa.array([True] * len(batch))
        texts = {}
        for field, column in columns.items():
            texts[field], is_text = _texts_of(batch.column(column))
            is_valid = pc.and_(is_valid, is_text)
        yield pa.table(
            {
                "file_id": pa.array([file_id] * len(batch), pa.int32()),
                "row_number": pa.array(range(first_row, first_row + len(batch)), pa.int64()),
                "fault": pc.if_else(is_valid, None, "invalid_utf8").cast(pa.string()),
                **texts,
            }
        )
        first_row += len(batch)


def _texts_of(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Values as text, and whether each of them is UTF-8; bytes of which it is not are escaped."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if isinstance(values, pa.DictionaryArray):
        values = values.dictionary_decode()
    every = pa.array([True] * len(values))
    if pa.types.is_decimal(values.type):
        # Without the zeros at the end, a whole number is an integer of JSON.
        digits = pc.replace_substring_regex(values.cast(pa.string()), r"(\.[0-9]*[1-9])0+$", r"\1")
        return pc.replace_substring_regex(digits, r"\.0+$", ""), every
    if pa.types.is_timestamp(values.type):
        return _texts_of_timestamps(values), every
    if pa.types.is_nested(values.type):
        return pa.array([_text_of_nested(value) for value in values], pa.string()), every
    contents = values.cast(pa.binary())
    try:
        return contents.cast(pa.string()), every
    except pa.ArrowInvalid:
        decoded = [_decode(content) for content in contents.to_pylist()]
        return pa.array([text for text, _ in decoded], pa.string()), pa.array([valid for _, valid in decoded])


def _texts_of_timestamps(values: pa.Array) -> pa.Array:
    counts, unit = values.view(pa.int64()), NANOSECONDS[values.type.unit]
    limit = (2**63 - 1) * NANOSECONDS["us"] // max(unit, NANOSECONDS["us"])
    is_held = pc.and_(pc.greater_equal(counts, -limit), pc.less_equal(counts, limit))
    held = pc.if_else(is_held, counts, 0)
    held = pc.divide(held, NANOSECONDS["us"]) if unit == 1 else pc.multiply(held, unit // NANOSECONDS["us"])
    return pc.if_else(is_held, held.cast(pa.timestamp("us")).cast(pa.string()), "infinity")


def _decode(content: bytes | None) -> tuple[str | None, bool]:
    if content is None:
        return None, True
    try:
        return content.decode(), True
    except UnicodeDecodeError:
        return content.decode(errors="backslashreplace"), False


def _text_of_nested(value: pa.Scalar[Any]) -> str | None:
    """What there is to show of a value that no field can have."""
    if not value.is_valid:
        return None
    try:
        return str(value.as_py())
    # Text that is none, an instant that Python does not know.
    except (ValueError, OverflowError):
        return str(value.type)
