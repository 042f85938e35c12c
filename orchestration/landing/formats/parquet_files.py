"""Parquet files.

Belongs here: columns and rows of Parquet. Does not belong here: what a good value is (casting.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from orchestration.contracts import EventContract
from orchestration.landing.formats.common import (
    LandedFile,
    LandedRows,
    Shape,
    UnreadableFileError,
    columns_by_field,
    match_exactly,
)
from orchestration.sql import identifier, literal

# What the reader of Parquet adds to the columns of a file.
READERS_OWN_COLUMNS = ("file_row_number", "landed_from")


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract
) -> tuple[tuple[str, str], ...]:
    """Name and type of each column; FLOAT16 for floats of half the size, which are read as FLOAT."""
    location = [match_exactly(file)]
    described = connection.execute(
        "describe from read_parquet(?, hive_partitioning = false, binary_as_string = true)", [location]
    ).fetchall()
    halves = connection.execute(
        "select name from parquet_schema(?) where logical_type like 'Float16%'", [location]
    ).fetchall()
    columns = tuple(
        (name, "FLOAT16" if column_type == "FLOAT" and (name,) in halves else column_type)
        for name, column_type, *_ in described
    )
    _refuse_hidden_columns(connection, file, columns, contract)
    columns_by_field(contract, columns)
    return columns


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    contract: EventContract,
) -> LandedRows:
    by_field = columns_by_field(contract, shape.columns)
    landed, types = [], {}
    for field, (_, column, column_type) in by_field.items():
        landed.append(f"{identifier(column)} as landed_{field}")
        types[field] = column_type
    locations = "[" + ", ".join(literal(match_exactly(file)) for file in files.values()) + "]"
    query = f"""
        select
            files.file_id,
            rows.file_row_number + 1 as row_number,
            null as fault,
            rows.* exclude (landed_from, file_row_number)
        from (
            select landed_from, file_row_number, {", ".join(landed)}
            from read_parquet(
                {locations},
                filename = 'landed_from',
                file_row_number = true,
                hive_partitioning = false,
                binary_as_string = true,
                -- The statistics of a file leave NaN out; trusted, they would hide it.
                can_have_nan = true
            )
        ) as rows
        inner join files_at_hand as files on rows.landed_from = files.location
    """
    counts = f"""
        select files.file_id, sum(metadata.num_rows) as rows
        from parquet_file_metadata({locations}) as metadata
        inner join files_at_hand as files on metadata.file_name = files.location
        group by files.file_id
    """
    return LandedRows(query, types, counts)


def _refuse_hidden_columns(
    connection: duckdb.DuckDBPyConnection,
    file: LandedFile,
    columns: Sequence[tuple[str, str]],
    contract: EventContract,
) -> None:
    """Refuse names that the reader would hide: of two columns with one name, it renames the second."""
    schema = connection.execute("select name from parquet_schema(?)", [[match_exactly(file)]]).fetchall()
    names = {name for (name,) in schema}
    fields = {field.name for field in contract.fields}
    for column, _ in columns:
        if column.lower() in READERS_OWN_COLUMNS:
            raise UnreadableFileError(f"it has a column {column}, a name that its reader needs for itself")
        field = column.rpartition("_")[0].strip().lower()
        if column not in names and field in fields:
            raise UnreadableFileError(f"it has the column {field} twice")
