"""Which rows a CSV file has: none lost, split or invented, whatever stands in it and wherever it stands.

Files of real size at the boundaries of blocks are generated in test_csv_fuzz.py.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.csv
import pytest
from support.landing import Content, load

from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.landing.formats import delimited, strict_csv
from orchestration.landing.formats.byte_streams import BLOCK_BYTES, find_line_ends
from orchestration.landing.formats.common import Format, LandedFile, Shape
from orchestration.landing.mappings import Dialect, Reading
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

HEADER = "order_id,customer_id,ordered_at,order_value,sales_channel,note\n"
MESSAGE_HEADER = "message_id,customer_id,status,occurred_at\n"


def order_line(order_id: object, note: str = "") -> str:
    return f"{order_id},c1,2026-01-11T10:00:00Z,1.00,online,{note}\n"


def message_line(message_id: object) -> str:
    return f"{message_id},c1,sent,2026-01-10\n"


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


def lines_up_to(size: int) -> list[str]:
    """A header and orders that end just behind so many bytes."""
    lines = [HEADER]
    written = len(HEADER)
    while written <= size:
        lines.append(order_line(f"o{len(lines):06}", "x" * 900))
        written += len(lines[-1])
    return lines


# Faults far into a file.


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_bad_row_behind_eight_million_bytes_is_rejected_alone(hub: Settings, ending: str) -> None:
    lines = [*lines_up_to(8_000_000), order_line("bad", "one, two")]
    lines += [order_line(f"behind{number}", "x" * 900) for number in range(100)]
    content = "".join(lines).encode()

    loaded = load(hub, ORDERS, {f"o{ending}": gzip.compress(content, 1) if ending == ".csv.gz" else content})

    assert loaded.files[f"o{ending}"].rows_accepted == len(lines) - 2
    assert loaded.reasons == {(f"o{ending}", len(lines) - 101): ["too_many_fields"]}
    assert sum(loaded.column("order_value")) == Decimal(len(lines) - 2)


def test_a_note_of_many_lines_that_look_like_orders_is_one_field_across_a_boundary(hub: Settings) -> None:
    note = "".join(f"fake{number},c1,2026-01-11T10:00:00Z,999999.00,online,\n" for number in range(40))
    for boundary in (8_000_000, 2 * BLOCK_BYTES):
        lines = lines_up_to(boundary - 1_000)
        lines += [order_line("noted", f'"{note}"'), order_line("last")]
        loaded = load(hub, ORDERS, {f"{boundary}.csv": "".join(lines)})

        assert loaded.files[f"{boundary}.csv"].rows_landed == len(lines) - 1
        assert sum(event["order_value"] for event in loaded.by_file[f"{boundary}.csv"]) == len(lines) - 1
    assert loaded.rejected == []
    assert not [order_id for order_id in loaded.column("order_id") if order_id.startswith("fake")]


def test_an_open_quote_with_much_behind_it_fails_the_file_whole(hub: Settings) -> None:
    behind = message_line("m" * 100) * 280_000
    content = MESSAGE_HEADER + message_line("first") + '"open,c1,sent,2026-01-10\n' + behind

    loaded = load(hub, MESSAGES, {"a.csv": content, "b.csv": MESSAGE_HEADER + message_line("other")})

    assert len(content) > 32_000_000
    assert loaded.failed == {
        "a.csv": "the quotes of row 2 (line 3) do not match, so it cannot be told where the row ends"
    }
    assert loaded.column("message_id") == ["other"]


@pytest.mark.parametrize(
    "long_row",
    [
        order_line("long", "x" * 32_000_000),
        order_line("long", '"' + "line, of a note\n" * 500_000 + '"'),
        order_line("long", '"' + 'say ""hi"", ' * 500_000 + '"'),
    ],
    ids=["one_line", "many_lines", "quotes"],
)
def test_a_row_that_is_too_long_is_rejected_alone_and_shown_by_its_first_fields(
    hub: Settings, long_row: str
) -> None:
    content = HEADER + order_line("first") + long_row + order_line("last")

    loaded = load(hub, ORDERS, {"a.csv": content, "b.csv.gz": gzip.compress(content.encode(), 1)})

    assert loaded.column("order_id") == ["first", "first", "last", "last"]
    assert loaded.reasons == {("a.csv", 2): ["line_too_long"], ("b.csv.gz", 2): ["line_too_long"]}
    assert [row.raw["order_id"] for row in loaded.rejected] == ["long", "long"]


# Quotes.


@pytest.mark.parametrize(
    ("row", "customer"),
    [
        ('m1,5" screen,sent,2026-01-10\n', '5" screen'),
        ('m1, "c1",sent,2026-01-10\n', '"c1"'),
        ('m1,c"",sent,2026-01-10\n', 'c""'),
        ('m1,"c""",sent,2026-01-10\n', 'c"'),
        ('m1,"c1,\n\r\nc2",sent,2026-01-10\n', "c1,\n\r\nc2"),
    ],
)
def test_a_quote_opens_a_field_only_as_its_first_character(hub: Settings, row: str, customer: str) -> None:
    loaded = load(hub, MESSAGES, {"a.csv": MESSAGE_HEADER + row + message_line("m2")})

    assert loaded.rejected == []
    assert {event["message_id"]: event["customer_id"] for event in loaded.events} == {
        "m1": customer,
        "m2": "c1",
    }


