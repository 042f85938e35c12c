"""Files -> raw: each file once, in one transaction with its record; rejected rows to the quarantine.

Belongs here: batches, the transaction of a batch, and whose fault it is when one fails. Does not belong
here: which files are due (load.py), how a format is read (formats), what a good row is
(contracts.py, casting.py), what happens to the rows that a path had before (arrivals.py).
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from orchestration.engines.engine import engine_of
from orchestration.landing import arrivals, casting, formats, mapped_rows, records
from orchestration.landing.arrivals import Arrival, Load
from orchestration.landing.discovery import Signature, recordable
from orchestration.landing.formats import (
    Format,
    LandedFile,
    LandedRows,
    Shape,
    UnreadableFileError,
    UnreadableFilesError,
)
from orchestration.landing.inspection import Inspection
from orchestration.landing.validation_code import validator_of
from orchestration.sql import one_row

# Files of one shape are loaded together up to this size: enough to spread the cost of a statement, and to
# fill the groups of rows that the database compresses at once; little enough to bound what a killed load does
# again and, of text, which is held while it is validated, memory.
BATCH_BYTES = {
    Format.CSV: 64 * 1024 * 1024,
    Format.JSON_LINES: 64 * 1024 * 1024,
    Format.JSON_DOCUMENT: 64 * 1024 * 1024,
    Format.PARQUET: 512 * 1024 * 1024,
}

MACHINE_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO),
    *(errno.EMFILE, errno.ENFILE),
)

NOT_THE_FILES_FAULT = (
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.BinderException,
    duckdb.ParserException,
    duckdb.CatalogException,
    duckdb.ConstraintException,
    duckdb.TransactionException,
)


@dataclass(frozen=True)
class DueFile:
    """A file that is due to be loaded, as it was when it was inspected."""

    file: LandedFile
    signature: Signature
    inspection: Inspection

    @property
    def path(self) -> str:
        """Its name in every record."""
        return recordable(self.file.path)

    @property
    def arrival(self) -> Arrival:
        """The file as new content of its path."""
        return Arrival(self.path, self.file.location, self.inspection)


class ChangedWhileReadError(Exception):
    """Files that changed after they were inspected, so that what was read of them is discarded."""

    def __init__(self, files: Sequence[DueFile]) -> None:
        super().__init__(", ".join(due.path for due in files))
        self.files = files


def load_files(load: Load, files: Sequence[DueFile]) -> None:
    """Load files of an entity, and record what became of each.

    Args:
        load: the load, on a connection with the tables of
            :func:`orchestration.warehouse.schema.make_event_tables`.
        files: the files that are due.
    """
    if files:
        load.connection.execute(casting.MACROS)
        load.connection.execute(mapped_rows.MACROS)
    by_shape: dict[Shape, list[DueFile]] = defaultdict(list)
    for due in files:
        try:
            by_shape[formats.shape_of(load.connection, due.file, load.contract)].append(due)
        except UnreadableFileError as error:
            records.record_unread(load, due.path, records.FAILED, str(error), due.inspection)
    for shape, files_of_shape in by_shape.items():
        most_files, most_bytes = formats.MOST_FILES_AT_ONCE, BATCH_BYTES[shape.format]
        for batch in batches(files_of_shape, most_files, most_bytes):
            _load_batch(load, shape, batch)


def record_signatures(load: Load, files: Sequence[DueFile]) -> None:
    """Record what the file system says of files now whose content is what was loaded."""
    _make_records(load.connection, dict(enumerate(files)))
    load.connection.execute(
        """
        update raw.landed_files set
            size = records.size,
            modified_ns = records.modified_ns,
            changed_ns = records.changed_ns,
            inode = records.inode
        from records
        where landed_files.path = records.path
        """
    )


def batches(files: Sequence[DueFile], most_files: int, most_bytes: int) -> Iterator[list[DueFile]]:
    """Files in their order, in batches of at most so many files and bytes; a larger file is a batch."""
    batch: list[DueFile] = []
    size = 0
    for due in files:
        if batch and (size + due.inspection.size > most_bytes or len(batch) == most_files):
            yield batch
            batch, size = [], 0
        batch.append(due)
        size += due.inspection.size
    if batch:
        yield batch


def _load_batch(load: Load, shape: Shape, batch: list[DueFile]) -> None:
    """Load files of one shape in one transaction; when one of them fails, halve until it is alone."""
    try:
        with records.settling(load) as segments:
            arrived = _insert(load, shape, batch)
            _require_unchanged(batch)
            segments.append(arrivals.keep_former_rows(load, arrived))
            records.count_rows(load, [due.path for due in batch])
    except ChangedWhileReadError as error:
        for due in error.files:
            records.record_unread(load, due.path, records.ARRIVING, inspection=due.inspection)
        _load_rest(load, shape, batch, error.files)
    except UnreadableFilesError as unreadable:
        machines = [error for error in unreadable.errors.values() if not _is_the_files_fault(error)]
        if machines:
            raise machines[0] from None
        unread = [due for due in batch if due.file in unreadable.errors]
        for due in unread:
            reason = formats.why_unreadable(unreadable.errors[due.file], due.file)
            records.record_unread(load, due.path, records.FAILED, reason, due.inspection)
        _load_rest(load, shape, batch, unread)
    except (duckdb.Error, OSError, MemoryError) as error:
        if not _is_the_files_fault(error):
            raise
        if len(batch) > 1:
            middle = len(batch) // 2
            _load_batch(load, shape, batch[:middle])
            _load_batch(load, shape, batch[middle:])
        else:
            reason = formats.why_unreadable(error, batch[0].file)
            records.record_unread(load, batch[0].path, records.FAILED, reason, batch[0].inspection)


def _load_rest(load: Load, shape: Shape, batch: Sequence[DueFile], without: Sequence[DueFile]) -> None:
    rest = [due for due in batch if due not in without]
    if rest:
        _load_batch(load, shape, rest)


def _require_unchanged(batch: Sequence[DueFile]) -> None:
    changed = [due for due in batch if Signature.of(due.file.location.stat()) != due.signature]
    if changed:
        raise ChangedWhileReadError(changed)


def _insert(load: Load, shape: Shape, batch: list[DueFile]) -> dict[int, Arrival]:
    """Insert the rows and records of files; gives the files by the ids of their contents."""
    connection, contract = load.connection, load.contract
    files = dict(enumerate(batch, start=records.next_file_id(connection)))
    rows = formats.read(connection, shape, {number: due.file for number, due in files.items()}, contract)
    checked, skipped = _check(load, shape, rows, batch)
    connection.execute(f"create or replace temp table counted_rows as {rows.counts}")
    connection.execute(f"create or replace temp table skipped_rows as {skipped}")
    _make_records(connection, files)
    engine_of(load.settings).insert_events(connection, contract, checked.accepted, list(files))
    connection.execute(
        f"""
        create or replace temp table accepted_rows as
        select file_id, count(*) as rows from {load.table} where file_id >= $first group by file_id
        """,
        {"first": min(files)},
    )
    _insert_rejected(load, checked)
    _insert_contents(load, shape, min(files))
    _require_every_row(connection, files)
    connection.execute("delete from raw.landed_files where path in (select path from records)")
    connection.execute(
        """
        insert into raw.landed_files by name
        select
            path, content_hash, size, modified_ns, changed_ns, inode,
            $entity as entity,
            'loaded' as status,
            $now as loaded_at
        from records
        """,
        {"entity": contract.entity, "now": records.now()},
    )
    return {number: due.arrival for number, due in files.items()}


def _check(
    load: Load, shape: Shape, rows: LandedRows, batch: Sequence[DueFile]
) -> tuple[casting.CheckedRows, str]:
    """The queries that check rows, and SQL with ``file_id, rows``: how many a mapping skips."""
    currency = load.settings.currency
    if shape.reading.mapping is None:
        none = "select null::integer as file_id, 0 as rows where false"
        return casting.check(load.contract, rows.types, currency, rows.query), none
    try:
        mapped = mapped_rows.map_rows(load.contract, shape, rows)
    except UnreadableFileError as error:
        raise UnreadableFilesError({due.file: error for due in batch}) from None
    return casting.check(load.contract, mapped.types, currency, mapped.query, is_mapped=True), mapped.skipped


def _insert_rejected(load: Load, checked: casting.CheckedRows) -> None:
    """Insert the rejected rows; only where there are some, all are looked at again for what is wrong."""
    (rows_are_missing,) = one_row(
        load.connection,
        """
        select count(*) > 0
        from counted_rows
        left join accepted_rows on counted_rows.file_id = accepted_rows.file_id
        left join skipped_rows on counted_rows.file_id = skipped_rows.file_id
        where counted_rows.rows <> coalesce(accepted_rows.rows, 0) + coalesce(skipped_rows.rows, 0)
        """,
    )
    if rows_are_missing:
        load.connection.execute(
            f"""
            insert into quarantine.rejected_events (
                entity, path, row_number, raw_text, mapped_text, reasons, rejected_at, file_id
            )
            select
                $entity, records.path, rows.row_number, rows.raw_text, rows.mapped_text, rows.reasons, $now,
                rows.file_id
            from ({checked.rejected}) as rows
            inner join records on rows.file_id = records.file_id
            order by records.path, rows.row_number
            """,
            {"entity": load.contract.entity, "now": records.now()},
        )


def _insert_contents(load: Load, shape: Shape, first: int) -> None:
    """Insert the records of contents from a number on.

    Their counts are taken in four places, so that rows landed = accepted + rejected + skipped says something.
    """
    load.connection.execute(
        """
        insert into raw.contents by name
        select
            records.* exclude (modified_ns, changed_ns, inode),
            $entity as entity,
            $currency as currency,
            $validated_by as validated_by,
            coalesce(landed.rows, 0) as rows_landed,
            coalesce(accepted.rows, 0) as rows_accepted,
            coalesce(rejected.rows, 0) as rows_rejected,
            coalesce(skipped.rows, 0) as rows_skipped
        from records
        left join counted_rows as landed on records.file_id = landed.file_id
        left join accepted_rows as accepted on records.file_id = accepted.file_id
        left join skipped_rows as skipped on records.file_id = skipped.file_id
        left join (
            select file_id, count(*) as rows
            from quarantine.rejected_events
            where file_id >= $first
            group by file_id
        ) as rejected on records.file_id = rejected.file_id
        """,
        {
            "entity": load.contract.entity,
            "currency": load.contract.currency_of(load.settings.currency),
            "validated_by": validator_of(load.contract, load.settings.currency, shape.reading),
            "first": first,
        },
    )


def _require_every_row(connection: duckdb.DuckDBPyConnection, files: Mapping[int, DueFile]) -> None:
    """Require that each row that was counted is accepted, rejected or skipped, as a row of its own file.

    Raises:
        UnreadableFilesError: when it is not so.
    """
    misread = connection.execute(
        """
        select
            contents.file_id,
            contents.rows_landed,
            contents.rows_accepted + contents.rows_rejected + contents.rows_skipped
        from raw.contents as contents
        inner join records on contents.file_id = records.file_id
        where
            contents.rows_landed <> contents.rows_accepted + contents.rows_rejected + contents.rows_skipped
        """
    ).fetchall()
    (unexpected,) = one_row(
        connection,
        "select coalesce(sum(rows), 0) from accepted_rows where file_id not in (select file_id from records)",
    )
    errors: dict[LandedFile, Exception] = {
        files[file_id].file: UnreadableFileError(f"it has {landed:,} rows, but {read:,} were read")
        for file_id, landed, read in misread
    }
    if unexpected:
        reason = f"{unexpected:,} rows that were read with it belong to no file that was due"
        errors |= {due.file: UnreadableFileError(reason) for due in files.values()}
    if errors:
        raise UnreadableFilesError(errors)


def _make_records(connection: duckdb.DuckDBPyConnection, files: Mapping[int, DueFile]) -> None:
    connection.execute(
        """
        create or replace temp table records as
        select
            unnest($ids)::integer as file_id,
            unnest($paths) as path,
            unnest($hashes) as content_hash,
            unnest($sizes)::bigint as size,
            unnest($trimmed_hashes) as trimmed_hash,
            unnest($trimmed_sizes)::bigint as trimmed_size,
            unnest($modified)::bigint as modified_ns,
            unnest($changed)::bigint as changed_ns,
            unnest($inodes)::ubigint as inode
        """,
        {
            "ids": list(files),
            "paths": [due.path for due in files.values()],
            "hashes": [due.inspection.content_hash for due in files.values()],
            "sizes": [due.inspection.size for due in files.values()],
            "trimmed_hashes": [due.inspection.trimmed_hash for due in files.values()],
            "trimmed_sizes": [due.inspection.trimmed_size for due in files.values()],
            "modified": [due.signature.modified_ns for due in files.values()],
            "changed": [due.signature.changed_ns for due in files.values()],
            "inodes": [due.signature.inode for due in files.values()],
        },
    )


def _is_the_files_fault(error: Exception) -> bool:
    """Whether a file caused an error, and not the machine, as with a full disk, or a statement of ours.

    A file that runs out of memory while it is loaded alone caused that too: another one may need less.
    """
    if isinstance(error, OSError):
        return error.errno not in MACHINE_ERRORS
    signs = ("no space left on device", "could not write file", "corrupt database file")
    if any(sign in str(error).lower() for sign in signs):
        return False
    return not isinstance(error, NOT_THE_FILES_FAULT)
