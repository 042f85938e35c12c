"""What a backup holds, and putting one that was brought back in its place, also after a restore was killed.

Belongs here: the list of a backup, and replacing the state of a hub by what lies beside it. Does not belong
here: copying and checking (backup.py).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestration.durable import point_to, sync
from orchestration.hub.rights import open_to_readers
from orchestration.settings import Settings

LIST = "backup.json"

# What a refresh goes on from; each is there or not.
STATE = (
    *("hub.toml", "kept", "retracted", "landed_files.parquet", "rejected_rows.parquet"),
    "landing_mirror.jsonl",
    *("spark", "reports.duckdb", "warehouse.duckdb"),
)

LANDING = "landing"


@dataclass(frozen=True)
class Contents:
    """The list of a backup.

    Attributes:
        taken_at: when, in UTC, as ISO 8601.
        software_version: of the program that took it.
        refreshed_at: when the last refresh in it published, in UTC as ISO 8601; None when none has.
        published: the path of the published file below the data directory; None when there is none.
        files: the SHA-256 of each file, by its path below the data directory.
    """

    taken_at: str
    software_version: str
    refreshed_at: str | None
    published: str | None
    files: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> Contents:
        """The list in a folder.

        Raises:
            OSError: when there is none.
            ValueError, TypeError: when it is none.
        """
        return cls(**json.loads((folder / LIST).read_text(encoding="utf-8")))

    def as_json(self) -> str:
        """The list as it is stored."""
        return json.dumps(asdict(self), indent=1)


def replacing(settings: Settings) -> Path:
    """Where the checked copy of a backup lies while it replaces the state of a hub."""
    return settings.data_dir / ".replacing"


def finish_restore(settings: Settings, notify: Callable[[str], object]) -> None:
    """Put the copy of a backup in its place, all of it or the rest that a killed restore left.

    Whoever calls this holds the lock of the hub. Nothing happens where there is no such copy.

    Args:
        settings: the settings of the hub.
        notify: told what stays as it is.
    """
    incoming = replacing(settings)
    if not (incoming / LIST).exists():
        _remove(incoming)
        return
    contents = Contents.read(incoming)
    _put_state(settings, incoming, contents)
    if (incoming / LANDING).exists():
        _put_landing(settings, incoming / LANDING, notify)
    if contents.published:
        _put_published(settings, incoming, contents.published)
    sync(settings.data_dir)
    # The list goes last: without it nothing could be finished.
    for path in incoming.iterdir():
        if path.name != LIST:
            _remove(path)
    shutil.rmtree(incoming)


def _put_state(settings: Settings, incoming: Path, contents: Contents) -> None:
    """Put what a refresh writes in its place; what the backup lacks goes."""
    held = {Path(path).parts[0] for path in contents.files}
    for log in settings.databases:
        if log.name not in STATE:
            log.unlink(missing_ok=True)
    for name in STATE:
        if (incoming / name).exists() or name not in held:
            _remove(settings.data_dir / name)
        if (incoming / name).exists():
            (incoming / name).rename(settings.data_dir / name)


def _put_landing(settings: Settings, incoming: Path, notify: Callable[[str], object]) -> None:
    """Put the landed files of a backup in their place, unless others lie there."""
    if any(files_below(settings.landing)):
        notify(f"Files lie in {settings.landing}, so the landed files of the backup were not brought back.")
        return
    _keep_rights_of_landing(settings, incoming)
    _remove(settings.landing)
    incoming.rename(settings.landing)


def files_below(top: Path) -> Iterator[Path]:
    """A file, or the regular files below a folder; what lies behind links belongs to somebody else."""
    if top.is_file():
        yield top
    for parent, _, names in os.walk(top):
        for name in sorted(names):
            path = Path(parent) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _keep_rights_of_landing(settings: Settings, incoming: Path) -> None:
    """Give the folders that come in the rights of those that they replace: others write there."""
    for parent, _, _ in os.walk(settings.landing):
        folder = incoming / Path(parent).relative_to(settings.landing)
        folder.mkdir(exist_ok=True)
        status = Path(parent).stat()
        # First, because it takes the bit away by which new files get the group of the folder.
        with suppress(PermissionError):
            os.chown(folder, status.st_uid, status.st_gid)
        folder.chmod(stat.S_IMODE(status.st_mode))


def _put_published(settings: Settings, incoming: Path, published: str) -> None:
    version = settings.data_dir / published
    if (incoming / published).exists():
        _remove(version.parent)
        version.parent.parent.mkdir(parents=True, exist_ok=True)
        (incoming / published).parent.rename(version.parent)
    open_to_readers(settings, version.parent)
    point_to(settings.published, version)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
