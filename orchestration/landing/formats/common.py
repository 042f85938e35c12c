"""What all formats share: a landed file, its shape, its rows, and where the contract's fields are in it.

Belongs here: what more than one format needs. Does not belong here: anything about one format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Protocol

import duckdb

from orchestration.landing.mappings import PLAIN, Column, Columns, Reading, comparable


class Format(Enum):
    """The formats that are read, by the names that people know them by."""

    CSV = "CSV"
    JSON_LINES = "JSON lines"
    JSON_DOCUMENT = "JSON"
    PARQUET = "Parquet"


class Compression(Enum):
    """How a text file is compressed, by the extension that says so."""

    NONE = ""
    GZIP = ".gz"
    ZSTD = ".zst"


ENDINGS = {
    ".csv": Format.CSV,
    ".csv.gz": Format.CSV,
    ".csv.zst": Format.CSV,
    ".jsonl": Format.JSON_LINES,
    ".jsonl.gz": Format.JSON_LINES,
    ".jsonl.zst": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".ndjson.gz": Format.JSON_LINES,
    ".ndjson.zst": Format.JSON_LINES,
    ".parquet": Format.PARQUET,
}

# What is read only where a table of hub.toml names it.
ENDINGS_OF_TABLES = {
    ".json": Format.JSON_DOCUMENT,
    ".json.gz": Format.JSON_DOCUMENT,
    ".json.zst": Format.JSON_DOCUMENT,
    ".tsv": Format.CSV,
    ".tsv.gz": Format.CSV,
    ".tsv.zst": Format.CSV,
    ".txt": Format.CSV,
    ".txt.gz": Format.CSV,
    ".txt.zst": Format.CSV,
}


ALL_ENDINGS = ENDINGS | ENDINGS_OF_TABLES


class UnreadableFileError(Exception):
    """A file that cannot be loaded at all; the message says why."""


class MissingColumnsError(UnreadableFileError):
    """A file that lacks a column; the message says which, but not what it has instead."""


class UnreadableFilesError(Exception):
    """Files that cannot be loaded while others of the same batch can.

    Attributes:
        errors: why each of them cannot be loaded.
    """

    def __init__(self, errors: Mapping[LandedFile, Exception]) -> None:
        super().__init__("; ".join(map(str, errors.values())))
        self.errors = errors


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing folder.

    Attributes:
        path: where it lies, relative to the data directory; its name in every record.
        location: where it can be opened.
        reading: how it is read.
    """

    path: str
    location: Path
    reading: Reading = PLAIN

    @property
    def format(self) -> Format:
        name = self.path.lower()
        return next(kind for ending, kind in ALL_ENDINGS.items() if name.endswith(ending))

    @property
    def is_supported(self) -> bool:
        """Whether its name has an ending that is read."""
        return self.path.lower().endswith(tuple(ALL_ENDINGS))

    @property
    def compression(self) -> Compression:
        name = self.path.lower()
        return next(
            (one for one in (Compression.GZIP, Compression.ZSTD) if name.endswith(one.value)),
            Compression.NONE,
        )


@dataclass(frozen=True)
class Shape:
    """What files must share to be read by one statement.

    Attributes:
        format: their format.
        columns: name and type of each column. Of a CSV file they are the keys of the columns that it carries
            of those that are read, in their order. JSON has no columns in common; any of it shares a shape.
        reading: how they are read.
        named_at: what their names say when, where a field comes from there; None where none does.
    """

    format: Format
    columns: tuple[tuple[str, str], ...] = ()
    reading: Reading = PLAIN
    named_at: datetime | None = None


@dataclass(frozen=True)
class LandedRows:
    """The rows of some files, not yet validated.

    Attributes:
        query: SQL with a row for each landed row: ``file_id, row_number, fault`` and ``landed_<key>`` for
            each column that the files carry. ``fault`` is why a row does not divide into fields, or NULL.
        types: the DuckDB type of each column that the files carry, by its key.
        counts: SQL with ``file_id, rows``: how many rows the files have, counted apart from the query, so
            that a row which gets lost on the way is noticed.
    """

    query: str
    types: Mapping[str, str]
    counts: str


class Reader(Protocol):
    """How files of a format are read. Each module of a format is one."""

    def columns_of(
        self, connection: duckdb.DuckDBPyConnection, file: LandedFile, columns: Columns
    ) -> tuple[tuple[str, str], ...]:
        """Name and type of each column of a file that must be the same in all files of one statement.

        Raises:
            UnreadableFileError: when the file is not of the format, or lacks a required column.
            OSError, EOFError, zlib.error, csv.Error, duckdb.Error: when it cannot be opened.
        """

    def read(
        self,
        connection: duckdb.DuckDBPyConnection,
        shape: Shape,
        files: Mapping[int, LandedFile],
        columns: Columns,
    ) -> LandedRows:
        """Read files of one shape; see :func:`orchestration.landing.formats.read`."""


def find_columns(columns: Columns, header: Sequence[tuple[str, str]]) -> dict[str, tuple[int, str, str]]:
    """Position, name and type of each column that is read, by its key, in the order of the header.

    Raises:
        UnreadableFileError: when a column is there twice.
        MissingColumnsError: when a required one is not there.
    """
    found: dict[str, tuple[int, str, str]] = {}
    by_name = columns.by_name
    for position, (name, column_type) in enumerate(header):
        column = by_name.get(comparable(name))
        if column is None:
            continue
        if column.key in found:
            raise UnreadableFileError(f"it has the column {column.name} twice")
        found[column.key] = (position, name, column_type)
    missing = [column.name for column in columns.columns if column.is_required and column.key not in found]
    if missing:
        named = f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        whose = f"{named} of its [[landing]] table" if columns.is_of_a_table else f"required {named}"
        raise MissingColumnsError(f"it lacks the {whose}")
    return found


def column_of(columns: Columns, name: str) -> Column | None:
    """The column of a name in a file, if it is read."""
    return columns.by_name.get(comparable(name))
