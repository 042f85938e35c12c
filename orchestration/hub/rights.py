"""Who may open what in the data directory of a hub: its owner alone, but for what is published and landed.

Belongs here: the umask of our processes, and the rights of files and folders. Does not belong here: who is
signed in to a web page.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from orchestration.settings import REPOSITORY, Audience, Settings

OWNER_ALONE = 0o077

# Folders and files of what is published. Nobody writes to the files: each version is written once.
PUBLISHED_RIGHTS = {
    Audience.OWNER: (0o700, 0o400),
    Audience.GROUP: (0o750, 0o440),
    Audience.EVERYBODY: (0o755, 0o444),
}

# Nobody lists the data directory but its owner; others pass through it to what is published.
DATA_DIR_RIGHTS = {Audience.OWNER: 0o710, Audience.GROUP: 0o710, Audience.EVERYBODY: 0o711}


def keep_to_owner() -> None:
    """What this process and those that it starts make from now on is their owner's alone."""
    os.umask(OWNER_ALONE)


def restrict(settings: Settings) -> str | None:
    """Give the data directory its rights, with all that is in it; what has them already is left alone.

    The landing folder keeps the rights that it has, because the outside world writes there.

    Returns:
        Which rights could not be given, and what to do; None when all were.
    """
    root = settings.data_dir
    if root in (Path.home(), REPOSITORY, *REPOSITORY.parents):
        return (
            f"CONTACT_DATA_DIR is {root}, which holds more than a hub, so the rights in it were left as they "
            "are. Choose a folder of its own."
        )
    root.mkdir(parents=True, exist_ok=True)
    refused = [path for path, mode in _wanted(settings) if not _give(path, mode)]
    if refused:
        return (
            f"{len(refused)} files or folders, such as {refused[0]}, belong to another user, so their rights "
            "were left as they are. Give them to the user who runs the refresh."
        )
    return None


def keep_from_others(file: Path) -> None:
    """Make a file that somebody landed its owner's alone; :func:`restrict` names one of another user."""
    _give(file, 0o600)


def open_to_readers(settings: Settings, version: Path) -> None:
    """Give a published version the rights that its readers need; nobody can write to it."""
    for path, mode in _published(settings, version):
        _give(path, mode)
    for folder in (settings.versions, settings.published.parent):
        _give(folder, PUBLISHED_RIGHTS[settings.published_to][0])


def _wanted(settings: Settings) -> Iterator[tuple[Path, int]]:
    """Everything below the data directory, and the mode that it should have."""
    yield settings.data_dir, DATA_DIR_RIGHTS[settings.published_to]
    for entry in settings.data_dir.iterdir():
        if entry == settings.landing or entry.is_symlink():
            continue
        if entry == settings.published.parent:
            yield from _published(settings, entry)
        else:
            yield from _private(entry)


def _private(top: Path) -> Iterator[tuple[Path, int]]:
    for path, status in _below(top):
        if stat.S_ISDIR(status.st_mode):
            yield path, 0o700
        # What has a second name is a file of Spark's that is published too. No other user gets to this name.
        elif status.st_nlink == 1:
            yield path, stat.S_IMODE(status.st_mode) & 0o600


def _published(settings: Settings, top: Path) -> Iterator[tuple[Path, int]]:
    folders, files = PUBLISHED_RIGHTS[settings.published_to]
    for path, status in _below(top):
        # A hidden folder is a version that a refresh is writing.
        if not any(part.startswith(".") for part in path.relative_to(settings.versions.parent).parts):
            yield path, folders if stat.S_ISDIR(status.st_mode) else files


def _below(top: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """A file, or a folder with all below it, but no links; other processes may remove some meanwhile."""
    with suppress(FileNotFoundError):
        status = top.lstat()
        if stat.S_ISDIR(status.st_mode):
            yield top, status
            for path in top.iterdir():
                yield from _below(path)
        elif stat.S_ISREG(status.st_mode):
            yield top, status


def _give(path: Path, mode: int) -> bool:
    """Set a mode where it differs; whether it is set."""
    try:
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)
    except FileNotFoundError:
        return True
    except PermissionError:
        return False
    return True
