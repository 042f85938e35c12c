"""The databases that a refresh writes, the warehouse and the reports: how they are opened and removed.

Belongs here: waiting for other programs, and what is in place once they are open. Does not belong here: which
tables there are (schema.py), whether this version may use them (compatibility.py), what is loaded (landing).
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from orchestration.engines.engine import engine_of
from orchestration.faults import Fault, fault_of, first_line
from orchestration.ledger import ledger_tables
from orchestration.settings import STORAGE_VERSION, Settings, log_of
from orchestration.sql import literal
from orchestration.warehouse import compatibility, run_log, schema, upgrade
from orchestration.warehouse.errors import UnusableDatabaseError, WarehouseError, WarehouseInUseError

# How long to wait for another program to close the warehouse, and how often to look.
WAIT_SECONDS = 3600
POLL_SECONDS = 0.5


def connect(
    settings: Settings,
    notify: Callable[[str], object] = lambda message: None,
    wait_seconds: float = WAIT_SECONDS,
) -> duckdb.DuckDBPyConnection:
    """Open the warehouse, with its tables of raw and quarantine in place, and the reports beside it.

    While another program has it open, such as a reader, or dbt when only the run that called it was killed,
    this waits.

    Args:
        settings: the settings of the hub.
        notify: called once with who has the warehouse open, when somebody has.
        wait_seconds: how long to wait, in seconds.

    Raises:
        WarehouseInUseError: when it is open elsewhere for longer.
        UnusableDatabaseError: when one of the files is damaged or may not be written, or memory is short.
        NewerVersionError: when it is of a newer version.
        WarehouseError: when another engine loaded it.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    connection = _opened(settings, notify, wait_seconds)
    try:
        # First of all: of what a newer version keeps, and how, this one knows nothing.
        compatibility.require_no_newer_version(connection, settings)
        if upgrade.is_of_version_0_2(connection):
            _replace_by_new(connection, settings, notify)
            connection = _opened(settings, notify, wait_seconds)
        _prepare(connection, settings)
    except (duckdb.Error, MemoryError) as error:
        connection.close()
        raise UnusableDatabaseError(settings.warehouse, error, settings) from None
    except WarehouseError:
        connection.close()
        raise
    return connection


def _prepare(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Put the tables of raw and quarantine in place, where the engine of the settings keeps them."""
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set memory_limit = {literal(settings.memory_limit)}")
    connection.execute("begin")
    schema.make_record_tables(connection)
    run_log.take_over(connection, settings.published)
    connection.execute("commit")
    ledger_tables.make(connection)
    compatibility.require_same_engine(connection, settings)
    engine = engine_of(settings)
    engine.open_events(connection)
    compatibility.require_known_version(connection, settings)
    engine.renew_events(connection)


def _opened(
    settings: Settings, notify: Callable[[str], object], wait_seconds: float
) -> duckdb.DuckDBPyConnection:
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
                notify(
                    "Another program has the warehouse open; this waits until it is closed. "
                    f"{first_line(error)}."
                )
                waiting = True
            time.sleep(POLL_SECONDS)


def _replace_by_new(
    connection: duckdb.DuckDBPyConnection, settings: Settings, notify: Callable[[str], object]
) -> None:
    """Remove a warehouse of version 0.2.0, so that all is loaded again; what only it knows is kept first."""
    connection.execute("set TimeZone = 'UTC'")
    with connection:
        files = upgrade.keep_rows(connection, settings)
    notify(
        f"{settings.warehouse} was written by version 0.2.0 and is rebuilt from the landed files. The rows "
        f"of {files} files that have left or were overwritten since are in kept/ now."
    )
    remove_databases(settings)


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
    ledger_tables.make(connection)
