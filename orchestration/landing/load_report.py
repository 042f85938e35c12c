"""What one load did for one entity.

Belongs here: counts and names of a load. Does not belong here: the sentences that people read of it
(notices.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestration.landing import arrivals, records
from orchestration.landing.arrivals import Load
from orchestration.landing.discovery import Landing
from orchestration.landing.fall import TooManyGone, too_many_gone
from orchestration.sql import one_row

# A share of fewer rows than this says nothing.
LEAST_ROWS = 100

# How many files are named of those that hold publishing back.
FILES_NAMED = 5


@dataclass(frozen=True)
class LoadReport:
    """What one load did for one entity. Paths are relative to the data directory.

    Attributes:
        files_loaded: how many files were loaded.
        rows_landed, rows_accepted, rows_rejected, rows_skipped: the rows of those files.
        days_touched: on how many days of the reporting zone events came or went.
        reasons: how many rows were rejected for each reason.
        failed: why each file that could not be loaded could not.
        arriving: files that are still being written.
        left: files that have left the landing folder since the last load; their rows stay.
        overwritten: how many former rows are kept of each file that was overwritten.
        dropped: how many former rows the new content lacks, of each file that replaces what it held.
        left_behind: for each overwritten file of whose ids too many are in no landed file, how many these
            are, and how many ids it had.
        at_work: names that writers leave while they work, met for the first time.
        left_alone: why each other name in the landing folder is not read.
        all_skipped: loaded files of which a mapping skips every row.
        validated_before: files of which rows are kept that other code has read, and cannot read again.
        not_one_accepted: loaded files of which not one row was accepted, each with its most frequent reason.
        too_many_rejected: what holds publishing back because more of the new rows were rejected than
            ``max_rejected_share`` allows; None when nothing does.
        too_many_gone: what holds publishing back because more of the published events are gone than
            ``max_fall`` allows; None when nothing does.
    """

    entity: str
    files_loaded: int
    rows_landed: int
    rows_accepted: int
    rows_rejected: int
    rows_skipped: int
    days_touched: int
    reasons: dict[str, int]
    failed: dict[str, str] = field(default_factory=dict)
    arriving: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    overwritten: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    left_behind: dict[str, tuple[int, int]] = field(default_factory=dict)
    at_work: list[str] = field(default_factory=list)
    left_alone: dict[str, str] = field(default_factory=dict)
    all_skipped: list[str] = field(default_factory=list)
    validated_before: list[str] = field(default_factory=list)
    not_one_accepted: dict[str, str] = field(default_factory=dict)
    too_many_rejected: TooManyRejected | None = None
    too_many_gone: TooManyGone | None = None


@dataclass(frozen=True)
class TooManyRejected:
    """New rows of which too many were rejected. New are the rows of content in no published version yet.

    Attributes:
        rows, rejected: how many new rows there are, and how many of them were rejected.
        share: the share that may be rejected.
        files: those with most of these, each with its rejected rows, its rows, and its most frequent reason.
    """

    rows: int
    rejected: int
    share: float
    files: dict[str, tuple[int, int, str]]


def make_report(load: Load, first_id: int, landing: Landing, left: Sequence[str]) -> LoadReport:
    """What a load did, once it is done.

    Args:
        load: the load.
        first_id: the number that the first content of this load was given.
        landing: what was found in the landing folder.
        left: the paths that have left it.
    """
    connection, entity = load.connection, load.contract.entity
    at_work = _record_not_read(load, landing)
    files_loaded, rows_landed, rows_accepted, rows_rejected, rows_skipped = one_row(
        connection,
        """
        select count(*), coalesce(sum(rows_landed), 0), coalesce(sum(rows_accepted), 0),
            coalesce(sum(rows_rejected), 0), coalesce(sum(rows_skipped), 0)
        from raw.contents
        where entity = ? and file_id >= ? and kept_in is null
        """,
        [entity, first_id],
    )
    unread = connection.execute(
        "select path, status, error from raw.landed_files "
        "where entity = ? and status in ('failed', 'arriving') order by path",
        [entity],
    ).fetchall()
    return LoadReport(
        entity=entity,
        files_loaded=files_loaded,
        rows_landed=int(rows_landed),
        rows_accepted=int(rows_accepted),
        rows_rejected=int(rows_rejected),
        rows_skipped=int(rows_skipped),
        days_touched=_days_touched(load, first_id),
        reasons=_reasons(load, first_id),
        failed={path: error for path, status, error in unread if status == records.FAILED},
        arriving=[path for path, status, _ in unread if status == records.ARRIVING],
        left=sorted(left),
        overwritten=load.overwritten,
        dropped={path: rows for path, rows in load.dropped.items() if rows},
        left_behind=arrivals.left_behind(load),
        at_work=at_work,
        left_alone=landing.left_alone,
        all_skipped=_all_skipped(load, first_id),
        validated_before=sorted(load.validated_before),
        not_one_accepted=_not_one_accepted(load, first_id),
        too_many_rejected=_too_many_rejected(load),
        too_many_gone=too_many_gone(load),
    )


def _reasons(load: Load, first_id: int) -> dict[str, int]:
    return dict(
        load.connection.execute(
            """
            select reason, count(*)
            from (
                select unnest(reasons) as reason
                from quarantine.rejected_events
                where entity = ? and file_id >= ?
            )
            group by reason
            order by reason
            """,
            [load.contract.entity, first_id],
        ).fetchall()
    )


def _all_skipped(load: Load, first_id: int) -> list[str]:
    return [
        path
        for (path,) in load.connection.execute(
            "select path from raw.contents "
            "where entity = ? and file_id >= ? and rows_landed > 0 and rows_skipped = rows_landed "
            "order by path",
            [load.contract.entity, first_id],
        ).fetchall()
    ]


def _not_one_accepted(load: Load, first_id: int) -> dict[str, str]:
    return dict(
        load.connection.execute(
            """
            select contents.path, mode(rejected.reason)
            from raw.contents as contents
            inner join (
                select file_id, unnest(reasons) as reason from quarantine.rejected_events
                where file_id >= $first
            ) as rejected on contents.file_id = rejected.file_id
            where
                contents.entity = $entity
                and contents.kept_in is null
                and contents.rows_accepted = 0
            group by contents.path
            order by contents.path
            """,
            {"entity": load.contract.entity, "first": first_id},
        ).fetchall()
    )


def _too_many_rejected(load: Load) -> TooManyRejected | None:
    share = load.settings.hub.max_rejected_share
    unpublished = """
        contents.entity = $entity
        and contents.file_id > (
            select coalesce(max(loaded_through), 0) from raw.refreshes where finished_at is not null
        )
    """
    rows, rejected = one_row(
        load.connection,
        f"""
        select coalesce(sum(rows_accepted + rows_rejected), 0), coalesce(sum(rows_rejected), 0)
        from raw.contents as contents
        where {unpublished}
        """,
        {"entity": load.contract.entity},
    )
    if rejected <= LEAST_ROWS or rejected <= share * rows:
        return None
    files = load.connection.execute(
        f"""
        select
            contents.path, any_value(contents.rows_rejected),
            any_value(contents.rows_accepted + contents.rows_rejected), mode(rejected.reason)
        from raw.contents as contents
        inner join (
            select file_id, unnest(reasons) as reason from quarantine.rejected_events
        ) as rejected on contents.file_id = rejected.file_id
        where {unpublished}
        group by contents.file_id, contents.path
        order by any_value(contents.rows_rejected) desc, contents.path
        limit {FILES_NAMED}
        """,
        {"entity": load.contract.entity},
    ).fetchall()
    named = {path: (bad, of_file, reason) for path, bad, of_file, reason in files}
    return TooManyRejected(int(rows), int(rejected), share, named)


def _days_touched(load: Load, first_id: int) -> int:
    # All instants of a quarter of an hour lie on one day, whatever the zone, and there are few quarters.
    (days,) = one_row(
        load.connection,
        f"""
        select count(distinct cast(timezone($zone, timezone('UTC', quarter)) as date))
        from (
            select distinct time_bucket(interval 15 minutes, {load.contract.happened_at}) as quarter
            from (
                select {load.contract.happened_at} from {load.table} where file_id >= $first
                union all
                select {load.contract.happened_at} from raw.removed_{load.contract.table}
            )
        )
        """,
        {"zone": load.settings.timezone, "first": first_id},
    )
    return days


def _record_not_read(load: Load, landing: Landing) -> list[str]:
    """Record the names that are not read; gives those that writers leave and that no load has named yet."""
    entity = load.contract.entity
    known = {
        path
        for (path,) in load.connection.execute(
            "select path from raw.not_read where entity = ? and reason is null", [entity]
        ).fetchall()
    }
    load.connection.execute("delete from raw.not_read where entity = ?", [entity])
    load.connection.execute(
        "insert into raw.not_read select ?, unnest(?::varchar[]), unnest(?::varchar[])",
        [
            entity,
            [*landing.at_work, *landing.left_alone],
            [*[None] * len(landing.at_work), *landing.left_alone.values()],
        ],
    )
    return [path for path in landing.at_work if path not in known]
