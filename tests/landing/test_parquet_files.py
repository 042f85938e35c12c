"""Parquet files that are damaged, or declare what they do not hold: each fails alone, and others load.

What the values of Parquet's types mean is tested in test_casting.py.
"""

from __future__ import annotations

import io
import random
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.landing import Content, load

from orchestration.landing.contracts import MESSAGES
from orchestration.landing.formats import LandedFile, parquet_files
from orchestration.landing.formats.parquet_checks import LINKS, count_rows
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

# How Parquet's compact encoding writes a number of 64 bits: the type of the field, then its varint.
LONG = b"\x16"


def varint(number: int) -> bytes:
    """A whole number as Parquet's footer writes it, by the zigzag."""
    rest = 2 * number if number >= 0 else -2 * number - 1
    content = b""
    while rest > 127:
        content += bytes([rest & 127 | 128])
        rest >>= 7
    return content + bytes([rest])


def message_table(rows: int, prefix: str = "m") -> pa.Table:
    return pa.table(
        {
            "message_id": [f"{prefix}{number}" for number in range(rows)],
            "customer_id": ["c1"] * rows,
            "status": ["sent"] * rows,
            "occurred_at": ["2026-01-10"] * rows,
        }
    )


def plain_parquet(table: pa.Table) -> bytes:
    """A file whose footer holds little but the numbers that matter."""
    content = io.BytesIO()
    pq.write_table(
        table, content, compression="none", use_dictionary=False, write_statistics=False, store_schema=False
    )
    return content.getvalue()


