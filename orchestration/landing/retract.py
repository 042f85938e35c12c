"""Taking a loaded file back: it leaves the landing folder for ``retracted/``, and its rows the warehouse.

A request is written down before anything is moved, and marked as done when the warehouse has committed it, so
that a command which is killed is finished by the next load.

Belongs here: requests and what they move. Does not belong here: how rows leave (arrivals.py).
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration.durable import replacing_file, sync
from orchestration.hub.rights import keep_from_others
from orchestration.landing import arrivals, records
from orchestration.landing.arrivals import Load
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.formats import LandedFile
from orchestration.landing.inspection import inspect
from orchestration.landing.kept import KeptRows
from orchestration.printable import PATH_CHARACTERS, shown
from orchestration.settings import Settings
from orchestration.sql import one_row

REQUEST = "request.json"
ROWS = "kept.parquet"
UNFINISHED = ".unfinished-"

NO_BYTES = hashlib.sha256().hexdigest()


class RetractError(RuntimeError):
    """A file that cannot be taken back; the message says why."""


@dataclass(frozen=True)
class Request:
    """A content that is taken back.

    Attributes:
        paths: the paths that hold it, or of which rows of it are kept.
    """

    entity: str
    content_hash: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Retraction:
    """When a content was taken back: the number of the request, and its instant as ISO 8601 in UTC."""

    number: int
    at: str


def retract(connection: duckdb.DuckDBPyConnection, settings: Settings, file: str) -> list[str]:
    """Take the content of a path back, with every copy of it and all that is kept of it.

    Of a file that cannot be read, or has changed since the last load, both go: what it holds, and the former
    rows that are in force.

    Args:
        connection: a connection from :func:`orchestration.warehouse.databases.connect`.
        settings: the settings of the hub.
        file: a path of the record, or the same file as the file system names it.

    Returns:
        The paths of the contents.

    Raises:
        RetractError: when there is neither a file whose bytes are known nor a row of the path.
    """
    path = _recorded_path(connection, settings, file)
    (entity,) = one_row(connection, "select entity from raw.landed_files where path = ?", [path])
    contract = next(contract for contract in CONTRACTS if contract.entity == entity)
    load = Load(connection, settings, contract, KeptRows(settings.kept / entity, contract))
    requests = [
        Request(entity, content_hash, _paths_of(load, path, content_hash))
        for content_hash in _hashes_of(load, path)
    ]
    if not requests:
        raise RetractError(
            f"Nothing of {shown(path, PATH_CHARACTERS)} is loaded, so there is nothing to take back. "
            "`make files` lists what is."
        )
    for folder in [_write(settings, request) for request in requests]:
        finish(load, folder)
    return sorted({each for request in requests for each in request.paths})


def _hashes_of(load: Load, path: str) -> list[str]:
    """The contents of a path: what it holds, and what was last loaded; else all that is kept."""
    failed = load.connection.execute(
        "select content_hash from raw.landed_files "
        "where path = ? and status = 'failed' and content_hash is not null",
        [path],
    ).fetchall()
    contents = arrivals.contents_of(load, [path])
    location = load.settings.data_dir / path
    held = [inspect(LandedFile(path, location)).content_hash] if location.is_file() else []
    current = [
        *held,
        *(each for (each,) in failed),
        *(one.content_hash for one in contents if one.is_last_loaded),
    ]
    return list(dict.fromkeys(current or [one.content_hash for one in contents]))


def _paths_of(load: Load, path: str, content_hash: str) -> tuple[str, ...]:
    """The paths that hold a content, or of which rows of it are kept. Zero bytes are the copy of nothing."""
    if content_hash == NO_BYTES:
        return (path,)
    failed = load.connection.execute(
        "select path from raw.landed_files where entity = ? and status = 'failed' and content_hash = ?",
        [load.contract.entity, content_hash],
    ).fetchall()
    held = {one.path for one in arrivals.contents_of(load) if one.content_hash == content_hash}
    return tuple(sorted(held.union([path], (each for (each,) in failed))))


def finish_all(load: Load) -> None:
    """Finish the requests of an entity that were not, as when the command was killed."""
    for folder, request in _requests(load.settings.retracted, f"{UNFINISHED}*"):
        if request.entity == load.contract.entity:
            finish(load, folder)


def finish(load: Load, folder: Path) -> None:
    """Carry a request out: move files, remove rows, mark it as done. May be repeated."""
    request = _read(folder)
    for path in request.paths:
        location = load.settings.data_dir / path
        if location.is_file() and inspect(LandedFile(path, location)).content_hash == request.content_hash:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            location.replace(target)
            keep_from_others(target)
            sync(target.parent)
    with records.settling(load) as segments:
        contents = [
            one
            for one in arrivals.contents_of(load, request.paths)
            if one.content_hash == request.content_hash
        ]
        arrivals.save_rows(load, contents, folder / ROWS)
        segments.append(arrivals.drop(load, contents))
        _record(load, request)
        records.count_rows(load, request.paths)
    folder.replace(folder.with_name(folder.name.removeprefix(UNFINISHED)))
    sync(folder.parent)


def saved_rows(settings: Settings, entity: str) -> list[Path]:
    """The Parquet files with the rows that retracted contents of an entity had; some may be missing."""
    return [
        folder / ROWS
        for folder, request in _requests(settings.retracted, "[0-9]*")
        if request.entity == entity
    ]


def retractions(settings: Settings) -> dict[tuple[str, str], Retraction]:
    """The last request that takes a content of a path back, by path and content hash."""
    return {
        (path, request.content_hash): _retraction(folder)
        for folder, request in sorted(
            (*_requests(settings.retracted, "[0-9]*"), *_requests(settings.retracted, f"{UNFINISHED}*")),
            key=lambda found: found[0].name.removeprefix(UNFINISHED),
        )
        for path in request.paths
    }


def _retraction(folder: Path) -> Retraction:
    written_at = datetime.fromtimestamp((folder / REQUEST).stat().st_mtime, UTC)
    return Retraction(int(folder.name.removeprefix(UNFINISHED)), written_at.isoformat())


def restore_records(load: Load) -> None:
    """Let each retracted path have its record, also after a rebuild, unless another one is there by now."""
    for _, request in _requests(load.settings.retracted, "[0-9]*"):
        if request.entity == load.contract.entity:
            # Of a former content rows may be kept, so that the path was taken for one that has left.
            load.connection.execute(
                """
                delete from raw.landed_files
                where
                    path in (select unnest(?))
                    and status = 'left'
                    and path not in (select path from raw.contents where gave_way_to = '')
                """,
                [list(request.paths)],
            )
            _insert_records(load, request)
            records.count_rows(load, request.paths)


def _record(load: Load, request: Request) -> None:
    load.connection.execute(
        """
        delete from raw.landed_files
        where
            path in (select unnest($paths))
            and not (status = 'loaded' and content_hash is distinct from $content_hash)
        """,
        {"paths": list(request.paths), "content_hash": request.content_hash},
    )
    _insert_records(load, request)


def _insert_records(load: Load, request: Request) -> None:
    load.connection.execute(
        """
        insert into raw.landed_files by name
        select
            path,
            $content_hash as content_hash,
            $entity as entity,
            -- Former rows may be in force of a file that could not be read: then they are all that is left.
            case
                when path in (select path from raw.contents where gave_way_to = '') then 'left'
                else 'retracted'
            end as status,
            $now as loaded_at
        from (select unnest($paths) as path)
        where path not in (select path from raw.landed_files)
        """,
        {
            "paths": list(request.paths),
            "content_hash": request.content_hash,
            "entity": request.entity,
            "now": records.now(),
        },
    )


def _recorded_path(connection: duckdb.DuckDBPyConnection, settings: Settings, file: str) -> str:
    known = [
        path for (path,) in connection.execute("select path from raw.landed_files order by path").fetchall()
    ]
    given = Path(file)
    candidates = [file, f"landing/{file}"]
    for base in (Path.cwd(), settings.data_dir):
        location = Path(os.path.normpath(base / given))
        if location.is_relative_to(settings.data_dir):
            candidates.append(location.relative_to(settings.data_dir).as_posix())
    for candidate in candidates:
        if candidate in known:
            return candidate
    near = [shown(path, PATH_CHARACTERS) for path in difflib.get_close_matches(file, known, 3, 0.4)]
    meant = f"Did you mean {' or '.join(near)}? " if near else ""
    raise RetractError(
        f"{shown(file, PATH_CHARACTERS)} has no record. {meant}`make files` lists the paths that have."
    )


def _write(settings: Settings, request: Request) -> Path:
    settings.retracted.mkdir(parents=True, exist_ok=True)
    taken = [
        int(folder.name.removeprefix(UNFINISHED))
        for folder in settings.retracted.iterdir()
        if folder.name.removeprefix(UNFINISHED).isdigit()
    ]
    folder = settings.retracted / f"{UNFINISHED}{max(taken, default=0) + 1:08}"
    folder.mkdir()
    with replacing_file(folder / REQUEST) as beside, beside.open("w", encoding="utf-8") as stream:
        json.dump(asdict(request), stream)
    return folder


def _requests(retracted: Path, pattern: str) -> Iterator[tuple[Path, Request]]:
    for folder in sorted(retracted.glob(pattern)):
        # One that was killed before it was written down has moved nothing.
        if (folder / REQUEST).exists():
            yield folder, _read(folder)


def _read(folder: Path) -> Request:
    file = folder / REQUEST
    try:
        request = json.loads(file.read_text(encoding="utf-8"))
        return Request(request["entity"], request["content_hash"], tuple(request["paths"]))
    except (ValueError, KeyError, TypeError) as error:
        raise RetractError(
            f"{file}, which says what was taken back, cannot be read: {error}. Nothing was changed, and "
            "readers keep what was published. Bring it back from a backup; without one, move its folder "
            "out of retracted/ and keep the files in it, then run again."
        ) from None
