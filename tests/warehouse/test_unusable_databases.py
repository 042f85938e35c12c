"""Databases that cannot be used: each fault is named with advice that is true, and a rebuild works."""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import load, refresh
from support.small_hub import copied

from orchestration import cli, faults
from orchestration.faults import Fault, fault_of
from orchestration.landing.discovery import LandingError
from orchestration.settings import Settings
from orchestration.warehouse import databases
from orchestration.warehouse.errors import UnusableDatabaseError

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}

HEADERS_BYTES = 3 * 4096


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    hub = Settings(tmp_path_factory.mktemp("hubs") / "hub", "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [{**MESSAGE, "message_id": f"m{n}"} for n in range(1000)])
    (hub.landing / "orders").mkdir()
    refresh(hub)
    return hub


@pytest.fixture
def hub(refreshed: Settings, tmp_path: Path) -> Settings:
    """A refreshed hub, in a folder with a name in which an error might be looked for."""
    return copied(refreshed, tmp_path / "unlocked block")


def overwritten(content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def overwrite(file: Path) -> None:
        file.write_bytes(content(file.read_bytes()))

    return overwrite


def put_a_folder_in_its_place(file: Path) -> None:
    file.unlink()
    file.mkdir()
    (file / "somebodys").write_text("kept")


DAMAGES = {
    "no database": overwritten(lambda content: b"damaged" * 1000),
    "empty": overwritten(lambda content: b""),
    "zeroed header": overwritten(lambda content: bytes(HEADERS_BYTES) + content[HEADERS_BYTES:]),
    "cut in the header": overwritten(lambda content: content[:5000]),
    "cut": overwritten(lambda content: content[: len(content) // 2]),
    "flipped bytes": overwritten(
        lambda content: content[:HEADERS_BYTES] + bytes(byte ^ 255 for byte in content[HEADERS_BYTES:])
    ),
    "a folder": put_a_folder_in_its_place,
}


@pytest.mark.parametrize("name", ["warehouse.duckdb", "reports.duckdb"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_database_is_named_and_a_rebuild_needs_nothing_of_it(
    hub: Settings, name: str, damage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    file = hub.data_dir / name
    DAMAGES[damage](file)

    with pytest.raises(UnusableDatabaseError) as raised:
        databases.connect(hub, wait_seconds=60)
    assert raised.value.file == file
    assert raised.value.fault is Fault.DAMAGED
    assert str(file) in str(raised.value)
    assert "It is damaged: `make rebuild` rebuilds the databases" in str(raised.value)

    assert cli.remove_warehouse(hub)
    assert f"{file} could not be opened" in capfd.readouterr().out
    assert not hub.warehouse.exists()
    assert not hub.reports.exists()
    load(hub)
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        assert connection.sql("select count(*) from raw.message_events").fetchall() == [(1000,)]


def test_a_folder_in_the_place_of_a_database_is_moved_aside_not_removed(hub: Settings) -> None:
    put_a_folder_in_its_place(hub.reports)

    assert cli.remove_warehouse(hub)

    assert [path.name for path in hub.data_dir.glob("reports.duckdb.aside-*/*/*")] == ["somebodys"]


def test_rows_of_files_that_have_left_survive_a_rebuild_for_damaged_reports(hub: Settings) -> None:
    DAMAGES["cut"](hub.reports)
    (hub.landing / "messages" / "a.csv").unlink()

    assert cli.remove_warehouse(hub)

    load(hub)
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        assert connection.sql("select count(*) from raw.message_events").fetchall() == [(1000,)]


def test_damage_that_shows_while_loading_is_no_fault_of_the_landed_file(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = duckdb.Error("Corrupt database file: computed checksum 1 does not match stored checksum 2")
    land_csv(hub.landing / "messages" / "b.csv", [{**MESSAGE, "message_id": "new"}])

    def fail(*arguments: object) -> None:
        raise error

    with monkeypatch.context() as damaged:
        damaged.setattr("orchestration.landing.batch_loader._insert", fail)
        with pytest.raises(duckdb.Error, match="Corrupt database file"):
            load(hub)
    assert "`make rebuild` rebuilds" in (faults.explain(error, hub) or "")

    load(hub)
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        assert connection.sql("select distinct status from raw.landed_files").fetchall() == [("loaded",)]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            duckdb.OutOfMemoryException("Out of Memory Error: Failed to allocate block"),
            "CONTACT_MEMORY_LIMIT",
        ),
        (MemoryError(), "CONTACT_MEMORY_LIMIT"),
        (duckdb.IOException("IO Error: Cannot open file: Permission denied"), "may write"),
        (duckdb.IOException("IO Error: Could not write file: No space left on device"), "has room"),
    ],
)
def test_a_healthy_database_is_not_removed_for_a_fault_of_the_machine(
    hub: Settings,
    error: Exception,
    advice: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    before = hub.warehouse.read_bytes()
    monkeypatch.setattr("orchestration.warehouse.databases.duckdb.connect", fail)

    with pytest.raises(UnusableDatabaseError, match=advice) as raised:
        databases.connect(hub)
    assert "rebuild" not in str(raised.value)
    assert "damaged:" not in str(raised.value)

    assert not cli.remove_warehouse(hub)
    assert advice in capfd.readouterr().out
    assert hub.warehouse.read_bytes() == before
    assert hub.reports.exists()


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ('IO Error: Could not set lock on file "x.duckdb": Conflicting lock is held in python', Fault.LOCKED),
        ("Corrupt database file: checksum differs in block at location 4096, clock", Fault.DAMAGED),
        (
            'IO Error: The file "/a/Could not set lock on file /b" is not a valid DuckDB database file!',
            Fault.DAMAGED,
        ),
        ("Runtime Error in model a (models/a.sql)\n  Corrupt database file: x", Fault.DAMAGED),
        ('IO Error: Could not read enough bytes from file "x": attempted to read 3 bytes', Fault.DAMAGED),
        (
            "IO Error: Trying to read a database file with version number 999, but we can only read 68.",
            Fault.NEWER,
        ),
        ("Out of Memory Error: could not allocate block of size 1 KiB", Fault.MEMORY),
        (
            "Out of Memory Error: failed to offload data block: the 'max_temp_directory_size' setting",
            Fault.ROOM,
        ),
        ("(sqlite3.OperationalError) database or disk is full\n[SQL: insert]", Fault.ROOM),
        ("(sqlite3.OperationalError) attempt to write a readonly database", Fault.RIGHTS),
        (OSError(errno.ENOSPC, "No space left on device"), Fault.ROOM),
        (OSError(errno.EROFS, "Read-only file system"), Fault.RIGHTS),
        (PermissionError(errno.EACCES, "Permission denied"), Fault.RIGHTS),
        (MemoryError(), Fault.MEMORY),
        ("Binder Error: the block is blocked by a lock", None),
        (FileNotFoundError(errno.ENOENT, "No such file"), None),
    ],
)
def test_faults_are_told_apart_by_what_the_engine_says(
    error: BaseException | str, fault: Fault | None
) -> None:
    assert fault_of(error) is fault


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("database or disk is full", "the disk of {} has room"),
        ("attempt to write a readonly database", "may write {} and all that lies below it"),
        ("file is not a database", "move that folder away"),
    ],
)
def test_a_fault_of_the_record_of_runs_is_told_of_its_own_folder(
    hub: Settings, words: str, advice: str
) -> None:
    said = faults.explain(RuntimeError(f"(sqlite3.OperationalError) {words}"), hub) or ""

    assert said.startswith(f"Something in {hub.dagster_home} could not be read or written")
    assert advice.format(hub.dagster_home) in said
    assert "rebuild" not in said


def test_a_folder_that_is_away_is_missed_though_the_warehouse_is_lost(hub: Settings) -> None:
    (hub.landing / "messages").rename(hub.data_dir / "away")
    databases.remove_databases(hub)

    with pytest.raises(LandingError, match="messages is not there"):
        load(hub)


def test_an_error_that_another_was_raised_from_is_explained(hub: Settings) -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/x/file")
        except OSError as error:
            raise RuntimeError("the step failed") from error
    except RuntimeError as error:
        said = faults.explain(error, hub)

    assert said
    assert "No space left on device" in said
    assert "readers keep what was published. Make sure that the disk of" in said
    assert faults.explain(RuntimeError("of nobody"), hub) is None
