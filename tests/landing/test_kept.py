"""``kept/``: what is there counts once its refresh is committed, stays few files, and is checked again.

Which rows are kept is tested in test_arrivals.py.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from support.landing import Content, Loaded, load

from orchestration.landing import kept
from orchestration.landing.batch_loader import ChangedWhileReadError, DueFile
from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.landing.kept import UNFINISHED, KeptError, KeptRows, Segment
from orchestration.settings import Settings


class Killed(BaseException):
    """What a signal raises: no handler of errors catches it."""


def die(*arguments: object) -> None:
    raise Killed


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


def messages(*ids: str) -> list[dict[str, str]]:
    """Good messages; one without an id is rejected."""
    return [
        {
            "message_id": message_id,
            "customer_id": "c1",
            "status": "sent",
            "occurred_at": "2026-01-10T10:00:00Z",
        }
        for message_id in ids
    ]


def load_messages(hub: Settings, files: dict[str, Content] | None = None) -> Loaded:
    # Rows of several contents of one path are numbered each as they were.
    return load(hub, MESSAGES, files, numbered=False)


def rebuilt(hub: Settings) -> Loaded:
    """What a warehouse that knows nothing loads."""
    for file in hub.databases:
        file.unlink(missing_ok=True)
    return load_messages(hub)


def test_rows_below_a_folder_that_cannot_be_listed_stay_and_a_rebuild_has_them_too(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, Content] = {"a.csv": messages("m1"), "shop/b.csv": messages("m2")}
    load_messages(hub, files)
    scandir = os.scandir

    def refuse(path: Path) -> Iterator[os.DirEntry[str]]:
        if path == hub.landing / "messages" / "shop":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    with monkeypatch.context() as unlisted:
        unlisted.setattr(os, "scandir", refuse)
        first = load_messages(hub)
        for loaded in (first, rebuilt(hub), load_messages(hub)):
            assert loaded.column("message_id") == ["m1", "m2"]
            assert loaded.files["shop/b.csv"].rows_kept == 1
    reason = first.report.failed["landing/messages/shop/b.csv"]
    assert reason == "the folder landing/messages/shop cannot be listed: Permission denied"

    listed = load_messages(hub)
    assert listed.column("message_id") == ["m1", "m2"]
    assert listed.files["shop/b.csv"].status == "loaded"
    assert listed.files["shop/b.csv"].rows_kept == 0


@pytest.mark.parametrize("name", ["b.csv", os.fsdecode(b"b-\xff.csv")])
def test_a_file_gives_its_rows_up_for_another_name_only_when_that_one_was_loaded(
    hub: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    load_messages(hub, {"a.csv": messages("m1")})
    folder = hub.landing / "messages"
    try:
        (folder / "a.csv").rename(folder / name)
    except OSError:
        pytest.skip("the file system takes only names that are text")

    def change(batch: Sequence[DueFile]) -> None:
        raise ChangedWhileReadError(batch)

    with monkeypatch.context() as changing:
        changing.setattr("orchestration.landing.batch_loader._require_unchanged", change)
        moved = load_messages(hub)
    assert moved.column("message_id") == ["m1"]
    assert moved.files["a.csv"].rows_kept == 1
    assert set(rebuilt(hub).column("message_id")) == {"m1"}


def test_what_else_lies_beside_the_segments_is_left_alone(hub: Settings) -> None:
    load_messages(hub, {"a.csv": messages("m1")})
    (hub.landing / "messages" / "a.csv").unlink()
    load_messages(hub)
    for name in (".DS_Store", "note.txt", "copy.parquet", "00000001.parquet"):
        (hub.kept / "messages" / name).write_text("somebody's")

    assert load_messages(hub, {"b.csv": messages("m2")}).column("message_id") == ["m1", "m2"]
    assert rebuilt(hub).column("message_id") == ["m1", "m2"]
    assert (hub.kept / "messages" / "note.txt").read_text() == "somebody's"


def test_a_damaged_segment_is_named_and_nothing_is_done(hub: Settings) -> None:
    load_messages(hub, {"a.csv": messages("m1")})
    (hub.landing / "messages" / "a.csv").unlink()
    load_messages(hub)
    (segment,) = (hub.kept / "messages").iterdir()
    segment.write_bytes(segment.read_bytes()[:50])

    with pytest.raises(KeptError, match=f"{re.escape(str(segment))} cannot be read: .* from a backup"):
        load_messages(hub)
    assert segment.exists()


def test_many_overwritten_files_leave_few_segments_and_lose_no_row(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_SEGMENTS", 3)
    for number in range(12):
        loaded = load_messages(
            hub, {"a.csv": messages(f"m{number:02}", "m"), "b.csv": messages(f"n{number}")}
        )

    assert len(list((hub.kept / "messages").iterdir())) <= 4
    ids = sorted(["m", *(f"m{number:02}" for number in range(12)), *(f"n{number}" for number in range(12))])
    assert loaded.column("message_id") == ids
    assert rebuilt(hub).column("message_id") == ids


def test_what_is_kept_counts_when_its_refresh_dies_right_after_the_commit(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_messages(hub, {"a.csv": messages("m1", "m2", "")})

    with monkeypatch.context() as killing:
        killing.setattr(KeptRows, "finish", die)
        with pytest.raises(Killed):
            load_messages(hub, {"a.csv": messages("m2", "m3")})
    assert [file.suffix for file in (hub.kept / "messages").iterdir()] == [UNFINISHED]

    for loaded in (load_messages(hub), rebuilt(hub)):
        assert loaded.column("message_id") == ["m1", "m2", "m3"]
        assert loaded.files["a.csv"].rows_kept == 2
        assert [row.reasons for row in loaded.rejected] == [["missing_message_id"]]


def test_what_is_kept_counts_when_the_warehouse_is_lost_right_after_the_commit(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_messages(hub, {"a.csv": messages("m1")})
    with monkeypatch.context() as killing:
        killing.setattr(KeptRows, "finish", die)
        with pytest.raises(Killed):
            load_messages(hub, {"a.csv": messages("m2")})

    assert rebuilt(hub).column("message_id") == ["m1", "m2"]


def test_what_a_refresh_kept_and_did_not_commit_is_forgotten(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_messages(hub, {"a.csv": messages("m1")})
    write = KeptRows.write

    def write_and_die(*arguments: object) -> Segment:
        write(*arguments)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(KeptRows, "write", write_and_die)
        with pytest.raises(Killed):
            load_messages(hub, {"a.csv": messages("m2")})
    assert [file.suffix for file in (hub.kept / "messages").iterdir()] == [UNFINISHED]

    # The content that the rows would have given way to is overwritten in its turn.
    loaded = load_messages(hub, {"a.csv": messages("m1", "m3")})
    assert loaded.column("message_id") == ["m1", "m3"]
    assert not list((hub.kept / "messages").iterdir())


def test_kept_orders_are_checked_again_under_another_currency(hub: Settings) -> None:
    order = {
        "order_id": "o1",
        "ordered_at": "2026-01-10T10:00:00Z",
        "order_value": "10.00",
        "sales_channel": "online",
    }
    load(hub, ORDERS, {"a.csv": [order, {**order, "order_id": "o2", "currency": "EUR"}]})
    (hub.landing / "orders" / "a.csv").unlink()
    load(hub, ORDERS, numbered=False)

    in_euros = load(replace(hub, currency="EUR"), ORDERS, numbered=False)
    assert in_euros.column("order_id") == ["o2"]
    assert in_euros.reasons == {("a.csv", 1): ["foreign_currency"]}

    back = load(hub, ORDERS, numbered=False)
    assert back.column("order_id") == ["o1"]


def test_kept_rows_are_those_of_the_folder_also_when_it_is_restored_from_another_day(hub: Settings) -> None:
    load_messages(hub, {"a.csv": messages("m1")})
    load_messages(hub, {"a.csv": messages("m2")})
    earlier = {file.name: file.read_bytes() for file in (hub.kept / "messages").iterdir()}
    load_messages(hub, {"a.csv": messages("m1", "m3")})
    assert load_messages(hub).column("message_id") == ["m1", "m2", "m3"]

    for file in (hub.kept / "messages").iterdir():
        file.unlink()
    for name, content in earlier.items():
        (hub.kept / "messages" / name).write_bytes(content)

    # What was kept then is all that is kept; of it m1 gives way to the file.
    for loaded in (load_messages(hub), rebuilt(hub)):
        assert loaded.column("message_id") == ["m1", "m3"]
