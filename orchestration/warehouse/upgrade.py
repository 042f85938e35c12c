"""A warehouse of version 0.2.0: what only it still knows goes to ``kept/`` before it is rebuilt.

That version kept the rows of files that had left the landing folder, or were overwritten, in the warehouse
alone. Belongs here: reading its tables. Does not belong here: anything about the present ones
(landing/records.py).
"""

from __future__ import annotations

import duckdb

from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.landing.discovery import LandingError
from orchestration.landing.formats import LandedFile
from orchestration.landing.inspection import inspect
from orchestration.landing.kept import Group, KeptRows
from orchestration.settings import Settings
from orchestration.sql import column_names, one_row


def is_of_version_0_2(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the warehouse has the tables of version 0.2.0."""
    return "file_id" in column_names(connection, "raw.landed_files")


def keep_rows(connection: duckdb.DuckDBPyConnection, settings: Settings) -> int:
    """Keep the rows of files that are gone or changed; gives how many files these are.

    Raises:
        LandingError: when the landing folder is away.
    """
    return sum(_keep_rows(connection, settings, contract) for contract in CONTRACTS)


def _keep_rows(connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract) -> int:
    loaded = connection.execute(
        "select path, content_hash, size, rows_landed from raw.landed_files "
        "where entity = ? and status = 'loaded' order by path",
        [contract.entity],
    ).fetchall()
    if loaded and not (settings.landing / contract.entity).is_dir():
        raise LandingError(
            f"{settings.landing / contract.entity} is not there, but {len(loaded)} files were loaded from it "
            "before. Nothing was done, and readers keep what was published. If a disk is not mounted, mount "
            "it; if the files were taken away on purpose, make the empty folder again."
        )
    groups = []
    for path, content_hash, size, rows in loaded:
        location = settings.data_dir / path
        if not location.is_file() or inspect(LandedFile(path, location)).content_hash != content_hash:
            (ids,) = one_row(
                connection,
                f"select count(distinct rows.{contract.event_id}) from raw.{contract.table} as rows "
                "inner join raw.landed_files as files on rows.file_id = files.file_id where files.path = ?",
                [path],
            )
            groups.append(Group(path, content_hash, size, content_hash, size, "", ids, rows))
    if groups:
        connection.execute(
            "create or replace temp table kept_paths as select unnest(?) as path",
            [[group.path for group in groups]],
        )
        store = KeptRows(settings.kept / contract.entity, contract)
        store.finish(store.write(connection, groups, _rows(contract, store)))
    return len(groups)


def _rows(contract: EventContract, store: KeptRows) -> str:
    # What that version did not record: an event with its own version differs from its default.
    events = f"(select *, updated_at <> {contract.happened_at} as has_version from raw.{contract.table})"
    currency = "currency" if "currency" in contract.field_names else "null::varchar as currency"
    return store.rows_to_keep(
        f"""(
            select file_id, path, content_hash, '' as gave_way_to, {currency}
            from raw.landed_files
            where path in (select path from kept_paths)
        )""",
        events,
        """(
            select
                files.file_id, rejected.row_number, rejected.raw_text, null as mapped_text, rejected.reasons
            from quarantine.rejected_events as rejected
            inner join raw.landed_files as files on rejected.path = files.path
        )""",
    )
