"""The landing folder as the mirror of a folder in object storage: new objects are copied, gone ones deleted.

What follows from a file that came, changed or left is decided as for any landed file (landing/arrivals.py).
Nothing is deleted that was not copied from the store, nor when the store cannot be listed or looks as if it
were another one.

Belongs here: what is copied and deleted. Does not belong here: speaking to the store (stores.py), the record
of what was copied (mirror_record.py).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from orchestration.durable import sync
from orchestration.landing import discovery, retract
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.notices import listed, named
from orchestration.object_storage.listing import ENTITIES, Listing, beside, sort_out
from orchestration.object_storage.mirror_record import Mirrored, MirrorRecord, signature_of
from orchestration.object_storage.stores import MissingObjectError, Store, Stored, StoreError
from orchestration.settings import Settings

# So many objects are copied at once: enough to keep a line busy that is slow to answer.
COPIES_AT_ONCE = 8

# Where an object lies while it is copied: in the landing folder, so that a rename ends it, under a name that
# loads pass over.
UNFINISHED = ".mirror"

# The longest path that the system takes, with the byte that ends it.
PATH_BYTES = os.pathconf("/", "PC_PATH_MAX")

MD5 = re.compile(r'"?([0-9a-f]{32})"?')


@dataclass
class Mirroring:
    """What one mirroring did.

    Attributes:
        objects: the paths of all objects that belong into the landing folder.
        copied: those that were copied now.
        deleted: the files whose objects have gone.
        notices: sentences that an operator should read.
    """

    objects: list[str]
    copied: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def counts_of(self, entity: str) -> dict[str, int]:
        """How many objects an entity has, and how many were copied and deleted."""
        below = f"{entity}/"
        return {
            name: sum(path.startswith(below) for path in paths)
            for name, paths in (("objects", self.objects), ("copied", self.copied), ("deleted", self.deleted))
        }


@dataclass(frozen=True)
class _Copy:
    """An object that was copied, under a name that counts for nothing yet."""

    stored: Stored
    file: Path
    content_hash: str


def open_landing(settings: Settings) -> Store | None:
    """The folder that the landing folder mirrors; None where it mirrors none.

    Raises:
        StoreError: when it cannot be opened.
    """
    return Store(settings.landing_url) if settings.landing_url else None


def mirror(settings: Settings, store: Store) -> Mirroring:
    """Bring the landing folder in line with a folder in object storage. One that is killed is resumed.

    Args:
        settings: the settings of the hub, whose lock is held.
        store: the folder.

    Raises:
        StoreError: when it cannot be listed or read, or looks as if it were not the one mirrored before.
    """
    with _explained(store):
        record = MirrorRecord(settings.mirror_record)
        _require_same(record, store, settings)
        objects = store.list_below(ENTITIES)
        _require_folders(record, store, objects)
        found = sort_out(settings, objects)
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        record.begin(store.address)
        for folder in found.folders:
            (settings.landing / folder).mkdir(parents=True, exist_ok=True)
        return _Mirror(settings, store, record, found).run()


def landed_in_store(settings: Settings) -> tuple[dict[str, str], set[str]]:
    """What has landed in the store that the landing folder mirrors; nothing is copied.

    Returns:
        The version of each object by its key, and the paths of the files that were copied from the store.

    Raises:
        StoreError: when the store cannot be listed.
    """
    store = open_landing(settings)
    if store is None:
        return {}, set()
    found = sort_out(settings, store.list_below(ENTITIES))
    copied = MirrorRecord(settings.mirror_record).copied
    return {path: one.version for path, one in found.objects.items()}, {f"landing/{path}" for path in copied}


@contextmanager
def _explained(store: Store) -> Iterator[None]:
    """Say of whatever goes wrong with the store what was kept and what to do."""
    try:
        yield
    except StoreError as error:
        raise StoreError(
            f"{error} No file was loaded and none counts as gone, and readers keep what was published. The "
            "next refresh goes on from here. To refresh with what was copied before, run without "
            "CONTACT_LANDING."
        ) from None


def _require_same(record: MirrorRecord, store: Store, settings: Settings) -> None:
    """Another folder is no folder in which all files have gone."""
    if record.address not in (None, store.address) and record.files:
        raise StoreError(
            f"CONTACT_LANDING is {store.address}, but the files in {settings.landing} were copied from "
            f"{record.address}. Set it back; or, if the objects have moved, move {settings.mirror_record} "
            "away: then files that equal their objects are taken over, and others are named."
        )


def _require_folders(record: MirrorRecord, store: Store, objects: Sequence[Stored]) -> None:
    """A folder that lists nothing at all is more likely a wrong one, or one without rights, than emptied."""
    there = {one.path.partition("/")[0] for one in objects}
    for contract in CONTRACTS:
        below = f"{contract.entity}/"
        copied = sum(path.startswith(below) for path in record.copied)
        if copied and contract.entity not in there:
            raise StoreError(
                f"{store.url} lists nothing below {below}, but {copied} of its objects were "
                "copied before. See that the address is right and the credentials may list it. If it was "
                f"emptied on purpose, put an empty object named {below}.keep there."
            )


class _Mirror:
    """One mirroring: what has gone is deleted, then what is due is copied."""

    def __init__(self, settings: Settings, store: Store, record: MirrorRecord, found: Listing) -> None:
        self._settings = settings
        self._store = store
        self._record = record
        self._found = found
        self._retractions = retract.retractions(settings)
        self._unfinished = settings.landing / UNFINISHED
        self._done = Mirroring(list(found.objects))
        self._refused = dict(found.refused)
        self._is_over = Event()

    def run(self) -> Mirroring:
        shutil.rmtree(self._unfinished, ignore_errors=True)
        for path in [path for path in self._record.files if path not in self._found.objects]:
            self._delete(path)
        due = [one for one in self._found.objects.values() if self._is_due(one)]
        if due:
            self._unfinished.mkdir(parents=True)
            try:
                self._copy(due)
            finally:
                shutil.rmtree(self._unfinished, ignore_errors=True)
        self._done.notices = [*self._done.notices, *self._notices()]
        return self._done

    def _delete(self, path: str) -> None:
        """Delete the copy of an object that has gone; a file that was changed here stays."""
        location, before = self._settings.landing / path, self._record.files[path]
        if signature_of(location) is not None and not before.is_retracted:
            if _was_changed(location, before):
                self._done.notices.append(
                    f"{named(f'landing/{path}')} was changed here, so it stays though its object has gone."
                )
            else:
                location.unlink()
                self._done.deleted.append(path)
                _remove_empty_folders(location.parent, self._settings.landing)
        self._record.drop(path)

    def _is_due(self, one: Stored) -> bool:
        """Whether an object has to be copied."""
        before, location = self._record.files.get(one.path), self._settings.landing / one.path
        if before is None or before.version != one.version:
            if before and not before.is_retracted and _was_changed(location, before):
                self._name_as_changed(one)
            return self._may_lie_at(one.path, location)
        if before.is_retracted or before.is_at(location):
            return False
        if signature_of(location) is None:
            retraction = self._retractions.get((f"landing/{one.path}", before.content_hash))
            if retraction and retraction.number > before.retractions:
                self._record.put(_as_retracted(before))
                return False
            return self._may_lie_at(one.path, location)
        if _holds(location, before.content_hash):
            self._record.put(before.with_signature(location))
            return False
        self._name_as_changed(one)
        return self._may_lie_at(one.path, location)

    def _name_as_changed(self, one: Stored) -> None:
        self._done.notices.append(
            f"{named(f'landing/{one.path}')} was changed here; its object is copied again."
        )

    def _may_lie_at(self, path: str, location: Path) -> bool:
        """Whether the copy of an object may have its place; where not, the object is named."""
        landing = self._settings.landing.resolve()
        if len(os.fsencode(location)) >= PATH_BYTES:
            self._refused[path] = "its key is too long for a path"
        elif not location.parent.resolve().is_relative_to(landing):
            self._refused[path] = "its folder is a link out of the landing folder"
        elif location.is_dir():
            self._refused[path] = "a folder of this name is in the landing folder"
        elif any(folder.exists() and not folder.is_dir() for folder in location.parents):
            self._refused[path] = "a file is in the landing folder where its folder should be"
        return path not in self._refused

    def _copy(self, due: Sequence[Stored]) -> None:
        """Copy several objects at once; each gets its place when all of it is there."""
        with ThreadPoolExecutor(COPIES_AT_ONCE) as pool:
            copies = [
                pool.submit(self._fetch, one, self._unfinished / str(number))
                for number, one in enumerate(due)
            ]
            try:
                for finished in as_completed(copies):
                    self._place(finished.result())
            except BaseException:
                self._is_over.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _fetch(self, one: Stored, file: Path) -> _Copy | str:
        """Copy an object to a file; gives its path when it is not there any more."""
        try:
            content_hash, md5 = self._write(one, file)
            e_tag = MD5.fullmatch(one.e_tag or "")
            # The ETag of an encrypted object looks like an MD5 and is none. Then two readings have to agree.
            if e_tag and e_tag[1] != md5 and self._write(one, file)[0] != content_hash:
                raise StoreError(f"{self._store.url} gives other bytes of {named(one.path)} each time.")
        except MissingObjectError:
            return one.path
        sync(file)
        return _Copy(one, file, content_hash)

    def _write(self, one: Stored, file: Path) -> tuple[str, str]:
        """Write the content of an object to a file; gives its SHA-256 and its MD5."""
        content_hash, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        with file.open("wb") as stream:
            for block in self._store.read_blocks(one.path, one.e_tag):
                # Another copy has failed, or a person has ended the refresh: none is worth waiting for.
                if self._is_over.is_set():
                    raise StoreError(f"{named(one.path)} of {self._store.url} was not copied to its end.")
                stream.write(block)
                content_hash.update(block)
                md5.update(block)
        return content_hash.hexdigest(), md5.hexdigest()

    def _place(self, copy: _Copy | str) -> None:
        """Give a copied object its place, and record it."""
        if isinstance(copy, str):
            self._refused[copy] = "it was gone or overwritten when it should be copied, or is a folder"
            return
        path, location = copy.stored.path, self._settings.landing / copy.stored.path
        before = self._record.files.get(path)
        one = Mirrored(
            *(path, copy.stored.version, copy.content_hash, signature_of(copy.file) or (0, 0, 0)),
            max((each.number for each in self._retractions.values()), default=0),
        )
        if before is None and self._was_taken_back(copy):
            self._record.put(_as_retracted(one))
        elif (before is None or before.is_retracted) and signature_of(location) is not None:
            if _holds(location, copy.content_hash):
                self._record.put(one.with_signature(location))
            else:
                self._refused[path] = "another file of this name lies in the landing folder: move it away"
        else:
            self._put(one, copy, location)

    def _was_taken_back(self, copy: _Copy) -> bool:
        """Whether an object was taken back; by the store's clock, one that was written since landed again."""
        retraction = self._retractions.get((f"landing/{copy.stored.path}", copy.content_hash))
        return retraction is not None and copy.stored.modified_at < retraction.at

    def _put(self, one: Mirrored, copy: _Copy, location: Path) -> None:
        location.parent.mkdir(parents=True, exist_ok=True)
        self._record.put(one)
        copy.file.replace(location)
        sync(location.parent)
        self._done.copied.append(one.path)

    def _beside(self) -> dict[str, str]:
        try:
            return beside(self._store.names_at_top())
        except StoreError as error:
            return {"others": str(error)}

    def _notices(self) -> Iterator[str]:
        if self._refused:
            about = [f"{named(path)} ({reason})" for path, reason in sorted(self._refused.items())]
            yield f"Objects of {self._store.url} that were not copied: {listed(about)}."
        if left_alone := self._found.left_alone | self._beside():
            about = [f"{named(path)} ({reason})" for path, reason in left_alone.items()]
            yield f"Objects of {self._store.url} that are not read: {listed(about)}."
        if at_work := self._found.at_work:
            about = [named(path) for path in at_work]
            yield f"Passed over, since writers leave such names while they work: {listed(about)}."
        if own := files_of_others(self._settings, self._record):
            yield (
                f"In the landing folder, but not from {self._store.url}: {listed(own)}. They were loaded and "
                "left as they are."
            )


def files_of_others(settings: Settings, record: MirrorRecord) -> list[str]:
    """The files in the landing folder that are read and were not copied from the store."""
    copied = record.copied
    return [
        path
        for contract in CONTRACTS
        if (settings.landing / contract.entity).is_dir()
        for path in discovery.find(settings, contract.entity).files
        if path.removeprefix("landing/") not in copied
    ]


def _holds(location: Path, content_hash: str) -> bool:
    """Whether a file, and no folder, has the bytes of this hash."""
    if not location.is_file():
        return False
    with location.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == content_hash


def _was_changed(location: Path, before: Mirrored) -> bool:
    """Whether a file is there and is not the one that was copied."""
    there = signature_of(location) is not None
    return there and not before.is_at(location) and not _holds(location, before.content_hash)


def _remove_empty_folders(folder: Path, landing: Path) -> None:
    """Remove the folders that a deleted file has left empty, but those of the entities."""
    while folder.parent != landing and landing in folder.parents and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _as_retracted(one: Mirrored) -> Mirrored:
    return Mirrored(
        one.path, one.version, one.content_hash, one.signature, one.retractions, is_retracted=True
    )
