"""CSV: rows that are divided by a delimiter.

A file is read and counted at once: pyarrow reads the columns of the contract, and :class:`RowCounter` counts
the rows in the bytes that pyarrow gets. Where they differ, or a row needs a closer look, the file is read
strictly (strict_csv.py).

Belongs here: headers, and the quick reading. Does not belong here: what a good value is (casting.py).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from orchestration.landing.formats import staging, strict_csv
from orchestration.landing.formats.byte_streams import BLOCK_BYTES, Offsets, read_blocks
from orchestration.landing.formats.common import (
    LandedFile,
    LandedRows,
    MissingColumnsError,
    Shape,
    UnreadableFileError,
    UnreadableFilesError,
    find_columns,
)
from orchestration.landing.formats.headers import describe_text
from orchestration.landing.formats.row_counting import RowCounter
from orchestration.landing.formats.strict_csv import Layout, Row, divide
from orchestration.landing.mappings import Columns

# A header must end within the first bytes of its file.
HEADER_BYTES = 1 << 20

# So many rows with too few or too many fields, or so many bytes of them, are kept until the next batch. A
# file with more of them in one batch is read strictly, row by row.
MOST_FAULTS = 100_000
MOST_FAULTY_BYTES = 4 * BLOCK_BYTES


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, columns: Columns
) -> tuple[tuple[str, str], ...]:
    """The keys of the columns that the first line names; none for a file of blank lines alone."""
    names, _, _ = _open(file)
    positions = _positions_of(names, file, columns)
    return tuple((name, "VARCHAR") for name in positions)


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    columns: Columns,
) -> LandedRows:
    """Read CSV files that carry the same columns, whatever their order."""
    keys, counts = [key for key, _ in shape.columns], dict.fromkeys(files, 0)
    landed = [f"landed_{key}" for key in keys]

    def open_file(file: LandedFile) -> tuple[Layout, Iterator[bytes]]:
        names, first_line, blocks = _open(file)
        positions = _positions_of(names, file, columns)
        if list(positions) != keys:
            raise UnreadableFileError("its first line has changed while it was read")
        return Layout(
            tuple(positions.values()), len(names), file.reading.dialect.delimiter, first_line
        ), blocks

    def read_quickly(file_id: int, file: LandedFile) -> staging.Batches:
        layout, blocks = open_file(file)
        reading = _QuickReading(file_id, layout, staging.schema_of(landed), blocks)
        yield from reading.read()
        counts[file_id] = reading.source.counter.rows

    def read_strictly(file_id: int, file: LandedFile) -> staging.Batches:
        layout, blocks = open_file(file)
        counter = RowCounter(layout.delimiter)
        yield from strict_csv.read(file_id, layout, staging.schema_of(landed), blocks, counter)
        counts[file_id] = counter.rows

    table = "landed_csv_rows"
    staging.create_table(connection, table, landed)
    errors = {}
    if keys:
        errors = staging.append_files(connection, table, landed, files, read_quickly)
        again = {id_: files[id_] for id_, error in errors.items() if isinstance(error, _NotQuicklyError)}
        if again:
            connection.execute(f"delete from {table} where file_id in (select unnest(?))", [list(again)])
            strict_errors = staging.append_files(connection, table, landed, again, read_strictly)
            errors = {id_: error for id_, error in errors.items() if id_ not in again} | strict_errors
    if errors:
        raise UnreadableFilesError({files[id_]: error for id_, error in errors.items()})
    # A file of blank lines alone carries no column, and so no row.
    absent = "" if keys else "".join(f", null as landed_{key}" for key in columns.keys)
    return LandedRows(
        f"select *{absent} from {table}",
        dict.fromkeys(keys or columns.keys, "VARCHAR"),
        staging.store_counts(connection, counts),
    )


def _open(file: LandedFile) -> tuple[list[str], int, Iterator[bytes]]:
    """The names in the first line, the line behind it, and the blocks from there on.

    A file of blank lines alone has no names.
    """
    blocks = read_blocks(file)
    first = next(blocks, b"")
    lines = first[:HEADER_BYTES].splitlines(keepends=True)
    if not lines or not lines[0].strip():
        if first.strip() or any(block.strip() for block in blocks):
            raise UnreadableFileError("its first line is blank, where the names of the columns should be")
        return [], 1, iter(())
    decoded = (line.decode("utf-8", errors="replace") for line in lines)
    reader = csv.reader(decoded, delimiter=file.reading.dialect.delimiter, strict=True)
    names = next(reader)
    header_bytes = sum(map(len, lines[: reader.line_num]))
    if header_bytes == HEADER_BYTES < len(first):
        raise UnreadableFileError(f"its first line is longer than {HEADER_BYTES:,} bytes")

    def rest() -> Iterator[bytes]:
        if behind := first[header_bytes:]:
            yield behind
        yield from blocks

    return names, reader.line_num + 1, rest()


def _positions_of(names: list[str], file: LandedFile, columns: Columns) -> dict[str, int]:
    """The position of each column that is read, by its key, in the order of the columns."""
    if not names:
        return {}
    header = [(name, "VARCHAR") for name in names]
    try:
        found = find_columns(columns, header)
    except MissingColumnsError as error:
        raise UnreadableFileError(f"{error}{describe_text(names, file, columns)}") from None
    return {key: found[key][0] for key in columns.keys if key in found}


class _NotQuicklyError(Exception):
    """A file that has to be read strictly."""


class _CountedSource(io.RawIOBase):
    """The blocks of a file as pyarrow reads them, each counted as it is handed over."""

    def __init__(self, blocks: Iterator[bytes], delimiter: str) -> None:
        self.counter = RowCounter(delimiter)
        self.is_at_end = False
        self._blocks = blocks
        self._peeked = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def peek(self) -> bytes:
        """The next block, which :meth:`read` still returns; none at the end."""
        self._peeked = next(self._blocks, b"")
        return self._peeked

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """The next block, whatever the size, because none is larger than pyarrow asks for.

        Raises:
            _NotQuicklyError: when there are malformed quotes, too long rows, or bytes that are no UTF-8.
        """
        block, self._peeked = self._peeked or next(self._blocks, b""), b""
        self.is_at_end = not block
        self.counter.finish() if self.is_at_end else self.counter.feed(block)
        if not self.counter.is_regular:
            raise _NotQuicklyError
        if not block.isascii() or self._decoder.getstate()[0]:
            try:
                self._decoder.decode(block, final=self.is_at_end)
            except UnicodeDecodeError:
                raise _NotQuicklyError from None
        return block


class _QuickReading:
    """The reading of one file by pyarrow, and what is compared with the count.

    Attributes:
        source: what counts the rows meanwhile.
    """

    def __init__(self, file_id: int, layout: Layout, schema: pa.Schema, blocks: Iterator[bytes]) -> None:
        self.source = _CountedSource(blocks, layout.delimiter)
        self._file_id = file_id
        self._layout = layout
        self._schema = schema
        self._rows = 0
        self._last = 0, Row(None, [])
        self._next_number = 1
        # Rows that do not divide: those that were found since the last batch, and the numbers of all that may
        # stand before the next row.
        self._faults: deque[tuple[int, Row]] = deque()
        self._faulty_bytes = 0
        self._fault_numbers: list[int] = []

    def read(self) -> staging.Batches:
        """The rows of the file.

        Raises:
            _NotQuicklyError: when the file has to be read strictly; some of its rows were given then.
        """
        try:
            for batch in self._open():
                yield from self._take(batch)
            yield from self._take(None)
        except pa.ArrowInvalid as error:
            raise _NotQuicklyError from error
        if not self._agrees_with_count():
            raise _NotQuicklyError

    def _open(self) -> Iterable[pa.RecordBatch]:
        if not self.source.peek():
            return ()
        names = [str(position) for position in range(self._layout.width)]
        wanted = [names[position] for position in self._layout.positions]
        return pyarrow.csv.open_csv(
            self.source,
            read_options=pyarrow.csv.ReadOptions(
                block_size=BLOCK_BYTES,
                column_names=names,
                # The rows that do not divide have their numbers only where one thread reads them.
                use_threads=False,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=self._layout.delimiter,
                newlines_in_values=True,
                invalid_row_handler=self._note_fault,
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=wanted,
                column_types=dict.fromkeys(wanted, pa.string()),
                # No field of a text file is NULL: what is blank is for the contract to say.
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )

    def _note_fault(self, invalid: pyarrow.csv.InvalidRow) -> str:
        """Called by pyarrow, maybe in a thread of its own, for each row with too few or too many fields."""
        text = invalid.text.encode()
        self._faulty_bytes += len(text)
        if len(self._faults) == MOST_FAULTS or self._faulty_bytes > MOST_FAULTY_BYTES:
            return "error"
        self._faults.append((invalid.number, divide(self._layout, text)))
        return "skip"

    def _take(self, batch: pa.RecordBatch | None) -> staging.Batches:
        """The rows of a batch, numbered, and the rows that do not divide and were found meanwhile."""
        faults = [self._faults.popleft() for _ in range(len(self._faults))]
        self._faulty_bytes = 0
        self._fault_numbers += [number for number, _ in faults]
        if batch is not None and batch.num_rows:
            numbers = self._free_numbers(batch.num_rows)
            yield self._batch(numbers, pa.nulls(batch.num_rows, pa.string()), batch.columns)
            last = batch.slice(batch.num_rows - 1).to_pylist()[0]
            self._note_last(int(numbers[-1]), Row(None, list(last.values())))
        if faults:
            rows = [row for _, row in faults]
            yield self._batch(
                [number for number, _ in faults],
                pa.array([row.fault for row in rows], pa.string()),
                [pa.array(column, pa.string()) for column in zip(*(row.fields for row in rows), strict=True)],
            )
            self._note_last(*faults[-1])

    def _free_numbers(self, rows: int) -> NDArray[np.int64]:
        """The numbers of the next rows that divide: those that none has which does not."""
        numbers = np.arange(self._next_number, self._next_number + rows + len(self._fault_numbers))
        free = np.setdiff1d(numbers, self._fault_numbers, assume_unique=True)[:rows]
        self._next_number = int(free[-1]) + 1
        self._fault_numbers = [number for number in self._fault_numbers if number >= self._next_number]
        return free

    def _batch(
        self, numbers: Sequence[int] | Offsets, faults: pa.Array, columns: list[pa.Array]
    ) -> pa.RecordBatch:
        self._rows += len(numbers)
        return pa.record_batch(
            [
                pa.array(np.full(len(numbers), self._file_id), pa.int32()),
                pa.array(numbers, pa.int64()),
                faults,
                *columns,
            ],
            schema=self._schema,
        )

    def _note_last(self, number: int, row: Row) -> None:
        if number > self._last[0]:
            self._last = number, row

    def _agrees_with_count(self) -> bool:
        """Whether there are as many rows as were counted, and the last one is the same."""
        counter = self.source.counter
        if not self.source.is_at_end or not self._rows == self._last[0] == counter.rows:
            return False
        return counter.rows == 0 or self._last[1] == divide(self._layout, counter.last_row)
