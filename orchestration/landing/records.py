"""The tables of ``raw`` and ``quarantine``, and the records of what became of each file.

Belongs here: their columns, their numbers, the transaction that holds a change of them together with
``kept/``. Does not belong here: how files are loaded (batch_loader.py), which rows stay (arrivals.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import duckdb

from orchestration.landing import arrivals, casting, warehouse_rows
from orchestration.landing.arrivals import Load
from orchestration.landing.contracts import CONTRACTS, EventContract, Kind
from orchestration.landing.inspection import Inspection
from orchestration.landing.kept import Segment
from orchestration.sql import one_row
from orchestration.warehouse import run_log

# What became of a file.
LOADED, FAILED, ARRIVING, LEFT, RETRACTED = "loaded", "failed", "arriving", "left", "retracted"

RECORDS = """
create schema if not exists raw;
create schema if not exists quarantine;

create table if not exists raw.landed_files (
    path varchar not null,
    content_hash varchar,
    entity varchar not null,
    status varchar not null,
    rows_landed bigint not null default 0,
    rows_accepted bigint not null default 0,
    rows_rejected bigint not null default 0,
    rows_skipped bigint not null default 0,
    rows_kept bigint not null default 0,
    error varchar,
    loaded_at timestamp not null,
    size bigint,
    modified_ns bigint,
    changed_ns bigint,
    inode ubigint
);

create table if not exists raw.contents (
    file_id integer not null,
    entity varchar not null,
    path varchar not null,
    content_hash varchar not null,
    size bigint not null,
    trimmed_hash varchar not null,
    trimmed_size bigint not null,
    gave_way_to varchar not null default '',
    former_ids bigint,
    kept_in varchar,
    currency varchar,
    rows_landed bigint not null default 0,
    rows_accepted bigint not null default 0,
    rows_rejected bigint not null default 0
);

create table if not exists raw.not_read (
    entity varchar not null,
    path varchar not null,
    reason varchar
);

create table if not exists raw.kept_segments (
    entity varchar not null,
    segment varchar not null
);

create table if not exists quarantine.rejected_events (
    entity varchar not null,
    path varchar not null,
    row_number bigint not null,
    raw_text varchar not null,
    reasons varchar[] not null,
    rejected_at timestamp not null,
    file_id integer not null
);
"""


def make_record_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of what became of files, rows and refreshes, where they are missing."""
    connection.execute(casting.MACROS)
    connection.execute(RECORDS)
    connection.execute(run_log.TABLE)
    for contract in CONTRACTS:
        _make_event_table(connection, contract, f"removed_{contract.table}")


def make_event_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of the accepted events, where they are missing, and what loading needs of the connection."""
    for contract in CONTRACTS:
        _make_event_table(connection, contract, contract.table)


def _make_event_table(connection: duckdb.DuckDBPyConnection, contract: EventContract, table: str) -> None:
    columns = ", ".join(
        f"{name} {column_type}{'' if name in contract.field_names else ' not null'}"
        for name, column_type in warehouse_rows.columns_of_raw(contract)
    )
    connection.execute(f"create table if not exists raw.{table} ({columns})")


def next_file_id(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the next content: one that none has, nor had since the last finished refresh."""
    removed = ", ".join(
        f"(select coalesce(max(file_id), 0) from raw.removed_{contract.table})" for contract in CONTRACTS
    )
    return one_row(
        connection,
        f"""
        select 1 + greatest(
            (select coalesce(max(file_id), 0) from raw.contents),
            (select coalesce(max(loaded_through), 0) from raw.refreshes),
            {removed}
        )
        """,
    )[0]


@contextmanager
def settling(load: Load) -> Iterator[list[Segment | None]]:
    """A transaction, and the segments of ``kept/`` that count once it is committed."""
    segments: list[Segment | None] = []
    load.connection.execute("begin")
    try:
        yield segments
        load.connection.execute("commit")
    except BaseException:
        # A commit that failed, as on a full disk, has ended the transaction.
        with suppress(duckdb.Error):
            load.connection.execute("rollback")
        for segment in filter(None, segments):
            segment.file.unlink(missing_ok=True)
        raise
    for segment in filter(None, segments):
        load.kept.finish(segment)


def record_unread(
    load: Load, path: str, status: str, error: str | None = None, inspection: Inspection | None = None
) -> None:
    """Record one path as :func:`record_several_unread` does."""
    record_several_unread(load, {path: inspection}, status, error)


def record_several_unread(
    load: Load, paths: Mapping[str, Inspection | None], status: str, error: str | None = None
) -> None:
    """Record that the rows of paths are not those of what is stored there: their former rows stay in force.

    Args:
        load: the load.
        paths: the paths, and what the bytes of each file say, when there is one that could be read.
        status: why: :data:`FAILED`, :data:`ARRIVING` or :data:`LEFT`.
        error: what is wrong with the files, when they failed.
    """
    if not paths:
        return
    with settling(load) as segments:
        segments.append(arrivals.set_aside(load, list(paths)))
        load.connection.execute(
            "delete from raw.landed_files where path in (select unnest(?))", [list(paths)]
        )
        load.connection.execute(
            """
            insert into raw.landed_files by name
            select
                unnest($paths) as path,
                unnest($hashes) as content_hash,
                $entity as entity,
                $status as status,
                $error as error,
                $now as loaded_at
            """,
            {
                "paths": list(paths),
                "hashes": [inspection and inspection.content_hash for inspection in paths.values()],
                "entity": load.contract.entity,
                "status": status,
                "error": error,
                "now": now(),
            },
        )
        count_rows(load, list(paths))


def drop_what_is_replaced(load: Load) -> None:
    """Drop what is kept of changed files that are declared to replace what they held."""
    replaced = arrivals.replaced_contents(load)
    if replaced:
        with settling(load) as segments:
            segments.append(arrivals.drop(load, replaced))
            count_rows(load, [one.path for one in replaced])
            for one in replaced:
                load.dropped[one.path] = load.dropped.get(one.path, 0) + one.rows_landed


def count_rows(load: Load, paths: Sequence[str]) -> None:
    """Let the records of paths say how many rows they have, the kept ones included."""
    load.connection.execute(
        """
        update raw.landed_files set
            rows_landed = counted.rows_landed,
            rows_accepted = counted.rows_accepted,
            rows_rejected = counted.rows_rejected,
            rows_kept = counted.rows_kept
        from (
            select
                listed.path,
                coalesce(sum(contents.rows_landed), 0) as rows_landed,
                coalesce(sum(contents.rows_accepted), 0) as rows_accepted,
                coalesce(sum(contents.rows_rejected), 0) as rows_rejected,
                coalesce(sum(contents.rows_landed) filter (contents.kept_in is not null), 0) as rows_kept
            from (select distinct unnest($paths) as path) as listed
            left join raw.contents as contents on listed.path = contents.path
            group by listed.path
        ) as counted
        where landed_files.path = counted.path
        """,
        {"paths": list(paths)},
    )


def currency_of(load: Load) -> str | None:
    """The currency that the rows of the entity are checked by, if any."""
    has_currency = any(field.kind is Kind.CURRENCY for field in load.contract.fields)
    return load.settings.currency if has_currency else None


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
