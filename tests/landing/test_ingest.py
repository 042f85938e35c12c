"""Landed files -> raw: which files load, how often, what a file may look like, and that no row gets lost.

How single values are read is tested in test_casting.py.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import io
import itertools
import json
import os
import random
import socket
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.landing import (
    COMPRESSIONS,
    Content,
    Loaded,
    compressed_for,
    csv_text,
    gzipped,
    json_lines_text,
    land,
    load,
    parquet_bytes,
    zstd_compressed,
)

from orchestration.hub.hub_toml import Hub
from orchestration.landing import batch_loader, formats
from orchestration.landing.contracts import CONTRACTS, MESSAGES, ORDERS, EventContract
from orchestration.landing.discovery import LandingError, find
from orchestration.landing.formats import LandedFile
from orchestration.landing.formats.headers import HELP
from orchestration.landing.inspection import inspect
from orchestration.landing.load import load_entity
from orchestration.landing.load_report import LoadReport
from orchestration.settings import Settings
from orchestration.sql import one_row
from orchestration.warehouse import databases

pytestmark = pytest.mark.slow

ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".jsonl", ".ndjson", ".parquet")
TEXT_ENDINGS = (".csv", ".jsonl", ".parquet")

HEADER = "message_id,customer_id,status,occurred_at\n"
# A frame with a window of 512 MB, and one last block as it is.
ZSTD_WITH_A_LARGE_WINDOW = (
    b"\x28\xb5\x2f\xfd\x00\x98" + (1 | len(HEADER) << 3).to_bytes(3, "little") + HEADER.encode()
)
TEN_O_CLOCK = datetime(2026, 1, 10, 10)


def message(message_id: object = "m1", /, **fields: object) -> dict[str, object]:
    """A good message with the required fields alone; ``fields`` change it or add to it."""
    return {
        "message_id": message_id,
        "customer_id": "c1",
        "status": "sent",
        "occurred_at": "2026-01-10T10:00:00Z",
        **fields,
    }


def order(order_id: object = "o1", /, **fields: object) -> dict[str, object]:
    """A good order with the required fields alone; ``fields`` change it or add to it."""
    return {
        "order_id": order_id,
        "ordered_at": "2026-01-10T10:00:00Z",
        "order_value": "10.00",
        "sales_channel": "online",
        **fields,
    }


def messages(*message_ids: object) -> list[dict[str, object]]:
    return [message(message_id) for message_id in message_ids]


def line(*cells: str) -> str:
    """A line of CSV as it is written here, no quotes added."""
    return ",".join(cells) + "\n"


def good_line(message_id: object) -> str:
    return line(str(message_id), "c1", "sent", "2026-01-10T10:00:00Z")


def json_line(message_id: object = "m1", **fields: object) -> str:
    return json_lines_text([message(message_id, **fields)])


def did_nothing(report: LoadReport) -> bool:
    return not any(value for name, value in vars(report).items() if name != "entity")


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


# Which files are loaded.


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.entity)
def test_files_of_all_endings_load(hub: Settings, contract: EventContract) -> None:
    row_of = message if contract is MESSAGES else order

    loaded = load(hub, contract, {f"a{ending}": [row_of(ending)] for ending in ENDINGS})

    assert loaded.column(contract.fields[0].name) == sorted(ENDINGS)
    assert {path: record.status for path, record in loaded.files.items()} == {
        f"a{ending}": "loaded" for ending in ENDINGS
    }
    assert loaded.report.files_loaded == len(ENDINGS)


def test_what_lies_beside_the_folders_that_are_read_is_named_with_its_place(hub: Settings) -> None:
    for path in ("stray.csv", "orders_2026.csv", "Messages/a.csv", "exports/deep/b.csv", ".keep"):
        land(hub.landing / path, messages("m1"))
    land(hub.landing / "messages" / "a.csv", messages("m1"))
    # As where letter case does not count.
    (hub.landing / "MESSAGES").symlink_to("messages")

    of_messages, of_orders = (find(hub, contract.entity) for contract in (MESSAGES, ORDERS))

    assert list(of_messages.files) == ["landing/messages/a.csv"]
    assert of_messages.left_alone == {
        "landing/Messages": (
            "is a folder that is not read: move what it holds to landing/messages/, in lower case"
        ),
        "landing/exports": (
            "is a folder that is not read: move what it holds to landing/messages/ or landing/orders/"
        ),
        "landing/stray.csv": (
            "lies beside the folders that are read: move it to landing/messages/ or landing/orders/"
        ),
    }
    assert of_orders.left_alone == {
        "landing/orders_2026.csv": "lies beside the folders that are read: move it to landing/orders/"
    }


def test_files_with_an_unsupported_extension_are_left_alone_and_named(hub: Settings) -> None:
    others = [
        "a.csv.part",
        "a.csv~",
        "a.gz",
        "a.json",
        "a.parquet.crc",
        "a.zst",
        "b/csv",
        "c.txt",
    ]

    loaded = load(hub, MESSAGES, {"a.csv": messages("m1"), **dict.fromkeys(others, HEADER + good_line("m2"))})

    assert loaded.column("message_id") == ["m1"]
    assert list(loaded.files) == ["a.csv"]
    assert list(loaded.report.left_alone) == [f"landing/messages/{name}" for name in others]


def test_names_that_writers_leave_while_they_work_are_passed_over_and_named_once(hub: Settings) -> None:
    at_work = [
        "#a.csv",
        "._a.csv",
        ".a.csv",
        "_temporary/0/a.csv",
        "deep/tmp_a.csv",
        "tmp_a.parquet",
        "~$a.csv",
    ]

    loaded = load(
        hub, MESSAGES, {"a.csv": messages("m1"), **dict.fromkeys(at_work, HEADER + good_line("m2"))}
    )

    assert loaded.column("message_id") == ["m1"]
    assert loaded.report.at_work == [
        "landing/messages/" + name.replace("_temporary/0/a.csv", "_temporary") for name in at_work
    ]
    assert load(hub, MESSAGES).report.at_work == []
    assert load(hub, MESSAGES, {"_b.csv": ""}).report.at_work == ["landing/messages/_b.csv"]


def test_endings_are_read_in_any_letter_case_and_json_lines_compressed_too(hub: Settings) -> None:
    loaded = load(
        hub,
        MESSAGES,
        {
            "a.CSV": csv_text(messages("m1")),
            "b.Csv.GZ": gzipped(csv_text(messages("m2"))),
            "c.jsonl.gz": gzipped(json_line("m3")),
            "d.ndjson.Gz": gzipped(json_line("m4")),
            "e.PARQUET": parquet_bytes(messages("m5")),
            "f.Csv.ZST": zstd_compressed(csv_text(messages("m6"))),
            "g.jsonl.zst": zstd_compressed(json_line("m7")),
            "h.ndjson.Zst": zstd_compressed(json_line("m8")),
        },
    )

    assert loaded.column("message_id") == ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"]
    assert loaded.report.left_alone == {}


def test_a_hub_without_a_landing_folder_has_nothing_to_load(hub: Settings) -> None:
    loaded = load(hub, MESSAGES)

    assert loaded.files == {}
    assert did_nothing(loaded.report)


def test_files_in_sub_folders_load_whatever_the_folders_are_called(hub: Settings) -> None:
    loaded = load(hub, MESSAGES, {"2026/01/a.csv": messages("m1"), "folder.csv/b.parquet": messages("m2")})

    assert loaded.failed == {}
    assert loaded.report.left_alone == {}
    assert {path: len(rows) for path, rows in loaded.by_file.items()} == {
        "2026/01/a.csv": 1,
        "folder.csv/b.parquet": 1,
    }


def test_messages_and_orders_keep_to_their_own_folders(hub: Settings) -> None:
    load(hub, MESSAGES, {"same.csv": messages("m1")})
    loaded = load(hub, ORDERS, {"same.csv": [order("o1"), order("o2", sales_channel="fax")]})

    assert loaded.column("order_id") == ["o1"]
    assert loaded.report.reasons == {"unknown_sales_channel": 1}
    assert load(hub, MESSAGES).column("message_id") == ["m1"]


ODD_NAMES = (
    "a[1]", "a1", "a", "b", "[ab]", "[a-z]", "[!a]", "[", "]", "*", "**", "a*", "?", "a?", "{a,b}", "it's",
    '"q"', " ", "two words", "tab\t", "new\nline", "back\\slash", "semi;colon", "comma,", "file:", "a~", "a#",
    "$HOME", "%20", "😀", "ü", "u\u0308", "a.hidden", "d/[x]", "**/z", "day=1/a", "day=2/a", "a.csv",
    "x" * 200,
)  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_each_file_is_found_by_its_very_name(hub: Settings, ending: str) -> None:
    """Each file has a good row and a bad one that name it, so that neither may be booked on another file."""
    loaded = load(
        hub,
        MESSAGES,
        {f"{name}{ending}": [message(name + "."), message(name + ".", status="lost")] for name in ODD_NAMES},
    )

    assert {path: [row["message_id"] for row in rows] for path, rows in loaded.by_file.items()} == {
        f"{name}{ending}": [f"{name}.".strip()] for name in ODD_NAMES
    }
    assert {row.path: row.raw["message_id"] for row in loaded.rejected} == {
        f"{name}{ending}": f"{name}." for name in ODD_NAMES
    }


@pytest.mark.parametrize("ending", TEXT_ENDINGS)
def test_a_file_whose_name_is_no_text_does_not_stop_the_others(hub: Settings, ending: str) -> None:
    folder = hub.landing / "messages"
    try:
        land(folder / os.fsdecode(b"odd-\xff" + ending.encode()), messages("m2"))
    except OSError:
        pytest.skip("the file system takes only names that are text")

    loaded = load(hub, MESSAGES, {f"a{ending}": messages("m1")})

    assert len(loaded.by_file[f"a{ending}"]) == 1
    assert len(loaded.files) == 2


def test_a_name_that_is_no_text_is_not_taken_for_the_one_that_it_is_shown_as(hub: Settings) -> None:
    folder = hub.landing / "messages"
    try:
        land(folder / os.fsdecode(b"a\xe9.csv"), messages("m2"))
    except OSError:
        pytest.skip("the file system takes only names that are text")

    for _ in range(3):
        loaded = load(hub, MESSAGES, {"a\\xe9.csv": messages("m1")})
        assert loaded.column("message_id") == ["m1"]
        assert loaded.files["a\\xe9.csv"].status == "loaded"
        assert loaded.report.left_alone == {
            "landing/messages/a\\xe9.csv": "is not UTF-8, and would be recorded as another file"
        }


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        (
            "a.csv.gz",
            gzipped(csv_text(messages("m1"))) + b"garbage",
            "no gzip follows its compressed content",
        ),
        ("a.jsonl.gz", gzipped(json_lines_text(messages("m1"))) + b"garbage", "no gzip follows"),
        ("a.csv.zst", zstd_compressed(csv_text(messages("m1"))) + b"garbage", "no zstd follows"),
        ("b.csv.zst", csv_text(messages("m1")), "Not a zstd file"),
        ("c.csv.zst", zstd_compressed(HEADER)[:-4] + bytes(4), "it is damaged (Restored data"),
        ("d.csv.zst", ZSTD_WITH_A_LARGE_WINDOW, "a window of more than 128 MB"),
        ("a.csv", csv_text(messages("m1")).encode("utf-16"), "name its encoding in a [[landing]] table"),
        ("b.csv", csv_text(messages("m1")).encode("utf-16-le"), "name its encoding in a [[landing]] table"),
    ],
)
def test_what_is_wrong_with_the_bytes_of_a_whole_file_is_said(
    hub: Settings, name: str, content: bytes, word: str
) -> None:
    loaded = load(hub, MESSAGES, {name: content})

    assert word in (loaded.failed[name] or "")


@pytest.mark.parametrize("kind", ["left_alone", "at_work", "failed"])
def test_a_name_that_is_no_text_and_not_read_is_recorded_as_the_shell_shows_it(
    hub: Settings, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    name = {"left_alone": b"odd-\xff.txt", "at_work": b".odd-\xff.csv", "failed": b"odd-\xff"}[kind]
    location = hub.landing / "messages" / os.fsdecode(name)
    try:
        land(location / "b.csv" if kind == "failed" else location, b"")
    except OSError:
        pytest.skip("the file system takes only names that are text")
    scandir = os.scandir

    def refuse(path: Path) -> Any:
        if path == location:
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    report = load(hub, MESSAGES, {"a.csv": messages("m1")}).report

    assert list(getattr(report, kind)) == ["landing/messages/" + name.decode(errors="backslashreplace")]


def test_folders_named_like_fields_give_no_values(hub: Settings) -> None:
    files = {f"queue_id=q9/status=skipped/a{ending}": messages("m1") for ending in ENDINGS}

    loaded = load(hub, MESSAGES, files)

    assert [(row["queue_id"], row["status"]) for row in loaded.events] == [("unassigned", "sent")] * len(
        ENDINGS
    )


def test_the_data_directory_may_have_any_name(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "it's [1]* {a,b} ü", "UTC", date(2026, 1, 31), "USD")

    loaded = load(hub, MESSAGES, {f"a{ending}": messages(ending) for ending in ENDINGS})

    assert loaded.column("message_id") == sorted(ENDINGS)


# How often they are loaded.


def test_a_file_is_loaded_once_however_often_a_load_runs(hub: Settings) -> None:
    rows = [message("m1"), message("m2", status="lost")]

    first = load(hub, MESSAGES, {f"a{ending}": rows for ending in ENDINGS})
    second = load(hub, MESSAGES)
    third = load(hub, MESSAGES, {f"b{ending}": messages("m3") for ending in ENDINGS})

    assert first.report.files_loaded == len(ENDINGS)
    assert first.column("message_id") == ["m1"] * len(ENDINGS)
    assert (second.files, second.by_file, second.rejected) == (first.files, first.by_file, first.rejected)
    assert did_nothing(second.report)
    assert third.column("message_id") == ["m1"] * len(ENDINGS) + ["m3"] * len(ENDINGS)
    assert third.rejected == first.rejected
    assert (third.report.files_loaded, third.report.rows_landed) == (len(ENDINGS), len(ENDINGS))


def test_the_same_content_in_another_file_loads_its_rows_again(hub: Settings) -> None:
    rows = [message("m1"), message("m2", status="lost")]

    load(hub, MESSAGES, {f"{name}{ending}": rows for name in "ab" for ending in ENDINGS})
    loaded = load(hub, MESSAGES, {f"c{ending}": rows for ending in ENDINGS})

    names = {f"{name}{ending}" for name in "abc" for ending in ENDINGS}
    assert {name: len(events) for name, events in loaded.by_file.items()} == dict.fromkeys(names, 1)
    assert loaded.reasons == {(name, 2): ["unknown_status"] for name in names}
    for ending in ENDINGS:
        assert len({loaded.files[f"{name}{ending}"].content_hash for name in "abc"}) == 1


def test_the_rows_of_a_file_that_has_left_stay(hub: Settings) -> None:
    first = load(hub, MESSAGES, {"a.csv": messages("m1")})
    (hub.landing / "messages" / "a.csv").unlink()

    second = load(hub, MESSAGES)

    assert second.by_file == first.by_file
    assert (second.files["a.csv"].status, second.files["a.csv"].rows_kept) == ("left", 1)
    assert second.report.left == ["landing/messages/a.csv"]


def test_more_files_than_fit_in_one_batch_all_load(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MOST_FILES_AT_ONCE", 2)
    many = {f"{number}.csv": messages(f"m{number}") for number in range(5)}
    assert load(hub, MESSAGES, many).column("message_id") == ["m0", "m1", "m2", "m3", "m4"]

    monkeypatch.setitem(batch_loader.BATCH_BYTES, formats.Format.CSV, 1)
    more = {f"{number}.csv": messages(f"m{number}") for number in range(5, 8)}
    assert load(hub, MESSAGES, more).report.files_loaded == 3


def test_files_of_different_columns_and_formats_load_together(hub: Settings) -> None:
    loaded = load(
        hub,
        MESSAGES,
        {
            "a.csv": messages("m1"),
            "b.csv": [message("m2", queue_id="q1")],
            "c.csv": [dict(reversed(message("m3").items()))],
            "d.parquet": messages("m4"),
            "e.parquet": [message(5, user_id=7)],
            "f.jsonl": [message("m6", queue_id="q1"), message("m7", user_id="u1")],
            "g.csv": "",
        },
    )

    assert loaded.column("message_id") == ["5", "m1", "m2", "m3", "m4", "m6", "m7"]
    assert loaded.by_file["e.parquet"][0]["user_id"] == "7"


def test_a_record_holds_the_path_below_the_data_directory_and_the_hash_of_the_bytes(hub: Settings) -> None:
    content = csv_text([message("m1"), message("m2", status="lost")])
    load(hub, MESSAGES, {"deep/a.csv": content, "b.csv": "customer_id\nc1\n"})

    with duckdb.connect(str(hub.warehouse)) as connection:
        files = connection.sql(
            "select path, content_hash, entity, status, rows_landed, rows_accepted, rows_rejected, error "
            "from raw.landed_files order by path"
        ).fetchall()
        rejected = connection.sql("select entity, path from quarantine.rejected_events").fetchall()

    assert files == [
        (
            "landing/messages/b.csv", hashlib.sha256(b"customer_id\nc1\n").hexdigest(), "messages", "failed",
            0, 0, 0,
            "it lacks the required columns message_id, status, occurred_at. Its first line, divided by "
            f"commas, has: customer_id. {HELP}",
        ),
        (
            "landing/messages/deep/a.csv", hashlib.sha256(content.encode()).hexdigest(), "messages", "loaded",
            2, 1, 1, None,
        ),
    ]  # fmt: skip
    assert rejected == [("messages", "landing/messages/deep/a.csv")]


def test_a_report_counts_what_the_load_did(hub: Settings) -> None:
    load(hub, MESSAGES, {"old.csv": [message("m1"), message("m2", status="lost")]})

    report = load(
        hub,
        MESSAGES,
        {
            "a.csv": [message("m3"), message("m4", status="lost"), message("", status="lost")],
            "b.jsonl": messages("m5"),
            "c.parquet": b"",
            "d.txt": b"",
        },
    ).report

    assert (report.entity, report.files_loaded) == ("messages", 2)
    assert list(report.left_alone) == ["landing/messages/d.txt"]
    assert (report.rows_landed, report.rows_accepted, report.rows_rejected) == (4, 2, 2)
    assert report.reasons == {"missing_message_id": 1, "unknown_status": 2}
    assert list(report.failed) == ["landing/messages/c.parquet"]


class _Interrupted(BaseException):
    """What a signal raises: no handler of errors catches it."""


class _InterruptedConnection:
    """A connection that is interrupted before the writing statement with a given number."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, statements: int) -> None:
        self.connection = connection
        self.statements_left = statements

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, statement: str, *parameters: Any) -> duckdb.DuckDBPyConnection:
        if statement.split()[0] in ("insert", "update", "delete", "commit"):
            if self.statements_left == 0:
                raise _Interrupted
            self.statements_left -= 1
        return self.connection.execute(statement, *parameters)


