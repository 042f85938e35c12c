"""The warehouse: how it is opened, and whether it can be used.

Belongs here: waiting for other programs, versions, engines. Does not belong here: what is loaded into it
(landing/load.py).
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import duckdb
from packaging.version import Version

from orchestration import VERSION
from orchestration.engines import spark
from orchestration.faults import Fault, advice_on, fault_of, first_line
from orchestration.landing import records, warehouse_rows
from orchestration.landing.contracts import CONTRACTS
from orchestration.settings import STORAGE_VERSION, Engine, Settings, log_of
from orchestration.sql import identifier, literal, one_row
from orchestration.warehouse import upgrade

# How long to wait for another program to close the warehouse, and how often to look.
WAIT_SECONDS = 3600
POLL_SECONDS = 0.5


class WarehouseError(RuntimeError):
    """A warehouse that cannot be used; the message says why and what to do."""


class UnusableDatabaseError(WarehouseError):
    """A database that could not be opened or read.

    Attributes:
        file: which one.
        fault: what is wrong; None when that is not known.
    """

    def __init__(self, file: Path, error: Exception, settings: Settings) -> None:
        self.file = file
        self.fault = fault_of(error)
        super().__init__(
            f"{file} could not be opened: {first_line(error)}. Nothing was done, and readers keep what was "
            f"published. {advice_on(self.fault, file, settings)}"
        )


class WarehouseInUseError(WarehouseError):
    """A warehouse that another program has open."""


class NewerVersionError(WarehouseError):
    """A warehouse of a newer version, whose tables and files this one does not know."""


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
        UnusableDatabaseError: when one of the files is damaged or may not be written, or memory is short.
        NewerVersionError: when it is of a newer version.
        WarehouseError: when another engine loaded it.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    connection = _opened(settings, say, wait_seconds)
    try:
        return _prepared(connection, settings, say, wait_seconds)
    except (duckdb.Error, MemoryError) as error:
        connection.close()
        raise UnusableDatabaseError(settings.warehouse, error, settings) from None


def _prepared(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    say: Callable[[str], None],
    wait_seconds: float,
) -> duckdb.DuckDBPyConnection:
    # First of all: of what a newer version keeps, and how, this one knows nothing.
    _require_no_newer_version(connection, settings)
    if upgrade.is_of_version_0_2(connection):
        connection = _upgraded(connection, settings, say, wait_seconds)
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set memory_limit = {literal(settings.memory_limit)}")
    connection.execute("begin")
    records.make_record_tables(connection)
    _restore_refreshes(connection, settings)
    connection.execute("commit")
    _require_same_engine(connection, settings)
    if settings.engine is Engine.SPARK:
        _require_events_of_spark(connection, settings)
        spark.show_events(connection, settings)
    else:
        records.make_event_tables(connection)
    _require_known_version(connection, settings)
    if settings.engine is Engine.DUCKDB:
        _renew_digests(connection)
    return connection


def _opened(settings: Settings, say: Callable[[str], None], wait_seconds: float) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + wait_seconds
    waiting = False
    while True:
        file, connection = settings.warehouse, None
        try:
            connection = duckdb.connect(str(file))
            file = settings.reports
            attach_reports(connection, settings)
            return connection
        except (duckdb.Error, MemoryError) as error:
            if connection:
                connection.close()
            if fault_of(error) is not Fault.LOCKED:
                raise UnusableDatabaseError(file, error, settings) from None
            if time.monotonic() >= deadline:
                raise WarehouseInUseError(
                    f"{file} is open in another program: {first_line(error)}. Nothing was done, and "
                    "readers keep what was published. Close it there, then run again."
                ) from None
            if not waiting:
                say(
                    "Another program has the warehouse open; this waits until it is closed. "
                    f"{first_line(error)}."
                )
                waiting = True
            time.sleep(POLL_SECONDS)


def _upgraded(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    say: Callable[[str], None],
    wait_seconds: float,
) -> duckdb.DuckDBPyConnection:
    """Replace a warehouse of version 0.2.0 by a new one, which all is loaded into again."""
    connection.execute("set TimeZone = 'UTC'")
    with connection:
        files = upgrade.keep_rows(connection, settings)
    say(
        f"{settings.warehouse} was written by version 0.2.0 and is rebuilt from the landed files. The rows "
        f"of {files} files that have left or were overwritten since are in kept/ now."
    )
    remove_databases(settings)
    return _opened(settings, say, wait_seconds)


def remove_databases(settings: Settings) -> None:
    """Remove what a rebuild rebuilds from files, whether it can be opened or not."""
    for file in settings.databases:
        remove_database(file)
    for folder in settings.folders_of_spark:
        shutil.rmtree(folder, ignore_errors=True)


def remove_database(file: Path) -> None:
    """Remove a file of a database; a folder in its place, which nobody here has made, is moved aside."""
    if file.is_dir() and not file.is_symlink():
        file.rename(Path(tempfile.mkdtemp(dir=file.parent, prefix=f"{file.name}.aside-")) / file.name)
    else:
        file.unlink(missing_ok=True)


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
    (known,) = one_row(connection, "select count(*) from raw.refreshes")
    if known or not settings.published.exists():
        return
    recorded = None
    # A published file that cannot be read, or knows no such record, has nothing to give.
    with suppress(duckdb.Error), duckdb.connect(str(settings.published), read_only=True) as published:
        recorded = published.sql("from refreshes").to_arrow_table()
    if recorded is not None:
        # At once: after a year at a refresh each quarter of an hour there are 35,000.
        connection.register("recorded_refreshes", recorded)
        listed = ", ".join(identifier(name) for name in recorded.column_names)
        connection.execute(f"insert into raw.refreshes ({listed}) select {listed} from recorded_refreshes")
        connection.unregister("recorded_refreshes")


def _require_no_newer_version(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    try:
        last = connection.execute(
            "select software_version from raw.refreshes order by refresh_number desc limit 1"
        ).fetchall()
    except duckdb.CatalogException:
        return
    if last and Version(last[0][0]) > Version(VERSION):
        connection.close()
        raise NewerVersionError(
            f"{settings.warehouse} was written by version {last[0][0]}; this is version {VERSION}. Nothing "
            "was changed, and readers keep what was published. Use that version or a newer one."
        )


def _require_known_version(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    # By the columns, since the record of refreshes may have been taken over from an older warehouse.
    columns = set(
        connection.execute(
            "select table_name, column_name from duckdb_columns() "
            "where database_name = current_database() and schema_name = 'raw'"
        ).fetchall()
    )
    needed = {
        (contract.table, name)
        for contract in CONTRACTS
        for name, _ in warehouse_rows.columns_of_raw(contract)
    }
    if not needed <= columns:
        connection.close()
        raise WarehouseError(
            f"{settings.warehouse} was written by an older version, which kept the landed rows in another "
            "form. Nothing was changed, and readers keep what was published. `make rebuild` rebuilds it from "
            "the landed files."
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
            "CONTACT_ENGINE back, or let `make rebuild` rebuild the warehouse with this engine."
        )


def _require_events_of_spark(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    if why := spark.why_events_are_of_another_day(connection, settings):
        connection.close()
        raise WarehouseError(
            f"{why}. Nothing was changed, and readers keep what was published. Put back what belongs "
            "together, or let `make rebuild` load the landed files again."
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
