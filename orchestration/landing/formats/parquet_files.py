"""Parquet files.

Belongs here: columns and rows of Parquet. Does not belong here: what a good value is (casting.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

import duckdb

from orchestration.contracts import EventContract
from orchestration.landing.formats.common import (
    LandedFile,
    LandedRows,
    Shape,
    UnreadableFileError,
    UnreadableFilesError,
    columns_by_field,
)
from orchestration.landing.formats.parquet_checks import (
    LINKS,
    OPTIONS,
    SCRATCH,
    count_readable,
    count_rows,
    is_of_one_text,
)
from orchestration.landing.formats.staging import store_counts
from orchestration.sql import identifier, literal

# What the reader of Parquet adds to the columns of a file.
READERS_OWN_COLUMNS = ("file_row_number", "landed_from")


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract
) -> tuple[tuple[str, str], ...]:
    """Name and type of each column; FLOAT16 for floats of half the size, which are read as FLOAT."""
    location = list(LINKS.create({0: file}).values())
    described = SCRATCH.query(connection, f"describe from read_parquet(?, {OPTIONS})", [location])
    schema = SCRATCH.query(connection, "select name, logical_type from parquet_schema(?)", [location])
    halves = {name for name, logical_type in schema if (logical_type or "").startswith("Float16")}
    columns = tuple(
        (name, "FLOAT16" if column_type == "FLOAT" and name in halves else column_type)
        for name, column_type, *_ in described
    )
    _refuse_hidden_columns({name for name, _ in schema}, columns, contract)
    columns_by_field(contract, columns)
    return columns


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    contract: EventContract,
) -> LandedRows:
    """Read Parquet files, once it is certain that they hold what they declare."""
    by_field = columns_by_field(contract, shape.columns)
    links = LINKS.create(files)
    counts = _count(connection, files, links, [column for _, column, _ in by_field.values()])
    landed = [f"{identifier(column)} as landed_{field}" for field, (_, column, _) in by_field.items()]
    types = {field: column_type for field, (_, _, column_type) in by_field.items()}
    query = f"""
        select
            cast(parse_filename(landed_from, true) as integer) as file_id,
            file_row_number + 1 as row_number,
            null as fault,
            {", ".join(landed)}
        from read_parquet(
            [{", ".join(map(literal, links.values()))}],
            filename = 'landed_from',
            file_row_number = true,
            {OPTIONS}
        )
    """
    return LandedRows(query, types, store_counts(connection, counts))


def _count(
    connection: duckdb.DuckDBPyConnection,
    files: Mapping[int, LandedFile],
    links: Mapping[int, str],
    columns: Sequence[str],
) -> dict[int, int]:
    """How many rows each file has, in its pages and as the database reads them.

    Raises:
        UnreadableFilesError: when some of the files cannot be read, or have rows that were read otherwise.
    """
    counts: dict[int, int] = {}
    errors: dict[int, Exception] = {}
    for file_id, file in files.items():
        # Damaged files raise whatever they lead to, so any error is one of the file.
        try:
            counts[file_id] = count_rows(file, columns)
        except Exception as error:
            errors[file_id] = error
    errors |= _find_misread(connection, {file_id: links[file_id] for file_id in counts}, columns, counts)
    if errors:
        raise UnreadableFilesError({files[file_id]: error for file_id, error in errors.items()})
    return counts


def _find_misread(
    connection: duckdb.DuckDBPyConnection,
    links: Mapping[int, str],
    columns: Sequence[str],
    counts: Mapping[int, int],
) -> dict[int, Exception]:
    """The files that the database cannot read, or finds other rows in than were counted, and why."""
    try:
        found = count_readable(connection, links, columns) if links else {}
    except (duckdb.Error, UnreadableFileError) as error:
        if len(links) == 1:
            return {} if is_of_one_text(error) else dict.fromkeys(links, error)
        one_by_one = (_find_misread(connection, {id_: link}, columns, counts) for id_, link in links.items())
        return {file_id: error for errors in one_by_one for file_id, error in errors.items()}
    return {
        file_id: UnreadableFileError(
            f"it is damaged: its pages hold {counts[file_id]:,} rows, but {found.get(file_id, 0):,} were read"
        )
        for file_id in links
        if counts[file_id] != found.get(file_id, 0)
    }


def _refuse_hidden_columns(
    names: AbstractSet[str], columns: Sequence[tuple[str, str]], contract: EventContract
) -> None:
    """Refuse names that the reader would hide: of two columns with one name, it renames the second."""
    fields = {field.name for field in contract.fields}
    for column, _ in columns:
        if column.lower() in READERS_OWN_COLUMNS:
            raise UnreadableFileError(f"it has a column {column}, a name that its reader needs for itself")
        field = column.rpartition("_")[0].strip().lower()
        if column not in names and field in fields:
            raise UnreadableFileError(f"it has the column {field} twice")