def test_a_load_interrupted_at_any_point_is_finished_by_the_next(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "a.csv": HEADER + good_line("m1") + line("m2", "c1", "lost", "2026-01-10"),
        "b.csv.gz": b"no gzip",
    }
    undisturbed = load(Settings(tmp_path / "undisturbed", "UTC", date(2026, 1, 31), "USD"), MESSAGES, files)

    for statements in itertools.count():
        hub = Settings(tmp_path / str(statements), "UTC", date(2026, 1, 31), "USD")
        for name, content in files.items():
            land(hub.landing / "messages" / name, content)
        with databases.connect(hub) as connection:
            try:
                load_entity(_InterruptedConnection(connection, statements), hub, MESSAGES)  # type: ignore[arg-type]
            except _Interrupted:
                pass
            else:
                break
        finished = load(hub, MESSAGES)
        assert (finished.by_file, finished.rejected) == (undisturbed.by_file, undisturbed.rejected), (
            statements
        )
        assert finished.failed == undisturbed.failed, statements
    assert statements >= 5


# Files that cannot be read.


def _long_csv() -> str:
    """Rows that do not compress well, longer than what is read of a file to see its header."""
    numbers = random.Random(0)
    return HEADER + "".join(good_line(numbers.randbytes(100).hex()) for _ in range(6000))


