"""What all formats share: a landed file, its shape, its rows, and where the contract's fields are in it.

Belongs here: what more than one format needs. Does not belong here: anything about one format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

import duckdb

from orchestration.landing.contracts import BLANKS, EventContract


class Format(Enum):
    """The formats that are read, by the names that people know them by."""

    CSV = "CSV"
    JSON_LINES = "JSON lines"
    PARQUET = "Parquet"


ENDINGS = {
    ".csv": Format.CSV,
    ".csv.gz": Format.CSV,
    ".jsonl": Format.JSON_LINES,
    ".jsonl.gz": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".ndjson.gz": Format.JSON_LINES,
    ".parquet": Format.PARQUET,
}


class UnreadableFileError(Exception):
    """A file that cannot be loaded at all; the message says why."""


class UnreadableFilesError(Exception):
    """Files that cannot be loaded while others of the same batch can.

    Attributes:
        errors: why each of them cannot be loaded.
    """

    def __init__(self, errors: Mapping[LandedFile, Exception]) -> None:
        super().__init__("; ".join(map(str, errors.values())))
        self.errors = errors


@dataclass(frozen=True)
class Dialect:
    """How a text file is written: the character between fields, and the encoding as Python names it."""

    delimiter: str = ","
    encoding: str = "utf-8"


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing folder.

    Attributes:
        path: where it lies, relative to the data directory; its name in every record.
        location: where it can be opened.
        dialect: how it is written, if it is a text file.
    """

    path: str
    location: Path
    dialect: Dialect = Dialect()

    @property
    def format(self) -> Format:
        name = self.path.lower()
        return next(kind for ending, kind in ENDINGS.items() if name.endswith(ending))

    @property
    def is_gzipped(self) -> bool:
        return self.path.lower().endswith(".gz")


@dataclass(frozen=True)
class Shape:
    """What files must share to be read by one statement: format, and name and type of each column.

    Of a CSV file, the columns are the fields of the contract that it carries, in the contract's order. JSON
    lines have no columns in common; any of them share a shape.
    """

    format: Format
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LandedRows:
    """The rows of some files, not yet judged.

    Attributes:
        query: SQL with a row for each landed row: ``file_id, row_number, fault`` and ``landed_<field>``
            for each field that the files carry. ``fault`` is why a row does not divide into fields, or NULL.
        types: the DuckDB type of each field that the files carry.
        counts: SQL with ``file_id, rows``: how many rows the files have, counted apart from the query, so
            that a row which gets lost on the way is noticed.
    """

    query: str
    types: Mapping[str, str]
    counts: str


class Reader(Protocol):
    """How files of a format are read. Each module of a format is one."""

    def columns_of(
        self, connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract
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
        contract: EventContract,
    ) -> LandedRows:
        """Read files of one shape; see :func:`orchestration.landing.formats.read`."""


def columns_by_field(
    contract: EventContract, columns: Sequence[tuple[str, str]], found_instead: str = ""
) -> dict[str, tuple[int, str, str]]:
    """Position, name and type of each field's column, whatever its letter case and the blanks around it.

    Raises:
        UnreadableFileError: when a field has two columns, or a required one has none; then with what was
            found instead.
    """
    found: dict[str, tuple[int, str, str]] = {}
    names = {field.name for field in contract.fields}
    for position, (column, column_type) in enumerate(columns):
        field = column.strip(BLANKS).lower()
        if field not in names:
            continue
        if field in found:
            raise UnreadableFileError(f"it has the column {field} twice")
        found[field] = (position, column, column_type)
    missing = [name for name in contract.required_columns if name not in found]
    if missing:
        raise UnreadableFileError(
            f"it lacks the required column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
            + found_instead
        )
    return found
