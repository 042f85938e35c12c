"""How many events of the last published version are gone from what has landed, beyond ``max_fall``.

An event is gone when no row of it is accepted any more: a mapping skips it, a setting rejects it, a file of
``kept/`` was lost. What somebody wanted gone does not count: rows that were retracted, or dropped because
``hub.toml`` says that a file replaces what it held.

Belongs here: what is gone, and where. Does not belong here: the sentence on it (notices.py), what is
retracted or dropped (retract.py, arrivals.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.landing import retract
from orchestration.landing.arrivals import Load
from orchestration.landing.contracts import EventContract
from orchestration.settings import Settings
from orchestration.sql import literal, one_row, replace_parquet
from orchestration.warehouse.last_published import published_tables

# A share of fewer events than this says nothing.
LEAST_EVENTS = 100

# How many files are named of those that hold publishing back.
FILES_NAMED = 5

GONE = "in none of its rows any more"


@dataclass(frozen=True)
class TooManyGone:
    """Published events of which too many are gone.

    Attributes:
        published, gone: how many events are published, and how many of them are gone.
        share: the share that may be gone.
        files: the files to look at first, each with its number of rows that are gone or were not accepted,
            and with the most frequent reason.
    """

    published: int
    gone: int
    share: float
    files: dict[str, tuple[int, str]]


def too_many_gone(load: Load) -> TooManyGone | None:
    """What holds publishing back because published events are gone; None when nothing does.

    Args:
        load: the load, once all files are loaded.
    """
    (mark,) = one_row(
        load.connection, "select max(loaded_through) from raw.refreshes where finished_at is not null"
    )
    if mark is None:
        return None
    (goes_on,) = one_row(
        load.connection,
        f"""
        select
            exists (select 1 from raw.contents where entity = $entity and file_id <= $mark)
            or exists (select 1 from raw.removed_{load.contract.table} where file_id <= $mark)
        """,
        {"entity": load.contract.entity, "mark": mark},
    )
    if goes_on:
        return _gone_since_published(load, mark)
    # After a rebuild the warehouse does not know what it held before; the published file does.
    return _gone_from_published_file(load)


def hand_over(connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract) -> None:
    """Write down which events somebody wanted gone, for the warehouse of a rebuild, until it is published.

    Args:
        connection: a connection to the warehouse that is about to be removed.
        settings: the settings of the hub.
        contract: the contract of the entity.
    """
    file = _handed_over(settings, contract)
    wanted = _intended_here(contract)
    (is_any,) = one_row(connection, f"select exists ({wanted})")
    if is_any:
        # A rebuild that was held back has handed over before.
        before = f"union select {contract.event_id} from read_parquet({literal(str(file))})"
        file.parent.mkdir(exist_ok=True)
        replace_parquet(connection, f"{wanted} {before if file.exists() else ''}", file)


def _intended_here(contract: EventContract) -> str:
    """A query for the events of rows that this warehouse has removed because somebody wanted them gone."""
    return f"""
        select distinct rows.{contract.event_id}
        from raw.removed_{contract.table} as rows
        inner join raw.removed_contents as contents on rows.file_id = contents.file_id
        where contents.is_intended
    """


def _handed_over(settings: Settings, contract: EventContract) -> Path:
    return settings.dropped / f"{contract.entity}.parquet"


def _gone_since_published(load: Load, mark: int) -> TooManyGone | None:
    """By the rows that were removed since the last finished refresh.

    Args:
        load: the load.
        mark: the number of the last content that this refresh has loaded.
    """
    connection, table, event_id = load.connection, load.contract.table, load.contract.event_id
    bound = {"entity": load.contract.entity, "mark": mark}
    connection.execute(
        f"""
        create or replace temp table gone_events as
        with contents as (
            select file_id, any_value(path) as path, bool_or(is_intended) as is_intended
            from raw.removed_contents
            where entity = $entity
            group by file_id
        ),
        removed as (
            select rows.{event_id} as id, rows.id_digest, max_by(contents.path, rows.file_id) as path
            from raw.removed_{table} as rows
            left join contents on rows.file_id = contents.file_id
            group by rows.{event_id}, rows.id_digest
            having bool_or(rows.file_id <= $mark) and not coalesce(bool_or(contents.is_intended), false)
        )
        select path
        from removed
        where not exists (
            select 1 from {load.table} as rows
            where rows.id_digest = removed.id_digest and rows.{event_id} = removed.id
        )
        """,
        bound,
    )
    (gone,) = one_row(connection, "select count(*) from gone_events")
    if gone <= LEAST_EVENTS:
        return None
    published = _events_published(load, mark)
    files = connection.execute(
        "select path, count(*) from gone_events where path is not null "
        f"group by path order by count(*) desc, path limit {FILES_NAMED}"
    ).fetchall()
    return _beyond_limit(load, published, gone, files)


def _events_published(load: Load, mark: int) -> int:
    """How many events the last finished refresh published: what is left of its rows, and what was removed."""
    event_id, table = load.contract.event_id, load.contract.table
    (published,) = one_row(
        load.connection,
        f"""
        select count(distinct {event_id})
        from (
            select {event_id} from {load.table} where file_id <= $mark
            union all
            select {event_id} from raw.removed_{table} where file_id <= $mark
        )
        """,
        {"mark": mark},
    )
    return int(published)


def _gone_from_published_file(load: Load) -> TooManyGone | None:
    connection, event_id = load.connection, load.contract.event_id
    facts = f"fct_{load.contract.entity}"
    with published_tables(connection, load.settings) as published_columns:
        if facts not in published_columns:
            return None
        (gone,) = one_row(
            connection,
            f"""
            select count(*) from published.{facts} as events
            where
                not exists (select 1 from {load.table} as rows where rows.{event_id} = events.{event_id})
                and (events.{event_id} in ({_intended(load)})) is not true
            """,
        )
        (published,) = one_row(connection, f"select count(*) from published.{facts}")
    return _beyond_limit(load, published, gone, _files_not_accepted(load))


def _intended(load: Load) -> str:
    """A query for the events that somebody wanted gone, before a rebuild too."""
    files = [
        literal(str(file))
        for file in (
            *retract.saved_rows(load.settings, load.contract.entity),
            _handed_over(load.settings, load.contract),
        )
        if file.exists()
    ]
    here = _intended_here(load.contract)
    if not files:
        return here
    rows = f"read_parquet([{', '.join(files)}], union_by_name = true)"
    return f"{here} union select {load.contract.event_id} from {rows}"


def _files_not_accepted(load: Load) -> list[tuple[str, int]]:
    """The files with the most rows that are not accepted, each with how many, and those that failed."""
    return load.connection.execute(
        f"""
        select path, rows_rejected + rows_skipped
        from raw.landed_files
        where entity = ? and (rows_rejected + rows_skipped > 0 or status = 'failed')
        order by rows_rejected + rows_skipped desc, path
        limit {FILES_NAMED}
        """,
        [load.contract.entity],
    ).fetchall()


def _beyond_limit(
    load: Load, published: int, gone: int, files: Sequence[tuple[str, int]]
) -> TooManyGone | None:
    share = load.settings.hub.max_fall
    if gone <= LEAST_EVENTS or gone <= share * published:
        return None
    reasons = dict(
        load.connection.execute(
            """
            select
                files.path,
                coalesce(
                    'most often rejected as ' || rejected.reason,
                    case
                        when files.status = 'failed' then 'the file failed'
                        when files.rows_skipped > 0 then 'skipped by the [[landing]] table'
                    end
                )
            from raw.landed_files as files
            left join (
                select path, mode(reason) as reason
                from (select path, unnest(reasons) as reason from quarantine.rejected_events)
                group by path
            ) as rejected on files.path = rejected.path
            where files.path in (select unnest(?))
            """,
            [[path for path, _ in files]],
        ).fetchall()
    )
    named = {path: (rows, reasons.get(path) or GONE) for path, rows in files}
    return TooManyGone(published, gone, share, named)
