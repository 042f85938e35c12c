"""JSON whose values lie at paths: lines with nested values, and documents with an array of records.

Rows are divided by Python's json module, and the records of a document are counted by the database.

Belongs here: reading and counting such files. Does not belong here: paths (json_records.py), lines whose keys
are the contract's (json_lines.py).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

import duckdb
import numpy as np
import pyarrow as pa

from orchestration.landing.formats import json_lines, staging
from orchestration.landing.formats.byte_streams import read_blocks
from orchestration.landing.formats.common import (
    Format,
    LandedFile,
    LandedRows,
    Shape,
    UnreadableFileError,
    UnreadableFilesError,
)
from orchestration.landing.formats.json_records import (
    Path,
    Row,
    paths_of,
    records_of_document,
    row_of,
    row_of_line,
    rows_of_line,
)
from orchestration.landing.mappings import Columns, Reading
from orchestration.sql import one_row

# A document is held in memory, several times over.
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024

TABLE = "landed_records"

# An escape within a string of JSON, that of a surrogate whole.
ESCAPE = re.compile(r"\\(u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL)


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, columns: Columns
) -> tuple[tuple[str, str], ...]:
    """None: each record has keys of its own."""
    if file.format is Format.JSON_DOCUMENT:
        if file.reading.records is None:
            raise UnreadableFileError(
                "its [[landing]] table does not say where its records are: add records with their path, or "
                'records = "" when the document itself is the array'
            )
        if file.location.stat().st_size > MAX_DOCUMENT_BYTES:
            raise UnreadableFileError(
                f"it is one document of more than {MAX_DOCUMENT_BYTES // 1024**2} MiB: export it in several "
                "files, or as JSON lines"
            )
    file.location.open("rb").close()
    return ()


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    columns: Columns,
) -> LandedRows:
    """Read files of JSON lines or of one document each."""
    paths = paths_of(columns, _sums(shape.reading))
    records = shape.reading.records
    landed = [f"landed_{key}" for key in columns.keys]
    counts: dict[int, int] = {}

    def read_file(file_id: int, file: LandedFile) -> staging.Batches:
        batches = _Batches(file_id, paths, landed)
        if records is None:
            batches.counted = yield from _each_line(batches, file)
        elif shape.format is Format.JSON_DOCUMENT:
            yield from _each_record_of_document(batches, file, records)
        else:
            yield from _each_record_of_lines(batches, file, records)
        if batches.rows != batches.counted:
            raise UnreadableFileError(
                f"two ways to read its records differ: they found {batches.rows:,} and {batches.counted:,}"
            )
        counts[file_id] = batches.counted

    staging.create_table(connection, TABLE, landed)
    errors = staging.append_files(connection, TABLE, landed, files, read_file)
    if errors:
        raise UnreadableFilesError({files[file_id]: error for file_id, error in errors.items()})
    values = ", ".join(f"cast({name} as json) as {name}" for name in landed)
    return LandedRows(
        f"select file_id, row_number, fault, {values} from {TABLE}",
        dict.fromkeys(columns.keys, "JSON"),
        staging.store_counts(connection, counts),
    )


class _Batches:
    """The rows of a file on their way into batches.

    Attributes:
        rows: how many there are so far.
        counted: how many were counted apart from that.
    """

    def __init__(self, file_id: int, paths: Sequence[Path], landed: list[str]) -> None:
        self.paths = paths
        self.rows = 0
        self.counted = 0
        self._file_id = file_id
        self._schema = staging.schema_of(landed)

    def of(self, rows: Iterable[Row]) -> staging.Batches:
        """Rows as batches."""
        remaining = iter(rows)
        while batch := list(itertools.islice(remaining, staging.BATCH_ROWS)):
            numbers = np.arange(self.rows + 1, self.rows + 1 + len(batch))
            self.rows += len(batch)
            yield pa.record_batch(
                [
                    pa.array([self._file_id] * len(batch), pa.int32()),
                    pa.array(numbers, pa.int64()),
                    pa.array([row.fault for row in batch], pa.string()),
                    *(
                        pa.array(values, pa.string())
                        for values in zip(*(row.values for row in batch), strict=True)
                    ),
                ],
                schema=self._schema,
            )


def _sums(reading: Reading) -> set[str]:
    sources = reading.mapping.sources if reading.mapping else ()
    return {source.sum_of for _, source in sources if source.sum_of}


def _each_line(batches: _Batches, file: LandedFile) -> Generator[pa.RecordBatch, None, int]:
    """A row for each line; gives how many lines were counted."""
    lines = json_lines.read_lines(0, file)
    while True:
        try:
            batch = next(lines)
        except StopIteration as end:
            return int(end.value)
        yield from batches.of(
            Row(fault, [None] * len(batches.paths)) if fault else row_of_line(line, batches.paths)
            for fault, line in _texts(batch)
        )


def _each_record_of_lines(batches: _Batches, file: LandedFile, records: str) -> staging.Batches:
    """A row for each record of the document of each line, and for each line that has none."""
    with duckdb.connect() as counting:
        for batch in json_lines.read_lines(0, file):
            rows, documents = list[Row](), list[tuple[str, str | None]]()
            for fault, line in _texts(batch):
                if fault:
                    rows.append(Row(fault, [None] * len(batches.paths)))
                    documents.append(("", None))
                    continue
                of_line, pointer = rows_of_line(line, batches.paths, records)
                rows += of_line
                documents.append((line, pointer))
            batches.counted += _count(counting, documents)
            yield from batches.of(rows)


def _each_record_of_document(batches: _Batches, file: LandedFile, records: str) -> staging.Batches:
    """A row for each record of the one document of a file."""
    text = b"".join(read_blocks(file)).decode()
    found, pointer = records_of_document(text, records)
    with duckdb.connect() as counting:
        batches.counted = _count(counting, [(text, pointer)])
    yield from batches.of(row_of(record, batches.paths) for record in found)


def _texts(batch: pa.RecordBatch) -> Iterator[tuple[str | None, str]]:
    return zip(batch.column("fault").to_pylist(), batch.column("line").to_pylist(), strict=True)


def _count(connection: duckdb.DuckDBPyConnection, documents: Sequence[tuple[str, str | None]]) -> int:
    """How many records documents have at these JSON pointers; one for a document without such.

    Raises:
        UnreadableFileError: when the database, which counts, cannot read a document.
    """
    query = """
        select coalesce(sum(
            case when pointer is null then 1 else json_array_length(document, pointer) end
        ), 0)
        from (select unnest($documents) as document, unnest($pointers) as pointer)
    """
    texts = [_without_half_characters(text) for text, _ in documents]
    try:
        (records,) = one_row(
            connection, query, {"documents": texts, "pointers": [pointer for _, pointer in documents]}
        )
    except duckdb.Error:
        # Its words quote the document.
        raise UnreadableFileError(
            "two ways to read its JSON differ: only one of them takes it for JSON"
        ) from None
    return int(records)


def _without_half_characters(text: str) -> str:
    """A document without escaped surrogates, with which the database refuses all of it."""
    if "\\ud" not in text and "\\uD" not in text:
        return text
    return ESCAPE.sub(lambda escape: "x" if len(escape[0]) > len("\\u") else escape[0], text)
