"""CSV read the slow, sure way: Python's csv module, row by row, each row held against the count.

Belongs here: rows that do not divide into fields, and what of their fields can be shown. Does not belong
here: headers (delimited.py), where rows end (row_counting.py).
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from orchestration.landing.formats.byte_streams import MAX_ROW_BYTES, SHOWN_BYTES
from orchestration.landing.formats.common import UnreadableFileError
from orchestration.landing.formats.row_counting import RowCounter
from orchestration.landing.formats.staging import BATCH_ROWS, Batches


@dataclass(frozen=True)
class Layout:
    """Where the contract's fields are in the rows of a file.

    Attributes:
        positions: the position of each field that the file carries.
        width: how many fields a row has.
        delimiter: what divides them.
        first_line: the line of the file on which the first row begins.
    """

    positions: tuple[int, ...]
    width: int
    delimiter: str
    first_line: int


@dataclass(frozen=True)
class Row:
    """A row, its fields in the order of the layout's positions.

    Attributes:
        fault: why the row does not divide into fields, or None.
        fields: the fields; of a row that does not divide, those that can be told, the others None.
    """

    fault: str | None
    fields: Sequence[str | None]


def read(
    file_id: int, layout: Layout, schema: pa.Schema, blocks: Iterator[bytes], counter: RowCounter
) -> Batches:
    """The rows of a file.

    Args:
        file_id: the file's id.
        layout: where the fields are.
        schema: the schema of the batches.
        blocks: the file, behind its header.
        counter: a counter that has counted nothing yet.

    Raises:
        UnreadableFileError: when it cannot be told where a row ends.
    """
    numbered = enumerate(_rows(layout, blocks, counter), start=1)
    while batch := list(itertools.islice(numbered, BATCH_ROWS)):
        numbers = [number for number, _ in batch]
        columns = zip(*(row.fields for _, row in batch), strict=True)
        yield pa.record_batch(
            [
                pa.array([file_id] * len(batch), pa.int32()),
                pa.array(numbers, pa.int64()),
                pa.array([row.fault for _, row in batch], pa.string()),
                *(pa.array(column, pa.string()) for column in columns),
            ],
            schema=schema,
        )


def divide(layout: Layout, row: bytes, is_too_long: bool = False) -> Row:
    """Divide a row, with or without its line end. Of one that is too long, the first bytes are enough."""
    if is_too_long:
        return Row("line_too_long", _guess(layout, _decode(row[:SHOWN_BYTES]), is_cut=True))
    text = _decode(row.rstrip(b"\r\n"))
    try:
        cells = _split(layout, text)
    except csv.Error:
        return Row("malformed_quotes", _guess(layout, text))
    if len(cells) != layout.width:
        fault = "too_few_fields" if len(cells) < layout.width else "too_many_fields"
        return Row(fault, _guess(layout, text))
    fields = [cells[position] for position in layout.positions]
    if not text.isascii() and any(map(_has_invalid_bytes, fields)):
        return Row("invalid_utf8", list(map(_show, fields)))
    return Row(None, fields)


def _rows(layout: Layout, blocks: Iterator[bytes], counter: RowCounter) -> Iterator[Row]:
    """The rows in the order of the file, each as soon as the count tells where it ends."""
    csv.field_size_limit(MAX_ROW_BYTES)
    # Where the block begins, and on which line; the first bytes of the row that has not ended before it, and
    # its line.
    first_byte, first_line = 0, layout.first_line
    unended, unended_line = b"", layout.first_line

    def line_of(start: int) -> int:
        if start < first_byte:
            return unended_line
        return first_line + _count_line_ends(block[: start - first_byte])

    number = 0
    for block in itertools.chain(blocks, [b""]):
        rows = counter.feed(block) if block else counter.finish()
        for start, end in zip(rows.starts.tolist(), rows.ends.tolist(), strict=True):
            number += 1
            before = unended if start < first_byte else b""
            text = before + block[max(start - first_byte, 0) : end - first_byte]
            row = divide(layout, text, is_too_long=end - start > MAX_ROW_BYTES)
            is_malformed = row.fault == "malformed_quotes"
            agrees = is_malformed == (end in rows.malformed) or row.fault == "line_too_long"
            if agrees and number != counter.undividable:
                yield row
                continue
            where = f"row {number} (line {line_of(start)})"
            if agrees:
                raise UnreadableFileError(
                    f"the quotes of {where} do not match, so it cannot be told where the row ends"
                )
            raise UnreadableFileError(f"two ways to read its rows differ from {where} on")
        unended_line = line_of(counter.row_start)
        before = unended if counter.row_start < first_byte else b""
        unended = (before + block[max(counter.row_start - first_byte, 0) :])[: MAX_ROW_BYTES + 1]
        first_byte += len(block)
        first_line += _count_line_ends(block)


def _split(layout: Layout, text: str) -> list[str]:
    """The cells of a row.

    Raises:
        csv.Error: when quotes are malformed, or the text has more than one row.
    """
    lines = io.StringIO(text, newline="") if "\n" in text or "\r" in text else [text]
    reader = csv.reader(lines, delimiter=layout.delimiter, strict=True)
    cells = next(reader)
    if next(reader, None) is not None:
        raise csv.Error("there is more than one row")
    return cells


def _guess(layout: Layout, text: str, is_cut: bool = False) -> list[str | None]:
    """The fields of a row that does not divide, as far as they can be told.

    They are shown up to the first column that is not of the contract, because behind it the text of that
    column might be taken for a field. In a row with too few cells, any of them may be the one that lacks.
    """
    cells = _split_loosely(layout, text)
    if is_cut:
        cells = cells[:-1]
    others = (place for place in range(layout.width) if place not in layout.positions)
    told_apart = next(others, layout.width)
    missing = 0 if is_cut or told_apart == layout.width else max(0, layout.width - len(cells))
    return [
        _show(cells[place].strip('"')) if place < len(cells) and place + missing < told_apart else None
        for place in layout.positions
    ]


def _split_loosely(layout: Layout, text: str) -> list[str]:
    """The cells of a row that does not divide, quotes included."""
    delimiter = re.escape(layout.delimiter)
    cells = []
    for found in re.finditer(rf'("(?:[^"]|"")*"|[^{delimiter}]*)({delimiter}|\Z)', text):
        cells.append(found[1])
        if not found[2]:
            break
    return cells


def _decode(content: bytes) -> str:
    return content.decode("utf-8", errors="surrogateescape")


def _has_invalid_bytes(field: str) -> bool:
    try:
        field.encode()
    except UnicodeEncodeError:
        return True
    return False


def _show(field: str) -> str:
    r"""The field with bytes that are no UTF-8 as ``\xe9``."""
    return field.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="backslashreplace")


def _count_line_ends(content: bytes) -> int:
    return content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
