"""Who may open what in the data directory."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from support.landing import land_csv
from support.small_hub import MESSAGE, copied

from orchestration.hub.hub_toml import SettingsError
from orchestration.hub.rights import open_to_readers, restrict
from orchestration.operations.backup import back_up, restore
from orchestration.settings import Audience, Settings
from orchestration.warehouse.lock import refresh_lock


@pytest.fixture
def wide_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")


@pytest.fixture
def refreshed(refreshed_hub: Settings, tmp_path: Path) -> Settings:
    return copied(refreshed_hub, tmp_path / "hub")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def too_open(settings: Settings) -> dict[str, str]:
    """What is private and can be opened by others, with its mode."""
    apart = (settings.landing, settings.published.parent)
    return {
        str(path.relative_to(settings.data_dir)): oct(mode(path))
        for path in settings.data_dir.rglob("*")
        if not path.is_symlink()
        and not any(path.is_relative_to(folder) for folder in apart)
        and mode(path) & 0o077
    }


@pytest.mark.usefixtures("wide_umask")
def test_no_command_leaves_anything_open_whatever_the_umask(
    refreshed: Settings, command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    hub = refreshed
    for path in (hub.data_dir, *hub.data_dir.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    for name in ("b", "retracted"):
        land_csv(hub.landing / "messages" / f"{name}.csv", [{**MESSAGE, "message_id": name}])
    hub.landing.chmod(0o2775)
    # What has left is kept by the command that follows.
    (hub.landing / "messages" / "a.csv").unlink()
    backup = tmp_path / "backup"

    for arguments in (
        ("run",),
        ("export",),
        ("retract", "landing/messages/retracted.csv"),
        ("backup", "--landing", str(backup)),
    ):
        finished = command(hub, *arguments)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert too_open(hub) == {}, arguments

    left = {path.name for path in hub.data_dir.iterdir()}
    assert left >= {"hub.toml", "kept", "retracted", "landed_files.parquet", "export", "dagster"}
    assert [path for path in (backup, *backup.rglob("*")) if mode(path) & 0o077] == []
    assert mode(hub.data_dir) == 0o710
    assert mode(hub.landing) == 0o2775
    assert mode(hub.landing / "messages" / "b.csv") == 0o666
    assert mode(hub.warehouse) == mode(hub.lock) == 0o600
    assert mode(hub.published.parent) == mode(hub.versions) == mode(hub.published.resolve().parent) == 0o750
    assert mode(hub.published.resolve()) == 0o440


def test_a_restore_opens_what_is_published_and_keeps_the_rights_of_the_landing_folder(
    refreshed: Settings, tmp_path: Path
) -> None:
    hub = refreshed
    back_up(hub, tmp_path / "backup", True, pytest.fail)
    landed = hub.landing / "messages" / "a.csv"
    landed.unlink()
    (hub.landing / "orders" / "a.csv").unlink()
    for folder in (hub.landing, landed.parent, hub.landing / "orders"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o2775)
    restore(hub, tmp_path / "backup", True, pytest.fail)

    assert landed.exists()
    assert mode(hub.landing) == mode(landed.parent) == mode(hub.landing / "orders") == 0o2775
    assert mode(hub.published.resolve()) == 0o440
    assert mode(hub.published.resolve().parent) == mode(hub.versions) == mode(hub.published.parent) == 0o750


@pytest.fixture
def opened(hub: Settings) -> Settings:
    """A data directory as an earlier version left it, open to everybody."""
    for name in ("warehouse.duckdb", "dagster/runs/run.db", "dbt/dbt.log", "landing/orders/a.csv"):
        file = hub.data_dir / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    version = hub.versions / "20260101T000000.000000Z" / hub.published.name
    version.parent.mkdir(parents=True)
    version.touch()
    hub.published.symlink_to(version)
    for path in (hub.data_dir, *hub.data_dir.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o777 if path.is_dir() else 0o666)
    return hub


def test_what_an_earlier_version_left_open_is_closed(opened: Settings) -> None:
    assert restrict(opened) is None

    assert too_open(opened) == {}
    assert mode(opened.warehouse) == 0o600
    assert mode(opened.landing / "orders" / "a.csv") == 0o666
    assert mode(opened.landing) == 0o777


@pytest.mark.parametrize(
    ("audience", "root", "folder", "file"),
    [
        (Audience.OWNER, 0o710, 0o700, 0o400),
        (Audience.GROUP, 0o710, 0o750, 0o440),
        (Audience.EVERYBODY, 0o711, 0o755, 0o444),
    ],
)
def test_what_is_published_is_opened_to_those_whom_the_setting_names(
    opened: Settings, audience: Audience, root: int, folder: int, file: int
) -> None:
    hub = replace(opened, published_to=audience)
    restrict(hub)

    assert mode(hub.data_dir) == root
    assert mode(hub.published.parent) == mode(hub.versions) == folder
    assert mode(hub.published.resolve()) == file
    # A version that is still being written is opened when it is whole.
    unfinished = hub.versions / ".20260102T000000.000000Z"
    unfinished.mkdir(mode=0o700)
    restrict(hub)
    assert mode(unfinished) == 0o700
    open_to_readers(hub, unfinished.rename(hub.versions / "20260102T000000.000000Z"))
    assert mode(hub.versions / "20260102T000000.000000Z") == folder


@pytest.mark.usefixtures("wide_umask")
def test_no_other_user_can_hold_the_lock(tmp_path: Path) -> None:
    with refresh_lock(tmp_path / "refresh.lock", notify=pytest.fail, wait_seconds=0):
        assert mode(tmp_path / "refresh.lock") == 0o600


def test_a_folder_that_holds_more_than_a_hub_keeps_its_rights(
    opened: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(opened.data_dir))

    assert "more than a hub" in str(restrict(opened))
    assert mode(opened.warehouse) == 0o666


def test_an_unknown_audience_is_refused() -> None:
    with pytest.raises(SettingsError, match="CONTACT_PUBLISHED_TO"):
        Settings.from_environment({"CONTACT_PUBLISHED_TO": "world"})
    assert Settings.from_environment({"CONTACT_PUBLISHED_TO": "owner"}).published_to is Audience.OWNER
