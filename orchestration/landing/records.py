"""The records of what became of each file.

Belongs here: the numbers of contents, the transaction that holds a change of the records together with
``kept/``. Does not belong here: their columns (warehouse/schema.py), how files are loaded (batch_loader.py),
which rows stay (arrivals.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

import duckdb

from orchestration.landing import arrivals
from orchestration.landing.arrivals import Load
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.inspection import Inspection
from orchestration.landing.kept import Segment
from orchestration.sql import one_row

# What became of a file.
LOADED, FAILED, ARRIVING, LEFT, RETRACTED = "loaded", "failed", "arriving", "left", "retracted"


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
            rows_skipped = counted.rows_skipped,
            rows_kept = counted.rows_kept
        from (
            select
                listed.path,
                coalesce(sum(contents.rows_landed), 0) as rows_landed,
                coalesce(sum(contents.rows_accepted), 0) as rows_accepted,
                coalesce(sum(contents.rows_rejected), 0) as rows_rejected,
                coalesce(sum(contents.rows_skipped), 0) as rows_skipped,
                coalesce(sum(contents.rows_landed) filter (contents.kept_in is not null), 0) as rows_kept
            from (select distinct unnest($paths) as path) as listed
            left join raw.contents as contents on listed.path = contents.path
            group by listed.path
        ) as counted
        where landed_files.path = counted.path
        """,
        {"paths": list(paths)},
    )


def now() -> datetime:
    """The present in UTC, as the database stores it."""
    return datetime.now(UTC).replace(tzinfo=None)
