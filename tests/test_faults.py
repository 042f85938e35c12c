"""Faults of the machine and of people: each ends with a clear word and loses nothing."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import shake_256
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import edit_hub_file, load, load_and_build, publish, reading, rebuild, refresh
from support.small_hub import MESSAGE, copied, landed_hub

from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.load import load_entity
from orchestration.landing.notices import notices
from orchestration.operations.rebuilding import remove_warehouse
from orchestration.publishing.publish import PublishError
from orchestration.settings import Settings
from orchestration.warehouse import databases
from orchestration.warehouse.errors import WarehouseError, WarehouseInUseError

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub(refreshed_hub: Settings, tmp_path: Path) -> Settings:
    """A hub with a message and an order, refreshed once."""
    return copied(refreshed_hub, tmp_path / "hub")


def land_second_message(hub: Settings) -> None:
    land_csv(hub.landing / "messages" / "b.csv", [{**MESSAGE, "message_id": "m2"}])


def messages_published(hub: Settings) -> list[str]:
    with reading(hub.published) as connection:
        rows = connection.sql("select message_id from fct_messages order by message_id").fetchall()
    return [message_id for (message_id,) in rows]


def refresh_unheld(hub: Settings) -> list[str]:
    """A refresh that nothing about what has landed holds back; returns what its load tells."""
    reports = load(hub)
    for report in reports:
        assert (report.too_many_rejected, report.too_many_gone, report.left_behind) == (None, None, {})
    refresh(hub)
    return [notice for report in reports for notice in notices(report)]


def rebuild_unheld(hub: Settings) -> list[str]:
    """The same after the warehouse was removed."""
    remove_warehouse(hub, print, print)
    return refresh_unheld(hub)


@contextmanager
def full_disk(most_bytes: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: the next write fails, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_while_loading_loses_nothing(hub: Settings) -> None:
    # Ids that do not compress: some megabytes on disk.
    many = [{**MESSAGE, "message_id": shake_256(bytes(f"{n}", "ascii")).hexdigest(500)} for n in range(5000)]
    land_csv(hub.landing / "messages" / "many.csv", many)

    with full_disk(1_000_000), pytest.raises(duckdb.Error, match="File too large"):
        load(hub)
    assert messages_published(hub) == ["m1"]

    refresh(hub)
    assert len(messages_published(hub)) == 5001
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        assert connection.sql("select distinct status from raw.landed_files").fetchall() == [("loaded",)]


def test_a_disk_that_is_full_while_publishing_leaves_the_old_version(hub: Settings) -> None:
    before = hub.published.resolve()
    land_second_message(hub)
    run_id = "00000000-0000-0000-0000-000000000000"
    load_and_build(hub, run_id)

    with full_disk(100_000), pytest.raises(PublishError, match=r"could not be written: .*has room"):
        publish(hub, run_id)
    assert hub.published.resolve() == before
    assert messages_published(hub) == ["m1"]

    refresh(hub)
    assert messages_published(hub) == ["m1", "m2"]
    assert not list(hub.versions.glob(".*"))


def test_a_published_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    hub = landed_hub(tmp_path / "hub")
    # A file in the place of the folder is refused to every user, also to one who may write anywhere.
    hub.data_dir.mkdir(exist_ok=True)
    hub.published.parent.write_text("in the way")

    with pytest.raises(PublishError, match=r"published may be written"):
        refresh(hub)

    hub.published.parent.unlink()
    refresh(hub)
    assert messages_published(hub) == ["m1"]


def test_an_overwritten_file_keeps_the_rows_that_do_not_come_again_and_is_named(hub: Settings) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [{**MESSAGE, "message_id": "other"}])

    (said,) = refresh_unheld(hub)
    assert messages_published(hub) == ["m1", "other"]
    rebuild_unheld(hub)
    assert messages_published(hub) == ["m1", "other"]

    assert "a.csv was overwritten. 1 of its former rows are not in the new content and stay" in said


def test_a_file_that_is_touched_but_not_changed_is_not_loaded_again(hub: Settings) -> None:
    (hub.landing / "messages" / "a.csv").touch()

    with databases.connect(hub) as connection:
        report = load_entity(connection, hub, CONTRACTS[0])

    assert (report.files_loaded, report.overwritten) == (0, {})


def test_a_file_that_has_left_keeps_its_rows_through_a_rebuild_without_a_warehouse(
    hub: Settings, command: Command
) -> None:
    (hub.landing / "messages" / "a.csv").unlink()
    land_second_message(hub)

    (said,) = refresh_unheld(hub)
    assert "1 files have left the landing folder: landing/messages/a.csv. Their rows stay" in said
    assert messages_published(hub) == ["m1", "m2"]

    hub.warehouse.unlink()
    rebuild_unheld(hub)
    assert messages_published(hub) == ["m1", "m2"]
    assert "left        landing/messages/a.csv (1 accepted, 0 rejected, 1 kept)" in (
        command(hub, "files").stdout
    )


def test_a_landing_folder_that_is_away_stops_run_and_rebuild(hub: Settings, command: Command) -> None:
    hub.landing.rename(hub.data_dir / "unmounted")

    for kind in ("run", "rebuild"):
        refused = command(hub, kind)

        assert refused.returncode == 1
        assert "landing/messages is not there" in refused.stdout
        assert "If a disk is not mounted, mount it" in refused.stdout
        assert messages_published(hub) == ["m1"]


def test_an_overwritten_file_that_leaves_too_many_ids_behind_holds_publishing_back_until_declared(
    hub: Settings, command: Command
) -> None:
    def messages(first: int) -> list[dict[str, str]]:
        return [{**MESSAGE, "message_id": f"{number:04}"} for number in range(first, first + 200)]

    file = hub.landing / "messages" / "delta.csv"
    land_csv(file, messages(0))
    load(hub)
    land_csv(file, messages(90))
    for again in (refresh_unheld, rebuild_unheld):
        again(hub)
        assert len(messages_published(hub)) == 1 + 200 + 90
    land_csv(file, messages(300))

    for kind in ("run", "rebuild"):
        held = command(hub, kind)
        assert held.returncode == 1
        assert "200 of its 200 former ids are in no landed file" in held.stdout
        assert 'files = "messages/delta.csv"\noverwritten = "adds"' in held.stdout
        assert len(messages_published(hub)) == 1 + 200 + 90

    with hub.hub_file.open("a") as stream:
        stream.write('\n[[landing]]\nfiles = "messages/delta.csv"\noverwritten = "replaces"\n')
    declared = Settings.from_environment(hub.as_environment())
    refresh_unheld(declared)
    assert messages_published(hub) == sorted(["m1", *(row["message_id"] for row in messages(300))])


def test_a_retracted_file_is_taken_back_from_the_reports_until_it_lands_again(
    hub: Settings, command: Command
) -> None:
    land_second_message(hub)
    file = hub.landing / "messages" / "a.csv"

    unknown = command(hub, "retract", "messages/nowhere.csv")
    taken = command(hub, "retract", "messages/a.csv")

    assert (unknown.returncode, taken.returncode) == (1, 0), taken.stdout
    assert "messages/nowhere.csv has no record" in unknown.stdout
    for again in (refresh, rebuild):
        again(hub)
        assert messages_published(hub) == ["m2"]
        assert "retracted   landing/messages/a.csv" in command(hub, "files").stdout

    (moved,) = hub.retracted.rglob("a.csv")
    shutil.copy(moved, file)
    refresh(hub)
    assert messages_published(hub) == ["m1", "m2"]


def test_a_damaged_warehouse_is_named_and_rebuilt_from_the_landed_files(
    hub: Settings, command: Command
) -> None:
    hub.warehouse.write_bytes(b"damaged" * 1000)

    failed = command(hub, "run")
    assert failed.returncode == 1
    assert "could not be opened" in failed.stdout
    assert "`make rebuild` rebuilds" in failed.stdout
    assert messages_published(hub) == ["m1"]

    land_second_message(hub)
    rebuilt = command(hub, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout
    assert messages_published(hub) == ["m1", "m2"]
    with reading(hub.published) as connection:
        # The record of earlier refreshes is taken over from the published file.
        assert connection.sql("select refresh_number from refreshes order by all").fetchall() == [(1,), (2,)]


def test_a_warehouse_of_an_older_version_is_named_and_rebuilt(hub: Settings) -> None:
    with duckdb.connect(str(hub.warehouse)) as connection:
        connection.execute("alter table raw.message_events drop column id_digest")

    with pytest.raises(WarehouseError, match=r"was written by an older version.*`make rebuild` rebuilds"):
        refresh(hub)
    assert messages_published(hub) == ["m1"]

    land_second_message(hub)
    rebuild(hub)
    assert messages_published(hub) == ["m1", "m2"]


def test_a_missing_warehouse_is_made_anew(hub: Settings) -> None:
    hub.warehouse.unlink()
    land_second_message(hub)

    refresh(hub)

    assert messages_published(hub) == ["m1", "m2"]


def test_a_warehouse_of_a_newer_version_is_not_touched(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("orchestration.warehouse.run_log.VERSION", "99.1.0")
        newer.setattr("orchestration.warehouse.compatibility.VERSION", "99.1.0")
        refresh(hub)
    land_second_message(hub)

    with pytest.raises(WarehouseError, match=r"written by version 99\.1\.0; this is version"):
        refresh(hub)
    assert messages_published(hub) == ["m1"]

    monkeypatch.setattr("orchestration.warehouse.compatibility.VERSION", "99.1.0")
    refresh(hub)
    assert messages_published(hub) == ["m1", "m2"]


def test_a_warehouse_that_is_open_elsewhere_is_waited_for(hub: Settings) -> None:
    holding = (
        "import duckdb, sys\n"
        "connection = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(hub.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout
        assert reader.stdin
        assert reader.stdout.readline() == "open\n"
        said: list[str] = []
        with pytest.raises(WarehouseInUseError, match="is open in another program"):
            databases.connect(hub, said.append, wait_seconds=0)

        def close_the_reader(message: str) -> None:
            said.append(message)
            assert reader.stdin
            reader.stdin.close()

        databases.connect(hub, close_the_reader).close()
    assert len(said) == 1
    assert "this waits until it is closed" in said[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"timezone": "Asia/Tokyo"}, "the reporting time zone changed from UTC to Asia/Tokyo"),
        ({"currency": "EUR"}, "the reporting currency changed from USD to EUR"),
    ],
)
def test_an_edited_hub_file_rebuilds_with_a_word_why(
    hub: Settings, change: dict[str, str], reason: str
) -> None:
    said: list[str] = []

    refresh(edit_hub_file(hub, **change), said.append)

    assert [sentence for sentence in said if reason in sentence] != []
