"""The warehouse, and what of the landed files is due to be loaded into it.

Belongs here: opening the warehouse, the files that are new, changed, gone or to be tried again, the report.
Does not belong here: how files are loaded (loading.py; spark.py where Spark does it).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
from packaging.version import Version

from orchestration import VERSION, loading, spark
from orchestration.contracts import CONTRACTS, EventContract, Kind
from orchestration.landing import formats
from orchestration.landing.formats import LandedFile
from orchestration.settings import STORAGE_VERSION, Engine, Settings, log_of
from orchestration.sql import literal, one_row

# How long to wait for another program to close the warehouse, and how often to look.
WAIT_SECONDS = 3600
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class LoadReport:
    """What one load did for one entity.

    Attributes:
        files_loaded: how many files were loaded.
        rows_landed, rows_accepted, rows_rejected: the rows of those files.
        days_touched: on how many days of the reporting zone the accepted rows happened.
        reasons: how many of the rejected rows each reason refused.
        failed: why each file that could not be loaded could not.
        changed: files whose content is no longer what was loaded; their rows stay as they were loaded.
        gone: loaded files that have left the landing folder; their rows stay.
        ignored: files whose names have no ending that is read.
    """

    entity: str
    files_loaded: int
    rows_landed: int
    rows_accepted: int
    rows_rejected: int
    days_touched: int
    reasons: dict[str, int]
    failed: dict[str, str]
    changed: list[str]
    gone: list[str]
    ignored: list[str]


class WarehouseError(RuntimeError):
    """A warehouse that cannot be used; the message says why and what to do."""


class WarehouseInUseError(WarehouseError):
    """A warehouse that another program has open."""


def connect(
    settings: Settings,
    say: Callable[[str], None] = lambda message: None,
    wait_seconds: float = WAIT_SECONDS,
) -> duckdb.DuckDBPyConnection:
    """Open the warehouse, with its tables of raw and quarantine in place, and the reports beside it.

    While another program has it open, such as a reader, or dbt when only the run that called it was killed,
    this waits.

    Args:
        settings: the settings of the hub.
        say: called once with who has the warehouse open, when somebody has.
        wait_seconds: how long to wait, in seconds.

    Raises:
        WarehouseInUseError: when it is open elsewhere for longer.
        WarehouseError: when it is damaged, or is of a newer version.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    connection = _opened(settings, say, wait_seconds)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set memory_limit = {literal(settings.memory_limit)}")
    connection.execute("begin")
    loading.make_record_tables(connection)
    _restore_refreshes(connection, settings)
    connection.execute("commit")
    _require_same_engine(connection, settings)
    if settings.engine is Engine.SPARK:
        spark.show_events(connection, settings)
    else:
        loading.make_event_tables(connection)
    _require_known_version(connection, settings)
    if settings.engine is Engine.DUCKDB:
        _renew_digests(connection)
    return connection


