"""The landing folder -> raw: what is due, and what has left.

Belongs here: one load of an entity, step by step. Does not belong here: each step: discovery.py,
inspection.py, restore.py, batch_loader.py, arrivals.py; what a load did (load_report.py).
"""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import duckdb

from orchestration.engines.engine import engine_of
from orchestration.landing import arrivals, batch_loader, discovery, formats, records, restore, retract
from orchestration.landing.arrivals import Load
from orchestration.landing.batch_loader import DueFile
from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.landing.discovery import Landing, Signature, landed_file, recordable
from orchestration.landing.inspection import inspect
from orchestration.landing.kept import KeptRows
from orchestration.landing.load_report import LoadReport, make_report
from orchestration.landing.mappings import PLAIN
from orchestration.landing.validation_code import validator_of
from orchestration.settings import Settings
from orchestration.sql import one_row

# How long a file that does not end as its format does must stay the same before it is read as it is.
REST_SECONDS = 2.0

EMPTIED = "it holds no bytes any more; its former rows stay until it can be read again"


class KnownFile(NamedTuple):
    """What the last load found of a file; its signature is that of the content that was loaded, if any."""

    status: str
    content_hash: str | None
    size: int | None
    modified_ns: int | None
    changed_ns: int | None
    inode: int | None

    def has_signature(self, signature: Signature) -> bool:
        """Whether the file is as it was."""
        return self[2:] == signature


def load_entity(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract
) -> LoadReport:
    """Bring the rows of an entity in line with what is stored in the landing folder and in ``kept/``.

    A file that failed before is tried again: what was wrong with it, such as missing rights, may be fixed.

    Args:
        connection: a connection from :func:`orchestration.warehouse.databases.connect`.
        settings: the settings of the hub.
        contract: the contract of the entity.

    Raises:
        LandingError: when the landing folder is away.
    """
    load = Load(connection, settings, contract, KeptRows(settings.kept / contract.entity, contract))
    first_id = records.next_file_id(connection)
    _require_landing(load)
    found_at = time.monotonic()
    _tidy(load)
    restore.recover(load)
    retract.finish_all(load)
    landing = discovery.find(settings, contract.entity)
    known = _known_files(load)
    due, unread = _due_files(load, landing, known)
    restore.load_kept(load)
    not_listed = _not_listed(landing, known)
    for path, reason in (*not_listed.items(), *unread.items()):
        records.record_unread(load, path, records.FAILED, reason)
    due, arriving = _rested(due, found_at)
    for one in arriving:
        load.paths_by_hash.get(one.inspection.content_hash, set()).discard(one.path)
    records.record_several_unread(load, {one.path: one.inspection for one in arriving}, records.ARRIVING)
    due = _without_emptied(load, due)
    engine_of(settings).load_files(load, due)
    # Only now it is known of each file with another name that it could be loaded under that one.
    left = _set_aside_what_left(load, landing, known, not_listed)
    records.drop_what_is_replaced(load)
    retract.restore_records(load)
    restore.merge_segments(load)
    _tidy(load)
    return make_report(load, first_id, landing, left)


def _tidy(load: Load) -> None:
    engine_of(load.settings).tidy_events(load.connection, load.contract)


def _known_files(load: Load) -> dict[str, KnownFile]:
    return {
        path: KnownFile._make(known)
        for path, *known in load.connection.execute(
            "select path, status, content_hash, size, modified_ns, changed_ns, inode "
            "from raw.landed_files where entity = ?",
            [load.contract.entity],
        ).fetchall()
    }


def _require_landing(load: Load) -> None:
    """Nothing has left a landing folder that is away, as when a disk is not mounted."""
    landing, entity = load.settings.landing, load.contract.entity
    if (landing / entity).is_dir():
        return
    (found,) = one_row(
        load.connection,
        "select count(*) from raw.landed_files where entity = ? and status <> 'retracted'",
        [entity],
    )
    # A new warehouse knows nothing but what the refreshes of the one before it did.
    (refreshes,) = one_row(load.connection, "select count(*) from raw.refreshes where files_loaded > 0")
    is_away = not any((landing / contract.entity).is_dir() for contract in CONTRACTS)
    if found or load.kept.groups() or (refreshes and is_away) or _is_published(load):
        raise discovery.LandingError(
            f"{landing / entity} is not there, but files were loaded from it before. Nothing was done, and "
            "readers keep what was published. If a disk is not mounted, mount it. If the files have been "
            "taken away on purpose, make the empty folder again: their rows stay."
        )


def _is_published(load: Load) -> bool:
    """Whether events of the entity are published; a new warehouse does not know of them yet."""
    published = load.settings.published
    # One that cannot be read says nothing.
    with suppress(duckdb.Error):
        if published.exists():
            with duckdb.connect(str(published), read_only=True) as connection:
                return bool(one_row(connection, f"select count(*) from fct_{load.contract.entity}")[0])
    return False


