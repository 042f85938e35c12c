"""What lies in the landing folder: which files are read, and why each other name is left alone.

Belongs here: names, kinds of files, links, and what tells that a file has changed. Does not belong here:
which of the files are due (load.py), what is in them (formats).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.landing.formats import ENDINGS, LandedFile

# How names begin that writers give to what they are still at work on.
AT_WORK = (".", "_", "~", "#", "tmp_")


class LandingError(RuntimeError):
    """A landing folder that cannot be relied on; the message says why and what to do."""


@dataclass(frozen=True)
class Signature:
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
    """What lies below the landing folder of an entity. All paths are those of the records.

    Attributes:
        files: the files to read, each with its signature, in the order of their paths.
        at_work: names that writers leave while they work.
        left_alone: why each other name is not read.
        unlisted: why each folder that could not be listed could not.
    """

    files: dict[LandedFile, Signature] = field(default_factory=dict)
    at_work: list[str] = field(default_factory=list)
    left_alone: dict[str, str] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)

    def sort(self) -> Landing:
        """The same in the order of the paths, whatever the order of the file system."""
        self.files = dict(sorted(self.files.items(), key=lambda item: item[0].path))
        self.at_work.sort()
        self.left_alone = dict(sorted(self.left_alone.items()))
        self.unlisted = dict(sorted(self.unlisted.items()))
        return self


@dataclass(frozen=True)
class _Walk:
    """One walk below the landing folder of an entity.

    Attributes:
        data_dir: the folder that paths of records begin in.
        allowed: the folders, as they are without links, that a link may lead into.
    """

    data_dir: Path
    allowed: tuple[Path, ...]
    landing: Landing
    seen: set[Path]

    def folder(self, folder: Path) -> Iterator[Path]:
        """Look at a folder; gives those below it that are to be looked at next, links last.

        So a folder is known by its own name, and by that of a link only where it has no other.
        """
        real = folder.resolve()
        if real in self.seen:
            return
        self.seen.add(real)
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: (entry.is_symlink(), entry.name))
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                self.landing.unlisted[self.path(folder)] = error.strerror or str(error)
            return
        for entry in listed:
            location = folder / entry.name
            if entry.name.startswith(AT_WORK):
                self.landing.at_work.append(self.path(location))
            elif self.entry(entry, location):
                yield location

    def entry(self, entry: os.DirEntry[str], location: Path) -> bool:
        """Take an entry in; whether it is a folder to look at."""
        try:
            status = entry.stat()
        except OSError as error:
            self.leave_alone(location, f"cannot be looked at: {error.strerror or error}")
            return False
        if entry.is_symlink() and not self.may_be_followed(location):
            self.leave_alone(
                location,
                "is a link that leads out of the landing folder, to no folder of links_to in hub.toml",
            )
        elif stat.S_ISDIR(status.st_mode):
            return True
        elif not stat.S_ISREG(status.st_mode):
            self.leave_alone(location, "is no regular file")
        elif not entry.name.lower().endswith(tuple(ENDINGS)):
            self.leave_alone(location, f"has none of the extensions {', '.join(ENDINGS)}")
        else:
            self.landing.files[LandedFile(self.path(location), location)] = Signature.of(status)
        return False

    def may_be_followed(self, link: Path) -> bool:
        real = link.resolve()
        return any(real.is_relative_to(folder) for folder in self.allowed)

    def leave_alone(self, location: Path, reason: str) -> None:
        self.landing.left_alone[self.path(location)] = reason

    def path(self, location: Path) -> str:
        return location.relative_to(self.data_dir).as_posix()


def find(data_dir: Path, landing: Path, entity: str, links_to: Sequence[Path] = ()) -> Landing:
    """What lies below the landing folder of an entity.

    Args:
        data_dir: the data directory, in which paths of records begin.
        landing: the landing folder, with a folder for each entity.
        entity: the name of the folder.
        links_to: the folders outside the landing folder that links in it may lead to.

    Raises:
        LandingError: when the folder of the entity is a link that may not be followed.
    """
    root = landing / entity
    allowed = (landing.resolve(), *(folder.resolve() for folder in links_to))
    walk = _Walk(data_dir, allowed, Landing(), set())
    if root.is_symlink() and not walk.may_be_followed(root):
        raise LandingError(
            f"{root} is a link to {root.resolve()}, which lies outside of the landing folder. Nothing "
            "was read. Add that folder to links_to in hub.toml, or put the files into the landing folder."
        )
    # Folders first, links last, so that a folder which a link leads to is known by its own name.
    folders, links = [root], []
    while folders or links:
        for found in walk.folder(folders.pop() if folders else links.pop(0)):
            (links if found.is_symlink() else folders).append(found)
    return walk.landing.sort()


def recordable(path: str) -> str:
    """The path as text; what is not UTF-8 in it as the shell would show it."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