def _with_flipped_byte(content: bytes, position: int) -> bytes:
    changed = bytearray(content)
    changed[position] ^= 0xFF
    return bytes(changed)


def _long_parquet() -> bytes:
    return parquet_bytes(messages(*(f"m{number}" for number in range(3000))))


def _parquet_cut_before_its_footer() -> bytes:
    """Half of the data with the whole file's footer behind it: its metadata can be read, its rows cannot."""
    content = _long_parquet()
    footer = 8 + int.from_bytes(content[-8:-4], "little")
    return content[: (len(content) - footer) // 2] + content[-footer:]


def _parquet_with_damaged_pages() -> bytes:
    content = _long_parquet()
    footer = 8 + int.from_bytes(content[-8:-4], "little")
    return content[:100] + b"\xa5" * (len(content) - footer - 150) + content[-footer - 50 :]


UNREADABLE: dict[str, tuple[str, Callable[[], bytes | str]]] = {
    "quotes_that_swallow_a_line": (
        ".csv",
        lambda: HEADER + good_line("m1") + '"' + good_line("m2") + '"m3"' + good_line("m4"),
    ),
    "gzip_cut_short": (".csv.gz", lambda: gzipped(HEADER + good_line("m1"))[:-12]),
    "gzip_without_its_last_bytes": (".csv.gz", lambda: gzipped(HEADER + good_line("m1"))[:-1]),
    "long_gzip_cut_short": (".csv.gz", lambda: gzipped(_long_csv())[:-1000]),
    "long_gzip_without_its_last_bytes": (".csv.gz", lambda: gzipped(_long_csv())[:-4]),
    "gzip_that_does_not_inflate": (".csv.gz", lambda: gzipped("")[:10] + b"\xff" * 40),
    "gzip_with_another_checksum": (
        ".csv.gz",
        lambda: _with_flipped_byte(gzipped(HEADER + good_line("m1")), -6),
    ),
    "long_gzip_with_another_checksum": (".csv.gz", lambda: _with_flipped_byte(gzipped(_long_csv()), -6)),
    "long_gzip_with_a_flipped_byte": (".csv.gz", lambda: _with_flipped_byte(gzipped(_long_csv()), -50_000)),
    "zstd_cut_short": (".csv.zst", lambda: zstd_compressed(HEADER + good_line("m1"))[:-12]),
    "zstd_without_its_last_bytes": (".csv.zst", lambda: zstd_compressed(HEADER + good_line("m1"))[:-1]),
    "long_zstd_cut_short": (".csv.zst", lambda: zstd_compressed(_long_csv())[:-1000]),
    "long_zstd_with_another_checksum": (
        ".csv.zst",
        lambda: _with_flipped_byte(zstd_compressed(_long_csv()), -1),
    ),
    "csv_that_is_not_zstd": (".csv.zst", lambda: HEADER + good_line("m1")),
    "csv_that_is_not_gzip": (".csv.gz", lambda: HEADER + good_line("m1")),
    "gzip_that_says_csv": (".csv", lambda: gzipped(HEADER + good_line("m1"))),
    "csv_in_utf_16": (".csv", lambda: (HEADER + good_line("m1")).encode("utf-16")),
    "csv_with_semicolons": (".csv", lambda: (HEADER + good_line("m1")).replace(",", ";")),
    "csv_without_a_header": (".csv", lambda: good_line("m1") + good_line("m2")),
    "parquet_cut_short": (".parquet", lambda: _long_parquet()[:-100]),
    "parquet_cut_before_its_footer": (".parquet", _parquet_cut_before_its_footer),
    "parquet_with_damaged_pages": (".parquet", _parquet_with_damaged_pages),
    "csv_that_says_parquet": (".parquet", lambda: HEADER + good_line("m1")),
    "parquet_without_columns": (".parquet", lambda: parquet_bytes(pa.table({}))),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_an_unreadable_file_fails_alone(hub: Settings, kind: str) -> None:
    """It stands between good files of its shape, and its name is one that must be quoted."""
    ending, content = UNREADABLE[kind]
    broken = f"b[1]{ending}"

    loaded = load(
        hub,
        MESSAGES,
        {f"a{ending}": messages("m-a"), broken: content(), f"c{ending}": messages("m-c")},
    )

    assert loaded.column("message_id") == ["m-a", "m-c"]
    assert list(loaded.failed) == [broken]
    assert loaded.files[broken].rows_landed == 0
    reason = loaded.failed[broken]
    assert loaded.report.failed == {f"landing/messages/{broken}": reason}
    assert reason is not None
    assert reason.strip()
    assert "\n" not in reason
    assert str(hub.data_dir) not in reason


def test_several_unreadable_files_fail_each_with_its_own_reason(hub: Settings) -> None:
    open_quote = HEADER + good_line("x") + '"' + good_line("y") + good_line("z")
    loaded = load(
        hub,
        MESSAGES,
        {
            "a.csv": open_quote,
            "b.csv": messages("m1"),
            "c.csv": open_quote,
            "d.csv": open_quote,
            "e.csv": messages("m2"),
            "f.csv": "customer_id,status\nc1,sent\n",
        },
    )

    assert loaded.column("message_id") == ["m1", "m2"]
    assert set(loaded.failed) == {"a.csv", "c.csv", "d.csv", "f.csv"}
    assert loaded.failed["a.csv"] == (
        "the quotes of row 2 (line 3) do not match, so it cannot be told where the row ends"
    )
    assert loaded.failed["f.csv"] == (
        "it lacks the required columns message_id, occurred_at. Its first line, divided by commas, has: "
        f"customer_id, status. {HELP}"
    )


def test_a_link_to_nothing_is_left_alone(hub: Settings) -> None:
    for ending in ENDINGS:
        land(hub.landing / "messages" / f"a{ending}", messages(ending))
        (hub.landing / "messages" / f"b{ending}").symlink_to("nowhere")

    loaded = load(hub, MESSAGES)

    assert loaded.column("message_id") == sorted(ENDINGS)
    assert set(loaded.report.left_alone) == {f"landing/messages/b{ending}" for ending in ENDINGS}


@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
def test_what_is_no_regular_file_is_left_alone_and_never_opened(hub: Settings, kind: str) -> None:
    folder = hub.landing / "messages"
    land(folder / "a.csv", messages("m1"))
    match kind:
        case "pipe":
            os.mkfifo(folder / "b.csv")
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(str(folder / "b.csv"))
        case "device":
            (folder / "b.csv").symlink_to("/dev/zero")

    loaded = load(hub, MESSAGES)

    assert loaded.column("message_id") == ["m1"]
    assert list(loaded.report.left_alone) == ["landing/messages/b.csv"]


@pytest.mark.parametrize(
    ("ending", "broken"),
    [
        (".csv", "customer_id\nc1\n"),
        (".csv", HEADER + good_line("m1") + '"' + good_line("m1") + good_line("m1")),
        (".csv.gz", gzipped(HEADER + good_line("m1"))[:-5]),
        (".csv.zst", zstd_compressed(HEADER + good_line("m1"))[:-5]),
        (".parquet", b"PAR1"),
    ],
)
def test_a_failed_file_is_tried_again_and_loads_once_fixed(
    hub: Settings, ending: str, broken: bytes | str
) -> None:
    name = f"a{ending}"
    first = load(hub, MESSAGES, {name: broken})
    second = load(hub, MESSAGES)
    fixed = load(hub, MESSAGES, {name: [message("m1"), message("m2", status="lost")]})
    after = load(hub, MESSAGES)

    assert first.failed == second.failed
    assert list(second.failed) == [name]
    assert second.report.failed == first.report.failed
    assert fixed.failed == fixed.report.failed == {}
    assert fixed.column("message_id") == ["m1"]
    assert fixed.reasons == {(name, 2): ["unknown_status"]}
    assert (after.files, after.by_file, after.rejected) == (fixed.files, fixed.by_file, fixed.rejected)


# Headers and columns.


GOOD_CSV = HEADER + good_line("m1")
HEADERS = {
    "capitals": HEADER.upper() + good_line("m1"),
    "mixed case": HEADER.title() + good_line("m1"),
    "blanks": HEADER.replace(",", " , \t") + good_line("m1"),
    "no-break spaces": "\u00a0" + HEADER.replace(",", "\u00a0,") + good_line("m1"),
    "quotes": '"' + HEADER.strip().replace(",", '","') + '"\n' + good_line("m1"),
    "bom": "\ufeff" + GOOD_CSV,
    "bom and quotes": '\ufeff"message_id"' + GOOD_CSV.removeprefix("message_id"),
    "crlf": GOOD_CSV.replace("\n", "\r\n"),
    "bom and crlf": "\ufeff" + GOOD_CSV.replace("\n", "\r\n"),
    "cr": GOOD_CSV.replace("\n", "\r"),
    "different line ends": HEADER.replace("\n", "\r\n") + good_line("m1"),
    "no line end": GOOD_CSV.strip(),
}


@pytest.fixture(scope="module")
def with_headers(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    plain: dict[str, Content] = {f"{name}.csv": content for name, content in HEADERS.items()}
    compressed = {f"{name}.csv.gz": gzipped(content) for name, content in HEADERS.items()}
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    return load(hub, MESSAGES, {**plain, **compressed})


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
@pytest.mark.parametrize("header", HEADERS)
def test_a_csv_header_may_be_written_in_many_ways(with_headers: Loaded, header: str, ending: str) -> None:
    name = f"{header}{ending}"

    assert with_headers.files[name].status == "loaded"
    assert [row for row in with_headers.rejected if row.path == name] == []
    assert with_headers.by_file[name] == [
        {
            **message("m1"),
            "queue_id": "unassigned",
            "user_id": "unassigned",
            "occurred_at": TEN_O_CLOCK,
            "updated_at": TEN_O_CLOCK,
            "has_version": False,
        }
    ]


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
def test_field_names_may_have_other_case_and_blanks_in_json_lines_and_parquet(
    hub: Settings, ending: str
) -> None:
    row = {
        " Message_ID ": "m1",
        "CUSTOMER_id": "c1",
        "Status\t": "sent",
        "occurred_AT": "2026-01-10T10:00:00Z",
    }

    loaded = load(hub, MESSAGES, {f"a{ending}": [row]})

    assert [(event["message_id"], event["occurred_at"]) for event in loaded.events] == [("m1", TEN_O_CLOCK)]


def test_columns_may_stand_in_any_order(hub: Settings) -> None:
    rows = [message(f"m{number}", queue_id="q1", user_id="u1") for number in range(2)]
    turned = [dict(reversed(row.items())) for row in rows]

    loaded = load(
        hub,
        MESSAGES,
        {f"{name}{ending}": rows if name == "a" else turned for name in "ab" for ending in ENDINGS},
    )

    assert [row["message_id"] for row in loaded.by_file["a.csv"]] == ["m0", "m1"]
    assert len(loaded.by_file) == 2 * len(ENDINGS)
    assert all(events == loaded.by_file["a.csv"] for events in loaded.by_file.values())


def test_columns_beyond_the_contract_are_ignored(hub: Settings) -> None:
    """Also those that are called like something that the loader itself adds to a row."""
    taken = (
        "filename", "file_id", "row_number", "fault", "place", "line", "reasons",
        "raw_text", "is_object", "landed_status", "column_0", "", 'quoted "name"', "two\nlines", "a,b",
    )  # fmt: skip
    extra = {name: f"x{number}, " for number, name in enumerate(taken)}

    rows = [{**extra, **message("m1")}, message("m2", **extra)]

    loaded = load(hub, MESSAGES, {f"a{ending}": rows for ending in ENDINGS})

    assert loaded.failed == {}
    assert loaded.column("message_id") == ["m1"] * len(ENDINGS) + ["m2"] * len(ENDINGS)
    kept = {*(field.name for field in MESSAGES.fields), "has_version"}
    assert all(event.keys() == kept for event in loaded.events)


def test_the_one_column_name_that_the_parquet_reader_needs_for_itself_fails_its_file(hub: Settings) -> None:
    loaded = load(hub, MESSAGES, {"a.parquet": [message("m1", file_row_number="1")]})

    assert "file_row_number" in (loaded.failed["a.parquet"] or "")


def test_columns_beyond_the_contract_may_have_one_name(hub: Settings) -> None:
    header = HEADER.strip() + ",note,note,,\n"

    loaded = load(
        hub, MESSAGES, {"a.csv": header + line("m1", "c1", "sent", "2026-01-10", "1", "2", "3", "4")}
    )

    assert loaded.column("message_id") == ["m1"]


def test_a_parquet_column_beyond_the_contract_may_hold_anything(hub: Settings) -> None:
    no_text = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")]
    )
    table = pa.table({**{name: [value] for name, value in message("m1").items()}, "body": no_text})

    assert load(hub, MESSAGES, {"a.parquet": table}).column("message_id") == ["m1"]


def test_optional_columns_may_be_missing_and_have_their_defaults(hub: Settings) -> None:
    messages_loaded = load(hub, MESSAGES, {f"a{ending}": messages("m1") for ending in ENDINGS})
    orders_loaded = load(
        hub, ORDERS, {f"a{ending}": [order("o1", order_value="12.50")] for ending in ENDINGS}
    )

    assert messages_loaded.events == [
        {
            "message_id": "m1",
            "customer_id": "c1",
            "queue_id": "unassigned",
            "user_id": "unassigned",
            "status": "sent",
            "occurred_at": TEN_O_CLOCK,
            "updated_at": TEN_O_CLOCK,
            "has_version": False,
        }
    ] * len(ENDINGS)
    assert orders_loaded.events == [
        {
            "order_id": "o1",
            "customer_id": None,
            "ordered_at": TEN_O_CLOCK,
            "order_value": Decimal("12.50"),
            "refunded_value": Decimal("0.00"),
            "sales_channel": "online",
            "status": "placed",
            "updated_at": TEN_O_CLOCK,
            "has_version": False,
        }
    ] * len(ENDINGS)


def test_blank_optional_fields_have_the_same_defaults(hub: Settings) -> None:
    blanks = ("", "  \t", "\u00a0")
    of_messages = ("queue_id", "user_id", "updated_at")
    of_orders = ("customer_id", "refunded_value", "status", "updated_at", "currency")
    blank_messages = [message("m1", **dict.fromkeys(of_messages, blank)) for blank in blanks]
    blank_orders = [order("o1", **dict.fromkeys(of_orders, blank)) for blank in blanks]

    with_messages = load(hub, MESSAGES, {f"a{ending}": blank_messages for ending in TEXT_ENDINGS})
    with_orders = load(hub, ORDERS, {f"a{ending}": blank_orders for ending in TEXT_ENDINGS})

    assert [[event[name] for name in of_messages] for event in with_messages.events] == [
        ["unassigned", "unassigned", TEN_O_CLOCK]
    ] * 9
    assert [[event[name] for name in of_orders[:4]] for event in with_orders.events] == [
        [None, Decimal(0), "placed", TEN_O_CLOCK]
    ] * 9


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_a_file_without_a_required_column_fails_with_its_name(hub: Settings, ending: str) -> None:
    row = message("m1", queue_id="q1")
    without_one = {name: value for name, value in row.items() if name != "status"}
    without_two = {name: value for name, value in row.items() if name not in ("occurred_at", "message_id")}

    loaded = load(
        hub,
        MESSAGES,
        {f"a{ending}": [without_one], f"b{ending}": [without_two], f"c{ending}": messages("m2")},
    )

    found = "It has" if ending == ".parquet" else "Its first line, divided by commas, has"
    assert loaded.failed == {
        f"a{ending}": "it lacks the required column status. "
        f"{found}: message_id, customer_id, occurred_at, queue_id. {HELP}",
        f"b{ending}": "it lacks the required columns message_id, occurred_at. "
        f"{found}: customer_id, status, queue_id. {HELP}",
    }
    assert loaded.column("message_id") == ["m2"]


def test_json_lines_have_no_columns_so_each_line_answers_for_its_own_fields(hub: Settings) -> None:
    loaded = load(hub, MESSAGES, {"a.jsonl": [{"customer_id": "c1", "status": "sent"}, message("m2")]})

    assert loaded.reasons == {("a.jsonl", 1): ["missing_message_id", "missing_occurred_at"]}
    assert loaded.column("message_id") == ["m2"]


def _table_with_names(*names: str) -> pa.Table:
    values = ["m1", "c1", "sent", "2026-01-10", "twice"]
    return pa.table([[value] for value in values], names=list(names))


FOUR = HEADER.strip().split(",")


def test_a_file_with_a_column_twice_fails(hub: Settings) -> None:
    row = line("m1", "c1", "sent", "2026-01-10", "sent")
    files: dict[str, Content] = {
        "same.csv": line(*FOUR, "status") + row,
        "other case.csv": line(*FOUR, "Status") + row,
        "blanks.csv": line(*FOUR, " status ") + row,
        "same.parquet": _table_with_names(*FOUR, "status"),
        "other case.parquet": _table_with_names(*FOUR, "STATUS"),
        "blanks.parquet": _table_with_names(*FOUR, "status "),
    }

    loaded = load(hub, MESSAGES, files)

    assert loaded.failed == dict.fromkeys(files, "it has the column status twice")
    assert loaded.events == []


WITHOUT_ROWS: dict[str, Content] = {
    "no bytes.csv": b"",
    "no bytes.jsonl": b"",
    "no bytes.ndjson": b"",
    "nothing.csv.gz": gzipped(b""),
    "bom.csv": "\ufeff",
    "bom.jsonl": "\ufeff",
    "header.csv": HEADER,
    "header without line end.csv": HEADER.strip(),
    "header.csv.gz": gzipped("\ufeff" + HEADER),
    "header and blank lines.csv": HEADER + "\n\n",
    "blank lines.csv": "\n\n\n",
    "blank crlf lines.csv": "\r\n\r\n",
    "lines of blanks.csv": " \n\t\n",
    "blank lines.csv.gz": gzipped("\n\n"),
    "blank lines.jsonl": "\n\n\n",
    "blank crlf lines.jsonl": "\r\n\r\n",
    "lines of spaces.jsonl": " \n  \n",
    "lines of tabs.jsonl": "\t\n\t\t\n",
    "columns.parquet": pa.table({name: pa.array([], pa.string()) for name in HEADER.strip().split(",")}),
}


@pytest.fixture(scope="module")
def without_rows(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    load(hub, MESSAGES, WITHOUT_ROWS)
    again = load(hub, MESSAGES)
    assert again.report.files_loaded == 0
    return again


@pytest.mark.parametrize("name", WITHOUT_ROWS)
def test_a_file_without_rows_is_loaded_once_with_no_rows(without_rows: Loaded, name: str) -> None:
    assert (without_rows.files[name].status, without_rows.files[name].rows_landed) == ("loaded", 0)


@pytest.mark.parametrize("ending", [".csv.gz", ".csv.zst", ".parquet"])
def test_a_file_of_no_bytes_fails_where_its_format_allows_none(hub: Settings, ending: str) -> None:
    loaded = load(hub, MESSAGES, {f"a{ending}": b"", f"b{ending}": messages("m1")})

    assert list(loaded.failed) == [f"a{ending}"]
    assert loaded.column("message_id") == ["m1"]


def test_a_header_behind_blank_lines_fails_its_file_and_is_never_taken_for_a_row(hub: Settings) -> None:
    broken: dict[str, Content] = {
        "a.csv": "\n\n" + GOOD_CSV,
        "b.csv": "\r\n" + GOOD_CSV.replace("\n", "\r\n"),
        "c.csv.gz": gzipped("\n" + GOOD_CSV),
    }

    loaded = load(hub, MESSAGES, {**broken, "d.csv": messages("m2")})

    assert loaded.failed == dict.fromkeys(
        broken, "its first line is blank, where the names of the columns should be"
    )
    assert loaded.column("message_id") == ["m2"]


def test_a_header_whose_quotes_do_not_end_fails_its_file(hub: Settings) -> None:
    """Else the header goes to the end of the file, and all its rows with it."""
    loaded = load(
        hub, MESSAGES, {"a.csv": HEADER.strip() + ',"body\n' + good_line("m1"), "b.csv": messages("m2")}
    )

    assert list(loaded.failed) == ["a.csv"]
    assert loaded.column("message_id") == ["m2"]


# Rows.


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_quoted_line_ends_commas_and_doubled_quotes_belong_to_the_value(hub: Settings, line_end: str) -> None:
    ids = [
        "a,b",
        'say ""hi""',
        f"two{line_end}lines",
        "two\nlines",
        ",",
        '""',
        "'",
        "a;b",
        "#a",
        "\\",
        "\\n",
        "//",
    ]
    rows = [f'"{message_id}",c1,sent,2026-01-10{line_end}' for message_id in ids]
    content = HEADER.replace("\n", line_end) + "".join(rows)

    loaded = load(hub, MESSAGES, {"a.csv": content})

    assert loaded.rejected == []
    assert loaded.column("message_id") == sorted(message_id.replace('""', '"') for message_id in ids)


FAULTY_LINES: dict[str, tuple[bytes, str]] = {
    "too few": (b"m2,c1,sent\n", "too_few_fields"),
    "one": (b"m2\n", "too_few_fields"),
    "too many": (b"m2,c1,sent,2026-01-10,more\n", "too_many_fields"),
    "text behind quotes": (b'm2,"c1"x,sent,2026-01-10\n', "malformed_quotes"),
    "no utf-8": (b"m2,c\xff,sent,2026-01-10\n", "invalid_utf8"),
    "latin 1": (b"m\xe92,c1,sent,2026-01-10\n", "invalid_utf8"),
}


@pytest.fixture(scope="module")
def with_faulty_lines(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    good = [good_line(number).encode() for number in range(4)]
    files: dict[str, Content] = {}
    for name, (faulty, _) in FAULTY_LINES.items():
        lf = b"".join([HEADER.encode(), *good[:2], faulty, good[2], faulty, good[3]])
        crlf = lf.replace(b"\n", b"\r\n")
        files |= {f"{name} lf.csv": lf, f"{name} crlf.csv": crlf}
        files |= {f"{name} lf.csv.gz": gzipped(lf), f"{name} crlf.csv.gz": gzipped(crlf)}
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    return load(hub, MESSAGES, files)


@pytest.mark.parametrize("ending", [" lf.csv", " crlf.csv", " lf.csv.gz", " crlf.csv.gz"])
@pytest.mark.parametrize("fault", FAULTY_LINES)
def test_a_csv_row_that_does_not_divide_is_rejected_alone(
    with_faulty_lines: Loaded, fault: str, ending: str
) -> None:
    name = f"{fault}{ending}"
    rejected = [row for row in with_faulty_lines.rejected if row.path == name]

    assert [(row.row_number, row.reasons) for row in rejected] == [
        (3, [FAULTY_LINES[fault][1]]),
        (5, [FAULTY_LINES[fault][1]]),
    ]
    assert [event["message_id"] for event in with_faulty_lines.by_file[name]] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_row_longer_than_can_be_read_is_rejected_alone(hub: Settings, name: str) -> None:
    rows = [message("m1", body=""), message("m2", body="x" * 2_500_000), message("m3", body="")]

    loaded = load(hub, MESSAGES, {name: rows})

    assert loaded.reasons == {(name, 2): ["line_too_long"]}
    assert loaded.column("message_id") == ["m1", "m3"]


MANY = max(100, 4 * (os.cpu_count() or 1))
"""So many files that they are not read as a few are: readers share them out among their threads otherwise."""


@pytest.mark.parametrize(
    ("behind", "closing", "others"),
    [
        pytest.param(20, "", 1, id="never_closed"),
        pytest.param(20, '"m-last",c1,sent,2026-01-10\n', 1, id="closed_later"),
        pytest.param(60_000, "", 1, id="never_closed_over_more_than_a_row_may_hold"),
        pytest.param(60_000, '"m-last",c1,sent,2026-01-10\n', 1, id="closed_behind_more_than_a_row_may_hold"),
        pytest.param(20, "", MANY, id="never_closed_among_many_files"),
        pytest.param(20, '"m-last",c1,sent,2026-01-10\n', MANY, id="closed_later_among_many_files"),
    ],
)
def test_rows_behind_an_unterminated_quote_are_never_lost_in_silence(
    hub: Settings, behind: int, closing: str, others: int
) -> None:
    """Each is loaded, or shown in the quarantine, or the file is recorded as failed."""
    ids = ["m-before", "m-open", *(f"m-{number}-behind" for number in range(behind))]
    lines = [good_line(message_id) for message_id in ids]
    lines[1] = '"' + lines[1]
    beside: dict[str, Content] = {f"b{number}.csv": messages("m-b") for number in range(others)}

    loaded = load(hub, MESSAGES, {"a.csv": HEADER + "".join(lines) + closing, **beside})

    shown = json.dumps([row.raw for row in loaded.rejected])
    accepted = Counter(loaded.column("message_id"))
    lost = [message_id for message_id in ids if message_id not in accepted and message_id not in shown]
    assert accepted["m-b"] == others
    assert "a.csv" in loaded.failed or not lost, f"{len(lost)} rows are neither loaded nor shown"


@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_a_row_cut_short_within_quotes_is_noticed_however_many_files_are_read(
    hub: Settings, ending: str
) -> None:
    """It is the last row of a transfer that was interrupted."""
    cut_short = HEADER + good_line("m1") + '"m2,c1,sent,2026-01-10'
    content = cut_short if ending == ".csv" else gzipped(cut_short)
    names = [f"{number}{ending}" for number in range(MANY)]

    loaded = load(hub, MESSAGES, dict.fromkeys(names, content))

    assert set(loaded.failed) | {row.path for row in loaded.rejected} == set(names)


NO_JSON_OBJECTS = (
    '{"message_id": "m2", "customer_id": "c1", "status": "sent"',
    "{message_id: 'm2'}",
    '{"message_id": "m2"} {"message_id": "m3"}',
    '{"message_id": "m2"},',
    "[]",
    '[{"message_id": "m2"}]',
    '"m2"',
    "2",
    "null",
    "true",
    "m2",
    "{",
    "}",
    ",",
    '{"message_id": "\\ud800"}',
    "\x1e" + json_line("m2").strip(),
    "\x1e\x1e" + json_line("m2").strip() + "\x1e",
    json_line("m2").strip() + "\x1e",
    "\x1f" + json_line("m2").strip(),
    "\x1f",
    "\x1e",
    "\x00",
)


@pytest.fixture(scope="module")
def with_no_objects(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    texts = [json_line("m1") + bad + "\n" + json_line("m3") for bad in NO_JSON_OBJECTS]
    return load(
        hub,
        MESSAGES,
        {f"{number}{ending}": text for number, text in enumerate(texts) for ending in (".jsonl", ".ndjson")},
    )


@pytest.mark.parametrize("ending", [".jsonl", ".ndjson"])
@pytest.mark.parametrize("bad", NO_JSON_OBJECTS)
def test_a_line_that_is_no_json_object_is_rejected_alone(
    with_no_objects: Loaded, bad: str, ending: str
) -> None:
    name = f"{NO_JSON_OBJECTS.index(bad)}{ending}"
    rejected = [row for row in with_no_objects.rejected if row.path == name]

    assert [(row.row_number, row.reasons) for row in rejected] == [(2, ["malformed_json"])]
    assert [event["message_id"] for event in with_no_objects.by_file[name]] == ["m1", "m3"]


def test_a_last_json_line_cut_short_is_rejected_alone(hub: Settings) -> None:
    loaded = load(hub, MESSAGES, {"a.jsonl": (json_line("m1") + json_line("m2"))[:-20]})

    assert loaded.reasons == {("a.jsonl", 2): ["malformed_json"]}
    assert loaded.column("message_id") == ["m1"]
    assert loaded.rejected[0].raw["message_id"] == "m2"


def test_json_of_invalid_utf8_is_rejected_alone(hub: Settings) -> None:
    lines = [
        json_line("m1").encode(),
        json_line("m2").encode().replace(b"c1", b"c\xff"),
        json_line("m3").encode(),
    ]

    loaded = load(hub, MESSAGES, {"a.jsonl": b"".join(lines)})

    assert loaded.reasons == {("a.jsonl", 2): ["invalid_utf8"]}
    assert loaded.column("message_id") == ["m1", "m3"]


JSON_LINES = {
    "no line end": (json_line("m1") + json_line("m2")).strip(),
    "bom": "\ufeff" + json_line("m1") + json_line("m2"),
    "crlf": (json_line("m1") + json_line("m2")).replace("\n", "\r\n"),
    "both line ends": json_line("m1").replace("\n", "\r\n") + json_line("m2"),
    "blank lines": "\n" + json_line("m1") + "\n\n" + json_line("m2") + "\n",
    "blanks around": "  " + json_line("m1") + "\t" + json_line("m2").strip() + "  ",
}


def test_json_lines_may_be_written_in_many_ways(hub: Settings) -> None:
    files = {f"{name}{ending}": text for name, text in JSON_LINES.items() for ending in (".jsonl", ".ndjson")}

    loaded = load(hub, MESSAGES, files)

    assert {name: [event["message_id"] for event in events] for name, events in loaded.by_file.items()} == {
        name: ["m1", "m2"] for name in files
    }
    assert loaded.rejected == []


def test_nested_json_is_malformed_where_a_value_is_due(hub: Settings) -> None:
    nested = {
        "message_id": {"id": "m1"},
        "customer_id": ["c1"],
        "status": {"s": "sent"},
        "occurred_at": [2026],
    }

    loaded = load(hub, MESSAGES, {"a.jsonl": [nested, message("m2", queue_id={}, user_id=["u1"])]})

    assert loaded.reasons == {
        ("a.jsonl", 1): [
            "malformed_message_id",
            "malformed_customer_id",
            "unknown_status",
            "malformed_occurred_at",
        ],
        ("a.jsonl", 2): ["malformed_queue_id", "malformed_user_id"],
    }


def test_json_null_is_an_absent_value(hub: Settings) -> None:
    absent = dict.fromkeys(["message_id", "customer_id", "queue_id", "user_id", "status", "occurred_at"])

    loaded = load(hub, MESSAGES, {"a.jsonl": [absent, message("m2", queue_id=None, updated_at=None)]})

    assert loaded.reasons == {
        ("a.jsonl", 1): ["missing_message_id", "missing_customer_id", "missing_status", "missing_occurred_at"]
    }
    assert loaded.rejected[0].raw == {field.name: None for field in MESSAGES.fields}
    assert [(row["queue_id"], row["updated_at"]) for row in loaded.events] == [("unassigned", TEN_O_CLOCK)]


MESSAGE_REASONS: dict[str, tuple[dict[str, object], list[str]]] = {
    "message_id missing": ({"message_id": " "}, ["missing_message_id"]),
    "customer_id missing": ({"customer_id": ""}, ["missing_customer_id"]),
    "status missing": ({"status": ""}, ["missing_status"]),
    "status unknown": ({"status": "delivered"}, ["unknown_status"]),
    "status in capitals": ({"status": "SENT"}, ["unknown_status"]),
    "occurred_at missing": ({"occurred_at": ""}, ["missing_occurred_at"]),
    "occurred_at malformed": ({"occurred_at": "soon"}, ["malformed_occurred_at"]),
    "occurred_at too early": ({"occurred_at": "1970-01-01"}, ["occurred_at_out_of_range"]),
    "updated_at malformed": ({"updated_at": "soon"}, ["malformed_updated_at"]),
    "updated_at too late": ({"updated_at": "2100-01-01"}, ["updated_at_out_of_range"]),
    "all at once": (
        {"message_id": "", "customer_id": "", "status": "x", "occurred_at": "2199-01-01", "updated_at": "x"},
        [
            "missing_message_id",
            "missing_customer_id",
            "unknown_status",
            "occurred_at_out_of_range",
            "malformed_updated_at",
        ],
    ),
}

ORDER_REASONS: dict[str, tuple[dict[str, object], list[str]]] = {
    "order_id missing": ({"order_id": ""}, ["missing_order_id"]),
    "ordered_at missing": ({"ordered_at": ""}, ["missing_ordered_at"]),
    "ordered_at malformed": ({"ordered_at": "2026-02-30"}, ["malformed_ordered_at"]),
    "ordered_at out of range": ({"ordered_at": "2100-01-01"}, ["ordered_at_out_of_range"]),
    "order_value missing": ({"order_value": ""}, ["missing_order_value"]),
    "order_value malformed": ({"order_value": "10 USD"}, ["malformed_order_value"]),
    "order_value out of range": ({"order_value": "99999999999999"}, ["order_value_out_of_range"]),
    "order_value of mills": ({"order_value": "1.005"}, ["more_than_two_decimals_in_order_value"]),
    "order_value negative": ({"order_value": "-1"}, ["negative_order_value"]),
    "refunded_value malformed": ({"refunded_value": "all"}, ["malformed_refunded_value"]),
    "refunded_value out of range": (
        {"refunded_value": "99999999999999"},
        ["refunded_value_out_of_range"],
    ),
    "refunded_value of mills": ({"refunded_value": "1.005"}, ["more_than_two_decimals_in_refunded_value"]),
    "refunded_value negative": ({"refunded_value": "-0.01"}, ["negative_refunded_value"]),
    "refunded_value too great": ({"refunded_value": "10.01"}, ["refunded_value_exceeds_order_value"]),
    "currency foreign": ({"currency": "EUR"}, ["foreign_currency"]),
    "sales_channel missing": ({"sales_channel": ""}, ["missing_sales_channel"]),
    "sales_channel unknown": ({"sales_channel": "fax"}, ["unknown_sales_channel"]),
    "status unknown": ({"status": "returned"}, ["unknown_status"]),
    "updated_at malformed": ({"updated_at": "2026-1-1"}, ["malformed_updated_at"]),
    "updated_at out of range": ({"updated_at": "1999-12-31"}, ["updated_at_out_of_range"]),
    "all at once": (
        {
            "order_id": "",
            "ordered_at": "x",
            "order_value": "-5",
            "refunded_value": "x",
            "currency": "EUR",
            "sales_channel": "",
            "status": "x",
            "updated_at": "1970-01-01",
        },
        [
            "missing_order_id",
            "malformed_ordered_at",
            "negative_order_value",
            "malformed_refunded_value",
            "foreign_currency",
            "missing_sales_channel",
            "unknown_status",
            "updated_at_out_of_range",
        ],
    ),
}


@pytest.mark.parametrize(
    ("contract", "row_of", "cases"),
    [
        pytest.param(MESSAGES, message, MESSAGE_REASONS, id="messages"),
        pytest.param(ORDERS, order, ORDER_REASONS, id="orders"),
    ],
)
def test_a_bad_row_is_rejected_with_every_reason_and_good_rows_load(
    hub: Settings,
    contract: EventContract,
    row_of: Callable[..., dict[str, object]],
    cases: dict[str, tuple[dict[str, object], list[str]]],
) -> None:
    rows = []
    for number, (fields, _) in enumerate(cases.values()):
        rows += [row_of(f"good{number}"), {**row_of("bad"), **fields}]

    loaded = load(hub, contract, {f"a{ending}": rows for ending in ENDINGS})

    for name in loaded.files:
        found = {case: loaded.reasons.get((name, 2 * number)) for number, case in enumerate(cases, 1)}
        assert found == {case: reasons for case, (_, reasons) in cases.items()}, name
        good = {event[contract.fields[0].name] for event in loaded.by_file[name]}
        assert good == {f"good{number}" for number in range(len(cases))}, name


def test_rows_of_several_row_groups_are_numbered_through(hub: Settings) -> None:
    rows = [message(number, status="lost" if number in (3, 7, 10) else "sent") for number in range(1, 12)]
    table = pa.table({name: [row[name] for row in rows] for name in rows[0]})
    content = io.BytesIO()
    pq.write_table(table, content, row_group_size=2)

    loaded = load(hub, MESSAGES, {"a.parquet": content.getvalue()})

    assert {row.row_number: row.raw["message_id"] for row in loaded.rejected} == {3: "3", 7: "7", 10: "10"}


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_a_compressed_file_of_several_parts_is_read_to_its_end(hub: Settings, ending: str) -> None:
    parts = [
        HEADER + good_line("m1"),
        good_line("m2"),
        line("m3", "c1", "lost", "2026-01-10"),
        good_line("m4"),
    ]

    name = f"a.csv{ending}"

    loaded = load(hub, MESSAGES, {name: b"".join(map(COMPRESSIONS[ending], parts))})

    assert loaded.column("message_id") == ["m1", "m2", "m4"]
    assert loaded.reasons == {(name, 3): ["unknown_status"]}


def test_zstd_content_behind_a_frame_that_readers_skip_is_read(hub: Settings) -> None:
    """Parallel compressors write such frames before each part."""
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"
    content = skipped + zstd_compressed(HEADER) + skipped + zstd_compressed(good_line("m1"))

    assert load(hub, MESSAGES, {"a.csv.zst": content}).column("message_id") == ["m1"]


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_compressed_content_is_complete_with_its_last_byte_and_the_end_of_its_last_line(
    tmp_path: Path, ending: str
) -> None:
    file = LandedFile(f"a.csv{ending}", tmp_path / "a")
    content = COMPRESSIONS[ending](HEADER + good_line("m1"))

    def is_complete(landed: bytes) -> bool:
        file.location.write_bytes(landed)
        return inspect(file).is_complete

    assert is_complete(content)
    assert [size for size in range(2, len(content)) if is_complete(content[:size])] == []
    assert not is_complete(COMPRESSIONS[ending](HEADER + good_line("m1").strip()))


def test_a_refund_of_the_whole_order_and_an_order_of_nothing_are_good(hub: Settings) -> None:
    rows = [order("o1", refunded_value="10"), order("o2", order_value="0", refunded_value="0.00")]

    assert load(hub, ORDERS, {"a.csv": rows}).column("order_value") == [Decimal(0), Decimal(10)]


def test_row_numbers_count_every_row_before_whatever_became_of_it(hub: Settings) -> None:
    content = HEADER + "".join(
        [
            line("1", "c1", "sent"),
            line('"2\n\n\n2"', "c1", "sent", "2026-01-10"),
            line("3", "c1", "sent", "2026-01-10", "more", "and more"),
            line("4", "c1", "lost", "2026-01-10"),
            line('"5"5', "c1", "sent", "2026-01-10"),
            line('"6\n6"', "c1", "lost", "2026-01-10"),
            line("7", "c1", "sent", "2026-01-10"),
            line("8", "c1", "lost", "2026-01-10"),
            line("9"),
        ]
    )

    loaded = load(hub, MESSAGES, {"a.csv": content})

    # Each row's id begins with its number; the quotes of a row that does not divide are shown as they stand.
    assert all(str(row.row_number) in (row.raw["message_id"] or "")[:2] for row in loaded.rejected)
    assert {row.row_number: row.reasons for row in loaded.rejected} == {
        1: ["too_few_fields"],
        3: ["too_many_fields"],
        4: ["unknown_status"],
        5: ["malformed_quotes"],
        6: ["unknown_status"],
        8: ["unknown_status"],
        9: ["too_few_fields"],
    }


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_blank_lines_of_a_csv_are_no_rows(hub: Settings, line_end: str) -> None:
    lines = [
        "",
        good_line(1),
        "",
        "",
        line("2", "c1"),
        "",
        line("3", "c1", "lost", "2026-01-10"),
        "",
        good_line(4),
    ]
    content = (HEADER + "\n".join(text.strip() for text in lines) + "\n\n").replace("\n", line_end)

    loaded = load(hub, MESSAGES, {"a.csv": content}, numbered=False)

    assert sorted(row.reasons for row in loaded.rejected) == [["too_few_fields"], ["unknown_status"]]
    assert loaded.files["a.csv"].rows_landed == 4


@pytest.mark.parametrize("blank", ["", "   ", "\t"], ids=["empty", "spaces", "tab"])
def test_blank_lines_of_json_lines_are_no_rows(hub: Settings, blank: str) -> None:
    lines = [json_line(1), "{", json_line(3, customer_id="\udcff"), json_line(4, status="lost"), json_line(5)]
    text = "".join(f"{blank}\n{content.strip()}\n" for content in lines)

    loaded = load(hub, MESSAGES, {"a.jsonl": text.encode(errors="surrogateescape")}, numbered=False)

    assert sorted(row.reasons for row in loaded.rejected) == [
        ["invalid_utf8"],
        ["malformed_json"],
        ["unknown_status"],
    ]
    assert loaded.files["a.jsonl"].rows_landed == 5


def test_a_rejected_row_shows_the_fields_of_the_contract_as_they_were_landed(hub: Settings) -> None:
    fields = {
        "message_id": " m1\t",
        "customer_id": '"😀", c',
        "queue_id": "",
        "status": " Lost ",
        "body": "hello",
    }
    row = {**message(), **fields, "occurred_at": "10 January"}
    shown = {name: value for name, value in row.items() if name != "body"}

    loaded = load(
        hub,
        MESSAGES,
        {
            "a.csv": [row],
            "b.jsonl": [row],
            "c.parquet": [row],
            "d.jsonl": [message(12, status=None, queue_id=[1])],
        },
    )

    raw = {rejected.path: rejected.raw for rejected in loaded.rejected}
    assert raw["a.csv"] == shown
    assert raw["b.jsonl"] == {**shown, "user_id": None, "updated_at": None}
    assert raw["c.parquet"] == shown
    assert raw["d.jsonl"] == {
        **message("12", status=None),
        "queue_id": "[1]",
        "user_id": None,
        "updated_at": None,
    }


def test_a_rejected_parquet_row_shows_typed_values_as_text(hub: Settings) -> None:
    table = pa.table(
        {
            "order_id": [17],
            "ordered_at": pa.array([datetime(2026, 1, 10, 10)], pa.timestamp("us")),
            "order_value": pa.array([Decimal("-12.5000")], pa.decimal128(18, 4)),
            "sales_channel": ["online"],
            "body": ["hello"],
        }
    )

    (rejected,) = load(hub, ORDERS, {"a.parquet": table}).rejected

    assert rejected.raw == {
        "order_id": "17",
        "ordered_at": "2026-01-10 10:00:00",
        "order_value": "-12.5000",
        "sales_channel": "online",
    }


# What must stay out of the warehouse.

SECRET = "0664 555 0142"
BODY = f'Hi, "Ann"\ncall {SECRET}, please'
QUOTED_BODY = '"' + BODY.replace('"', '""') + '"'
BODY_FIRST = "message_id,body,customer_id,status,occurred_at\n"
BODY_LAST = "message_id,customer_id,status,occurred_at,body\n"

WITH_SECRETS: dict[str, tuple[str, Content]] = {
    "good_csv": (".csv", [message("m1", body=BODY)]),
    "good_json_lines": (".jsonl", [message("m1", body=BODY, phone={"number": SECRET})]),
    "good_parquet": (".parquet", [message("m1", body=BODY)]),
    "rejected_csv": (".csv", [message("m1", status="lost", body=BODY)]),
    "rejected_json_lines": (".jsonl", [message("m1", status="lost", body=BODY, phone=[SECRET])]),
    "rejected_parquet": (".parquet", [message("m1", status="lost", body=BODY)]),
    "csv_with_too_many_fields_behind_the_body": (
        ".csv",
        BODY_LAST + line("m1", "c1", "sent", "2026-01-10", QUOTED_BODY, SECRET),
    ),
    "csv_with_an_unquoted_comma_in_the_last_column": (
        ".csv",
        BODY_LAST + line("m1", "c1", "sent", "2026-01-10", f"Hi, call {SECRET}"),
    ),
    "csv_with_an_unquoted_comma_in_a_column_between": (
        ".csv",
        BODY_FIRST + line("m1", f"Hi, call {SECRET}", "c1", "sent", "2026-01-10"),
    ),
    "csv_with_a_field_left_out_before_the_body": (
        ".csv",
        BODY_LAST + line("m1", "c1", "sent", f"call {SECRET}"),
    ),
    "csv_cut_short_behind_the_body": (".csv", BODY_FIRST + f"m1,call {SECRET},c1"),
    "csv_cut_short_within_a_quoted_body": (".csv", BODY_FIRST + f'm1,"Hi, call {SECRET}\n please'),
    "csv_with_text_behind_a_quoted_body": (
        ".csv",
        BODY_FIRST + line("m1", f'"Hi" {SECRET}', "c1", "sent", "2026-01-10"),
    ),
    "csv_with_a_body_of_invalid_utf8": (
        ".csv",
        (BODY_FIRST + line("m1", f"call \udcff {SECRET}", "c1", "sent", "2026-01-10")).encode(
            errors="surrogateescape"
        ),
    ),
    "csv_with_a_body_that_is_too_long": (
        ".csv",
        BODY_FIRST + line("m1", SECRET + "x" * 2_500_000, "c1", "sent", "2026-01-10"),
    ),
    "json_line_without_its_end": (".jsonl", json.dumps(message("m1", body=BODY))[:-1]),
    "json_line_cut_short_within_the_body": (".jsonl", json.dumps(message("m1", body=BODY))[:-10]),
    "json_line_with_a_body_about_fields": (
        ".jsonl",
        json.dumps(message("m1", body=f'"status": "{SECRET}", "queue_id": "{SECRET}"'))[:-1],
    ),
    "json_line_of_an_array": (".jsonl", json.dumps([message("m1", body=BODY), SECRET])),
    "json_line_of_a_text": (".jsonl", json.dumps(SECRET)),
    "json_line_of_no_json": (".jsonl", f"call {SECRET}"),
    "json_line_with_a_body_of_invalid_utf8": (
        ".jsonl",
        (json.dumps(message("m1"))[:-1] + f', "body": "\udcff {SECRET}"}}').encode(errors="surrogateescape"),
    ),
    "file_without_a_required_column": (".csv", f"message_id,body\nm1,{SECRET}\n"),
    "parquet_without_a_required_column": (".parquet", [{"message_id": "m1", "body": BODY}]),
    "csv_with_different_line_ends": (".csv", BODY_LAST + f"m1,c1,sent,2026-01-10,{SECRET}\r\n"),
    "csv_without_a_header": (".csv", line("m1", SECRET)),
}


def _secret_of(case: str) -> str:
    return f"{SECRET} {list(WITH_SECRETS).index(case):02}"


def _with_secret_of(case: str, content: Content) -> Content:
    if isinstance(content, bytes):
        return content.replace(SECRET.encode(), _secret_of(case).encode())
    if isinstance(content, str):
        return content.replace(SECRET, _secret_of(case))
    return json.loads(json.dumps(content).replace(SECRET, _secret_of(case)))


@pytest.fixture(scope="module")
def stored_with_secrets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that is kept of files that hold a secret each."""
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    for case, (ending, content) in WITH_SECRETS.items():
        land(hub.landing / "messages" / f"{case}{ending}", _with_secret_of(case, content))
    with databases.connect(hub) as connection:
        load_entity(connection, hub, MESSAGES)
        is_read = "(status = 'loaded' and rows_landed = 1) or status = 'failed'"
        (read,) = one_row(connection, f"select count(*) from raw.landed_files where {is_read}")
    assert read == len(WITH_SECRETS)
    in_files = [path.read_bytes() for path in hub.data_dir.rglob("*.duckdb*")]
    assert in_files
    return _everything_stored(hub) + b"".join(in_files).decode(errors="ignore")


@pytest.mark.parametrize("case", WITH_SECRETS)
def test_what_is_beyond_the_contract_is_stored_nowhere(stored_with_secrets: str, case: str) -> None:
    place = stored_with_secrets.find(_secret_of(case))

    assert place == -1, stored_with_secrets[place - 200 : place + 50]


def _everything_stored(hub: Settings) -> str:
    """Every row of every table in the warehouse, as text."""
    with duckdb.connect(str(hub.warehouse)) as connection:
        tables = connection.sql("select schema_name, table_name from duckdb_tables()").fetchall()
        assert len(tables) >= 4
        return "\n".join(
            str(row)
            for schema, table in tables
            for row in connection.execute(f'select * from "{schema}"."{table}"').fetchall()
        )


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        pytest.param(
            "a.csv",
            BODY_LAST + line("m1", '"c,1"', "lost", "2026-01-10", "x", "y"),
            {"message_id": "m1", "customer_id": "c,1", "status": "lost", "occurred_at": "2026-01-10"},
            id="csv_with_too_many_fields",
        ),
        pytest.param(
            "a.csv",
            HEADER + line("m1", "c1"),
            {"message_id": "m1", "customer_id": "c1", "status": None, "occurred_at": None},
            id="csv_with_too_few_fields",
        ),
        pytest.param(
            "a.jsonl",
            '{"message_id": "m \\"1\\"", "customer_id": 7, "body": "x" "status": "sent"}',
            {**dict.fromkeys(field.name for field in MESSAGES.fields), "message_id": 'm "1"',
             "customer_id": "7", "status": "sent"},
            id="malformed_json",
        ),
    ],
)  # fmt: skip
def test_a_row_that_does_not_divide_shows_its_fields_as_far_as_they_can_be_told(
    hub: Settings, name: str, content: str, shown: dict[str, str | None]
) -> None:
    (rejected,) = load(hub, MESSAGES, {name: content}).rejected

    assert {field: value or None for field, value in rejected.raw.items()} == shown


# What a verdict depends on.


@pytest.mark.parametrize("ending", TEXT_ENDINGS)
def test_an_order_in_another_currency_than_the_reporting_one_is_rejected(hub: Settings, ending: str) -> None:
    currencies = ["USD", " USD ", "", "EUR", "US Dollar", "$"]
    rows = [order(f"o{number}", currency=currency) for number, currency in enumerate(currencies)]

    loaded = load(hub, ORDERS, {f"a{ending}": rows})

    assert loaded.column("order_id") == ["o0", "o1", "o2"]
    assert loaded.reasons == {(f"a{ending}", number): ["foreign_currency"] for number in (4, 5, 6)}


def test_another_reporting_currency_validates_all_files_again(hub: Settings) -> None:
    files: dict[str, Content] = {
        "a.csv": [order("usd", currency="USD"), order("eur", currency="EUR"), order("none")],
        "b.jsonl": [order("eur too", currency="EUR"), order("bad", currency="EUR", status="x")],
        "c.parquet": [order("usd too", currency="USD")],
        "d.csv": "order_id\no1\n",
    }
    in_euro = replace(hub, currency="EUR")
    first = load(hub, ORDERS, files)
    messages_before = load(hub, MESSAGES, {"a.csv": messages("m1")})

    second = load(in_euro, ORDERS)
    unchanged = load(in_euro, ORDERS)
    third = load(hub, ORDERS)

    assert first.column("order_id") == ["none", "usd", "usd too"]
    assert second.column("order_id") == ["eur", "eur too", "none"]
    assert second.reasons == {
        ("a.csv", 1): ["foreign_currency"],
        ("b.jsonl", 2): ["unknown_status"],
        ("c.parquet", 1): ["foreign_currency"],
    }
    assert (second.report.files_loaded, list(second.failed)) == (3, ["d.csv"])
    assert unchanged.report.files_loaded == 0
    assert (third.by_file, third.rejected, third.failed) == (first.by_file, first.rejected, first.failed)
    assert load(in_euro, MESSAGES).events == messages_before.events
    assert load(hub, ORDERS).events == first.events


def test_a_row_is_validated_by_itself_never_by_the_clock_or_other_rows(hub: Settings) -> None:
    """Far future, the same id again, an older version of it and a contradiction to it: all good rows."""
    rows = [
        message("m1", occurred_at="2099-12-31T23:59:59Z"),
        message("m1"),
        message("m1"),
        message("m1", updated_at="2000-01-01"),
        message("m1", status="skipped", customer_id="c2"),
    ]
    other_day = replace(hub, timezone="Asia/Kathmandu", as_of=date(2001, 1, 1))

    loaded = load(other_day, MESSAGES, {"a.csv": rows})

    assert loaded.rejected == []
    assert len(loaded.events) == 5


# Conservation, on generated files.


@dataclass(frozen=True)
class Landed:
    """A row of a generated file: its fields, or the line itself where it does not divide into any."""

    reasons: tuple[str, ...]
    fields: Mapping[str, str] | None = None
    line: bytes = b""


FIELD_FAULTS: tuple[tuple[dict[str, str], tuple[str, ...]], ...] = (
    ({"customer_id": ""}, ("missing_customer_id",)),
    ({"status": "lost"}, ("unknown_status",)),
    ({"occurred_at": "1970-01-01"}, ("occurred_at_out_of_range",)),
    ({"message_id": " ", "occurred_at": "soon"}, ("missing_message_id", "malformed_occurred_at")),
)
LINE_FAULTS: dict[str, tuple[tuple[bytes, str], ...]] = {
    "csv": (
        (b"m", "too_few_fields"),
        (b"m,c1,sent", "too_few_fields"),
        (b"m,c1,sent,2026-01-10,1,2,3", "too_many_fields"),
        (b'"m"m,c1,sent,2026-01-10,1', "malformed_quotes"),
        (b"m\xff,c1,sent,2026-01-10,1", "invalid_utf8"),
    ),
    "json": (
        (b'{"message_id": "m', "malformed_json"),
        (b'["m", "c1"]', "malformed_json"),
        (b'{"message_id": "m\xff", "customer_id": "c1"}', "invalid_utf8"),
    ),
    "parquet": (),
}


def _family(ending: str) -> str:
    return "csv" if ending.startswith(".csv") else {".parquet": "parquet"}.get(ending, "json")


@st.composite
def landed_rows(draw: st.DrawFn, family: str) -> Landed:
    kinds = ["good", "good", "field"] + ["line"] * bool(LINE_FAULTS[family])
    kind = draw(st.sampled_from(kinds))
    if kind == "line":
        content, reason = draw(st.sampled_from(LINE_FAULTS[family]))
        return Landed((reason,), line=content)
    good = {
        "message_id": draw(st.sampled_from(["m1", "m,2", 'm"3"', "m\n4", "Ünï"])),
        "customer_id": "c1",
        "status": draw(st.sampled_from(["sent", "skipped"])),
        "occurred_at": "2026-01-10",
        "body": draw(st.sampled_from(["", "a,b", "a\nb"])),
    }
    if kind == "good":
        return Landed((), good)
    changed, reasons = draw(st.sampled_from(FIELD_FAULTS))
    return Landed(reasons, {**good, **changed})


@st.composite
def landed_files(draw: st.DrawFn) -> tuple[str, list[Landed]]:
    ending = draw(st.sampled_from(ENDINGS))
    return ending, draw(st.lists(landed_rows(_family(ending)), max_size=12))


def _content(ending: str, rows: Sequence[Landed]) -> bytes:
    names = [*FOUR, "body"]
    match _family(ending):
        case "parquet":
            columns = {name: [row.fields[name] for row in rows if row.fields] for name in names}
            return parquet_bytes(
                pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
            )
        case "json":
            lines = [json.dumps(row.fields).encode() if row.fields else row.line for row in rows]
            return b"\n".join(lines)
        case _:
            lines = [",".join(names).encode()]
            for row in rows:
                text = io.StringIO()
                csv.writer(text, lineterminator="\n").writerow(row.fields.values() if row.fields else [])
                lines.append(row.line or text.getvalue().encode().removesuffix(b"\n"))
            content = b"\n".join(lines)
            return compressed_for(ending, content)


@hypothesis_settings(max_examples=15, deadline=None, derandomize=True)
@given(first=st.lists(landed_files(), max_size=5), second=st.lists(landed_files(), max_size=2))
def test_every_row_of_any_files_is_accepted_or_rejected_under_its_number(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[str, list[Landed]]],
    second: list[tuple[str, list[Landed]]],
) -> None:
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    named = {f"{number}{ending}": rows for number, (ending, rows) in enumerate([*first, *second])}
    contents = {name: _content(name[1:], rows) for name, rows in named.items()}
    earlier = list(contents)[: len(first)]

    load(hub, MESSAGES, {name: contents[name] for name in earlier})
    loaded = load(hub, MESSAGES, {name: contents[name] for name in contents if name not in earlier})

    assert {path: record.rows_landed for path, record in loaded.files.items()} == {
        name: len(rows) for name, rows in named.items()
    }
    assert {key: tuple(reasons) for key, reasons in loaded.reasons.items()} == {
        (name, number): row.reasons
        for name, rows in named.items()
        for number, row in enumerate(rows, start=1)
        if row.reasons
    }
    assert _accepted(loaded) == {
        name: good
        for name, rows in named.items()
        if (
            good := Counter(
                (row.fields["message_id"], row.fields["status"])
                for row in rows
                if row.fields and not row.reasons
            )
        )
    }


def _accepted(loaded: Loaded) -> dict[str, Counter[tuple[str, str]]]:
    return {
        path: Counter((event["message_id"], event["status"]) for event in events)
        for path, events in loaded.by_file.items()
    }


@pytest.mark.parametrize(
    "error",
    [
        duckdb.IOException("No space left on device"),
        duckdb.BinderException("no such column"),
        OSError(28, "full"),
    ],
)
def test_what_is_not_the_fault_of_a_file_fails_the_load_and_not_the_file(
    hub: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(formats, "read", fail)
        with pytest.raises(type(error)):
            load(hub, MESSAGES, {"a.csv": messages("m1")})

    assert load(hub, MESSAGES).column("message_id") == ["m1"]


@pytest.mark.parametrize("error", [duckdb.OutOfMemoryException("8 TiB"), MemoryError("8 TiB")])
def test_a_file_for_which_memory_does_not_suffice_fails_alone_and_is_tried_again(
    hub: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    read = formats.read

    def fail_on_large(connection: object, shape: object, files: Mapping[int, Any], contract: object) -> Any:
        if any(file.path.endswith("large.csv") for file in files.values()):
            raise error
        return read(connection, shape, files, contract)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(formats, "read", fail_on_large)
        loaded = load(hub, MESSAGES, {f"{name}.csv": messages(name) for name in ("a", "large", "z")})

    assert loaded.column("message_id") == ["a", "z"]
    assert list(loaded.failed) == ["large.csv"]
    assert "raise CONTACT_MEMORY_LIMIT" in (loaded.failed["large.csv"] or "")
    assert load(hub, MESSAGES).column("message_id") == ["a", "large", "z"]


def test_a_link_may_stay_in_the_landing_folder_or_lead_to_a_folder_of_links_to(
    hub: Settings, tmp_path: Path
) -> None:
    load(hub, MESSAGES, {"a.csv": messages("m1")})
    elsewhere = tmp_path / "elsewhere"
    land(elsewhere / "b.csv", messages("m2"))
    (hub.landing / "messages" / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(hub.landing / "messages")
    (hub.landing / "messages" / "copy.csv").symlink_to(hub.landing / "messages" / "a.csv")

    outside = load(hub, MESSAGES)
    assert outside.column("message_id") == ["m1", "m1"]
    assert list(outside.report.left_alone) == ["landing/messages/linked"]

    allowed = load(replace(hub, hub=Hub(links_to=(elsewhere,))), MESSAGES)
    assert allowed.column("message_id") == ["m1", "m1", "m2"]


def test_a_landing_folder_that_is_away_is_an_error_and_no_file_counts_as_gone(hub: Settings) -> None:
    load(hub, MESSAGES, {"a.csv": messages("m1")})
    hub.landing.rename(hub.data_dir / "unmounted")

    with pytest.raises(LandingError, match="landing/messages is not there"):
        load(hub, MESSAGES)

    (hub.data_dir / "unmounted").rename(hub.landing)
    assert load(hub, MESSAGES).files["a.csv"].status == "loaded"


def test_a_failed_file_that_was_taken_away_is_forgotten(hub: Settings) -> None:
    assert load(hub, MESSAGES, {"a.csv": "message_id\n"}).failed
    (hub.landing / "messages" / "a.csv").unlink()

    assert load(hub, MESSAGES).files == {}