def _due_files(
    load: Load, landing: Landing, known: Mapping[str, KnownFile]
) -> tuple[list[DueFile], dict[str, str]]:
    """The files to load, and why each file that cannot be read cannot be.

    A file is due when its content is new, when it could not be loaded before, or when other code validated
    its rows.

    Only what looks touched is read; a file that was touched alone gets its new signature.
    """
    validated_otherwise = _validated_otherwise(load)
    due, unread, touched = [], {}, []
    for raw_path, signature in landing.files.items():
        path = recordable(raw_path)
        before = known.get(path)
        loaded = before.content_hash if before and before.status == records.LOADED else None
        if before and loaded and before.has_signature(signature) and path not in validated_otherwise:
            load.paths_by_hash.setdefault(loaded, set()).add(path)
            continue
        file = landed_file(load.settings, raw_path)
        try:
            inspection = inspect(file)
        except OSError as error:
            unread[path] = formats.why_unreadable(error, file)
            continue
        # Under a name that is no text nothing is loaded.
        if path == raw_path:
            load.paths_by_hash.setdefault(inspection.content_hash, set()).add(path)
        one = DueFile(file, signature, inspection)
        if loaded == inspection.content_hash and path not in validated_otherwise:
            touched.append(one)
        else:
            due.append(one)
    if touched:
        batch_loader.record_signatures(load, touched)
    return due, unread


def _validated_otherwise(load: Load) -> set[str]:
    """The paths of loaded files that were validated by other code or another setting, or read otherwise."""
    contract, currency = load.contract, load.settings.currency
    # Of many files nearly all are read in one way.
    usual = validator_of(contract, currency, PLAIN)
    expected = {}
    if load.settings.hub.landing:
        for (path,) in load.connection.execute(
            "select path from raw.contents where entity = ? and kept_in is null", [contract.entity]
        ).fetchall():
            reading = landed_file(load.settings, path).reading
            if reading is not PLAIN:
                expected[path] = validator_of(contract, currency, reading)
    return {
        path
        for (path,) in load.connection.execute(
            """
            select contents.path
            from raw.contents as contents
            left join (select unnest($paths) as path, unnest($expected) as validated_by) as named
                on contents.path = named.path
            where
                contents.entity = $entity
                and contents.kept_in is null
                and contents.validated_by is distinct from coalesce(named.validated_by, $usual)
            """,
            {
                "paths": list(expected),
                "expected": list(expected.values()),
                "entity": contract.entity,
                "usual": usual,
            },
        ).fetchall()
    }


def _not_listed(landing: Landing, known: Mapping[str, KnownFile]) -> dict[str, str]:
    """Why each folder that cannot be listed cannot be, and so each file that lay below it."""
    reasons = dict(landing.unlisted)
    for folder, reason in landing.unlisted.items():
        reasons |= {
            path: f"the folder {folder} cannot be listed: {reason}"
            for path, before in known.items()
            if path.startswith(f"{folder}/") and before.status not in (records.LEFT, records.RETRACTED)
        }
    return reasons


def _set_aside_what_left(
    load: Load, landing: Landing, known: Mapping[str, KnownFile], not_listed: Container[str]
) -> list[str]:
    """Keep the rows of files that are gone, unless they were loaded under another name; gives their paths."""
    present = set(map(recordable, landing.files))
    gone = [
        path
        for path, before in known.items()
        if path not in present
        and before.status not in (records.LEFT, records.RETRACTED)
        and path not in not_listed
    ]
    if gone:
        load.paths_by_hash.clear()
        for content_hash, path in load.connection.execute(
            "select content_hash, path from raw.landed_files where entity = ? and status = 'loaded'",
            [load.contract.entity],
        ).fetchall():
            if path in present:
                load.paths_by_hash.setdefault(content_hash, set()).add(path)
    records.record_several_unread(load, dict.fromkeys(gone), records.LEFT)
    # What left nothing behind, as a file that failed or was moved, needs no record.
    load.connection.execute(
        "delete from raw.landed_files "
        "where entity = ? and status = 'left' and path not in (select path from raw.contents)",
        [load.contract.entity],
    )
    return gone


def _rested(due: Sequence[DueFile], found_at: float) -> tuple[list[DueFile], list[DueFile]]:
    """The files whose writers have come to the end, and those that change still: one wait for all.

    Args:
        due: the files to look at.
        found_at: when their signatures were taken, as :func:`time.monotonic` says it.
    """
    unsure = [one for one in due if not one.inspection.is_complete]
    if not unsure:
        return list(due), []
    time.sleep(max(0.0, found_at + REST_SECONDS - time.monotonic()))
    arriving = []
    for one in unsure:
        try:
            has_changed = Signature.of(one.file.location.stat()) != one.signature
        except OSError:
            has_changed = True
        if has_changed:
            arriving.append(one)
    return [one for one in due if one not in arriving], arriving


def _without_emptied(load: Load, due: Sequence[DueFile]) -> list[DueFile]:
    """The files without those that hold no bytes any more, and whose former rows stay in force."""
    emptied = [one for one in due if not one.inspection.size]
    in_force = {
        one.path
        for one in arrivals.contents_of(load, [one.path for one in emptied])
        if one.is_last_loaded
        and one.rows_landed
        and (one.kept_in is not None or not load.is_elsewhere(one.content_hash, one.path))
    }
    failed = {one.path: one.inspection for one in emptied if one.path in in_force}
    records.record_several_unread(load, failed, records.FAILED, EMPTIED)
    return [one for one in due if one.inspection.size or one.path not in in_force]
