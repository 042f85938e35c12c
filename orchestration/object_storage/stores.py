"""A folder in object storage, opened from its URL: listing, reading, writing, and what its errors mean.

Belongs here: everything that speaks to the library of object storage, which is imported only when a folder is
opened. Does not belong here: what is read or written (mirror.py, version_copies.py).
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.printable import PATH_CHARACTERS, shown

# The timeout of a whole request lets a large object through. A connection that stands still is given up.
READING: dict[str, Any] = {
    "client_options": {"connect_timeout": "10s", "read_timeout": "60s", "timeout": "6h", "allow_http": True},
    "retry_config": {"max_retries": 4},
}

# All tries together end before Dagster gives a tick of a sensor up, which is after 60 seconds.
LISTING: dict[str, Any] = {
    "client_options": {"connect_timeout": "5s", "timeout": "10s", "allow_http": True},
    "retry_config": {"max_retries": 2},
}

# What says which server is asked.
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")

# What a listing is read in, and an object.
OBJECTS_AT_ONCE = 1000
BLOCK_BYTES = 4 << 20

INSTALL = (
    "CONTACT_LANDING and CONTACT_PUBLISH_TO need what reads object storage: run `make object-storage`, which "
    "installs it. Nothing was done."
)


class StoreError(RuntimeError):
    """A folder in object storage that cannot be used; the message says which and why, without credentials."""


class MissingObjectError(StoreError):
    """An object that is not there."""


@dataclass(frozen=True)
class Stored:
    """An object as its store describes it.

    Attributes:
        path: its key below the folder.
        size: in bytes.
        e_tag: what identifies its content at the store, if the store has that.
        modified_at: when it was written, as ISO 8601.
    """

    path: str
    size: int
    e_tag: str | None
    modified_at: str

    @classmethod
    def of(cls, meta: Any) -> Stored:
        """The object in the library's description."""
        return cls(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"].isoformat())

    @property
    def version(self) -> str:
        """What differs when other content was written: the ETag or, where there is none, size and instant."""
        return self.e_tag or f"{self.size} {self.modified_at}"


class Store:
    """A folder in object storage.

    Attributes:
        url: the URL that it was opened from.
        address: the URL, and the server where the environment names one: what tells it from other folders.
    """

    def __init__(self, url: str, make_folder: bool = False) -> None:
        """Open a folder; no request is made.

        Args:
            url: one that the settings have accepted.
            make_folder: whether a folder of the file system is made where it is missing.

        Raises:
            StoreError: when the library is missing, or the URL cannot be opened.
        """
        self.url = url
        self.address = _address_of(url)
        try:
            library = importlib.import_module("obstore.store")
        except ImportError:
            raise StoreError(INSTALL) from None
        reading, listing = READING, LISTING
        if url.startswith("file:"):
            reading = listing = {"mkdir": make_folder}
        with self._explained("opened"):
            self._folder = library.from_url(url, **reading)
            self._listed = library.from_url(url, **listing)

    def list_below(self, folders: Sequence[str]) -> list[Stored]:
        """All objects below some folders of this one, in the order of their keys. This one is ``""``.

        Raises:
            StoreError: when they cannot be listed, or one has a key that the library makes no path of.
        """
        with self._explained("listed"):
            found = [
                Stored.of(meta)
                for folder in folders
                for page in self._listed.list(folder or None, chunk_size=OBJECTS_AT_ONCE)
                for meta in page
            ]
        return sorted(found, key=lambda one: one.path)

    def names_at_top(self) -> list[str]:
        """The names in the folder itself: of folders with a slash behind them, of objects without.

        Raises:
            StoreError: when they cannot be listed, or one is a name that the library makes no path of.
        """
        with self._explained("listed"):
            found = self._listed.list_with_delimiter()
        folders = [f"{folder}/" for folder in found["common_prefixes"]]
        return [*folders, *(meta["path"] for meta in found["objects"])]

    def read_blocks(self, path: str, e_tag: str | None = None) -> Iterator[bytes]:
        """The content of an object, in blocks; all of it belongs to one version.

        Args:
            path: its key below the folder.
            e_tag: which version is read; None for any.

        Raises:
            MissingObjectError: when it is not there, or another version is.
            StoreError: when it cannot be read, or ends before its end.
        """
        what, received = f"read: {shown(path, PATH_CHARACTERS)}", 0
        with self._explained(what):
            got = self._folder.get(path)
            blocks = iter(got.stream(min_chunk_size=BLOCK_BYTES))
        # Stores quote an ETag in one answer and not in the other.
        if e_tag and (got.meta["e_tag"] or "").strip('"') != e_tag.strip('"'):
            raise MissingObjectError(f"{self.url} could not be {what}: it was overwritten.")
        while True:
            # Not around the yield: what the caller raises is none of the library's errors.
            with self._explained(what):
                block = next(blocks, None)
            if block is None:
                break
            received += len(block)
            yield bytes(block)
        if received != got.meta["size"]:
            raise StoreError(f"{self.url} could not be {what}: {received} of {got.meta['size']} bytes came.")

    def write(self, path: str, content: Path | bytes) -> int:
        """Write an object, whole or not at all; gives its size as the store has it.

        Raises:
            StoreError: when it cannot be written.
        """
        with self._explained(f"written: {shown(path, PATH_CHARACTERS)}"):
            self._folder.put(path, content)
            return int(self._folder.head(path)["size"])

    def read(self, path: str) -> bytes:
        """The content of a small object.

        Raises:
            MissingObjectError: when it is not there.
            StoreError: when it cannot be read.
        """
        return b"".join(self.read_blocks(path))

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects.

        Raises:
            StoreError: when one of them cannot be deleted.
        """
        with self._explained("cleared of old versions"):
            self._folder.delete(list(paths))

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Say of an error of the library what failed and why.

        The library's own words hold addresses with signatures, and answers of servers: they are not repeated.
        """
        try:
            yield
        except FileNotFoundError:
            raise MissingObjectError(f"{self.url} could not be {what}: there is no such object.") from None
        # A panic of the library is no Exception.
        except BaseException as error:
            reason = _reason_of(error)
            if reason is None:
                raise
            raise StoreError(f"{self.url} could not be {what}: {reason}.") from None


def _address_of(url: str) -> str:
    """A URL with the server that the environment names for it, without the credentials in its address."""
    if not url.startswith("s3:"):
        return url
    endpoint = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), None)
    return f"{url} of {endpoint.rpartition('@')[2].rstrip('/')}" if endpoint else url


