"""JSON lines: a JSON object in each line.

A file is divided and counted at once, in two ways that share nothing, and they are compared.

Belongs here: how a file divides into lines. Does not belong here: how a line becomes fields
(json_objects.py, json_records.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute

from orchestration.landing.formats import json_objects, staging
from orchestration.landing.formats.byte_streams import (
    MAX_ROW_BYTES,
    SHOWN_BYTES,
    Offsets,
    find_line_ends,
    read_blocks,
)
from orchestration.landing.formats.common import (
    LandedFile,
    LandedRows,
    Shape,
    UnreadableFileError,
    UnreadableFilesError,
)
from orchestration.landing.mappings import Columns

TABLE = "landed_lines"


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, columns: Columns
) -> tuple[tuple[str, str], ...]:
    """None: each line has keys of its own."""
    file.location.open("rb").close()
    return ()


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    columns: Columns,
) -> LandedRows:
    """Read files of JSON lines. Lines of blanks are no rows."""
    counts: dict[int, int] = {}

    def read_file(file_id: int, file: LandedFile) -> staging.Batches:
        counts[file_id] = yield from read_lines(file_id, file)

    staging.create_table(connection, TABLE, ["line"])
    errors = staging.append_files(connection, TABLE, ["line"], files, read_file)
    if errors:
        raise UnreadableFilesError({files[file_id]: error for file_id, error in errors.items()})
    query = json_objects.query_fields(connection, TABLE, columns.keys)
    return LandedRows(query, dict.fromkeys(columns.keys, "JSON"), staging.store_counts(connection, counts))


def read_lines(file_id: int, file: LandedFile) -> Generator[pa.RecordBatch, None, int]:
    """The lines of a file that are no blanks, in batches with the column ``line``; gives their count.

    Raises:
        UnreadableFileError: when two ways to read them differ.
    """
    counter, divider = _LineCounter(), _LineDivider(file_id)
    for block in itertools.chain(read_blocks(file), [b""]):
        counter.feed(block)
        yield from divider.feed(block)
    if (divider.rows, divider.last_row) != (counter.rows, counter.last_row):
        raise UnreadableFileError(
            f"two ways to read its lines differ: they found {divider.rows:,} and {counter.rows:,} rows"
        )
    return counter.rows


class _LineDivider:
    """Divides a file that is fed block by block into its rows.

    Attributes:
        rows: how many rows there are so far.
        last_row: the first bytes of the last one, without its line end.
    """

    def __init__(self, file_id: int) -> None:
        self.rows = 0
        self.last_row = b""
        self._file_id = file_id
        self._unended = b""
        self._is_too_long = False

    def feed(self, block: bytes) -> staging.Batches:
        """The rows that end within the next block; an empty block ends the file."""
        content = self._unended + block
        ends = find_line_ends(content) + 1
        if not block and content and not (len(ends) and ends[-1] == len(content)):
            ends = np.append(ends, len(content))
        if len(ends):
            yield from self._divide(content, ends)
            content = content[ends[-1] :]
        # Of a line that is too long, the first bytes are enough.
        self._is_too_long |= len(content) > MAX_ROW_BYTES
        self._unended = content[:SHOWN_BYTES] if self._is_too_long else content

    def _divide(self, content: bytes, ends: Offsets) -> staging.Batches:
        """The rows among the lines that end at these places."""
        starts = np.concatenate([[0], ends[:-1]])
        is_too_long = ends - starts > MAX_ROW_BYTES
        is_too_long[0] |= self._is_too_long
        self._is_too_long = False
        is_row = is_too_long | (np.frombuffer(content, np.uint8)[starts] > ord(" "))
        for place in np.flatnonzero(~is_row):
            is_row[place] = bool(content[starts[place] : ends[place]].strip())
        if not is_row.any():
            return
        last = np.flatnonzero(is_row)[-1]
        self.last_row = content[starts[last] : ends[last]].rstrip(b"\r\n")[:SHOWN_BYTES]
        if not is_too_long.any() and _is_utf8(content[: ends[-1]]):
            offsets = np.concatenate([[0], ends]).astype(np.int32)
            lines = pa.StringArray.from_buffers(len(ends), pa.py_buffer(offsets), pa.py_buffer(content))
            lines = pyarrow.compute.ascii_rtrim(lines.filter(pa.array(is_row)), characters="\r\n")
            yield self._batch(lines, pa.nulls(len(lines), pa.string()))
            return
        places = zip(
            starts[is_row].tolist(), ends[is_row].tolist(), is_too_long[is_row].tolist(), strict=True
        )
        rows = [_read_line(content[start:end], too_long) for start, end, too_long in places]
        yield self._batch(
            pa.array([line for line, _ in rows], pa.string()),
            pa.array([fault for _, fault in rows], pa.string()),
        )

    def _batch(self, lines: pa.Array, faults: pa.Array) -> pa.RecordBatch:
        numbers = np.arange(self.rows + 1, self.rows + 1 + len(lines))
        self.rows += len(lines)
        file_ids = pa.array(np.full(len(lines), self._file_id), pa.int32())
        return pa.record_batch(
            [file_ids, pa.array(numbers, pa.int64()), faults, lines], schema=staging.schema_of(["line"])
        )


def _read_line(line: bytes, is_too_long: bool) -> tuple[str, str | None]:
    """The text of a line, as far as it is kept, and why it cannot be read, or None."""
    fault = "line_too_long" if is_too_long else None
    line = line[:SHOWN_BYTES] if is_too_long else line.rstrip(b"\r\n")
    if not fault and not _is_utf8(line):
        fault = "invalid_utf8"
    return line.decode("utf-8", errors="backslashreplace"), fault


def _is_utf8(content: bytes) -> bool:
    try:
        content.isascii() or content.decode()
    except UnicodeDecodeError:
        return False
    return True


class _LineCounter:
    """Counts the rows of a file that is fed block by block, by plain iteration over its lines.

    Attributes:
        rows: how many rows there are so far.
        last_row: the first bytes of the last one, without its line end.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.last_row = b""
        self._start = b""
        self._bytes = 0

    def feed(self, block: bytes) -> None:
        """Count the rows that end within the next block; an empty block ends the file."""
        lines = block.splitlines(keepends=True) or [b"\n"]
        for line in lines:
            self._start = self._start if self._bytes > MAX_ROW_BYTES else self._start + line
            self._bytes += len(line)
            if not line.endswith((b"\r", b"\n")):
                continue
            if self._bytes > MAX_ROW_BYTES or not self._start.isspace():
                self.rows += 1
                self.last_row = self._start.rstrip(b"\r\n")[:SHOWN_BYTES]
            self._start, self._bytes = b"", 0
