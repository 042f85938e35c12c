"""Landed files as relations: one module for each format, each reading many files in one statement.

Belongs here: which module reads which format. Does not belong here: what a good value is (casting.py), what
is done with the rows (batch_loader.py).
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Mapping
from datetime import datetime

import duckdb

from orchestration.landing.contracts import EventContract
from orchestration.landing.formats import delimited, json_documents, json_lines, parquet_files
from orchestration.landing.formats.common import (
    ENDINGS,
    ENDINGS_OF_TABLES,
    Compression,
    Format,
    LandedFile,
    LandedRows,
    Reader,
    Shape,
    UnreadableFileError,
    UnreadableFilesError,
)
from orchestration.landing.formats.parquet_checks import LINKS
from orchestration.landing.mappings import Reading

__all__ = [
    "ENDINGS",
    "ENDINGS_OF_TABLES",
    "MOST_FILES_AT_ONCE",
    "Compression",
    "Format",
    "LandedFile",
    "LandedRows",
    "Shape",
    "UnreadableFileError",
    "UnreadableFilesError",
    "read",
    "shape_of",
    "why_unreadable",
]

READERS: Mapping[Format, Reader] = {
    Format.CSV: delimited,
    Format.JSON_LINES: json_lines,
    Format.JSON_DOCUMENT: json_documents,
    Format.PARQUET: parquet_files,
}

# So many files are read by one statement: enough to spread what each statement and transaction costs.
MOST_FILES_AT_ONCE = 500


def shape_of(connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract) -> Shape:
    """The shape of a file.

    Raises:
        UnreadableFileError: when it cannot be opened, is not of its format, or lacks a column or a name that
            its reading requires.
    """
    try:
        file.path.encode()
        header = _reader_of(file.format, file.reading).columns_of(
            connection, file, file.reading.columns(contract)
        )
    except (OSError, EOFError, zlib.error, UnicodeError, csv.Error, duckdb.Error) as error:
        raise UnreadableFileError(why_unreadable(error, file)) from error
    return Shape(file.format, header, file.reading, _named_at(file))


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    contract: EventContract,
) -> LandedRows:
    """Read files of one shape; what has to be kept for the query is stored in temporary tables.

    Args:
        connection: a connection with an open transaction.
        shape: the shape of the files.
        files: the files by their id.
        contract: the contract of the entity.

    Raises:
        duckdb.Error: when one of the files cannot be read.
        UnreadableFilesError: when it is known which of the files cannot be read.
    """
    # Each row carries its number, so rows may be stored as they come.
    connection.execute("set preserve_insertion_order = false")
    reader = _reader_of(shape.format, shape.reading)
    return reader.read(connection, shape, files, shape.reading.columns(contract))


def _reader_of(kind: Format, reading: Reading) -> Reader:
    if kind is Format.JSON_LINES and not reading.is_of_the_contract:
        return json_documents
    return READERS[kind]


def _named_at(file: LandedFile) -> datetime | None:
    """What the name of a file says when, where its reading takes a field from there.

    Raises:
        UnreadableFileError: when the name does not match.
    """
    name_format = file.reading.mapping and file.reading.mapping.file_name
    if not name_format:
        return None
    name = file.path.rpartition("/")[2]
    try:
        return datetime.strptime(name, name_format)
    except ValueError:
        raise UnreadableFileError(
            f"its name does not match {name_format!r}, from which its [[landing]] table takes a field"
        ) from None


def why_unreadable(error: Exception, file: LandedFile) -> str:
    """An error as one line that names the file as its record does."""
    if isinstance(error, UnreadableFileError):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return "its name is not UTF-8; land it under another name"
    if isinstance(error, UnicodeError):
        return f"it is not in {file.reading.dialect.encoding}: name its encoding in its [[landing]] table"
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException):
        return (
            "to read it takes more memory than there is. Every refresh tries it again: raise "
            "CONTACT_MEMORY_LIMIT, if the machine has more memory"
        )
    if isinstance(error, EOFError | zlib.error):
        return f"it is cut short or damaged ({error}): land the whole file again"
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first_line = message.strip().splitlines()[0] if message.strip() else type(error).__name__
    first_line = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first_line)
    first_line = LINKS.name_file(first_line, file).replace(str(file.location), file.path)
    is_of_content = file.format is Format.PARQUET and not (isinstance(error, OSError) and error.strerror)
    return f"it cannot be read as Parquet: {first_line}" if is_of_content else first_line
