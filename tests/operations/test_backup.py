"""A backup is whole or is none, and what is brought back can be gone on from."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.lock_holder import hold
from support.pipeline import reading, refresh
from support.small_hub import MESSAGE, copied

from orchestration.operations import backup, restoring
from orchestration.operations.backup import BackupError, back_up, restore
from orchestration.operations.restoring import LIST, finish_restore
from orchestration.settings import Settings


@pytest.fixture(scope="module")
def refreshed(refreshed_hub: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub of one message and one order with files of everything that a backup takes; tests copy it."""
    hub = copied(refreshed_hub, tmp_path_factory.mktemp("refreshed") / "hub")
    hub.hub_file.write_text("# Ours.\n")
    (hub.data_dir / "kept").mkdir(exist_ok=True)
    (hub.data_dir / "retracted").mkdir(exist_ok=True)
    (hub.data_dir / "retracted" / "of a name\udcff").write_text("retracted")
    return hub


@pytest.fixture
def hub(refreshed: Settings, tmp_path: Path) -> Settings:
    return copied(refreshed, tmp_path / "hub")


def messages_published(hub: Settings) -> list[str]:
    with reading(hub.published) as connection:
        rows = connection.sql("select message_id from fct_messages order by message_id").fetchall()
    return [message_id for (message_id,) in rows]


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder that belong to the state of a hub."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "refresh.lock" and "versions" not in path.parts
    }


def silent(message: object) -> None:
    """Whom nobody listens to."""


def test_a_hub_that_was_brought_back_goes_on_from_there(hub: Settings, tmp_path: Path) -> None:
    taken = back_up(hub, tmp_path / "backup", False, silent)
    before = content(hub.data_dir)
    landed = land_csv(hub.landing / "messages" / "b.csv", [{**MESSAGE, "message_id": "m2"}])
    refresh(hub)
    hub.hub_file.write_text("# Other.\n")
    assert messages_published(hub) == ["m1", "m2"]
    assert (taken.refreshed_at is not None, taken.published is not None) == (True, True)

    with pytest.raises(BackupError, match=r"was refreshed at .* after the one in the backup"):
        restore(hub, tmp_path / "backup", False, silent)
    assert messages_published(hub) == ["m1", "m2"]
    restore(hub, tmp_path / "backup", True, silent)

    assert messages_published(hub) == ["m1"]
    # All is as it was, beside the file that has landed since.
    assert content(hub.data_dir) == {**before, "landing/messages/b.csv": landed.read_bytes()}
    refresh(hub)
    assert messages_published(hub) == ["m1", "m2"]


def test_a_hub_is_brought_back_into_an_empty_folder_with_what_had_landed(
    hub: Settings, tmp_path: Path
) -> None:
    back_up(hub, tmp_path / "backup", True, silent)
    elsewhere = replace(hub, data_dir=tmp_path / "elsewhere")

    restore(elsewhere, tmp_path / "backup", False, silent)

    assert content(elsewhere.data_dir) == content(hub.data_dir)
    land_csv(elsewhere.landing / "messages" / "b.csv", [{**MESSAGE, "message_id": "m2"}])
    refresh(elsewhere)
    assert messages_published(elsewhere) == ["m1", "m2"]


def test_landed_files_are_never_replaced(hub: Settings, tmp_path: Path) -> None:
    back_up(hub, tmp_path / "backup", True, silent)
    landed = land_csv(hub.landing / "messages" / "a.csv", [{**MESSAGE, "message_id": "other"}])
    now = landed.read_bytes()
    said: list[str] = []

    restore(hub, tmp_path / "backup", False, said.append)

    assert landed.read_bytes() == now
    assert "were not brought back" in said[-1]


def test_a_backup_waits_for_the_refresh_at_work(hub: Settings, tmp_path: Path) -> None:
    with hold(hub.lock) as holder:
        said: list[str] = []

        def end_it(message: str) -> None:
            said.append(message)
            holder.kill()

        back_up(hub, tmp_path / "backup", False, end_it)
    assert f"process {holder.pid}" in said[0]


