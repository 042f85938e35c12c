"""What the landing folder holds of a folder in object storage: a file of lines, one for each change.

A line is written before the file that it is about gets its name. So a file that is not from the store never
looks as if it were, and one whose line was written in vain is copied again.

Belongs here: reading and writing the record. Does not belong here: what is copied (mirror.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from orchestration.durable import replacing_file
from orchestration.object_storage.stores import StoreError


@dataclass(frozen=True)
class Mirrored:
    """A file of the landing folder that was copied from a store.

    Attributes:
        path: below the landing folder, and of the object below the folder of the store.
        version: of the object, as its listing gave it.
        content_hash: SHA-256 of its bytes.
        signature: size, modification time in nanoseconds and inode of the file.
        retractions: the number of the last retraction before it was copied.
        is_retracted: whether this version was taken back, and is not copied again.
    """

    path: str
    version: str
    content_hash: str
    signature: tuple[int, int, int]
    retractions: int
    is_retracted: bool = False

    def is_at(self, location: Path) -> bool:
        """Whether a file is the one that was copied, as far as the file system tells."""
        return signature_of(location) == self.signature

    def with_signature(self, location: Path) -> Mirrored:
        """The same of a file that has these bytes and another signature."""
        return replace(self, signature=signature_of(location) or self.signature)


def signature_of(location: Path) -> tuple[int, int, int] | None:
    """Size, modification time in nanoseconds and inode, which a rename leaves; None of no file."""
    try:
        status = location.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size, status.st_mtime_ns, status.st_ino


class MirrorRecord:
    """The record of one hub.

    Attributes:
        address: of the folder that was mirrored last; None while none was.
        files: what is mirrored, by path.
    """

    def __init__(self, file: Path) -> None:
        """Read the record; a line that a kill has cut short counts for nothing.

        Raises:
            StoreError: when it is damaged otherwise.
        """
        self._file = file
        self.address: str | None = None
        self.files: dict[str, Mirrored] = {}
        if not file.exists():
            return
        *lines, _ = file.read_text(encoding="utf-8").split("\n")
        try:
            for line in lines:
                self._take(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{file}, which says what was copied from object storage, cannot be read: {error}. Nothing "
                "was copied or deleted, and readers keep what was published. Bring it back from a backup, or "
                "move it away: then files that equal their objects are taken over, and others are named."
            ) from None

    @property
    def copied(self) -> set[str]:
        """The paths of what was copied and not taken back; a file in the place of that is a local one."""
        return {path for path, one in self.files.items() if not one.is_retracted}

    def _take(self, line: dict[str, Any]) -> None:
        if "address" in line:
            self.address = str(line["address"])
        elif "gone" in line:
            self.files.pop(str(line["gone"]), None)
        else:
            size, modified_ns, inode = line.pop("signature")
            self.files[line["path"]] = Mirrored(**line, signature=(size, modified_ns, inode))

    def begin(self, address: str) -> None:
        """Write the record again, without lines that a later one replaces."""
        self.address = address
        with replacing_file(self._file) as beside, beside.open("w", encoding="utf-8") as stream:
            for line in ({"address": address}, *map(asdict, self.files.values())):
                stream.write(json.dumps(line) + "\n")

    def put(self, one: Mirrored) -> None:
        """Record what a file is copied from."""
        self.files[one.path] = one
        self._append(asdict(one))

    def drop(self, path: str) -> None:
        """Record that a file is of the store no longer."""
        del self.files[path]
        self._append({"gone": path})

    def _append(self, line: Mapping[str, object]) -> None:
        with self._file.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
