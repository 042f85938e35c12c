"""A new version in the ledger: what differs from the version that readers see, and why.

Belongs here: the order of the steps, and how long rows are kept. Does not belong here: what is compared
(differences.py), what differs and why (restatements.sql).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from orchestration.faults import Fault, fault_of
from orchestration.ledger import differences, ledger_tables
from orchestration.settings import Settings
from orchestration.warehouse.last_published import published_tables

RESTATEMENTS = Path(__file__).with_name("restatements.sql")


def record(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    run_id: str,
    version: str,
    published_at: datetime,
) -> None:
    """Add the version that is about to be published to the ledger, in the place of one that never was.

    Args:
        connection: a connection to the warehouse, whose reports are built and checked.
        settings: the settings of the hub.
        run_id: the run of the refresh.
        version: the name of the version.
        published_at: the instant of the version.
    """
    described = {
        "version": version,
        "published_at": published_at.astimezone(UTC).replace(tzinfo=None),
        "run_id": run_id,
    }
    with published_tables(connection, settings) as published:
        try:
            _add(connection, settings, described, published)
        except duckdb.Error as error:
            if fault_of(error) is not Fault.DAMAGED:
                raise
            # What readers see can be read no more, which holds no refresh back: the ledger begins anew.
            _add(connection, settings, described, {})


def _add(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    described: Mapping[str, object],
    published: Mapping[str, Sequence[str]],
) -> None:
    """Add a version.

    Args:
        connection: a connection to the warehouse.
        settings: the settings of the hub.
        described: its name, instant and run.
        published: the columns of each published table; none where it has nothing to be compared with.
    """
    with _transaction(connection):
        before = ledger_tables.bring_to_published(connection, published)
        new_days: list[date] = []
        if before:
            new_days = differences.prepare(connection, before, str(described["version"]))
            connection.execute(RESTATEMENTS.read_text(encoding="utf-8"))
        connection.execute(ADD_VERSION, {**described, "before": before, "new_days": new_days})
        _fold(connection, settings.hub.ledger_days, str(described["version"]))


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of it or nothing. What failed is undone first, so that its error is the one that is reported."""
    connection.execute("begin")
    try:
        yield
    except duckdb.Error:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _fold(connection: duckdb.DuckDBPyConnection, ledger_days: int, version: str) -> None:
    """Keep only sums of what led to versions that were published more than so many days before this one."""
    folded = [
        name
        for (name,) in connection.execute(
            """
            select versions.version
            from reports.main.versions as versions, reports.main.versions as newest
            where
                newest.version = $version
                and versions.is_linked_to_previous
                and versions.published_at < newest.published_at - to_days($ledger_days::integer)
            """,
            {"version": version, "ledger_days": ledger_days},
        ).fetchall()
    ]
    if folded:
        for statement in (
            FOLD,
            "delete from reports.main.restatements where list_contains($folded, to_version)",
            "update reports.main.versions set is_linked_to_previous = false "
            "where list_contains($folded, version)",
        ):
            connection.execute(statement, {"folded": folded})


ADD_VERSION = """
insert into reports.main.versions by name
select
    $version as version,
    $before as previous_version,
    $before is not null as is_linked_to_previous,
    $published_at as published_at,
    info.as_of,
    info.as_of_ends_at,
    refreshes.refresh_number,
    (
        select {path: path, content_hash: content_hash}
        from raw.contents
        order by file_id desc
        limit 1
    ) as newest_file,
    info.software_version,
    {
        timezone: info.timezone,
        currency: info.currency,
        attribution_window_days: info.attribution_window_days
    } as settings,
    $new_days::date[] as new_days
from reports.main.report_info as info, raw.refreshes as refreshes
where refreshes.run_id = $run_id
"""

# What the rows that led to a version have added to the sums of each day, queue and user, and taken from them.
FOLD = """
insert into reports.main.restatement_totals
with folded as (
    select * from reports.main.restatements
    where list_contains($folded, to_version)
),
sides as (
    select
        1 as times, from_version, to_version, was_settled, entity,
        message_date_after as message_date, queue_id_after as queue_id, user_id_after as user_id,
        status_after as status, is_in_open_window_after as is_in_open_window,
        order_value_after as order_value, refunded_value_after as refunded_value,
        is_last_touch_after as is_last_touch
    from folded
    where message_date_after is not null
    union all
    select
        -1, from_version, to_version, was_settled, entity,
        message_date_before, queue_id_before, user_id_before,
        status_before, is_in_open_window_before,
        order_value_before, refunded_value_before, is_last_touch_before
    from folded
    where message_date_before is not null
)
select
    message_date, queue_id, user_id, was_settled, from_version, to_version,
    coalesce(sum(times) filter (entity = 'message' and status = 'sent'), 0) as messages_sent,
    coalesce(sum(times) filter (entity = 'message' and status = 'skipped'), 0) as messages_skipped,
    coalesce(sum(times) filter (entity = 'message' and is_in_open_window), 0) as messages_in_open_window,
    coalesce(sum(times) filter (entity = 'touch'), 0) as touches,
    coalesce(sum(times * order_value), 0) as touched_value,
    coalesce(sum(times * refunded_value), 0) as touched_refunds,
    coalesce(sum(times * order_value) filter (is_last_touch), 0) as revenue_credited
from sides
group by all
"""
