"""Files -> raw: each file once, in one transaction with its record; refused rows to the quarantine.

Belongs here: the tables of raw and quarantine, the transaction, the records of files and of rejected rows.
Does not belong here: which files are due (ingest.py), how a format is read (landing/formats), what a good row
is (contracts.py, casting.py).
"""

from __future__ import annotations

import errno
import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration import casting, refreshes
from orchestration.contracts import CONTRACTS, EventContract
from orchestration.landing import formats
from orchestration.landing.formats import Format, LandedFile, Shape, UnreadableFileError, UnreadableFilesError
from orchestration.settings import Settings
from orchestration.sql import one_row

# Files of one shape are loaded together up to this size: enough to spread the cost of a statement, and to
# fill the groups of rows that the database compresses at once; little enough to bound what a killed load does
# again and, of text, which is held while it is judged, memory.
BATCH_BYTES = {
    Format.CSV: 64 * 1024 * 1024,
    Format.JSON_LINES: 64 * 1024 * 1024,
    Format.PARQUET: 512 * 1024 * 1024,
}

THE_MACHINES_FAULT = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EMFILE, errno.ENFILE),
)

NOT_THE_FILES_FAULT = (
    duckdb.OutOfMemoryException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.BinderException,
    duckdb.ParserException,
    duckdb.CatalogException,
    duckdb.ConstraintException,
    duckdb.TransactionException,
)

RECORDS = """
create schema if not exists raw;
create schema if not exists quarantine;

create table if not exists raw.landed_files (
    file_id integer not null,
    path varchar not null,
    content_hash varchar,
    entity varchar not null,
    status varchar not null,
    rows_landed bigint not null,
    rows_accepted bigint not null,
    rows_rejected bigint not null,
    error varchar,
    currency varchar not null,
    loaded_at timestamp not null,
    size bigint,
    modified_ns bigint
);

create table if not exists quarantine.rejected_events (
    entity varchar not null,
    path varchar not null,
    row_number bigint not null,
    raw_text varchar not null,
    reasons varchar[] not null,
    rejected_at timestamp not null
);
"""


def make_record_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of what became of files, rows and refreshes, where they are missing."""
    connection.execute(RECORDS)
    connection.execute(refreshes.TABLE)


def make_event_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of the accepted events, where they are missing, and what loading needs of the connection."""
    connection.execute(casting.MACROS)
    for contract in CONTRACTS:
        columns = ", ".join(
            f"{name} {column_type}{'' if name in contract.field_names else ' not null'}"
            for name, column_type in columns_of_raw(contract)
        )
        connection.execute(f"create table if not exists raw.{contract.table} ({columns})")


def columns_of_raw(contract: EventContract) -> list[tuple[str, str]]:
    """Name and type of each column of the table of an entity: fields, facts about the row, hash of the id."""
    kept = [(field.name, field.kind.column_type) for field in contract.kept_fields]
    return [
        *kept,
        ("has_version", "boolean"),
        ("file_id", "integer"),
        ("row_number", "bigint"),
        ("id_digest", "ubigint"),
    ]


def load_files(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    files: Sequence[LandedFile],
) -> None:
    """Load files of an entity, and record what became of each.

    Args:
        connection: a connection with the tables of :func:`make_event_tables`.
        settings: the settings of the hub.
        contract: the contract of the entity.
        files: files that are not loaded yet.
    """
    by_shape: dict[Shape, list[LandedFile]] = defaultdict(list)
    for file in files:
        try:
            by_shape[formats.shape_of(connection, file, contract)].append(file)
        except UnreadableFileError as error:
            record_failure(connection, settings, contract, file, str(error))
    for shape, files_of_shape in by_shape.items():
        most_files, most_bytes = formats.MOST_FILES_AT_ONCE, BATCH_BYTES[shape.format]
        for batch in batches(files_of_shape, most_files, most_bytes):
            _load_batch(connection, settings, contract, shape, batch)


def batches(files: Sequence[LandedFile], most_files: int, most_bytes: int) -> Iterator[list[LandedFile]]:
    """Files in their order, in batches of at most so many files and bytes; a larger file is a batch."""
    batch: list[LandedFile] = []
    size = 0
    for file in files:
        file_size = file.location.stat().st_size if file.location.exists() else 0
        if batch and (size + file_size > most_bytes or len(batch) == most_files):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file_size
    if batch:
        yield batch


