"""What lies in the landing folder: which files are read, and why each other name is left alone.

Belongs here: names, kinds of files, links, and what tells that a file has changed. Does not belong here:
which of the files are due (load.py), what is in them (formats).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from orchestration.hub.landing_tables import LandingTable
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.formats import ENDINGS, ENDINGS_OF_TABLES, LandedFile
from orchestration.landing.mappings import PLAIN
from orchestration.settings import Settings

# How names begin that writers give to what they are still at work on.
AT_WORK = (".", "_", "~", "#", "tmp_")

SUPPORTED = tuple(ENDINGS)
SUPPORTED_BY_TABLES = tuple(ENDINGS_OF_TABLES)

# What people land in the hope that it is read, and what to do instead.
UNSUPPORTED = {
    **dict.fromkeys(SUPPORTED_BY_TABLES, "is read only where a [[landing]] table of hub.toml names it"),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "is a workbook: save its sheet as CSV, and land that"),
    **dict.fromkeys((".zip", ".tar", ".7z", ".tgz", ".tar.gz", ".tar.zst"), "is an archive: unpack it first"),
}


class LandingError(RuntimeError):
    """A landing folder that cannot be relied on; the message says why and what to do."""


class Signature(NamedTuple):
    """What the file system says of a file. Where all of it is as before, the content is too.

    Attributes:
        size: in bytes.
        modified_ns, changed_ns: when the content was written, and when anything of the file was changed; the
            latter cannot be set back.
        inode: which file it is, whatever its name.
    """

    size: int
    modified_ns: int
    changed_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Signature:
        """The signature in a status of the file system."""
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@dataclass
class Landing:
    """What there is below the landing folder of an entity. All paths are relative to the data directory.

    Files have the paths by which they are opened, all else the paths by which it is recorded.

    Attributes:
        files: the files to read, each with its signature, in the order of their paths.
        at_work: names that writers leave while they work.
        left_alone: why each other name is not read.
        unlisted: why each folder that could not be listed could not.
    """

    files: dict[str, Signature] = field(default_factory=dict)
    at_work: list[str] = field(default_factory=list)
    left_alone: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)

    def sort(self) -> Landing:
        """The same in the order of the paths, whatever the order of the file system."""
        self.files = dict(sorted(self.files.items()))
        self.at_work.sort()
        self.left_alone = dict(sorted(self.left_alone.items()))
        self.unlisted = dict(sorted(self.unlisted.items()))
        return self


@dataclass(frozen=True)
class _Walk:
    """One walk below the landing folder of an entity. Paths are texts: of many files, objects take seconds.

    Attributes:
        settings: the settings of the hub, to whose data directory paths are relative.
        allowed: the folders, as they are without links, that a link may lead into.
        landing: what was found.
        seen: the folders that were looked at, as they are without links.
    """

    settings: Settings
    allowed: tuple[Path, ...]
    landing: Landing
    seen: set[Path]

    def folder(self, path: str) -> tuple[list[str], list[str]]:
        """Look at a folder; gives the folders below it to look at next, and the links to such."""
        folders: list[str] = []
        links: list[str] = []
        location = self.settings.data_dir / path
        real = location.resolve()
        if real in self.seen:
            return folders, links
        self.seen.add(real)
        try:
            with os.scandir(location) as entries:
                listed = list(entries)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self.landing.unlisted[recordable(path)] = error.strerror or str(error)
            return folders, links
        for entry in listed:
            below = f"{path}/{entry.name}"
            if entry.name.startswith(AT_WORK):
                self.landing.at_work.append(recordable(below))
            elif entry.is_file(follow_symlinks=False) and entry.name.lower().endswith(SUPPORTED):
                # Nearly all of many files. What follows takes as long again.
                try:
                    self.landing.files[below] = Signature.of(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
            elif self.entry(entry, below):
                (links if entry.is_symlink() else folders).append(below)
        return folders, links

    def entry(self, entry: os.DirEntry[str], path: str) -> bool:
        """Take an entry in; whether it is a folder to look at."""
        try:
            status = entry.stat()
        except OSError as error:
            self.landing.left_alone[recordable(path)] = f"cannot be looked at: {error.strerror or error}"
            return False
        if entry.is_symlink() and not self.may_be_followed(path):
            self.landing.left_alone[recordable(path)] = (
                "is a link out of the landing folder, to no folder of links_to in hub.toml"
            )
        elif stat.S_ISDIR(status.st_mode):
            return True
        elif not stat.S_ISREG(status.st_mode):
            self.landing.left_alone[recordable(path)] = "is no regular file"
        elif not is_read(self.settings, path):
            self.landing.left_alone[recordable(path)] = why_unsupported(entry.name)
        else:
            self.landing.files[path] = Signature.of(status)
        return False

    def may_be_followed(self, path: str) -> bool:
        real = (self.settings.data_dir / path).resolve()
        return any(real.is_relative_to(folder) for folder in self.allowed)


def find(settings: Settings, entity: str) -> Landing:
    """What there is below the landing folder of an entity.

    Raises:
        LandingError: when the folder of the entity is a link that may not be followed.
    """
    root = settings.landing / entity
    allowed = (settings.landing.resolve(), *(folder.resolve() for folder in settings.hub.links_to))
    walk = _Walk(settings, allowed, Landing(), set())
    path = root.relative_to(settings.data_dir).as_posix()
    if root.is_symlink() and not walk.may_be_followed(path):
        raise LandingError(
            f"{root} is a link to {root.resolve()}, which lies outside of the landing folder. Nothing "
            "was read. Add that folder to links_to in hub.toml, or put the files into the landing folder."
        )
    # Folders first, links last, so that a folder which a link leads to is known by its own name.
    folders, links = [path], list[str]()
    while folders or links:
        folders_below, links_below = walk.folder(folders.pop() if folders else links.pop(0))
        folders += folders_below
        links = sorted(links + links_below)
    _tell_apart(walk.landing)
    walk.landing.left_alone.update(_misplaced(settings, entity))
    return walk.landing.sort()


def _misplaced(settings: Settings, entity: str) -> dict[str, str]:
    """Why what lies beside the folders that are read is not read: what is most likely of this entity.

    A name that tells of no entity is reported with the first one.
    """
    entities = [contract.entity for contract in CONTRACTS]
    found = {}
    try:
        with os.scandir(settings.landing) as entries:
            listed = list(entries)
    except OSError:
        return {}
    for entry in listed:
        location = settings.landing / entry.name
        is_read_folder = entry.name in entities or _is_any_of(settings.landing, entities, location)
        if is_read_folder or entry.name.startswith(AT_WORK):
            continue
        likely = next((one for one in entities if entry.name.lower().startswith(one[:-1])), None)
        if entity == (likely or entities[0]):
            path = recordable(location.relative_to(settings.data_dir).as_posix())
            found[path] = _why_misplaced(entry.is_dir(), likely)
    return found


def _is_any_of(landing: Path, entities: Sequence[str], location: Path) -> bool:
    """Whether a place is the folder of an entity by another name, as where letter case does not count."""
    with suppress(OSError):
        return any((landing / one).exists() and location.samefile(landing / one) for one in entities)
    return False


def _why_misplaced(is_folder: bool, likely: str | None) -> str:
    """Why a name in the landing folder itself is not read, to be put behind the name."""
    if not is_folder:
        folder = f"landing/{likely}/" if likely else "landing/messages/ or landing/orders/"
        return f"lies beside the folders that are read: move it to {folder}"
    if likely:
        return f"is a folder that is not read: move what it holds to landing/{likely}/, in lower case"
    return "is a folder that is not read: move what it holds to landing/messages/ or landing/orders/"


def _tell_apart(landing: Landing) -> None:
    """Leave files alone whose name is no text and would be recorded as that of another file."""
    for path in [path for path in landing.files if recordable(path) != path]:
        if recordable(path) in landing.files:
            del landing.files[path]
            landing.left_alone[recordable(path)] = "is not UTF-8, and would be recorded as another file"


def something_has_landed(settings: Settings) -> bool:
    """Whether there is any file that is read; quicker than to list them all."""
    return any(
        is_read(settings, path.relative_to(settings.data_dir).as_posix()) and path.is_file()
        for contract in CONTRACTS
        for path in (settings.landing / contract.entity).rglob("*")
    )


def is_read(settings: Settings, path: str) -> bool:
    """Whether the name of a file is one that is read."""
    name = path.lower()
    return name.endswith(SUPPORTED) or (
        name.endswith(SUPPORTED_BY_TABLES) and table_of(settings, path) is not None
    )


def landed_file(settings: Settings, path: str) -> LandedFile:
    """The file of a path, to be read as ``hub.toml`` says."""
    table = table_of(settings, path)
    return LandedFile(path, settings.data_dir / path, table.reading if table else PLAIN)


def table_of(settings: Settings, path: str) -> LandingTable | None:
    """The table of ``hub.toml`` that names a path of the record; None without one."""
    return settings.hub.landing_table_of(path.removeprefix("landing/")) if settings.hub.landing else None


def why_unsupported(name: str) -> str:
    """Why a file of this name is not read, to be put behind the name."""
    for ending, reason in UNSUPPORTED.items():
        if name.lower().endswith(ending):
            return reason
    return f"has none of the extensions {', '.join(SUPPORTED)}"


def recordable(path: str) -> str:
    """The path as text; what is not UTF-8 in it as the shell would show it."""
    if path.isascii():
        return path
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