@pytest.mark.parametrize("malformed", ['"m1"x,c1,sent,2026-01-10\n', '"m1" ,c1,sent,2026-01-10\n'])
@pytest.mark.parametrize("ending", ["", message_line("m3")])
def test_text_behind_a_closing_quote_rejects_its_row_alone(
    hub: Settings, malformed: str, ending: str
) -> None:
    loaded = load(hub, MESSAGES, {"a.csv": MESSAGE_HEADER + message_line("m2") + malformed + ending})

    assert loaded.reasons == {("a.csv", 2): ["malformed_quotes"]}
    assert loaded.column("message_id") == (["m2", "m3"] if ending else ["m2"])


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_a_quote_that_is_open_in_the_last_line_rejects_that_row_alone(hub: Settings, end: str) -> None:
    content = MESSAGE_HEADER + message_line("m1") + '"m2,c1,sent,2026-01-10' + end

    loaded = load(hub, MESSAGES, {"a.csv": content})

    assert loaded.reasons == {("a.csv", 2): ["malformed_quotes"]}
    assert loaded.column("message_id") == ["m1"]


@pytest.mark.parametrize(
    "malformed",
    ['"m2,c1,sent\n2026-01-10', '"m2"x,"c\n1",sent,2026-01-10\n', 'm2,"c\n1"x,sent,2026-01-10\n'],
)
def test_a_malformed_row_of_several_lines_fails_its_file(hub: Settings, malformed: str) -> None:
    loaded = load(hub, MESSAGES, {"a.csv": MESSAGE_HEADER + message_line("m1") + malformed})

    assert list(loaded.failed) == ["a.csv"]
    assert "row 2 (line 3)" in (loaded.failed["a.csv"] or "")
    assert loaded.events == []


def test_lines_of_one_file_may_end_in_different_ways(hub: Settings) -> None:
    rows = [message_line(number).strip() for number in range(6)]
    content = MESSAGE_HEADER + "".join(
        row + end for row, end in zip(rows, ["\n", "\r\n", "\r", "\r\r\n", "\n\n", ""], strict=True)
    )

    loaded = load(hub, MESSAGES, {"a.csv": content})

    assert loaded.column("message_id") == ["0", "1", "2", "3", "4", "5"]


def test_blank_lines_have_no_numbers(hub: Settings) -> None:
    content = MESSAGE_HEADER + "\n\n" + message_line("1") + "\r\n" + "2\n" + "\n" + '"3"x\n' + "\n"

    loaded = load(hub, MESSAGES, {"a.csv": content})

    assert loaded.reasons == {("a.csv", 2): ["too_few_fields"], ("a.csv", 3): ["malformed_quotes"]}


# Bytes.


def test_bytes_that_are_no_utf8_reject_their_row_unless_they_are_of_a_column_that_is_never_read(
    hub: Settings,
) -> None:
    rows = [
        order_line("o1").encode(),
        order_line("o2").encode().replace(b"c1", b"caf\xe9"),
        order_line("o3", "caf\xe9").encode("latin-1"),
    ]

    loaded = load(hub, ORDERS, {"a.csv": HEADER.encode() + b"".join(rows)})

    assert loaded.reasons == {("a.csv", 2): ["invalid_utf8"]}
    assert loaded.rejected[0].raw["order_id"] == "o2"
    assert loaded.rejected[0].raw["customer_id"] == "caf\\xe9"
    assert loaded.column("order_id") == ["o1", "o3"]


def gzip_member(content: bytes, *, flags: int = 0, optional: bytes = b"") -> bytes:
    """A member of a gzip file with fields that are seldom written."""
    compressor = zlib.compressobj(wbits=-15)
    head = b"\x1f\x8b\x08" + bytes([flags]) + bytes(4) + b"\x00\xff" + optional
    if flags & 2:
        head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    tail = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    return head + compressor.compress(content) + compressor.flush() + tail


@pytest.mark.parametrize(
    ("flags", "optional", "padding"),
    [
        (16, b"a comment\0", b""),
        (2, b"", b""),
        (4, b"\x03\x00abc", b""),
        (8 | 16 | 2, b"name.csv\0comment\0", b""),
        (0, b"", bytes(512)),
    ],
    ids=["comment", "header_checksum", "extra_field", "all", "zero_padding"],
)
def test_any_valid_gzip_file_is_read(hub: Settings, flags: int, optional: bytes, padding: bytes) -> None:
    first, second = (MESSAGE_HEADER + message_line("m1")).encode(), message_line("m2").encode()
    content = gzip_member(first, flags=flags, optional=optional) + gzip_member(second) + padding

    assert load(hub, MESSAGES, {"a.csv.gz": content}).column("message_id") == ["m1", "m2"]


