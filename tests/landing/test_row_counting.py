"""The count of rows in the bytes of a CSV file, against a plain machine that looks at every byte."""

from __future__ import annotations

import csv
import io
import random
import re
import tracemalloc
from dataclasses import dataclass

import pytest

from orchestration.landing.formats.byte_streams import MAX_ROW_BYTES
from orchestration.landing.formats.row_counting import RowCounter


@dataclass(frozen=True)
class Counted:
    """The rows of a file: where each begins and ends, and whether it is malformed."""

    rows: list[tuple[int, int, bool]]
    undividable: int | None
    last_row: bytes


def count_byte_by_byte(content: bytes) -> Counted:
    """The contract, read literally."""
    rows: list[tuple[int, int, bool]] = []
    start, place, is_malformed, behind = 0, 0, False, ","
    while place < len(content):
        byte = content[place : place + 1]
        place += 1
        if behind == "open":
            behind = "closed" if byte == b'"' else "open"
        elif behind in (",", "closed") and byte == b'"':
            behind = "open"
        elif byte in (b"\n", b"\r"):
            place += byte == b"\r" and content[place : place + 1] == b"\n"
            if content[start:place].strip(b"\r\n"):
                rows.append((start, place, is_malformed))
            start, is_malformed, behind = place, False, ","
        elif byte == b",":
            behind = ","
        else:
            is_malformed |= behind == "closed"
            behind = "text"
    if start < len(content):
        rows.append((start, len(content), is_malformed or behind == "open"))
    over_lines = (
        number
        for number, (begin, end, malformed) in enumerate(rows, start=1)
        if malformed and re.search(b"[\r\n]", content[begin:end].rstrip(b"\r\n"))
    )
    return Counted(rows, next(over_lines, None), content[slice(*rows[-1][:2])] if rows else b"")


def count_in_blocks(content: bytes, block_bytes: int) -> Counted:
    counter = RowCounter()
    ended = [
        counter.feed(content[place : place + block_bytes]) for place in range(0, len(content), block_bytes)
    ]
    ended.append(counter.finish())
    rows = [
        (start, end, end in part.malformed)
        for part in ended
        for start, end in zip(part.starts.tolist(), part.ends.tolist(), strict=True)
    ]
    assert counter.rows == len(rows)
    assert counter.malformed == sum(malformed for _, _, malformed in rows)
    return Counted(rows, counter.undividable, counter.last_row)


def generate(numbers: random.Random) -> bytes:
    """A small file: rows as Python writes them, a few bytes changed, or any bytes at all."""
    if numbers.random() < 0.5:
        alphabet = numbers.choice([b'ab,"\n', b'a,"\r\n', b'a"\n\r', b'aaaaaaaa,,,"\n', b'aaaaaaaaaaa,\n"'])
        return bytes(numbers.choices(alphabet, k=numbers.randrange(60)))
    text = io.StringIO()
    writer = csv.writer(
        text,
        lineterminator=numbers.choice(["\n", "\r\n"]),
        quoting=numbers.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    )
    for _ in range(numbers.randrange(8)):
        writer.writerow(["".join(numbers.choices('a,"\n ', k=numbers.randrange(4))) for _ in range(3)])
    content = bytearray(text.getvalue().encode())
    for _ in range(numbers.randrange(3)):
        content.insert(numbers.randrange(len(content) + 1), numbers.choice(b'"x\n'))
    return bytes(content)


def test_rows_are_counted_as_byte_by_byte_however_the_file_is_cut_into_blocks() -> None:
    numbers = random.Random(0)
    for _ in range(3000):
        content = generate(numbers)
        block_bytes = numbers.choice([1, 2, 3, 7, 20, 100])
        assert count_in_blocks(content, block_bytes) == count_byte_by_byte(content), (content, block_bytes)


@pytest.mark.parametrize(
    "row",
    [b'"' + b"line, of a note\n" * 200_000 + b'",x\n', b"x" * 3_000_000 + b"\n", b'"","",' * 500_000 + b"\n"],
    ids=["a_quoted_field_of_many_lines", "a_long_line", "many_quoted_fields"],
)
def test_a_row_of_any_length_is_one_row_and_is_not_kept(row: bytes) -> None:
    content = b"a,b\n" + row + b"c,d\n"
    counter = RowCounter()
    tracemalloc.start()
    for place in range(0, len(content), 1 << 16):
        counter.feed(content[place : place + (1 << 16)])
    counter.finish()
    _, most_memory = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (counter.rows, counter.malformed, counter.longest) == (3, 0, len(row))
    assert counter.last_row == b"c,d\n"
    assert not counter.is_regular
    assert most_memory < 3 * MAX_ROW_BYTES


def test_another_delimiter_divides_fields() -> None:
    counter = RowCounter(";")
    counter.feed(b'a;"b;\n";c\n1,"2;3\n')
    counter.finish()

    assert (counter.rows, counter.malformed) == (2, 0)
