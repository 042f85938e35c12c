"""The way to a full refresh: the warehouse removed, and nothing lost with it.

Belongs here: what is noticed before. Does not belong here: the refresh that follows (refresh.py), what a
person reads of it (cli.py).
"""

from __future__ import annotations

from collections.abc import Callable

import duckdb

from orchestration.faults import Fault
from orchestration.landing import fall
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.load import load_entity
from orchestration.object_storage.mirror import mirror, open_landing
from orchestration.settings import Settings, log_of
from orchestration.warehouse import databases, errors
from orchestration.warehouse.lock import hub_lock

Say = Callable[[object], object]

# What would be the same for a new warehouse.
FAULTS_OF_THE_MACHINE = (Fault.MEMORY, Fault.ROOM, Fault.RIGHTS)


def remove_warehouse(settings: Settings, notify: Say, warn: Say) -> None:
    """Remove the warehouse, so that the next refresh rebuilds it from files alone.

    What changed in the landing folder is noticed first, so that no row is lost of a file that has left it. A
    warehouse that cannot be opened has nothing to give.

    Args:
        settings: the settings of the hub.
        notify: told what is waited for, and what the mirror of a bucket says.
        warn: told what cannot be opened.

    Raises:
        LandingError: when the landing folder is away.
        StoreError: when the folder that it mirrors cannot be read.
        WarehouseError: when another program has the warehouse open, it is one of a newer version, or the
            machine has no room, memory or right for it.
    """
    with hub_lock(settings, notify=notify):
        try:
            _notice_changes(settings, notify, warn)
        except (errors.WarehouseInUseError, errors.NewerVersionError):
            raise
        except errors.WarehouseError as error:
            if isinstance(error, errors.UnusableDatabaseError) and error.fault in FAULTS_OF_THE_MACHINE:
                raise
            warn(f"{error}\nIt is rebuilt from landing/ and kept/ as they are now.")
        databases.remove_databases(settings)


def _notice_changes(settings: Settings, notify: Say, warn: Say) -> None:
    """Load what changed in the landing folder, so that the rows of files that have left it are kept.

    What was retracted or dropped since the last published version is handed over to the next warehouse.

    Raises:
        LandingError: when the landing folder is away.
        StoreError: when the folder that it mirrors cannot be read.
        WarehouseError: when the warehouse cannot be used. Reports that cannot be are removed, since they are
            computed from it.
    """
    if not settings.warehouse.exists():
        return
    if store := open_landing(settings):
        for notice in mirror(settings, store).notices:
            notify(notice)
    try:
        connection = databases.connect(settings, wait_seconds=0)
    except errors.UnusableDatabaseError as error:
        if error.file != settings.reports or error.fault not in (Fault.DAMAGED, Fault.NEWER, None):
            raise
        warn(error)
        databases.remove_database(settings.reports)
        databases.remove_database(log_of(settings.reports))
        connection = databases.connect(settings, wait_seconds=0)
    with connection:
        try:
            for contract in CONTRACTS:
                load_entity(connection, settings, contract)
                fall.hand_over(connection, settings, contract)
        except (duckdb.Error, MemoryError) as error:
            raise errors.UnusableDatabaseError(settings.warehouse, error, settings) from None