def test_what_is_compressed_is_counted_by_what_it_unpacks_to(hub: Settings) -> None:
    """A small file of 50 million bytes in one row: one row, too long."""
    content = gzip.compress((MESSAGE_HEADER + "m" * 50_000_000).encode())

    loaded = load(hub, MESSAGES, {"a.csv.gz": content})

    assert len(content) < 100_000
    assert loaded.reasons == {("a.csv.gz", 1): ["line_too_long"]}


@pytest.mark.parametrize(
    "dialect",
    [Dialect(";"), Dialect(encoding="cp1252"), Dialect("\t", "utf-16")],
    ids=["semicolons", "cp1252", "tabs_in_utf16"],
)
def test_delimiter_and_encoding_are_those_of_the_file(tmp_path: Path, dialect: Dialect) -> None:
    lines = ["order_id|ordered_at|order_value|sales_channel", 'é1|2026|1|"a|\n"', "é2||2|x", ""]
    content = "\n".join(lines).replace("|", dialect.delimiter)
    (tmp_path / "a.csv").write_bytes(content.encode(dialect.encoding))
    file = LandedFile("a.csv", tmp_path / "a.csv", Reading(dialect))
    columns = file.reading.columns(ORDERS)
    with duckdb.connect() as connection:
        shape = Shape(Format.CSV, delimited.columns_of(connection, file, columns))
        rows = delimited.read(connection, shape, {1: file}, columns)
        read = connection.execute(f"from ({rows.query}) order by row_number").fetchall()
        assert connection.execute(rows.counts).fetchall() == [(1, 2)]

    assert read == [
        (1, 1, None, "é1", "2026", "1", f"a{dialect.delimiter}\n"),
        (1, 2, None, "é2", "", "2", "x"),
    ]


# Headers.


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (
            MESSAGE_HEADER.replace(",", ";") + "m1;c1;sent;2026-01-10\n",
            "Its first line is divided by semicolons, but it is read as divided by commas",
        ),
        (
            message_line("m1"),
            "None of the 4 names in its first line, divided by commas, is a column of the contract",
        ),
        ("message_id,status\nm1,sent\n", "Its first line, divided by commas, has: message_id, status"),
    ],
    ids=["semicolons", "no_header", "other_columns"],
)
def test_a_file_that_lacks_a_column_is_told_its_delimiter_and_header(
    hub: Settings, content: str, hint: str
) -> None:
    reason = load(hub, MESSAGES, {"a.csv": content}).failed["a.csv"]

    assert reason is not None
    assert "it lacks the required column" in reason
    assert hint in reason
    assert "2026-01-10" not in reason


def test_rows_behind_a_megabyte_of_blank_lines_are_not_passed_over(hub: Settings) -> None:
    content = "\n" * (2 * BLOCK_BYTES) + MESSAGE_HEADER + message_line("m1")

    loaded = load(hub, MESSAGES, {"a.csv": content})

    assert loaded.failed == {"a.csv": "its first line is blank, where the names of the columns should be"}


# The two hands.


def test_a_row_that_the_quick_reading_loses_is_read_strictly(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_csv = pyarrow.csv.open_csv

    def lose_a_row(*arguments: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        for batch in open_csv(*arguments, **options):
            yield batch.slice(1)

    monkeypatch.setattr(pyarrow.csv, "open_csv", lose_a_row)
    files: dict[str, Content] = {"a.csv": MESSAGE_HEADER + "".join(map(message_line, range(5)))}

    assert load(hub, MESSAGES, files).column("message_id") == ["0", "1", "2", "3", "4"]


def test_a_file_whose_last_row_is_read_otherwise_than_counted_is_read_strictly(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_csv = pyarrow.csv.open_csv

    def turn_rows(*arguments: Any, **options: Any) -> Iterator[pa.RecordBatch]:
        for batch in open_csv(*arguments, **options):
            yield batch.take(pa.array(range(len(batch)))[::-1])

    read_strictly = []
    read = strict_csv.read

    def record(*given: Any) -> object:
        read_strictly.append(given)
        return read(*given)

    monkeypatch.setattr(pyarrow.csv, "open_csv", turn_rows)
    monkeypatch.setattr(strict_csv, "read", record)

    loaded = load(hub, MESSAGES, {"a.csv": MESSAGE_HEADER + message_line("m1") + message_line("m2")})

    assert len(read_strictly) == 1
    assert loaded.column("message_id") == ["m1", "m2"]


def test_a_file_of_which_two_readings_differ_fails_with_the_line_from_which_they_do(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here the count takes a line end within quotes for the end of a row."""
    monkeypatch.setattr(
        "orchestration.landing.formats.row_counting._Scanner.scan",
        lambda scanner, block: (find_line_ends(block) + 1, []),
    )
    content = MESSAGE_HEADER + message_line("m1") + 'm2,"c\n2",sent,2026-01-10\n'

    loaded = load(hub, MESSAGES, {"a.csv": content, "b.csv": MESSAGE_HEADER + message_line("other")})

    assert loaded.column("message_id") == ["other"]
    assert loaded.failed == {"a.csv": "two ways to read its rows differ from row 2 (line 3) on"}
