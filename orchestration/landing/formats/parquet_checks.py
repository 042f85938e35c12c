"""What is asked of a Parquet file before the warehouse reads it.

A file says in its footer what it holds, and a damaged one says anything. So the rows are counted from the
pages, by pyarrow, and read once by a database in memory: an error within the reader makes the database that
reads unusable, which must not be the warehouse.

Belongs here: counting, reading apart from the warehouse, names that no other file has. Does not belong here:
columns and rows (parquet_files.py).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from orchestration.landing.formats.common import LandedFile, UnreadableFileError
from orchestration.sql import identifier, literal

# So many rows of a column are held in memory to be counted.
BATCH_ROWS = 65_536

# How a file is read. Statistics leave NaN out; trusted, they would hide it.
OPTIONS = "hive_partitioning = false, binary_as_string = true, can_have_nan = true"

# What the database calls a value that it refuses: text that is no UTF-8 or no JSON, a far timestamp.
OF_ONE_VALUE = ("Invalid string encoding found", "Invalid JSON found", "Could not convert Timestamp")


class Links:
    """Links to files, under names that hold nothing but the file's id.

    Whatever characters the path of a file has, it is no pattern then that matches other files, and the name
    tells which file a row is from.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._links: dict[int, str] = {}

    def create(self, files: Mapping[int, LandedFile]) -> dict[int, str]:
        """Link to files in place of those that were linked to before; gives the link by the file's id."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="contact-reporting-")
        for link in self._links.values():
            Path(link).unlink()
        folder = Path(self._folder.name).resolve()
        self._links = {file_id: str(folder / f"{file_id}.parquet") for file_id in files}
        for file_id, file in files.items():
            Path(self._links[file_id]).symlink_to(file.location.absolute())
        return self._links

    def name_file(self, message: str, file: LandedFile) -> str:
        """A message about a link as one about a file."""
        if self._folder is None:
            return message
        folder = re.escape(str(Path(self._folder.name).resolve()))
        return re.sub(rf"{folder}/\d+\.parquet", lambda _: file.path, message)


class Scratch:
    """A database in memory that may become unusable, and is replaced then."""

    def __init__(self) -> None:
        self._connection: duckdb.DuckDBPyConnection | None = None

    def query(
        self, warehouse: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()
    ) -> list[tuple[Any, ...]]:
        """The rows of a query that reads files, under the memory limit of the warehouse.

        Raises:
            UnreadableFileError: when the reader failed within itself.
            duckdb.Error: when it could not read a file.
        """
        if self._connection is None:
            self._connection = duckdb.connect()
            self._connection.execute("set TimeZone = 'UTC'; set temp_directory = ''")
        (limit,) = warehouse.execute("select current_setting('memory_limit')").fetchall()[0]
        self._connection.execute(f"set memory_limit = {literal(limit)}")
        try:
            return self._connection.execute(query, parameters).fetchall()
        except (duckdb.InternalException, duckdb.FatalException) as error:
            self._connection.close()
            self._connection = None
            raise UnreadableFileError(f"it is damaged: {str(error).splitlines()[0]}") from None


LINKS, SCRATCH = Links(), Scratch()


def count_rows(file: LandedFile, column: str) -> int:
    """How many rows the pages of a column hold.

    Raises:
        UnreadableFileError: when the footer declares another number.
        pyarrow.ArrowException, OSError: when it cannot be read.
    """
    # Nothing else is asked of the footer: what pyarrow tells of the chunks in it ends the process if damaged.
    with pq.ParquetFile(file.location) as content:
        declared = content.metadata.num_rows
        rows = sum(
            len(batch) for batch in content.iter_batches(BATCH_ROWS, columns=[column], use_threads=False)
        )
    if rows != declared:
        raise UnreadableFileError(
            f"it is damaged: its footer declares {declared:,} rows, its pages hold {rows:,}"
        )
    return rows


def count_readable(
    warehouse: duckdb.DuckDBPyConnection, links: Mapping[int, str], columns: Sequence[str]
) -> dict[int, int]:
    """Read columns of files apart from the warehouse; gives the number of rows by the file's id.

    Raises:
        UnreadableFileError: when the reader failed within itself.
        duckdb.Error: when one of the files cannot be read.
    """
    hashed = ", ".join(map(identifier, columns))
    query = f"""
        select cast(parse_filename(landed_from, true) as integer), count(*), bit_xor(hash({hashed}))
        from read_parquet(?, filename = 'landed_from', {OPTIONS})
        group by 1
    """
    return {file_id: rows for file_id, rows, _ in SCRATCH.query(warehouse, query, [list(links.values())])}


def is_of_one_value(error: Exception) -> bool:
    """Whether the database refused a file for one of its values; such a file is read in another way."""
    return isinstance(error, duckdb.Error) and any(sign in str(error) for sign in OF_ONE_VALUE)
