"""Published versions in object storage: each below its own prefix, and latest.json, which names the newest.

latest.json is written last, so readers who go by it see the old version or the new one, whole. A version has
its version.json when all its files are there; without it, it is the remnant of a copy that was killed.

Belongs here: which objects there are, in which order they come and go. Does not belong here: the files
themselves (publishing/export.py), which versions stay (publishing/publish.py).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.faults import first_line
from orchestration.object_storage.stores import MissingObjectError, Store, StoreError
from orchestration.publishing.export import write_parquet
from orchestration.publishing.publish import instants_of_versions, versions_to_remove
from orchestration.settings import Settings

LATEST = "latest.json"

# Of each version, below its prefix: what latest.json said about it.
CONTENTS = "version.json"


class CopyError(RuntimeError):
    """A version that was not copied; the message says why and what follows."""


@dataclass(frozen=True)
class Copied:
    """What one copying did.

    Attributes:
        version: the version that latest.json names now.
        removed: the versions that were removed, remnants included.
    """

    version: str
    removed: list[str]


def open_copies(settings: Settings) -> Store | None:
    """The folder that versions are copied to; None where they are copied to none.

    Raises:
        StoreError: when it cannot be opened.
    """
    return Store(settings.copies_url, make_folder=True) if settings.copies_url else None


def copy_published(settings: Settings) -> Copied | None:
    """Copy the published version to object storage, unless it is there, and remove old ones.

    Returns:
        What was done; None where versions are copied to no folder.

    Raises:
        CopyError: when it could not be done. What is published here stays published.
    """
    try:
        store = open_copies(settings)
        return _copy(settings, store) if store else None
    except (StoreError, OSError, duckdb.Error) as error:
        said = str(error) if isinstance(error, StoreError) else f"{first_line(error)}."
        raise CopyError(
            f"The published version was not copied to {settings.copies_url}: {said} It is published here, "
            "and readers there keep the version before. The next refresh copies the newest one."
        ) from None


def _copy(settings: Settings, store: Store) -> Copied:
    database = settings.published.resolve()
    version = database.parent.name
    versions = _versions_in(store)
    contents = _said_by(store, f"{version}/{CONTENTS}")
    if not contents or contents.get("version") != version:
        contents = _write(settings, store, database)
    if _said_by(store, LATEST) != contents:
        store.write(LATEST, _as_json(contents))
    whole = {name for name, paths in versions.items() if f"{name}/{CONTENTS}" in paths}
    old = versions_to_remove({*whole, version}, settings.timezone) | (versions.keys() - whole)
    removed = sorted(old - {version})
    for name in removed:
        # First what says that it is whole, so that a kill leaves no version that only looks so.
        marks = [path for path in versions[name] if path == f"{name}/{CONTENTS}"]
        for paths in (marks, [path for path in versions[name] if path not in marks]):
            if paths:
                store.delete(paths)
    return Copied(version, removed)


def _versions_in(store: Store) -> dict[str, list[str]]:
    """The paths of the objects of each version. What is below no version is not ours."""
    found: dict[str, list[str]] = {}
    for one in store.list_below([""]):
        found.setdefault(one.path.partition("/")[0], []).append(one.path)
    return {name: found[name] for name in instants_of_versions(found)}


def _said_by(store: Store, path: str) -> dict[str, Any] | None:
    """What an object of JSON says of a version; None where it is missing or damaged."""
    try:
        said = json.loads(store.read(path))
    except (MissingObjectError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _write(settings: Settings, store: Store, database: Path) -> dict[str, Any]:
    """Write the files of a version, and what it holds when all of them are there."""
    version = database.parent.name
    with _exported(settings, database) as folder:
        files = {database.name: database} | {
            f"parquet/{file.name}": file for file in sorted(folder.iterdir())
        }
        held = {path: _put(store, f"{version}/{path}", file) for path, file in files.items()}
    (published_at,) = instants_of_versions([version]).values()
    contents = {"version": version, "published_at": published_at.isoformat(), "files": held}
    store.write(f"{version}/{CONTENTS}", _as_json(contents))
    return contents


@contextmanager
def _exported(settings: Settings, database: Path) -> Iterator[Path]:
    """The tables of a published version as files of Parquet, in a folder that is removed again."""
    folder = settings.data_dir / ".copying"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
        with duckdb.connect(str(database), read_only=True) as connection:
            write_parquet(connection, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _put(store: Store, path: str, file: Path) -> dict[str, object]:
    """Write a file; gives its size and its hash.

    Raises:
        StoreError: when the store has another size of it.
    """
    size = file.stat().st_size
    stored = store.write(path, file)
    if stored != size:
        raise StoreError(f"{store.url} has {stored} of the {size} bytes of {path}.")
    with file.open("rb") as stream:
        return {"bytes": size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


def _as_json(contents: dict[str, Any]) -> bytes:
    return (json.dumps(contents, indent=2) + "\n").encode()
