"""Parquet files.

Belongs here: columns and rows of Parquet. Does not belong here: columns that the database cannot read
(parquet_values.py), what a good value is (casting.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from orchestration.contracts import EventContract
from orchestration.landing.formats import parquet_values
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

# The widest decimal that the database holds.
MAX_DIGITS = 38


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract
) -> tuple[tuple[str, str], ...]:
    """Name and type of each column.

    FLOAT16 is a FLOAT whose file holds half of it, WIDE_DECIMAL a decimal that the database does not hold.
    """
    location = [match_exactly(file)]
    described = connection.execute(
        "describe from read_parquet(?, hive_partitioning = false, binary_as_string = true)", [location]
    ).fetchall()
    special = dict(
        connection.execute(
            f"""
            select
                name,
                case when logical_type like 'Float16%' then 'FLOAT16' else 'WIDE_DECIMAL' end
            from parquet_schema(?)
            where logical_type like 'Float16%' or (converted_type = 'DECIMAL' and precision > {MAX_DIGITS})
            """,
            [location],
        ).fetchall()
    )
    columns = tuple(
        (name, special.get(name, column_type) if column_type in ("FLOAT", "DOUBLE") else column_type)
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
    fault, landed, types = "null", [], {}
    by_value = {
        field: column
        for field, (_, column, column_type) in by_field.items()
        if column_type == "WIDE_DECIMAL" or (shape.by_value and _holds_text(column_type))
    }
    for field, (_, column, column_type) in by_field.items():
        value = f"texts.{field}" if field in by_value else f"rows.{identifier(column)}"
        landed.append(f"{_landed(value, column_type, field in by_value)} as landed_{field}")
        types[field] = "JSON" if column_type == "WIDE_DECIMAL" else column_type
    texts = ""
    if by_value:
        parquet_values.create_table(connection, files, by_value)
        fault = "texts.fault"
        texts = f"""
            inner join {parquet_values.TABLE} as texts
                on files.file_id = texts.file_id and rows.file_row_number + 1 = texts.row_number
        """
    locations = "[" + ", ".join(literal(match_exactly(file)) for file in files.values()) + "]"
    query = f"""
        select
            files.file_id,
            rows.file_row_number + 1 as row_number,
            {fault} as fault,
            {", ".join(landed)}
        from read_parquet(
            {locations},
            filename = 'landed_from',
            file_row_number = true,
            hive_partitioning = false,
            binary_as_string = true,
            -- The statistics of a file leave NaN out; trusted, they would hide it.
            can_have_nan = true
        ) as rows
        inner join files_at_hand as files on rows.landed_from = files.location
        {texts}
    """
    counts = f"""
        select files.file_id, sum(metadata.num_rows) as rows
        from parquet_file_metadata({locations}) as metadata
        inner join files_at_hand as files on metadata.file_name = files.location
        group by files.file_id
    """
    return LandedRows(query, types, counts)


def is_of_one_value(error: Exception) -> bool:
    """Whether the database refused a file for a text that is no UTF-8, or no JSON."""
    return isinstance(error, duckdb.Error) and any(
        sign in str(error) for sign in ("Invalid string encoding found", "Invalid JSON found")
    )


def _holds_text(column_type: str) -> bool:
    """Whether values of the type are text, or may have text within them."""
    return "VARCHAR" in column_type or "JSON" in column_type


def _landed(value: str, column_type: str, by_value: bool) -> str:
    """The SQL of a landed value of a type, read by the database or, by value, as text."""
    match column_type:
        case "WIDE_DECIMAL":
            return f"cast({value} as json)"
        case "JSON" if by_value:
            return f"case when json_valid({value}) then json_extract({value}, '$') else to_json({value}) end"
        case "JSON":
            # As it would be written, without blanks around it.
            return f"json_extract({value}, '$')"
        case "VARCHAR":
            return value
    # In a list, so that it does not pass for text.
    return f"case when {value} is not null then [{value}] end" if by_value else value


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
