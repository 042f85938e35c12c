"""What a new version is compared by: the version that readers see, and the reports that will follow it.

The rows that may differ come from the change feeds where the refresh was incremental, and are all rows
otherwise. Belongs here: which relations these are. Does not belong here: what differs in them, and why
(restatements.sql).
"""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.sql import one_row

# What figures and causes are made of, by the name of the temporary relations.
RELATIONS = {
    "messages": (
        "fct_messages",
        "message_id, customer_id, queue_id, user_id, status, occurred_at, message_date",
    ),
    "orders": (
        "fct_orders",
        "order_id, customer_id, ordered_at, sales_channel, status, order_value, refunded_value",
    ),
    "touches": (
        "fct_message_orders",
        "message_id, order_id, customer_id, queue_id, user_id, message_date, sent_at, order_value, "
        "refunded_value, is_last_touch",
    ),
}

COMPARED = """
create or replace temp table compared as
select
    $from_version as from_version,
    $to_version as to_version,
    -- The last content that the version had taken in. A new warehouse numbers contents anew, so all of them
    -- landed since.
    coalesce(if(known.is_same_warehouse, refreshes.loaded_through, 0), 0) as high_water_mark,
    known.is_same_warehouse,
    versions.as_of,
    versions.as_of_ends_at as as_of_ends_at_before,
    info.as_of_ends_at as as_of_ends_at_after,
    versions.settings.attribution_window_days as window_days_before,
    info.attribution_window_days as window_days_after,
    -- What no event explains.
    case
        when versions.settings <> {
            timezone: info.timezone,
            currency: info.currency,
            attribution_window_days: info.attribution_window_days
        } then 'setting_changed'
        else 'software_changed'
    end as cause_of_others,
    array(
        select message_date from reports.main.messages_by_day where message_date > versions.as_of
        except
        select message_date from published.messages_by_day where message_date > versions.as_of
    ) as new_days
from reports.main.versions as versions
inner join raw.refreshes as refreshes on versions.refresh_number = refreshes.refresh_number
cross join reports.main.report_info as info
cross join (
    select coalesce(bool_or(files.loaded_at <= versions.published_at), false) as is_same_warehouse
    from raw.landed_files as files, reports.main.versions as versions
    where versions.version = $from_version
) as known
where versions.version = $from_version
"""

UNCHANGED_MESSAGES = """
create or replace temp view unchanged_messages as
select {columns}
from reports.main.fct_messages, compared
where
    status = 'sent'
    and occurred_at > least(
        compared.as_of_ends_at_before - to_days(compared.window_days_before),
        compared.as_of_ends_at_after - to_days(compared.window_days_after)
    )
    and occurred_at <= greatest(
        compared.as_of_ends_at_before - to_days(compared.window_days_before),
        compared.as_of_ends_at_after - to_days(compared.window_days_after)
    )
"""


def prepare(connection: duckdb.DuckDBPyConnection, from_version: str, to_version: str) -> list[date]:
    """Make the temporary relations that restatements.sql reads.

    Args:
        connection: a connection to the warehouse, with the reports and the published file beside it.
        from_version: the name of the version that readers see, which is in the ledger.
        to_version: the name of the new version.

    Returns:
        The days later than the as-of day of the version before, of which it had no message.
    """
    is_recorded = _is_recorded(connection, from_version)
    for name, (table, columns) in RELATIONS.items():
        sides = {"before": f"published.{table}", "after": f"reports.main.{table}"}
        if is_recorded and _has_table(connection, table):
            feed = f"reports.changes.{table} where change = "
            sides = {"before": f"{feed} 'removed'", "after": f"{feed} 'inserted'"}
        for side, rows in sides.items():
            connection.execute(f"create or replace temp view {name}_{side} as select {columns} from {rows}")
    connection.execute(COMPARED, {"from_version": from_version, "to_version": to_version})
    connection.execute(UNCHANGED_MESSAGES.format(columns=RELATIONS["messages"][1]))
    days: list[date] = one_row(connection, "select new_days from compared")[0]
    return days


def _is_recorded(connection: duckdb.DuckDBPyConnection, version: str) -> bool:
    """Whether the change feeds begin with the version; not when a refresh was killed after it published."""
    if not _has_table(connection, "since"):
        return False
    (count,) = one_row(
        connection,
        """
        select count(*)
        from reports.main.versions as versions
        inner join reports.changes.since as since on versions.refresh_number = since.refresh_number
        where versions.version = ?
        """,
        [version],
    )
    return bool(count)


def _has_table(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether there is such a table among the change feeds of the reports."""
    (count,) = one_row(
        connection,
        "select count(*) from duckdb_tables() "
        "where database_name = 'reports' and schema_name = 'changes' and table_name = ?",
        [table],
    )
    return bool(count)
