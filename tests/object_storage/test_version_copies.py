"""Published versions in object storage: whole, in order, and old ones gone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.buckets import SECRET, Bucket

from orchestration.object_storage.stores import Store
from orchestration.object_storage.version_copies import Copied, CopyError, copy_published
from orchestration.publishing.publish import versions_to_remove
from orchestration.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def hub(tmp_path: Path, bucket: Bucket) -> Settings:
    return Settings(tmp_path / "data", "UTC", date(2026, 1, 31), "USD", copies_url=bucket.url)


def name_of(day: int, hour: int = 0) -> str:
    return f"202601{day:02}T{hour:02}0000.000000Z"


def published(hub: Settings, day: int, hour: int = 0) -> str:
    """Publish a version that tells its day; gives its name."""
    name = name_of(day, hour)
    file = hub.versions / name / hub.published.name
    file.parent.mkdir(parents=True)
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"create table report_info as select {day} as day")
        connection.execute("create table dim_queues as select 'it''s' as queue_name")
    hub.published.unlink(missing_ok=True)
    hub.published.symlink_to(file)
    return name


def copied(hub: Settings, day: int, hour: int = 0) -> str:
    """Publish a version and copy it; gives its name."""
    name = published(hub, day, hour)
    copy_published(hub)
    return name


def latest(bucket: Bucket) -> str | None:
    objects = bucket.objects()
    return json.loads(objects["latest.json"])["version"] if "latest.json" in objects else None


def versions(bucket: Bucket) -> set[str]:
    return {path.partition("/")[0] for path in bucket.objects() if "/" in path}


def require_whole(bucket: Bucket) -> None:
    """All files that latest.json names are there with their sizes and hashes, and no others beside them."""
    objects = bucket.objects()
    said = json.loads(objects["latest.json"])
    prefix = f"{said['version']}/"
    held = {
        path.removeprefix(prefix): {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in objects.items()
        if path.startswith(prefix)
    }
    assert held.pop("version.json")
    assert held == said["files"]


def test_a_version_is_copied_as_duckdb_and_as_parquet(hub: Settings, bucket: Bucket, tmp_path: Path) -> None:
    name = published(hub, 5)

    assert copy_published(hub) == Copied(name, [])
    require_whole(bucket)
    said = json.loads(bucket.objects()["latest.json"])
    assert said["published_at"] == "2026-01-05T00:00:00+00:00"
    assert said["files"].keys() == {
        *("contact_reports.duckdb", "parquet/dim_queues.parquet", "parquet/report_info.parquet")
    }
    file = tmp_path / "copied.parquet"
    file.write_bytes(bucket.objects()[f"{name}/parquet/dim_queues.parquet"])
    assert duckdb.execute(f"from '{file}'").fetchall() == [("it's",)]
    assert bucket.objects()[f"{name}/contact_reports.duckdb"] == hub.published.read_bytes()
    assert {path.name for path in hub.data_dir.iterdir()} == {"published"}


def test_what_is_there_is_not_copied_again(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = published(hub, 5)
    copy_published(hub)
    monkeypatch.setattr(Store, "write", lambda *_: pytest.fail("it was written again"))

    assert copy_published(hub) == Copied(name, [])


class _KilledError(BaseException):
    """What ends a copying where a kill would."""


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("writes", range(5))
def test_a_copying_killed_at_any_write_leaves_the_version_before(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, writes: int, is_done: bool
) -> None:
    before = published(hub, 5)
    copy_published(hub)
    killed = published(hub, 6)
    write, left = Store.write, [writes]

    def write_until(store: Store, path: str, content: Path | bytes) -> int:
        left[0] -= 1
        size = write(store, path, content) if left[0] >= 0 or is_done else 0
        if left[0] < 0:
            raise _KilledError
        return size

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", write_until)
        with pytest.raises(_KilledError):
            copy_published(hub)
    is_the_last = (writes, is_done) == (4, True)
    assert latest(bucket) == (killed if is_the_last else before)
    require_whole(bucket)

    newest = published(hub, 7)
    assert copy_published(hub) is not None
    assert latest(bucket) == newest
    require_whole(bucket)
    # What has its version.json is a version, all else is a remnant and is removed.
    is_whole = writes == 4 or (writes, is_done) == (3, True)
    assert versions(bucket) == {before, newest} | ({killed} if is_whole else set())


def test_old_versions_leave_by_the_rule_of_the_local_ones_and_nothing_else_does(
    hub: Settings, bucket: Bucket
) -> None:
    bucket.put("notes/readme.txt", "of somebody else")
    bucket.put("20260105/a.csv", "no version")
    names = [copied(hub, day, hour) for day in (1, 2, 20) for hour in range(3)]

    expected = set(names) - versions_to_remove(names, "UTC")
    assert len(expected) < len(names)
    assert versions(bucket) == {*expected, "notes", "20260105"}
    require_whole(bucket)


def test_a_removal_that_was_killed_is_finished(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = copied(hub, 1)
    for hour in range(4):
        copied(hub, 20, hour)
    newest = published(hub, 20, 4)
    delete = Store.delete

    def delete_and_end(store: Store, paths: list[str]) -> None:
        delete(store, paths)
        raise _KilledError

    with monkeypatch.context() as patched:
        patched.setattr(Store, "delete", delete_and_end)
        with pytest.raises(_KilledError):
            copy_published(hub)
    # What is half removed does not look like a version.
    assert f"{old}/contact_reports.duckdb" in bucket.objects()
    assert f"{old}/version.json" not in bucket.objects()
    assert copy_published(hub) == Copied(newest, [old])
    assert old not in versions(bucket)
    require_whole(bucket)


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"version": "other"}', b"\xff"])
def test_a_damaged_latest_json_is_written_again(hub: Settings, bucket: Bucket, damage: bytes) -> None:
    name = published(hub, 5)
    copy_published(hub)
    for path in ("latest.json", f"{name}/version.json"):
        bucket.put(path, damage)
    copy_published(hub)

    require_whole(bucket)


def test_a_store_out_of_reach_says_so_and_the_next_copying_catches_up(
    hub: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(hub, 5)
    copy_published(hub)
    newest = published(hub, 6)
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(CopyError) as raised:
            copy_published(hub)
    said = str(raised.value)
    assert "it cannot be reached. It is published here" in said
    assert "The next refresh copies the newest one." in said
    assert not any(secret in said for secret in (SECRET, "key-of-the-bucket", "Signature", "http"))

    assert copy_published(hub) == Copied(newest, [])
    require_whole(bucket)


def test_versions_are_copied_into_a_folder_of_the_file_system_too(tmp_path: Path) -> None:
    target = tmp_path / "mounted" / "copies"
    hub = Settings(tmp_path / "data", "UTC", date(2026, 1, 31), "USD", copies_url=target.as_uri())
    name = published(hub, 5)
    copy_published(hub)

    assert json.loads((target / "latest.json").read_text())["version"] == name
    assert (target / name / "contact_reports.duckdb").read_bytes() == hub.published.read_bytes()
    assert copy_published(replace(hub, copies_url=None)) is None
