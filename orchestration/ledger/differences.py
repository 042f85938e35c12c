"""What a new version is compared by: the version that readers see, and the reports that will follow it.

What differs is looked for in the change feeds where the refresh was incremental, and in all rows otherwise.
Belongs here: which facts differ. Does not belong here: whether figures do, and why (restatements.sql).
"""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.sql import one_row

# What figures and causes are made of, by the temporary table of what differs: the fact, its key, all others.
FACTS = {
    "differing_messages": (
        "fct_messages",
        ("message_id",),
        ("customer_id", "queue_id", "user_id", "status", "occurred_at", "message_date"),
    ),
    "differing_orders": (
        "fct_orders",
        ("order_id",),
        ("customer_id", "ordered_at", "sales_channel", "status", "order_value", "refunded_value"),
    ),
    "differing_touches": (
        "fct_message_orders",
        ("message_id", "order_id"),
        (
            *("customer_id", "queue_id", "user_id", "message_date", "sent_at"),
            *("order_value", "refunded_value", "is_last_touch"),
        ),
    ),
}

# The key, and the structs `before` and `after`, whose fields are all NULL where there is no such row.
DIFFERING = """
create or replace temp table {table} as
with both_sides as (
    select {columns}, -1 as copies from {rows_before}
    union all
    select {columns}, 1 as copies from {rows_after}
),
differing as (
    select {columns}, sum(copies) as copies from both_sides group by all having sum(copies) <> 0
),
before as (select {columns} from differing where copies < 0),
after as (select {columns} from differing where copies > 0)
select {key}, before, after
from before
full join after on {same_key}
"""

# The files that brought what differs of an event: those that landed since with the version that counts now
# or, where none did, those that left. An earlier version may say the same: of an event that was changed and
# changed back, in a warehouse whose files have all landed since.
FILES = """
create or replace temp table files_of_{entity} as
with landed as (
    select events.{id}, events.file_id
    from raw.{events} as events
    inner join differing_{entity} as changed on events.{id} = changed.{id}
    cross join compared
    where events.file_id > compared.high_water_mark and {says_what_counts_now}
    qualify events.{version} = max(events.{version}) over (partition by events.{id})
),
files as (
    select landed.{id}, contents.path, contents.content_hash
    from landed
    inner join raw.contents as contents on landed.file_id = contents.file_id
    union
    select events.{id}, contents.path, contents.content_hash
    from raw.removed_{events} as events
    inner join raw.removed_contents as contents on events.file_id = contents.file_id
    where
        events.{id} in (select {id} from differing_{entity})
        and events.{id} not in (select {id} from landed)
)
select {id}, list({{path: path, content_hash: content_hash}}) as files
from files
group by {id}
"""

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
    versions.as_of <> info.as_of as has_other_as_of_day,
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
    is_recorded = is_recorded_since(connection, from_version)
    for table, (fact, keys, others) in FACTS.items():
        rows_before, rows_after = f"published.{fact}", f"reports.main.{fact}"
        if is_recorded and _has_table(connection, fact):
            rows_before = f"reports.changes.{fact} where change = 'removed'"
            rows_after = f"reports.changes.{fact} where change = 'inserted'"
        connection.execute(
            DIFFERING.format(
                table=table,
                columns=", ".join((*keys, *others)),
                rows_before=rows_before,
                rows_after=rows_after,
                key=", ".join(f"coalesce(after.{key}, before.{key}) as {key}" for key in keys),
                same_key=" and ".join(f"before.{key} = after.{key}" for key in keys),
            )
        )
    connection.execute(COMPARED, {"from_version": from_version, "to_version": to_version})
    _, keys, others = FACTS["differing_messages"]
    connection.execute(UNCHANGED_MESSAGES.format(columns=", ".join((*keys, *others))))
    for contract in CONTRACTS:
        _find_files(connection, contract)
    days: list[date] = one_row(connection, "select new_days from compared")[0]
    return days


def _find_files(connection: duckdb.DuckDBPyConnection, contract: EventContract) -> None:
    _, _, columns = FACTS[f"differing_{contract.entity}"]
    connection.execute(
        FILES.format(
            entity=contract.entity,
            events=contract.table,
            id=contract.event_id,
            version=contract.version,
            says_what_counts_now=" and ".join(
                f"events.{column} is not distinct from after.{column}"
                for column in columns
                if column in contract.field_names
            ),
        )
    )


def is_recorded_since(connection: duckdb.DuckDBPyConnection, version: str) -> bool:
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
