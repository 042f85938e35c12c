"""The landing folder as the mirror of a bucket: what is copied, what is deleted, and what is left alone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from support.buckets import SECRET, Bucket
from support.landing import land_bytes, load

from orchestration import cli
from orchestration.defs import schedules
from orchestration.landing import retract
from orchestration.landing.contracts import MESSAGES
from orchestration.object_storage import listing, mirror_record
from orchestration.object_storage import mirror as mirroring
from orchestration.object_storage.listing import sort_out
from orchestration.object_storage.mirror import Mirroring, mirror
from orchestration.object_storage.mirror_record import MirrorRecord
from orchestration.object_storage.stores import Store, Stored, StoreError
from orchestration.operations.runs import landing_fingerprint
from orchestration.settings import Settings
from orchestration.warehouse import databases

pytestmark = pytest.mark.slow

HEADER = "message_id,customer_id,status,occurred_at\n"


def message(message_id: str) -> str:
    return f"{HEADER}{message_id},c1,sent,2026-01-10\n"


@pytest.fixture
def hub(tmp_path: Path, bucket: Bucket) -> Settings:
    return Settings(tmp_path / "data", "UTC", date(2026, 1, 31), "USD", landing_url=bucket.url)


def mirrored(hub: Settings) -> Mirroring:
    assert hub.landing_url
    return mirror(hub, Store(hub.landing_url))


def files(hub: Settings) -> dict[str, str]:
    """What lies in the landing folder."""
    return {
        path.relative_to(hub.landing).as_posix(): path.read_text()
        for path in hub.landing.rglob("*")
        if path.is_file()
    }


def test_objects_are_copied_once_and_again_when_they_were_written_again(
    hub: Settings, bucket: Bucket
) -> None:
    bucket.put("messages/2026/a.csv", message("m1"))
    bucket.put("orders/b.jsonl", "{}\n")
    first, second = mirrored(hub), mirrored(hub)
    bucket.put("messages/2026/a.csv", message("m2"))
    third = mirrored(hub)

    assert [len(done.copied) for done in (first, second, third)] == [2, 0, 1]
    assert first.counts_of("orders") == {"objects": 1, "copied": 1, "deleted": 0}
    assert files(hub) == {"messages/2026/a.csv": message("m2"), "orders/b.jsonl": "{}\n"}
    assert first.notices == second.notices == third.notices == []


def test_a_file_whose_object_has_gone_is_deleted_and_its_rows_stay(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/2026/a.csv", message("m1"))
    bucket.put("messages/b.csv", message("m2"))
    mirrored(hub)
    load(hub, MESSAGES)
    bucket.delete("messages/2026/a.csv")

    assert mirrored(hub).deleted == ["messages/2026/a.csv"]
    assert files(hub) == {"messages/b.csv": message("m2")}
    assert not (hub.landing / "messages" / "2026").exists()
    loaded = load(hub, MESSAGES)
    assert loaded.files["2026/a.csv"].status == "left"
    assert loaded.column("message_id") == ["m1", "m2"]


def test_another_etag_of_the_same_bytes_is_copied_and_changes_nothing(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    load(hub, MESSAGES)
    bucket.put_in_parts("messages/a.csv", message("m1").encode())

    assert mirrored(hub).copied == ["messages/a.csv"]
    assert load(hub, MESSAGES).report.files_loaded == 0
    assert mirrored(hub).copied == []


@pytest.mark.parametrize("change", ["touched", "edited", "deleted"])
def test_a_file_that_was_changed_here_is_the_object_again(hub: Settings, bucket: Bucket, change: str) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    file = hub.landing / "messages" / "a.csv"
    match change:
        case "touched":
            shutil.copy(file, file.with_name("b.csv"))
            file.with_name("b.csv").replace(file)
        case "edited":
            file.write_text(message("m9"))
        case "deleted":
            file.unlink()
    done = mirrored(hub)

    assert files(hub) == {"messages/a.csv": message("m1")}
    assert len(done.copied) == (change != "touched")
    assert [("was changed here" in notice) for notice in done.notices] == [True] * (change == "edited")
    assert mirrored(hub) == Mirroring(["messages/a.csv"])


def test_a_file_that_was_changed_here_is_named_also_where_its_object_was_written_again(
    hub: Settings, bucket: Bucket
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    land_bytes(hub.landing / "messages" / "a.csv", message("m9"))
    bucket.put("messages/a.csv", message("m2"))

    assert "was changed here" in " ".join(mirrored(hub).notices)
    assert files(hub) == {"messages/a.csv": message("m2")}


def test_a_file_that_is_not_from_the_bucket_is_named_and_never_touched(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    bucket.put("messages/same.csv", message("m2"))
    land_bytes(hub.landing / "messages" / "a.csv", message("m9"))
    land_bytes(hub.landing / "messages" / "same.csv", message("m2"))
    land_bytes(hub.landing / "orders" / "own.csv", "order_id\n")
    before = files(hub)
    done = mirrored(hub)

    assert files(hub) == before
    assert done.copied == []
    assert "messages/a.csv (another file of this name lies in the landing folder" in done.notices[0]
    assert "landing/messages/a.csv, landing/orders/own.csv." in done.notices[1]
    bucket.delete("messages/a.csv", "messages/same.csv")
    bucket.put("messages/.keep", b"")
    # What equals its object has become the object's.
    assert mirrored(hub).deleted == ["messages/same.csv"]
    assert "messages/a.csv" in files(hub)


def taken_back(hub: Settings, file: str) -> None:
    with databases.connect(hub) as connection:
        retract.retract(connection, hub, file)


def test_what_was_taken_back_is_copied_again_only_in_another_version(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    bucket.put("messages/b.csv", message("m2"))
    mirrored(hub)
    load(hub, MESSAGES)
    taken_back(hub, "messages/a.csv")

    assert [mirrored(hub).copied for _ in range(2)] == [[], []]
    assert load(hub, MESSAGES).column("message_id") == ["m2"]
    bucket.put_in_parts("messages/a.csv", message("m1").encode())
    assert mirrored(hub).copied == ["messages/a.csv"]
    assert load(hub, MESSAGES).column("message_id") == ["m1", "m2"]
    assert mirrored(hub).copied == []


def test_what_was_taken_back_stays_so_without_the_record(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    load(hub, MESSAGES)
    taken_back(hub, "messages/a.csv")
    hub.mirror_record.unlink()

    assert [mirrored(hub).copied for _ in range(2)] == [[], []]
    assert files(hub) == {}


# The sensor.


def again(hub: Settings, path: str, after: float) -> None:
    """Let the retraction of a path have been so many seconds later than it was, or earlier."""
    (request,) = [file for file in hub.retracted.glob("*/request.json") if path in file.read_text()]
    at = request.stat().st_mtime + after
    os.utime(request, (at, at))


@pytest.mark.parametrize(("after", "loaded"), [(-60, ["m1", "m2"]), (60, ["m2"])])
def test_what_was_taken_back_counts_when_it_was_written_since(
    hub: Settings, bucket: Bucket, after: float, loaded: list[str]
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    bucket.put("messages/b.csv", message("m2"))
    mirrored(hub)
    load(hub, MESSAGES)
    taken_back(hub, "messages/a.csv")
    bucket.delete("messages/a.csv")
    mirrored(hub)
    load(hub, MESSAGES)
    bucket.put("messages/a.csv", message("m1"))
    again(hub, "messages/a.csv", after)
    mirrored(hub)

    assert load(hub, MESSAGES).column("message_id") == loaded


def test_a_correction_in_the_place_of_what_was_taken_back_is_a_file_of_its_own(
    hub: Settings, bucket: Bucket
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    load(hub, MESSAGES)
    taken_back(hub, "messages/a.csv")
    mirrored(hub)
    before = landing_fingerprint(hub)
    land_bytes(hub.landing / "messages" / "a.csv", message("m3"))

    assert landing_fingerprint(hub) != before
    assert "landing/messages/a.csv" in " ".join(mirrored(hub).notices)
    bucket.put("messages/a.csv", message("m4"))
    assert "another file of this name" in " ".join(mirrored(hub).notices)
    assert files(hub) == {"messages/a.csv": message("m3")}


def test_an_object_that_is_overwritten_while_it_is_copied_waits_for_the_next_refresh(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    listed = Store.list_below

    def then_overwritten(store: Store, folders: Sequence[str]) -> list[Stored]:
        found = listed(store, folders)
        bucket.put("messages/a.csv", message("m2"))
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Store, "list_below", then_overwritten)
        assert "gone or overwritten" in " ".join(mirrored(hub).notices)
    assert files(hub) == {}

    assert mirrored(hub).copied == ["messages/a.csv"]
    assert files(hub) == {"messages/a.csv": message("m2")}


def test_the_mark_of_a_folder_with_the_name_of_a_file_hides_nothing_below_it(
    hub: Settings, bucket: Bucket
) -> None:
    bucket.put("messages/day.csv/part-0.csv", message("m1"))
    mirrored(hub)
    bucket.put("messages/day.csv/", b"")
    bucket.put("messages/day.csv/part-1.csv", message("m2"))
    done = mirrored(hub)

    assert (done.copied, done.deleted, done.notices) == (["messages/day.csv/part-1.csv"], [], [])


def test_another_server_is_another_folder(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://user:password@other.example:9000")

    with pytest.raises(StoreError, match=r"is s3://.* of other\.example:9000, but the files") as told:
        mirrored(hub)
    assert "password" not in str(told.value)
    assert files(hub) == {"messages/a.csv": message("m1")}


def test_a_character_that_no_request_may_have_is_said_to_be_in_the_environment(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"{SECRET}\n")

    with pytest.raises(StoreError, match="has a character that no request may have") as told:
        mirrored(hub)
    assert SECRET not in str(told.value)


def test_the_sensor_sees_what_landed_in_the_bucket_and_copies_nothing(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    landed = landing_fingerprint(hub)
    assert not hub.landing.exists()
    mirrored(hub)
    assert landing_fingerprint(hub) == landed
    bucket.put("messages/a.csv", message("m2"))
    rewritten = landing_fingerprint(hub)
    land_bytes(hub.landing / "orders" / "own.csv", "order_id\n")

    assert len({landed, rewritten, landing_fingerprint(hub)}) == 3
    assert files(hub)["messages/a.csv"] == message("m1")


def test_the_sensor_waits_for_a_bucket_out_of_reach(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with dg.DagsterInstance.ephemeral() as instance:
        tick = schedules.build_sensor(lambda: hub)(dg.build_sensor_context(instance=instance))

    assert isinstance(tick, dg.SkipReason)
    assert "it cannot be reached. The next tick looks again." in str(tick.skip_message)


# Commands.


def test_a_rebuild_mirrors_first_and_keeps_the_warehouse_where_it_cannot(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    load(hub, MESSAGES)
    bucket.delete("messages/a.csv")
    bucket.put("messages/b.csv", message("m2"))
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        assert not cli.remove_warehouse(hub)
    assert hub.warehouse.exists()

    assert cli.remove_warehouse(hub)
    assert not hub.warehouse.exists()
    # The rows of the file that has left were kept before its warehouse went.
    assert load(hub, MESSAGES).column("message_id") == ["m1", "m2"]


def test_no_sample_is_landed_in_a_mirror(hub: Settings) -> None:
    cli.land_sample_if_nothing_has_landed(hub)

    assert not hub.landing.exists()


# What looks as if all files had gone.


def test_nothing_is_deleted_where_the_folder_lists_nothing(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    bucket.put("orders/b.csv", "order_id\n")
    mirrored(hub)
    bucket.delete("orders/b.csv")

    with pytest.raises(StoreError, match=r"lists nothing below orders/, but 1 of its objects"):
        mirrored(hub)
    assert files(hub).keys() == {"messages/a.csv", "orders/b.csv"}
    bucket.put("orders/.keep", b"")
    assert mirrored(hub).deleted == ["orders/b.csv"]


def test_a_folder_of_which_all_was_taken_back_may_be_empty(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    load(hub, MESSAGES)
    taken_back(hub, "messages/a.csv")
    mirrored(hub)
    bucket.delete("messages/a.csv")

    assert mirrored(hub) == Mirroring([])


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_folder_in_the_place_of_a_copy_is_named_and_stays(
    hub: Settings, bucket: Bucket, is_gone: bool
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    bucket.put("messages/b.csv", message("m2"))
    mirrored(hub)
    (hub.landing / "messages" / "a.csv").unlink()
    land_bytes(hub.landing / "messages" / "a.csv" / "inner.csv", message("m3"))
    if is_gone:
        bucket.delete("messages/a.csv")
    done = mirrored(hub)

    assert files(hub) == {"messages/a.csv/inner.csv": message("m3"), "messages/b.csv": message("m2")}
    assert "messages/a.csv" in done.notices[0]


def test_another_folder_is_no_folder_whose_files_have_gone(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    other = replace(bucket, folder="other")
    other.put("messages/b.csv", message("m2"))

    with pytest.raises(StoreError, match="were copied from"):
        mirrored(replace(hub, landing_url=other.url))
    assert files(hub) == {"messages/a.csv": message("m1")}


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "it cannot be reached"),
        ("CONTACT_LANDING", "s3://no-such-bucket/landed", "the store answered 404 NoSuchBucket"),
    ],
)
def test_a_store_out_of_reach_says_so_and_nothing_counts_as_gone(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    hub.mirror_record.write_text("")
    monkeypatch.setenv(variable, value)
    url = value if variable == "CONTACT_LANDING" else bucket.url

    with pytest.raises(StoreError) as raised:
        mirrored(replace(hub, landing_url=url))
    said = str(raised.value)
    assert words in said
    assert "none counts as gone" in said
    assert "run without CONTACT_LANDING" in said
    assert not any(secret in said for secret in (SECRET, "key-of-the-bucket", "Signature", "<", "http"))
    assert files(hub) == {"messages/a.csv": message("m1")}


def test_without_the_library_a_line_says_what_to_install(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)

    with pytest.raises(StoreError, match="run `make object-storage`") as raised:
        mirrored(hub)
    assert "\n" not in str(raised.value)


# Interrupted.


class _KilledError(BaseException):
    """What ends a mirroring where a kill would."""


STEPS = (
    (mirror_record.MirrorRecord, "put"),
    (mirror_record.MirrorRecord, "drop"),
    (mirror_record.MirrorRecord, "begin"),
    (mirroring._Mirror, "_fetch"),
    (Path, "replace"),
    (Path, "unlink"),
    (mirroring, "sync"),
)


def killing(called: Callable[..., object], is_done: bool) -> Callable[..., object]:
    """A step that is killed before it does anything, or behind that."""

    def killed(*arguments: object) -> object:
        if is_done:
            called(*arguments)
        raise _KilledError

    return killed


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("step", [STEPS[0], STEPS[4]], ids=lambda step: step[1])
def test_an_object_that_changes_behind_a_kill_is_copied_as_it_is_now(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, step: tuple[object, str], is_done: bool
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    bucket.put("messages/b.csv", message("m2"))
    with monkeypatch.context() as patched:
        # What begins the record is a rename too.
        patched.setattr(MirrorRecord, "begin", lambda record, url: None)
        patched.setattr(*step, killing(getattr(*step), is_done))
        with pytest.raises(_KilledError):
            mirrored(hub)
    bucket.put("messages/b.csv", message("m3"))

    assert mirrored(hub).notices == []
    assert files(hub) == {"messages/a.csv": message("m1"), "messages/b.csv": message("m3")}


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
def test_a_mirroring_killed_at_any_step_is_finished_by_the_next(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, step: tuple[object, str], is_done: bool
) -> None:
    for name in ("gone", "changed", "same"):
        bucket.put(f"messages/{name}.csv", message(name))
    mirrored(hub)
    bucket.delete("messages/gone.csv")
    bucket.put("messages/changed.csv", message("other"))
    bucket.put("messages/new.csv", message("new"))
    with monkeypatch.context() as patched:
        patched.setattr(*step, killing(getattr(*step), is_done))
        with pytest.raises(_KilledError):
            mirrored(hub)
    # A kill leaves what an error takes away. Loads pass over it.
    land_bytes(hub.landing / ".mirror" / "0", "half of an object")
    assert load(hub, MESSAGES).report.failed == {}
    mirrored(hub)

    expected = {"changed": "other", "same": "same", "new": "new"}
    assert files(hub) == {f"messages/{name}.csv": message(held) for name, held in expected.items()}
    assert mirrored(hub).copied == []
    record = MirrorRecord(hub.mirror_record)
    assert {path: one.content_hash for path, one in record.files.items()} == {
        path: hashlib.sha256(text.encode()).hexdigest() for path, text in files(hub).items()
    }


def test_a_record_whose_last_line_was_cut_short_is_read(hub: Settings, bucket: Bucket) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    lines = hub.mirror_record.read_text()
    hub.mirror_record.write_text(lines + lines.splitlines()[1][:40])

    assert mirrored(hub).copied == []
    hub.mirror_record.write_text(lines + "no record\n")
    with pytest.raises(StoreError, match="cannot be read"):
        mirrored(hub)
    assert files(hub) == {"messages/a.csv": message("m1")}


def test_what_arrives_damaged_gets_no_place(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    read_blocks = Store.read_blocks
    damages: Iterator[bytes] = iter([b"1", b"2", b"3", b"3"])

    def damaged(store: Store, path: str, e_tag: str) -> Iterator[bytes]:
        yield from read_blocks(store, path, e_tag)
        yield next(damages)

    monkeypatch.setattr(Store, "read_blocks", damaged)
    with pytest.raises(StoreError, match=r"gives other bytes of .* each time"):
        mirrored(hub)
    assert files(hub) == {}
    # An encrypted object has an ETag that is no hash of its bytes, and the same bytes each time.
    assert mirrored(hub).copied == ["messages/a.csv"]


# Keys.


def stored(path: str, size: int = 1) -> Stored:
    return Stored(path, size, '"e"', "2026-01-01")


HOSTILE = {
    "messages/../../x.csv": "part or one of dots",
    "messages/./x.csv": "part or one of dots",
    "messages//x.csv": "part or one of dots",
    "messages/a\\b.csv": "backslash",
    "messages/a\nb.csv": "control character",
    "messages/a\x7fb.csv": "control character",
    f"messages/{'n' * 300}.csv": "longer than 255 bytes",
    f"messages/{'ü' * 127}.csv": "longer than 255 bytes",
    "messages/good.csv/x.csv": "below another object",
}


def test_a_key_that_is_no_path_is_refused_and_the_others_are_copied(tmp_path: Path) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    found = sort_out(hub, [stored("messages/good.csv"), *map(stored, HOSTILE), stored("orders/x/y.csv")])

    assert found.objects.keys() == {"messages/good.csv", "orders/x/y.csv"}
    assert found.refused.keys() == HOSTILE.keys()
    for path, reason in found.refused.items():
        assert HOSTILE[path] in reason


def test_keys_that_are_not_read_are_told_apart(tmp_path: Path) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    found = sort_out(
        hub,
        [
            *(stored("messages", 0), stored("messages/2026", 0), stored("messages/a.csv", 5)),
            *(stored("messages/a.csv", 0), stored("messages/notes.xlsx"), stored("messages/_dlt/a.csv")),
            *(stored("messages/.keep", 0), stored("messages/tmp_a.csv"), stored("messages/a.zip")),
        ],
    )

    assert found.objects == {"messages/a.csv": stored("messages/a.csv", 5)}
    assert found.left_alone.keys() == {"messages/notes.xlsx", "messages/a.zip"}
    assert found.refused == {}
    assert found.at_work == ["messages/_dlt/a.csv", "messages/tmp_a.csv"]
    assert found.folders == ("messages",)


def test_a_key_that_is_too_long_below_the_landing_folder_is_refused(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "PATH_BYTES", len(str(hub.landing / "messages" / "a.csv")) + 1)
    bucket.put("messages/a.csv", message("m1"))
    bucket.put("messages/aa.csv", message("m2"))
    done = mirrored(hub)

    assert done.copied == ["messages/a.csv"]
    assert "messages/aa.csv (its key is too long for a path)" in done.notices[0]


def test_a_copy_that_fails_ends_the_others(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    bucket.put("messages/b.csv", message("m2"))
    finished: list[str] = []

    def failing(store: Store, path: str, e_tag: str) -> Iterator[bytes]:
        if path == "messages/a.csv":
            raise OSError(errno.ENOSPC, "No space left on device")
        for _ in range(10_000):
            time.sleep(0.001)
            yield b"a line\n"
        finished.append(path)

    monkeypatch.setattr(Store, "read_blocks", failing)
    with pytest.raises(OSError, match="No space left"):
        mirrored(hub)
    assert finished == []
    assert files(hub) == {}


def test_names_that_differ_in_letter_case_are_one_where_the_file_system_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    objects = [stored("messages/a.csv"), stored("messages/A.csv"), stored("messages/b.csv")]

    assert len(sort_out(hub, objects).objects) == 3
    monkeypatch.setattr(listing, "_ignores_letter_case", lambda landing: True)
    found = sort_out(hub, objects)
    assert found.objects.keys() == {"messages/b.csv"}
    assert found.refused.keys() == {"messages/a.csv", "messages/A.csv"}


def test_hostile_keys_stay_in_the_landing_folder_and_are_named_printably(
    hub: Settings, bucket: Bucket, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (hub.landing / "messages").mkdir(parents=True)
    (hub.landing / "messages" / "link").symlink_to(outside)
    for key in (
        *("messages/good.csv", "messages/A.csv", "messages/a.csv", "messages/a b%2e%2e+ü.csv"),
        *("messages/link/x.csv", "messages/x\\y.csv", "messages/\u202edlrow.csv/x.csv"),
        *("messages/a.csv/below.csv", f"messages/{'n' * 300}.csv"),
        f"messages/{'d' * 200}{'/e' * 400}.csv",
        *("messages/folder.csv/", "messages/$(id).csv", "stray.csv", "/absolute.csv"),
    ):
        bucket.put(key, message(key) if not key.endswith("/") else "")
    done = mirrored(hub)

    said = "\n".join(done.notices)
    assert list(outside.iterdir()) == []
    assert {path for path in files(hub) if "e/e" not in path} == {
        *("messages/good.csv", "messages/A.csv", "messages/a.csv", "messages/a b%2e%2e+ü.csv"),
        *("messages/\u202edlrow.csv/x.csv", "messages/$(id).csv"),
    }
    assert "\u202e" not in said
    for name in ("messages/link/x.csv", "messages/x\\y.csv", "messages/a.csv/below.csv"):
        assert name in said
    # Beside the folders that are read lies what no listing can name; it stops nothing.
    assert "has an empty part" in said
    assert {path.name for path in tmp_path.iterdir()} == {"data", "outside"}
    assert mirrored(hub).copied == []


@pytest.mark.parametrize("key", ["messages/../../x.csv", "messages//x.csv", "messages/a\x01\x1b[2J.csv"])
def test_a_key_that_no_listing_can_name_stops_the_mirroring_with_its_name(
    hub: Settings, bucket: Bucket, key: str
) -> None:
    bucket.put("messages/a.csv", message("m1"))
    mirrored(hub)
    bucket.put(key, message("m2"))

    with pytest.raises(StoreError, match="rename or delete that object") as raised:
        mirrored(hub)
    assert "\x1b" not in str(raised.value)
    assert files(hub) == {"messages/a.csv": message("m1")}


def test_a_folder_of_the_file_system_is_mirrored_too(tmp_path: Path) -> None:
    land_bytes(tmp_path / "mounted" / "messages" / "a.csv", message("m1"))
    url = (tmp_path / "mounted").as_uri()
    hub = Settings(tmp_path / "data", "UTC", date(2026, 1, 31), "USD", landing_url=url)
    first, second = mirrored(hub), mirrored(hub)

    assert (first.copied, second.copied) == (["messages/a.csv"], [])
    assert files(hub) == {"messages/a.csv": message("m1")}
    assert json.loads(hub.mirror_record.read_text().splitlines()[0]) == {"address": url}