def next_file_id(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the next file: one that no file has, nor had when it was taken in by a refresh."""
    return one_row(
        connection,
        "select greatest("
        "(select coalesce(max(file_id), 0) from raw.landed_files), "
        "(select coalesce(max(loaded_through), 0) from raw.refreshes)) + 1",
    )[0]


def record_failure(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    file: LandedFile,
    reason: str,
) -> None:
    path = recordable(file.path)
    connection.execute("begin")
    file_id = next_file_id(connection)
    connection.execute("delete from raw.landed_files where path = ? and status = 'failed'", [path])
    connection.execute(
        """
        insert into raw.landed_files (
            file_id, path, entity, status,
            rows_landed, rows_accepted, rows_rejected, error, currency, loaded_at
        )
        values (?, ?, ?, 'failed', 0, 0, 0, ?, ?, ?)
        """,
        [
            file_id,
            path,
            contract.entity,
            reason,
            settings.currency,
            datetime.now(UTC).replace(tzinfo=None),
        ],
    )
    connection.execute("commit")


def recordable(path: str) -> str:
    """The path as text; what is not UTF-8 in it as the shell would show it."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def content_hash(location: Path) -> str:
    with location.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _load_batch(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    shape: Shape,
    batch: list[LandedFile],
) -> None:
    """Load files of one shape in one transaction; when one of them fails, halve until it stands alone."""
    connection.execute("begin")
    try:
        _insert(connection, settings, contract, shape, batch)
        connection.execute("commit")
    except UnreadableFilesError as unreadable:
        connection.execute("rollback")
        machines = [error for error in unreadable.errors.values() if not _is_the_files_fault(error)]
        if machines:
            raise machines[0] from None
        for file, error in unreadable.errors.items():
            record_failure(connection, settings, contract, file, formats.why_unreadable(error, file))
        others = [file for file in batch if file not in unreadable.errors]
        if others:
            _load_batch(connection, settings, contract, shape, others)
    except (duckdb.Error, OSError) as error:
        # A commit that failed, as on a full disk, has ended the transaction.
        with suppress(duckdb.TransactionException):
            connection.execute("rollback")
        if not _is_the_files_fault(error):
            raise
        if len(batch) == 1:
            reason = formats.why_unreadable(error, batch[0])
            record_failure(connection, settings, contract, batch[0], reason)
            return
        middle = len(batch) // 2
        _load_batch(connection, settings, contract, shape, batch[:middle])
        _load_batch(connection, settings, contract, shape, batch[middle:])


def _insert(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    shape: Shape,
    batch: list[LandedFile],
) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    files = dict(enumerate(batch, start=next_file_id(connection)))
    before = [file.location.stat() for file in batch]
    rows = formats.read(connection, shape, files, contract)
    checked = casting.check(contract, rows.types, settings.currency, rows.query)
    connection.execute(f"create or replace temp table counted_rows as {rows.counts}")
    connection.execute(
        """
        create or replace temp table records as
        select
            unnest($ids) as file_id,
            unnest($paths) as path,
            unnest($hashes) as content_hash,
            unnest($sizes) as size,
            unnest($modified)::bigint as modified_ns
        """,
        {
            "ids": list(files),
            "paths": [file.path for file in batch],
            "hashes": [content_hash(file.location) for file in batch],
            "sizes": [status.st_size for status in before],
            "modified": [status.st_mtime_ns for status in before],
        },
    )

    connection.execute(
        f"insert into raw.{contract.table} by name "
        f"select *, hash({contract.event_id}) as id_digest from ({checked.accepted})"
    )
    connection.execute(
        f"""
        create or replace temp table accepted_rows as
        select file_id, count(*) as rows from raw.{contract.table} where file_id >= $first group by file_id
        """,
        {"first": min(files)},
    )
    # Rows are looked at again, for what is wrong with them, only where some were refused.
    (rows_are_missing,) = one_row(
        connection,
        "select coalesce((select sum(rows) from counted_rows), 0) "
        "<> coalesce((select sum(rows) from accepted_rows), 0)",
    )
    if rows_are_missing:
        connection.execute(
            f"""
            insert into quarantine.rejected_events (
                entity, path, row_number, raw_text, reasons, rejected_at
            )
            select $entity, records.path, rows.row_number, rows.raw_text, rows.reasons, $now
            from ({checked.rejected}) as rows
            inner join records on rows.file_id = records.file_id
            order by records.path, rows.row_number
            """,
            {"entity": contract.entity, "now": now},
        )
    # The three counts are taken in three places, so that rows landed = accepted + rejected says something.
    connection.execute("delete from raw.landed_files where path in (select path from records)")
    connection.execute(
        """
        insert into raw.landed_files (
            file_id, path, content_hash, entity, status,
            rows_landed, rows_accepted, rows_rejected, currency, loaded_at, size, modified_ns
        )
        select
            records.file_id, records.path, records.content_hash, $entity, 'loaded',
            coalesce(landed.rows, 0), coalesce(accepted.rows, 0), coalesce(rejected.rows, 0), $currency, $now,
            records.size, records.modified_ns
        from records
        left join counted_rows as landed on records.file_id = landed.file_id
        left join accepted_rows as accepted on records.file_id = accepted.file_id
        left join (
            select path, count(*) as rows
            from quarantine.rejected_events
            where rejected_at = $now
            group by path
        ) as rejected on records.path = rejected.path
        """,
        {"entity": contract.entity, "currency": settings.currency, "now": now},
    )


def _is_the_files_fault(error: Exception) -> bool:
    """Whether another file might load: not when memory or disk ran out, or a statement itself is wrong."""
    if isinstance(error, OSError):
        return error.errno not in THE_MACHINES_FAULT
    if any(sign in str(error).lower() for sign in ("no space left on device", "could not write file")):
        return False
    return not isinstance(error, NOT_THE_FILES_FAULT)
