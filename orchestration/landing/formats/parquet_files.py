"""Parquet files.

Belongs here: columns and rows of Parquet. Does not belong here: columns that the database cannot read
(parquet_values.py), what a good value is (casting.py).
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import duckdb

from orchestration.landing.formats import parquet_values
from orchestration.landing.formats.common import (
    LandedFile,
    LandedRows,
    MissingColumnsError,
    Shape,
    UnreadableFileError,
    UnreadableFilesError,
    column_of,
    find_columns,
)
from orchestration.landing.formats.headers import describe_columns
from orchestration.landing.formats.parquet_checks import (
    LINKS,
    OPTIONS,
    SCRATCH,
    count_readable,
    count_rows,
    is_of_one_value,
)
from orchestration.landing.formats.staging import store_counts
from orchestration.landing.mappings import Columns
from orchestration.sql import identifier, literal

# What the reader of Parquet adds to the columns of a file.
READERS_OWN_COLUMNS = ("file_row_number", "landed_from")

# The widest decimal that the database holds.
MAX_DIGITS = 38

TIMESTAMPS = ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, columns: Columns
) -> tuple[tuple[str, str], ...]:
    """Name and type of each column.

    FLOAT16 is a FLOAT whose file holds half of it, WIDE_DECIMAL a decimal that the database does not hold.
    """
    location = list(LINKS.create({0: file}).values())
    described = SCRATCH.query(connection, f"describe from read_parquet(?, {OPTIONS})", [location])
    schema = _schema(connection, location)
    header = tuple(
        (name, held if held and column_type in ("FLOAT", "DOUBLE") else column_type)
        for (name, column_type, *_), (_, held) in zip(described, schema, strict=False)
    )
    _refuse_hidden_columns([name for name, _ in schema], header, columns)
    try:
        find_columns(columns, header)
    except MissingColumnsError as error:
        raise UnreadableFileError(f"{error}{describe_columns([name for name, _ in header])}") from None
    return header


def _schema(connection: duckdb.DuckDBPyConnection, location: list[str]) -> list[tuple[str, str | None]]:
    """Name of each column as it is in the file, and FLOAT16 or WIDE_DECIMAL if it is one."""
    (_, *elements) = SCRATCH.query(
        connection,
        f"""
        select
            name,
            case
                when logical_type like 'Float16%' then 'FLOAT16'
                when converted_type = 'DECIMAL' and precision > {MAX_DIGITS} then 'WIDE_DECIMAL'
            end,
            coalesce(num_children, 0)
        from parquet_schema(?)
        """,
        [location],
    )
    # Behind each element follow those within it.
    columns, within = [], 0
    for name, held, children in elements:
        if within == 0:
            columns.append((name, held))
        within = max(within - 1, 0) + children
    return columns


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    columns: Columns,
) -> LandedRows:
    """Read Parquet files, once it is certain that they hold what they declare."""
    by_key = find_columns(columns, shape.columns)
    links = LINKS.create(files)
    # Of the required columns, the id is the longest, and comes first.
    (*_, counted) = (column.key for column in columns.columns if column.is_required)
    counts = _count_pages(files, by_key[counted][1])
    misread = _find_misread(connection, links, [column for _, column, _ in by_key.values()], counts)
    refused = {file_id for file_id, error in misread.items() if is_of_one_value(error)}
    unreadable = {files[file_id]: error for file_id, error in misread.items() if file_id not in refused}
    if unreadable:
        raise UnreadableFilesError(unreadable)
    queries = []
    for of_refused in (False, True):
        of_kind = {file_id: file for file_id, file in files.items() if (file_id in refused) is of_refused}
        if of_kind:
            by_value = {
                key: column
                for key, (_, column, column_type) in by_key.items()
                if column_type == "WIDE_DECIMAL" or (of_refused and _may_be_refused(column_type))
            }
            table = f"parquet_values_{int(of_refused)}"
            if by_value:
                parquet_values.create_table(connection, table, of_kind, by_value)
            links_of_kind = [links[file_id] for file_id in of_kind]
            queries.append(_query_rows(by_key, links_of_kind, by_value, table))
    types = {
        key: "JSON" if column_type == "WIDE_DECIMAL" else column_type
        for key, (_, _, column_type) in by_key.items()
    }
    return LandedRows(" union all ".join(queries), types, store_counts(connection, counts))


def _query_rows(
    by_key: Mapping[str, tuple[int, str, str]], links: Sequence[str], by_value: Container[str], table: str
) -> str:
    """The SQL of the rows of files, in which the table has the values of the columns read by value."""
    landed = ", ".join(
        f"{_landed(f'texts.{key}', column_type, True)} as landed_{key}"
        if key in by_value
        else f"{_landed(f'rows.column_{key}', column_type, False)} as landed_{key}"
        for key, (_, column, column_type) in by_key.items()
    )
    texts, fault = "", "cast(null as varchar)"
    if by_value:
        fault = "texts.fault"
        texts = f"""
            inner join {table} as texts
                on rows.file_id = texts.file_id and rows.row_number = texts.row_number
        """
    # Columns read by value are not even named: the statistics of a far timestamp make the reader refuse them.
    columns = "".join(
        f", {identifier(column)} as column_{key}"
        for key, (_, column, _) in by_key.items()
        if key not in by_value
    )
    return f"""
        select rows.file_id, rows.row_number, {fault} as fault, {landed}
        from (
            select
                cast(parse_filename(landed_from, true) as integer) as file_id,
                file_row_number + 1 as row_number
                {columns}
            from read_parquet(
                [{", ".join(map(literal, links))}],
                filename = 'landed_from',
                file_row_number = true,
                {OPTIONS}
            )
        ) as rows
        {texts}
    """


def _count_pages(files: Mapping[int, LandedFile], column: str) -> dict[int, int]:
    """How many rows each file has, counted from the pages of a column.

    Raises:
        UnreadableFilesError: when some of the files cannot be read, or hold other rows than they declare.
    """
    counts: dict[int, int] = {}
    errors: dict[LandedFile, Exception] = {}
    for file_id, file in files.items():
        try:
            counts[file_id] = count_rows(file, column)
        # A damaged file raises whatever it leads to, so any error is one of the file.
        except Exception as error:
            errors[file] = error
    if errors:
        raise UnreadableFilesError(errors)
    return counts


def _find_misread(
    connection: duckdb.DuckDBPyConnection,
    links: Mapping[int, str],
    columns: Sequence[str],
    counts: Mapping[int, int],
) -> dict[int, Exception]:
    """The files that the database cannot read, or finds other rows in than were counted, and why."""
    try:
        found = count_readable(connection, links, columns)
    except (duckdb.Error, UnreadableFileError) as error:
        if len(links) == 1:
            return dict.fromkeys(links, error)
        one_by_one = (_find_misread(connection, {id_: link}, columns, counts) for id_, link in links.items())
        return {file_id: error for errors in one_by_one for file_id, error in errors.items()}
    return {
        file_id: UnreadableFileError(
            f"it is damaged: its pages hold {counts[file_id]:,} rows, but {found.get(file_id, 0):,} were read"
        )
        for file_id in links
        if counts[file_id] != found.get(file_id, 0)
    }


def _may_be_refused(column_type: str) -> bool:
    """Whether the database refuses files for values of the type, or for text within them."""
    is_nested = column_type.endswith(("]", ")"))
    return (
        any(name in column_type for name in ("VARCHAR", "JSON"))
        or column_type in TIMESTAMPS
        or (is_nested and "TIMESTAMP" in column_type)
    )


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
        case _ if by_value and column_type in TIMESTAMPS:
            instant = f"coalesce(try_cast({value} as {column_type}), cast('infinity' as {column_type}))"
            return f"case when {value} is not null then {instant} end"
        case _ if _may_be_refused(column_type) and column_type not in TIMESTAMPS:
            # Text, or what is only shown as text, such as a list.
            return f"cast({value} as varchar)"
    return value


def _refuse_hidden_columns(names: Sequence[str], header: Sequence[tuple[str, str]], columns: Columns) -> None:
    """Refuse names that the reader would hide: of two columns with one name, it renames the second."""
    for name, (column, _) in zip(names, header, strict=False):
        if column.lower() in READERS_OWN_COLUMNS:
            raise UnreadableFileError(f"it has a column {column}, a name that its reader needs for itself")
        read = column_of(columns, name)
        if column != name and read:
            raise UnreadableFileError(f"it has the column {read.name} twice")