@pytest.mark.parametrize("compression", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_every_usual_compression_is_read(tmp_path: Path, compression: str) -> None:
    content = io.BytesIO()
    pq.write_table(message_table(3), content, compression=compression)
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")

    assert load(hub, MESSAGES, {"a.parquet": content.getvalue()}).column("message_id") == ["m0", "m1", "m2"]


def replace_in_footer(content: bytes, old: bytes, new: bytes, *, times: int) -> bytes:
    footer_bytes = int.from_bytes(content[-8:-4], "little")
    footer = content[-8 - footer_bytes : -8]
    assert footer.count(old) == times
    footer = footer.replace(old, new)
    return content[: -8 - footer_bytes] + footer + len(footer).to_bytes(4, "little") + content[-4:]


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


def test_a_footer_that_declares_five_billion_rows_fails_its_file(hub: Settings) -> None:
    """The number stands in the footer once for the file, for its row group, and for each of its columns."""
    broken = replace_in_footer(
        plain_parquet(message_table(3)), LONG + varint(3), LONG + varint(5_000_000_000), times=6
    )

    loaded = load(hub, MESSAGES, {"a.parquet": broken, "b.parquet": message_table(2)})

    assert loaded.failed == {
        "a.parquet": "it is damaged: its footer declares 5,000,000,000 rows, its pages hold 3"
    }
    assert loaded.column("message_id") == ["m0", "m1"]


def test_a_file_that_makes_a_database_unusable_fails_alone(hub: Settings) -> None:
    """The size of a column is negative, which the reader takes for an error of its own."""
    whole = plain_parquet(message_table(2))
    metadata = pq.ParquetFile(io.BytesIO(whole)).metadata.row_group(0).column(0)
    size = metadata.total_compressed_size
    sizes = LONG + varint(metadata.total_uncompressed_size) + LONG
    broken = replace_in_footer(
        whole, sizes + varint(size) + b"&" + varint(4), sizes + varint(-size) + b"&" + varint(4), times=1
    )

    loaded = load(hub, MESSAGES, {"a.parquet": broken, "b.parquet": message_table(3)})

    assert "it is damaged: INTERNAL Error" in (loaded.failed["a.parquet"] or "")
    assert loaded.column("message_id") == ["m0", "m1", "m2"]
    assert load(hub, MESSAGES, {"c.parquet": message_table(1, "n")}).column("message_id")[-1] == "n0"


def test_rows_that_are_read_otherwise_than_counted_fail_their_file(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        parquet_files,
        "count_rows",
        lambda file, column: count_rows(file, column) + file.path.endswith("a.parquet"),
    )

    loaded = load(hub, MESSAGES, {"a.parquet": message_table(2, "a"), "b.parquet": message_table(2, "b")})

    assert loaded.failed == {"a.parquet": "it is damaged: its pages hold 3 rows, but 2 were read"}
    assert loaded.column("message_id") == ["b0", "b1"]


def test_a_file_that_needs_more_memory_than_there_is_fails_alone(hub: Settings) -> None:
    note = "x" * 40_000_000
    large = message_table(1, "large").set_column(1, "customer_id", [[note]])
    with_little = Settings(hub.data_dir, "UTC", hub.as_of, "USD", memory_limit="80MB")

    loaded = load(with_little, MESSAGES, {"a.parquet": large, "b.parquet": message_table(1)})

    assert list(loaded.failed) == ["a.parquet"]
    assert "raise CONTACT_MEMORY_LIMIT" in (loaded.failed["a.parquet"] or "")
    assert loaded.column("message_id") == ["m0"]


@pytest.mark.parametrize("seed", range(2))
def test_files_with_changed_bytes_never_end_the_load(hub: Settings, seed: int) -> None:
    numbers = random.Random(seed)
    files: dict[str, Content] = {}
    for number in range(60):
        whole = io.BytesIO()
        pq.write_table(
            message_table(50, f"{number}-"),
            whole,
            compression=numbers.choice(["none", "snappy", "zstd", "gzip"]),
            use_dictionary=numbers.random() < 0.5,
            row_group_size=numbers.choice([20, 50]),
            data_page_version=numbers.choice(["1.0", "2.0"]),
        )
        content = bytearray(whole.getvalue())
        for _ in range(numbers.choice([1, 1, 2, 5]) if number % 10 else 0):
            content[numbers.randrange(len(content))] ^= 1 << numbers.randrange(8)
        files[f"{number:02}.parquet"] = bytes(content)

    loaded = load(hub, MESSAGES, files)

    whole_files = {f"{number:02}.parquet" for number in range(0, 60, 10)}
    assert {record.status for record in loaded.files.values()} == {"loaded", "failed"}
    assert whole_files <= {name for name, rows in loaded.by_file.items() if len(rows) == 50}
    assert load(hub, MESSAGES).failed.keys() == loaded.failed.keys()


ODD_NAMES = ("[x]", "x", "back\\slash", "\\export", "b\\[1]", "b1", "*", "?", "semi;colon", "'", "new\nline")


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_file_is_told_by_its_identity_whatever_its_name_and_the_path_to_it(
    tmp_path: Path, ending: str
) -> None:
    folder = tmp_path / "a [1]* folder"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    hub = Settings(Path(f"{tmp_path}//link/../{folder.name}/"), "UTC", date(2026, 1, 31), "USD")
    rows = {
        f"{name}{ending}": [
            {"message_id": name, "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10"}
        ]
        for name in ODD_NAMES
    }

    loaded = load(hub, MESSAGES, dict(rows))

    assert {path: [row["message_id"] for row in events] for path, events in loaded.by_file.items()} == {
        name: [message["message_id"]] for name, (message,) in rows.items()
    }


def test_a_file_that_left_behind_its_name_a_pattern_is_not_taken_for_others(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is gone between its counting and its reading, and its name would match another file."""
    create = LINKS.create

    def create_and_lose(files: Mapping[int, LandedFile]) -> dict[int, str]:
        links = create(files)
        if len(files) > 1:
            (hub.landing / "messages" / "m[1].parquet").unlink()
        return links

    monkeypatch.setattr(LINKS, "create", create_and_lose)
    files: dict[str, Content] = {
        "m[1].parquet": message_table(1, "bracketed"),
        "m1.parquet": message_table(1, "plain"),
    }

    loaded = load(hub, MESSAGES, files)

    assert loaded.column("message_id") == ["plain0"]


@pytest.mark.parametrize("zone", [None, "UTC"])
@pytest.mark.parametrize("is_nested", [False, True])
def test_a_far_timestamp_is_a_bad_row_of_a_good_file(
    hub: Settings, zone: str | None, is_nested: bool
) -> None:
    instants = pa.array([1_768_089_600_000, 2**61, None], pa.timestamp("ms", zone))
    table = message_table(3)
    if is_nested:
        table = table.append_column("queue_id", pa.ListArray.from_arrays([0, 1, 2, 3], instants))
    else:
        table = table.set_column(3, "occurred_at", instants)
    content = io.BytesIO()
    pq.write_table(table.append_column("amount", pa.array([1, 2, 3])), content)

    alone = load(hub, MESSAGES, {"a.parquet": content.getvalue()})

    assert alone.report.failed == {}
    assert alone.report.rows_landed == 3
    assert alone.column("message_id") == ([] if is_nested else ["m0"])


def test_an_error_of_a_statement_is_no_fault_of_a_file(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_files, "identifier", lambda name: "no_such_column")

    with pytest.raises(duckdb.BinderException):
        load(hub, MESSAGES, {"a.parquet": message_table(1)})
