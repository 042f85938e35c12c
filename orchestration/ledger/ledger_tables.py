"""The tables of the ledger, in the database of the reports: a copy of it is what readers open.

The published file is what counts: the tables here are brought to the version that readers see, before a new
one is added. So what a refresh wrote that was killed before it published is forgotten, and a rebuild takes
the ledger over.

Belongs here: their columns, and where their rows come from when they are missing. Does not belong here: the
rows of a new version (ledger.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from orchestration.sql import identifier, literal, one_row

TABLES = """
create table if not exists reports.main.versions (
    version varchar not null,
    previous_version varchar,
    is_linked_to_previous boolean not null,
    published_at timestamp not null,
    as_of date not null,
    as_of_ends_at timestamp not null,
    refresh_number integer not null,
    newest_file struct(path varchar, content_hash varchar),
    software_version varchar not null,
    settings struct(timezone varchar, currency varchar, attribution_window_days integer) not null,
    new_days date[] not null
);

create table if not exists reports.main.restatements (
    from_version varchar not null using compression dictionary,
    to_version varchar not null using compression dictionary,
    entity varchar not null using compression dictionary,
    message_id varchar not null using compression fsst,
    order_id varchar using compression fsst,
    customer_id varchar not null using compression fsst,
    customer_id_before varchar using compression fsst,
    customer_id_after varchar using compression fsst,
    message_date_before date,
    message_date_after date,
    queue_id_before varchar using compression dictionary,
    queue_id_after varchar using compression dictionary,
    user_id_before varchar using compression dictionary,
    user_id_after varchar using compression dictionary,
    status_before varchar using compression dictionary,
    status_after varchar using compression dictionary,
    occurred_at_before timestamp,
    occurred_at_after timestamp,
    is_in_open_window_before boolean,
    is_in_open_window_after boolean,
    order_value_before decimal(18, 2),
    order_value_after decimal(18, 2),
    refunded_value_before decimal(18, 2),
    refunded_value_after decimal(18, 2),
    is_last_touch_before boolean,
    is_last_touch_after boolean,
    was_settled boolean not null,
    causes varchar[] not null,
    changed_fields varchar[] not null,
    files struct(path varchar, content_hash varchar)[] not null
);

create table if not exists reports.main.restatement_totals (
    message_date date not null,
    queue_id varchar not null using compression dictionary,
    user_id varchar not null using compression dictionary,
    was_settled boolean not null,
    from_version varchar not null using compression dictionary,
    to_version varchar not null using compression dictionary,
    messages_sent bigint not null,
    messages_skipped bigint not null,
    messages_in_open_window bigint not null,
    touches bigint not null,
    touched_value decimal(38, 2) not null,
    touched_refunds decimal(38, 2) not null,
    revenue_credited decimal(38, 2) not null
);
"""

NAMES = ("versions", "restatements", "restatement_totals")


def make(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables that are missing, without rows: the table functions of the reports name them."""
    connection.execute(TABLES)


def bring_to_published(
    connection: duckdb.DuckDBPyConnection, published: Mapping[str, Sequence[str]]
) -> str | None:
    """Bring the ledger to the version that readers see.

    Args:
        connection: a connection to the warehouse, with the reports and the published file beside it.
        published: the columns of each published table, from
            :func:`orchestration.warehouse.last_published.published_tables`.

    Returns:
        The name of that version; None when there is none, or it has no ledger.
    """
    if not set(NAMES) <= published.keys():
        # What was never published is in no finished refresh.
        _forget_versions(
            connection,
            "version not in (select version_published from raw.refreshes where finished_at is not null)",
        )
        return None
    version: str = one_row(connection, "select max(version) from published.versions")[0]
    (known,) = one_row(connection, "select count(*) from reports.main.versions where version = ?", [version])
    if known:
        _forget_versions(connection, f"version > {literal(version)}")
    else:
        for name in NAMES:
            columns = ", ".join(map(identifier, published[name]))
            connection.execute(f"delete from reports.main.{name}")
            connection.execute(
                f"insert into reports.main.{name} ({columns}) select {columns} from published.{name}"
            )
    return version


def _forget_versions(connection: duckdb.DuckDBPyConnection, condition: str) -> None:
    versions = [
        version
        for (version,) in connection.execute(
            f"select version from reports.main.versions where {condition}"
        ).fetchall()
    ]
    if versions:
        for table, column in (("restatements", "to_version"), ("versions", "version")):
            connection.execute(
                f"delete from reports.main.{table} where {column} in (select unnest(?))", [versions]
            )
