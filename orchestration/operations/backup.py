"""A copy of a hub that can be gone on from, and bringing one back.

A backup is a folder with a list of its files and their hashes. It gets its name when all of it is written and
checked, so a folder of that name is whole. Dagster's record of runs is not part of it: nothing of a figure
depends on it.

Belongs here: copying and checking, and when a backup may not be brought back. Does not belong here: putting
what was brought back in its place (restoring.py).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from packaging.version import InvalidVersion, Version

from orchestration import VERSION
from orchestration.durable import sync, sync_tree
from orchestration.operations.restoring import (
    LANDING,
    LIST,
    STATE,
    Contents,
    files_below,
    finish_restore,
    replacing,
)
from orchestration.settings import Settings
from orchestration.warehouse import databases
from orchestration.warehouse.errors import WarehouseError
from orchestration.warehouse.lock import hub_lock

BLOCK_BYTES = 1 << 20

# Room that must stay beside a copy, so that a refresh does not find the disk full.
SPARE_BYTES = 100_000_000


class BackupError(RuntimeError):
    """A backup that was not made, or not brought back; the message says why, and what to do."""


def back_up(
    settings: Settings, target: Path, with_landing: bool, notify: Callable[[str], object]
) -> Contents:
    """Copy a hub, between two refreshes, into a folder that is not there yet.

    Args:
        settings: the settings of the hub.
        target: the folder of the backup.
        with_landing: whether to copy the landed files too.
        notify: told for which refresh this waits.

    Raises:
        BackupError: when it is not made; nothing is left of it then.
    """
    target = target.expanduser().absolute()
    if os.path.lexists(target):
        raise BackupError(f"{target} is there already. Nothing was copied. Name a folder that is not there.")
    if target.is_relative_to(settings.data_dir):
        raise BackupError(
            f"{target} lies in the data directory of the hub and would be lost with it. Nothing was copied. "
            "Name a folder elsewhere, best on another disk."
        )
    partial = target.with_name(f".{target.name}.partial")
    with hub_lock(settings, notify):
        try:
            shutil.rmtree(partial, ignore_errors=True)
            _write_all_to_the_databases(settings, notify)
            contents = _copy_hub(settings, partial, with_landing)
            _check(partial, contents)
            _check_databases(partial)
            sync_tree(partial)
            partial.rename(target)
            sync(target.parent)
        except (OSError, WarehouseError, duckdb.Error) as error:
            raise BackupError(
                f"The backup was not made: {str(error).splitlines()[0]} The hub is as it was. See that "
                f"{target.parent} may be written and has room, then take it again."
            ) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return contents


def restore(settings: Settings, source: Path, over_newer: bool, notify: Callable[[str], object]) -> Contents:
    """Bring a backup back into the data directory of a hub, all of it or nothing.

    Landed files are brought back only where the landing folder is empty or missing.

    Args:
        settings: the settings of the hub.
        source: the folder of the backup.
        over_newer: whether it may replace a hub that was refreshed after the backup was taken.
        notify: told for which refresh this waits, and what stays as it is.

    Raises:
        BackupError: when it is not brought back; the hub is as it was then.
    """
    source = source.expanduser().absolute()
    contents = _read_list(source)
    with hub_lock(settings, notify):
        _require_older(settings, contents, over_newer)
        incoming = settings.data_dir / ".restoring"
        try:
            _check(source, contents)
            shutil.rmtree(incoming, ignore_errors=True)
            _require_room(incoming.parent, sum((source / path).stat().st_size for path in contents.files))
            for path in contents.files:
                _copy(source / path, incoming / path)
            _check(incoming, contents)
            _check_databases(incoming)
            (incoming / LIST).write_text(contents.as_json(), encoding="utf-8")
            sync_tree(incoming)
            # From here on the next refresh finishes it, if this is killed.
            incoming.rename(replacing(settings))
        except (OSError, duckdb.Error) as error:
            shutil.rmtree(incoming, ignore_errors=True)
            raise BackupError(
                f"The backup was not brought back: {str(error).splitlines()[0]} The hub is as it was."
            ) from None
        finish_restore(settings, notify)
    return contents


def _copy_hub(settings: Settings, partial: Path, with_landing: bool) -> Contents:
    root = settings.data_dir
    published = settings.published.resolve() if settings.published.exists() else None
    tops = [root / name for name in STATE] + ([root / LANDING] if with_landing else [])
    files = [path for top in tops for path in files_below(top)]
    if published:
        files += files_below(published.parent)
    _require_room(partial.parent, sum(path.stat().st_size for path in files))
    hashes = {}
    for path in files:
        with _unchanged(path):
            hashes[path.relative_to(root).as_posix()] = _copy(path, partial / path.relative_to(root))
    refreshed_at = _refreshed_at(published) if published else None
    contents = Contents(
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        software_version=VERSION,
        refreshed_at=refreshed_at.isoformat() if refreshed_at else None,
        published=published.relative_to(root).as_posix() if published else None,
        files=hashes,
    )
    partial.mkdir(parents=True, exist_ok=True)
    (partial / LIST).write_text(contents.as_json(), encoding="utf-8")
    return contents


def _read_list(source: Path) -> Contents:
    try:
        contents = Contents.read(source)
        version = Version(contents.software_version)
    except (OSError, ValueError, TypeError, InvalidVersion):
        raise BackupError(
            f"{source} is no backup: it has no {LIST} that can be read. Nothing was changed. Name a folder "
            "that `make backup` has written."
        ) from None
    if version > Version(VERSION):
        raise BackupError(
            f"{source} was taken by version {contents.software_version}; this is version {VERSION}. Nothing "
            "was changed. Use that version or a newer one."
        )
    escaping = [path for path in contents.files if Path(path).is_absolute() or ".." in Path(path).parts]
    if escaping:
        raise BackupError(f"{source} lists files outside of it, such as {escaping[0]}. Nothing was changed.")
    return contents


def _require_older(settings: Settings, contents: Contents, over_newer: bool) -> None:
    if over_newer or not settings.published.exists():
        return
    try:
        refreshed_at = _refreshed_at(settings.published)
    except duckdb.Error:
        return
    taken = contents.refreshed_at and datetime.fromisoformat(contents.refreshed_at)
    if refreshed_at and (not taken or refreshed_at > taken):
        raise BackupError(
            f"The hub in {settings.data_dir} was refreshed at {refreshed_at:%Y-%m-%d %H:%M:%S} UTC, after "
            f"the one in the backup ({contents.refreshed_at or 'never refreshed'}). Nothing was changed. To "
            "go back to the backup all the same: `make restore FROM=... OVER=newer`."
        )


def _refreshed_at(published: Path) -> datetime | None:
    with duckdb.connect(str(published), read_only=True) as connection:
        (finished,) = connection.execute("select max(finished_at) from refreshes").fetchall()[0]
    return finished


def _write_all_to_the_databases(settings: Settings, notify: Callable[[str], object]) -> None:
    """Wait until no other program has the databases open, and leave nothing in their logs."""
    if settings.warehouse.exists():
        with databases.connect(settings, notify) as connection:
            connection.execute("checkpoint")
            connection.execute("checkpoint reports")


def _check_databases(folder: Path) -> None:
    for database in sorted(folder.rglob("*.duckdb")):
        duckdb.connect(str(database), read_only=True).close()


def _check(folder: Path, contents: Contents) -> None:
    """Read everything again.

    Raises:
        BackupError: when a file is missing or is another one than was copied.
    """
    for path, content_hash in contents.files.items():
        file = folder / path
        if not file.is_file() or _hash(file) != content_hash:
            raise BackupError(
                f"{file} is missing or damaged, so {folder} is of no use. The hub is as it was. Use another "
                "backup, or take a new one."
            )


@contextmanager
def _unchanged(path: Path) -> Iterator[None]:
    """Make sure that nobody writes to a file within it."""
    before = path.stat()
    yield
    after = path.stat()
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise BackupError(
            f"{path} was changed while it was copied, so there is no backup. The hub is as it was. Take it "
            "again."
        )


def _copy(source: Path, target: Path) -> str:
    """Copy a file with its times. Returns the SHA-256 of what was read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(BLOCK_BYTES):
            found.update(block)
            written.write(block)
    status = source.stat()
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    return found.hexdigest()


def _hash(file: Path) -> str:
    with file.open("rb") as read:
        return hashlib.file_digest(read, "sha256").hexdigest()


def _require_room(folder: Path, size: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < size + SPARE_BYTES:
        raise OSError(
            f"it takes {size / 1e6:,.0f} MB, and the disk of {folder} has {free / 1e6:,.0f} MB free."
        )
