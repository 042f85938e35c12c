"""Faults of the machine and of people: each ends with a clear word and loses nothing."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import shake_256
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import edit_hub_file, load, load_and_build, publish, reading
from support.pipeline import refresh as refresh_in_process

from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.load import load_entity
from orchestration.publishing.publish import PublishError
from orchestration.settings import Settings
from orchestration.warehouse import databases
from orchestration.warehouse.errors import WarehouseError, WarehouseInUseError

Command = Callable[..., subprocess.CompletedProcess[str]]

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}
ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": "2026-01-12T10:00:00Z",
    "order_value": "19.99",
    "sales_channel": "online",
}


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    """A hub with a message and an order, not refreshed yet."""
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    land_csv(hub.landing / "orders" / "a.csv", [ORDER])
    return hub


def land_second_message(hub: Settings) -> None:
    land_csv(hub.landing / "messages" / "b.csv", [{**MESSAGE, "message_id": "m2"}])


def messages_published(hub: Settings) -> list[str]:
    with reading(hub.published) as connection:
        rows = connection.sql("select message_id from fct_messages order by message_id").fetchall()
    return [message_id for (message_id,) in rows]


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
    refresh_in_process(hub)
    # Ids that do not compress: some megabytes on disk.
    many = [{**MESSAGE, "message_id": shake_256(bytes(f"{n}", "ascii")).hexdigest(500)} for n in range(5000)]
    land_csv(hub.landing / "messages" / "many.csv", many)

    with full_disk(1_000_000), pytest.raises(duckdb.Error, match="File too large"):
        load(hub)
    assert messages_published(hub) == ["m1"]

    refresh_in_process(hub)
    assert len(messages_published(hub)) == 5001
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        assert connection.sql("select distinct status from raw.landed_files").fetchall() == [("loaded",)]


def test_a_disk_that_is_full_while_publishing_leaves_the_old_version(hub: Settings) -> None:
    refresh_in_process(hub)
    before = hub.published.resolve()
    land_second_message(hub)
    run_id = "00000000-0000-0000-0000-000000000000"
    load_and_build(hub, run_id)

    with full_disk(100_000), pytest.raises(PublishError, match=r"could not be written: .*has room"):
        publish(hub, run_id)
    assert hub.published.resolve() == before
    assert messages_published(hub) == ["m1"]

    refresh_in_process(hub)
    assert messages_published(hub) == ["m1", "m2"]
    assert not list(hub.versions.glob(".*"))


def test_a_published_folder_that_cannot_be_written_says_so(hub: Settings) -> None:
    # A file in the place of the folder is refused to every user, also to one who may write anywhere.
    hub.data_dir.mkdir(exist_ok=True)
    hub.published.parent.write_text("in the way")

    with pytest.raises(PublishError, match=r"published may be written"):
        refresh_in_process(hub)

    hub.published.parent.unlink()
    refresh_in_process(hub)
    assert messages_published(hub) == ["m1"]


def test_an_overwritten_file_keeps_the_rows_that_do_not_come_again_and_is_named(
    hub: Settings, command: Command
) -> None:
    refresh_in_process(hub)
    land_csv(hub.landing / "messages" / "a.csv", [{**MESSAGE, "message_id": "other"}])

    for kind in ("run", "rebuild"):
        finished = command(hub, kind)

        assert finished.returncode == 0, finished.stdout
        assert messages_published(hub) == ["m1", "other"]
        if kind == "run":
            assert "a.csv was overwritten. 1 of its former rows are not in the new content and stay" in (
                finished.stdout
            )


def test_a_file_that_is_touched_but_not_changed_is_not_loaded_again(hub: Settings) -> None:
    refresh_in_process(hub)
    (hub.landing / "messages" / "a.csv").touch()

    with databases.connect(hub) as connection:
        report = load_entity(connection, hub, CONTRACTS[0])

    assert (report.files_loaded, report.overwritten) == (0, {})


def test_a_file_that_has_left_keeps_its_rows_through_a_rebuild_without_a_warehouse(
    hub: Settings, command: Command
) -> None:
    refresh_in_process(hub)
    (hub.landing / "messages" / "a.csv").unlink()
    land_second_message(hub)

    run = command(hub, "run")
    assert run.returncode == 0, run.stdout
    assert "1 files have left the landing folder: landing/messages/a.csv. Their rows stay" in run.stdout
    assert messages_published(hub) == ["m1", "m2"]

    hub.warehouse.unlink()
    rebuilt = command(hub, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout
    assert messages_published(hub) == ["m1", "m2"]
    assert "left        landing/messages/a.csv (1 accepted, 0 rejected, 1 kept)" in (
        command(hub, "files").stdout
    )


def test_a_landing_folder_that_is_away_stops_run_and_rebuild(hub: Settings, command: Command) -> None:
    refresh_in_process(hub)
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
    refresh_in_process(hub)
    published = messages_published(hub)
    land_csv(file, messages(90))
    for kind in ("run", "rebuild"):
        assert command(hub, kind).returncode == 0
    land_csv(file, messages(300))

    for kind in ("run", "rebuild"):
        held = command(hub, kind)
        assert held.returncode == 1
        assert "200 of its 200 former ids are in no landed file" in held.stdout
        assert 'files = "messages/delta.csv"\noverwritten = "adds"' in held.stdout
        assert len(messages_published(hub)) == len(published) + 90

    with hub.hub_file.open("a") as stream:
        stream.write('\n[[landing]]\nfiles = "messages/delta.csv"\noverwritten = "replaces"\n')
    let_through = command(hub, "run")
    assert let_through.returncode == 0, let_through.stdout
    assert messages_published(hub) == sorted(["m1", *(row["message_id"] for row in messages(300))])


def test_a_retracted_file_is_taken_back_from_the_reports_until_it_lands_again(
    hub: Settings, command: Command
) -> None:
    land_second_message(hub)
    refresh_in_process(hub)
    (copy,) = [file for file in (hub.landing / "messages").iterdir() if file.name != "a.csv"]

    unknown = command(hub, "retract", "messages/nowhere.csv")
    taken = command(hub, "retract", f"messages/{copy.name}")

    assert (unknown.returncode, taken.returncode) == (1, 0), taken.stdout
    assert "messages/nowhere.csv has no record" in unknown.stdout
    for kind in ("run", "rebuild"):
        assert command(hub, kind).returncode == 0
        assert messages_published(hub) == ["m1"]
        assert f"retracted   landing/messages/{copy.name}" in command(hub, "files").stdout

    (moved,) = hub.retracted.rglob(copy.name)
    shutil.copy(moved, copy)
    assert command(hub, "run").returncode == 0
    assert messages_published(hub) == ["m1", "m2"]


def test_a_damaged_warehouse_is_named_and_rebuilt_from_the_landed_files(
    hub: Settings, command: Command
) -> None:
    refresh_in_process(hub)
    hub.warehouse.write_bytes(b"damaged" * 1000)

    assert_refused_then_rebuilt(hub, command, "could not be opened")
    with reading(hub.published) as connection:
        # The record of earlier refreshes is taken over from the published file.
        assert connection.sql("select refresh_number from refreshes order by all").fetchall() == [(1,), (2,)]


def test_a_warehouse_of_an_older_version_is_named_and_rebuilt(hub: Settings, command: Command) -> None:
    refresh_in_process(hub)
    with duckdb.connect(str(hub.warehouse)) as connection:
        connection.execute("alter table raw.message_events drop column id_digest")

    assert_refused_then_rebuilt(hub, command, "was written by an older version")


def assert_refused_then_rebuilt(hub: Settings, command: Command, saying: str) -> None:
    failed = command(hub, "run")
    assert failed.returncode == 1
    assert saying in failed.stdout
    assert "`make rebuild` rebuilds" in failed.stdout
    assert messages_published(hub) == ["m1"]

    land_second_message(hub)
    rebuilt = command(hub, "rebuild")
    assert rebuilt.returncode == 0, rebuilt.stdout
    assert messages_published(hub) == ["m1", "m2"]


def test_a_missing_warehouse_is_made_anew(hub: Settings) -> None:
    refresh_in_process(hub)
    hub.warehouse.unlink()
    land_second_message(hub)

    refresh_in_process(hub)

    assert messages_published(hub) == ["m1", "m2"]


def test_a_warehouse_of_a_newer_version_is_not_touched(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr("orchestration.warehouse.run_log.VERSION", "99.1.0")
        newer.setattr("orchestration.warehouse.compatibility.VERSION", "99.1.0")
        refresh_in_process(hub)
    land_second_message(hub)

    with pytest.raises(WarehouseError, match=r"written by version 99\.1\.0; this is version"):
        refresh_in_process(hub)
    assert messages_published(hub) == ["m1"]

    monkeypatch.setattr("orchestration.warehouse.compatibility.VERSION", "99.1.0")
    refresh_in_process(hub)
    assert messages_published(hub) == ["m1", "m2"]


def test_a_warehouse_that_is_open_elsewhere_is_waited_for(hub: Settings) -> None:
    refresh_in_process(hub)
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
    hub: Settings, command: Command, change: dict[str, str], reason: str
) -> None:
    refresh_in_process(hub)

    finished = command(edit_hub_file(hub, **change), "run")

    assert finished.returncode == 0, finished.stdout
    assert reason in finished.stdout