def _opened(settings: Settings, say: Callable[[str], None], wait_seconds: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    waiting = False
    while True:
        try:
            file = settings.warehouse
            connection = duckdb.connect(str(file))
            file = settings.reports
            attach_reports(connection, settings)
            return connection
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            if "lock" not in reason.lower():
                mended_by = (
                    "`make rebuild` makes it anew from the landed files"
                    if file == settings.warehouse
                    else "remove it, and the next refresh makes it anew from the warehouse"
                )
                raise WarehouseError(
                    f"{file} could not be opened: {reason} Nothing was done, and readers keep what was "
                    f"published. See that this user may read and write it; if it is damaged, {mended_by}."
                ) from None
            if time.monotonic() >= deadline:
                raise WarehouseInUseError(
                    f"{file} is open in another program: {reason} Nothing was done, and "
                    "readers keep what was published. Close it there, then run again."
                ) from None
            if not waiting:
                say(f"Another program has the warehouse open; this waits until it is closed. {reason}")
                waiting = True
            time.sleep(POLL_SECONDS)


def attach_reports(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Open the database of what readers need beside the warehouse, under the name ``reports``."""
    connection.execute(
        f"attach {literal(str(settings.reports))} as reports (storage_version {literal(STORAGE_VERSION)})"
    )


def begin_reports_anew(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Replace the database of what readers need by an empty one, in which nothing of the old one is left."""
    connection.execute("detach reports")
    for file in (settings.reports, log_of(settings.reports)):
        file.unlink(missing_ok=True)
    attach_reports(connection, settings)


def _restore_refreshes(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """A new warehouse takes over the record of earlier refreshes from the published file, where it can."""
    (recorded,) = one_row(connection, "select count(*) from raw.refreshes")
    if recorded or not settings.published.exists():
        return
    # A published file that cannot be read, or knows no such record, has nothing to give.
    with suppress(duckdb.Error), duckdb.connect(str(settings.published), read_only=True) as published:
        rows = published.execute("from refreshes").fetchall()
        names = [column[0] for column in published.description]
        listed = ", ".join(names)
        marks = ", ".join("?" for _ in names)
        for row in rows:
            connection.execute(f"insert into raw.refreshes ({listed}) values ({marks})", row)


def _require_known_version(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    # By the columns, since the record of refreshes may have been taken over from an older warehouse.
    columns = set(
        connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where database_name = current_database() and schema_name = 'raw'"
        ).fetchall()
    )
    needed = {
        (contract.table, name) for contract in CONTRACTS for name, _ in loading.columns_of_raw(contract)
    }
    if not needed <= columns:
        connection.close()
        raise WarehouseError(
            f"{settings.warehouse} was written by an older version, which kept the landed rows in another "
            "form. Nothing was changed, and readers keep what was published. `make rebuild` makes it anew "
            "from the landed files."
        )
    last = connection.execute(
        "select software_version from raw.refreshes order by refresh_number desc limit 1"
    ).fetchall()
    if last and Version(last[0][0]) > Version(VERSION):
        connection.close()
        raise WarehouseError(
            f"{settings.warehouse} was written by version {last[0][0]}; this is version {VERSION}. Nothing "
            "was changed, and readers keep what was published. Use that version or a newer one."
        )


def _require_same_engine(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Where the events lie depends on the engine that loaded them."""
    loaded_by = connection.execute(
        """
        select engine from raw.refreshes
        where exists (select 1 from raw.landed_files)
        order by refresh_number desc
        limit 1
        """
    ).fetchall()
    if loaded_by and loaded_by[0][0] != settings.engine.value:
        connection.close()
        raise WarehouseError(
            f"{settings.warehouse} was loaded by the engine {loaded_by[0][0]}, and CONTACT_ENGINE is "
            f"{settings.engine.value}. Nothing was changed, and readers keep what was published. Set "
            "CONTACT_ENGINE back, or let `make rebuild` make the warehouse anew with this engine."
        )


def _renew_digests(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the digests anew where another DuckDB loaded the rows, whose digests may be others."""
    for contract in CONTRACTS:
        digest = f"hash({contract.event_id})"
        (differs,) = one_row(
            connection,
            f"select count(*) from (from raw.{contract.table} limit 1) where id_digest <> {digest}",
        )
        if differs:
            connection.execute(f"update raw.{contract.table} set id_digest = {digest}")


def load(connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract) -> LoadReport:
    """Load every landed file of an entity that is not loaded yet.

    A file that failed before is tried again: what was wrong with it, such as missing rights or a transfer
    that had not ended, may be mended. Files that were judged under another reporting currency are loaded
    anew, since their rows may now be good or bad.

    Args:
        connection: a connection from :func:`connect`.
        settings: the settings of the hub.
        contract: the contract of the entity.
    """
    _forget_files_of_other_currencies(connection, settings, contract)
    first_id = loading.next_file_id(connection)
    loaded = {
        path
        for (path,) in connection.execute(
            "select path from raw.landed_files where entity = ? and status = 'loaded'", [contract.entity]
        ).fetchall()
    }
    files, ignored, unlisted = landed_files(settings, contract)
    _forget_failures_that_are_gone(connection, contract, [file.path for file in (*files, *unlisted)])
    changed = _changed_since_loaded(connection, contract, files)
    gone = sorted(loaded - {file.path for file in files}) if not unlisted else []
    for folder, reason in unlisted.items():
        loading.record_failure(connection, settings, contract, folder, reason)
    load_due = spark.load_files if settings.engine is Engine.SPARK else loading.load_files
    load_due(connection, settings, contract, [file for file in files if file.path not in loaded])
    return _report(connection, settings, contract, first_id, changed=changed, gone=gone, ignored=ignored)


def loaded_files_that_are_gone(settings: Settings) -> list[str]:
    """Loaded files that no longer lie in the landing folder.

    Raises:
        WarehouseError: when the warehouse cannot be read.
    """
    if not settings.warehouse.exists():
        return []
    with connect(settings, wait_seconds=0) as connection:
        loaded = connection.execute(
            "select path from raw.landed_files where status = 'loaded' order by path"
        ).fetchall()
    return [path for (path,) in loaded if not (settings.data_dir / path).exists()]


def landed_files(
    settings: Settings, contract: EventContract
) -> tuple[list[LandedFile], list[str], dict[LandedFile, str]]:
    """What lies in the landing folder of an entity, in the order of the paths.

    Returns:
        The files to load, the paths of files that are not read, and why each folder that could not be listed
        could not.
    """
    files, ignored, unlisted = [], [], {}

    def landed(location: Path) -> LandedFile:
        return LandedFile(location.relative_to(settings.data_dir).as_posix(), location)

    def not_listed(error: OSError) -> None:
        folder = landed(Path(error.filename))
        if not isinstance(error, FileNotFoundError):
            unlisted[folder] = formats.why_unreadable(error, folder)

    seen = set()
    root = settings.landing / contract.entity
    for folder, folders, names in os.walk(root, followlinks=True, onerror=not_listed):
        # A link may lead back to a folder above it.
        real = Path(folder).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in names:
            file = landed(Path(folder) / name)
            if name.lower().endswith(tuple(formats.ENDINGS)):
                files.append(file)
            else:
                ignored.append(file.path)
    return sorted(files, key=lambda file: file.path), sorted(ignored), unlisted


def _report(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    first_id: int,
    changed: list[str],
    gone: list[str],
    ignored: list[str],
) -> LoadReport:
    connection.execute(
        "create or replace temp table new_records as "
        "select * from raw.landed_files where entity = ? and file_id >= ?",
        [contract.entity, first_id],
    )
    files_loaded, rows_landed, rows_accepted, rows_rejected = one_row(
        connection,
        """
        select count(*), coalesce(sum(rows_landed), 0), coalesce(sum(rows_accepted), 0),
            coalesce(sum(rows_rejected), 0)
        from new_records
        where status = 'loaded'
        """,
    )
    # All instants of a quarter of an hour lie on one day, whatever the zone, and there are few quarters.
    (days_touched,) = one_row(
        connection,
        f"""
        select count(distinct cast(timezone($zone, timezone('UTC', quarter)) as date))
        from (
            select distinct time_bucket(interval 15 minutes, {contract.happened_at}) as quarter
            from raw.{contract.table}
            where file_id >= $first
        )
        """,
        {"zone": settings.timezone, "first": first_id},
    )
    reasons = connection.execute(
        """
        select reason, count(*)
        from (
            select unnest(reasons) as reason
            from quarantine.rejected_events
            where path in (select path from new_records)
        )
        group by reason
        order by reason
        """
    ).fetchall()
    failed = connection.execute(
        "select path, error from new_records where status = 'failed' order by path"
    ).fetchall()
    return LoadReport(
        entity=contract.entity,
        files_loaded=files_loaded,
        rows_landed=int(rows_landed),
        rows_accepted=int(rows_accepted),
        rows_rejected=int(rows_rejected),
        days_touched=days_touched,
        reasons=dict(reasons),
        failed=dict(failed),
        changed=changed,
        gone=gone,
        ignored=ignored,
    )


def _forget_files_of_other_currencies(
    connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract
) -> None:
    if not any(kept.kind is Kind.CURRENCY for kept in contract.fields):
        return
    of_others = "entity = $entity and currency <> $currency"
    bound = {"entity": contract.entity, "currency": settings.currency}
    gone = [
        path
        for (path,) in connection.execute(
            f"select path from raw.landed_files where {of_others} and status = 'loaded'", bound
        ).fetchall()
        if not (settings.data_dir / path).exists()
    ]
    if gone:
        raise WarehouseError(
            f"CONTACT_CURRENCY is {settings.currency}, but files were loaded under another currency and "
            f"{len(gone)} of them, such as {gone[0]}, have left the landing folder, so their rows cannot be "
            "judged anew. Nothing was changed. Set the currency back, or put the files back."
        )
    connection.execute("begin")
    # On Spark the next load removes the events whose records are gone.
    if settings.engine is not Engine.SPARK:
        connection.execute(
            f"delete from raw.{contract.table} where file_id in "
            f"(select file_id from raw.landed_files where {of_others})",
            bound,
        )
    connection.execute(
        f"delete from quarantine.rejected_events where path in "
        f"(select path from raw.landed_files where {of_others})",
        bound,
    )
    connection.execute(f"delete from raw.landed_files where {of_others}", bound)
    connection.execute("commit")


def _forget_failures_that_are_gone(
    connection: duckdb.DuckDBPyConnection, contract: EventContract, landed: list[str]
) -> None:
    """A failed file that was taken away is no longer a fault."""
    connection.execute(
        "delete from raw.landed_files "
        "where entity = ? and status = 'failed' and path not in (select unnest(?))",
        [contract.entity, [loading.recordable(path) for path in landed]],
    )


def _changed_since_loaded(
    connection: duckdb.DuckDBPyConnection, contract: EventContract, files: Sequence[LandedFile]
) -> list[str]:
    """The loaded files whose content has changed. Only what looks touched is read again."""
    recorded = {
        path: (size, modified, content_hash)
        for path, size, modified, content_hash in connection.execute(
            "select path, size, modified_ns, content_hash from raw.landed_files "
            "where entity = ? and status = 'loaded'",
            [contract.entity],
        ).fetchall()
    }
    changed = []
    for file in files:
        if file.path not in recorded:
            continue
        size, modified, content_hash = recorded[file.path]
        # A file that cannot be read now was loaded when it could.
        with suppress(OSError):
            status = file.location.stat()
            if status.st_size != size or (
                status.st_mtime_ns != modified and loading.content_hash(file.location) != content_hash
            ):
                changed.append(file.path)
    return changed