def _reason_of(error: BaseException) -> str | None:
    """Why the library could not do something, in words without credentials; None of other errors."""
    if type(error).__name__ == "PanicException":
        return "an address or a key in the environment has a character that no request may have"
    if not type(error).__module__.startswith("obstore"):
        return None
    text, kind = str(error), type(error).__name__
    if kind == "InvalidPathError":
        named = re.search(r'(?s)Path "(.*?)" contained|Path "(.*?)": Encountered', text)
        key = shown(named[1] or named[2], PATH_CHARACTERS) if named else "one of its objects"
        return (
            f"{key} has an empty part, a part of dots or a control character in its key, so that no listing "
            "can name it: rename or delete that object"
        )
    status = re.search(r"status code: (\d{3})", text)
    code = re.search(r"<Code>(\w{1,60})</Code>", text)
    if status:
        words = f"the store answered {status[1]}{f' {code[1]}' if code else ''}"
        if kind in ("PermissionDeniedError", "UnauthenticatedError") or status[1] in ("401", "403"):
            words += ": see that the credentials in the environment may do that"
        return words
    if kind in ("PermissionDeniedError", "UnauthenticatedError"):
        return "the credentials in the environment may not do that"
    for sign, words in _SIGNS.items():
        if sign in text:
            return words
    return f"the library says {kind}"


_SIGNS = {
    "169.254.169.254": "there are no credentials in the environment, and this machine has no role",
    "metadata.google.internal": "there are no credentials in the environment, and this machine has no role",
    "Account must be specified": "AZURE_STORAGE_ACCOUNT_NAME is not set",
    "TimedOut": "it did not answer in time",
    "error sending request": "it cannot be reached",
    "Unable to canonicalize": "there is no such folder",
    "Permission denied": "this user has no right to it",
    "No space left on device": "its disk is full",
}