def test_a_backup_that_was_not_finished_is_none(
    hub: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "backup"
    with monkeypatch.context() as killed:
        killed.setattr(backup, "_check_databases", lambda folder: 1 / 0)
        killed.setattr(shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(ZeroDivisionError):
            back_up(hub, target, False, silent)
    partial = target.with_name(".backup.partial")
    assert partial.exists()
    assert not target.exists()

    back_up(hub, target, False, silent)
    assert not partial.exists()
    restore(hub, target, False, silent)


@pytest.mark.parametrize("path", ["warehouse.duckdb", "reports.duckdb", "hub.toml"])
def test_a_damaged_backup_is_not_brought_back(hub: Settings, tmp_path: Path, path: str) -> None:
    back_up(hub, tmp_path / "backup", False, silent)
    before = content(hub.data_dir)
    with (tmp_path / "backup" / path).open("r+b") as file:
        file.write(b"damaged")

    with pytest.raises(BackupError, match=f"{path} is missing or damaged"):
        restore(hub, tmp_path / "backup", True, silent)
    assert content(hub.data_dir) == before


def test_a_backup_is_taken_neither_of_a_damaged_hub_nor_over_something(hub: Settings, tmp_path: Path) -> None:
    for target in (hub.data_dir / "backup", hub.data_dir.parent):
        with pytest.raises(BackupError, match="Nothing was copied"):
            back_up(hub, target, False, silent)
    hub.warehouse.write_bytes(b"damaged" * 1000)
    with pytest.raises(BackupError, match="The backup was not made"):
        back_up(hub, tmp_path / "backup", False, silent)
    assert not list(tmp_path.glob("*backup*"))


def test_without_room_there_is_no_backup_and_a_word_on_it(
    hub: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup, "SPARE_BYTES", 10**18)
    with pytest.raises(BackupError, match=r"it takes .* MB, and the disk of .* has .* MB free"):
        back_up(hub, tmp_path / "backup", False, silent)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"software_version": "99.0.0"}, "was taken by version 99.0.0; this is version"),
        ({"software_version": None}, "is no backup"),
        ({"files": {"../escape": "0"}}, "lists files outside of it"),
    ],
)
def test_a_list_that_cannot_be_trusted_is_refused_with_a_word(
    hub: Settings, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    back_up(hub, tmp_path / "backup", False, silent)
    listed = tmp_path / "backup" / LIST
    listed.write_text(json.dumps({**json.loads(listed.read_text()), **change}))

    with pytest.raises(BackupError, match=reason):
        restore(hub, tmp_path / "backup", True, silent)
    with pytest.raises(BackupError, match="is no backup"):
        restore(hub, tmp_path, True, silent)


def dies_after(steps: int) -> Callable[[Path, Path], Path]:
    """A rename that dies when it is to put more than so many things in their place."""
    left, rename = iter(range(steps)), Path.rename

    def dying_rename(source: Path, target: Path) -> Path:
        if ".replacing" in source.parts[:-1] and next(left, None) is None:
            raise KeyboardInterrupt
        return rename(source, target)

    return dying_rename


def test_a_restore_that_was_killed_is_finished_by_whoever_has_the_hub_next(
    refreshed: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(refreshed, tmp_path / "backup", False, silent)
    wanted = {path: b for path, b in content(refreshed.data_dir).items() if not path.startswith("landing")}
    steps, finished = 0, False
    while not finished:
        hub = replace(refreshed, data_dir=tmp_path / f"hub-{steps}")
        hub.data_dir.mkdir()
        hub.hub_file.write_text("# Other.\n")
        (hub.data_dir / "kept").mkdir()
        (hub.data_dir / "kept" / "other.parquet").write_text("other")
        with monkeypatch.context() as dying:
            dying.setattr(Path, "rename", dies_after(steps))
            try:
                restore(hub, tmp_path / "backup", True, silent)
                finished = True
            except KeyboardInterrupt:
                steps += 1
        finish_restore(hub, silent)
        assert content(hub.data_dir) == wanted, f"killed at step {steps}"
        assert messages_published(hub) == ["m1"]
        assert not restoring.replacing(hub).exists()
    assert steps > 3


def test_databases_of_a_backup_open(hub: Settings, tmp_path: Path) -> None:
    back_up(hub, tmp_path / "backup", False, silent)
    with duckdb.connect(str(tmp_path / "backup" / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.sql("select count(*) from raw.message_events").fetchall() == [(1,)]
