"""The tables of ``raw`` and ``quarantine``: events, what became of files and rows, the record of refreshes.

Belongs here: their columns, and making those that are missing. Does not belong here: what is written to them
(landing, run_log.py), the tables of the models, which dbt makes.
"""

from __future__ import annotations

import duckdb

from orchestration.landing.contracts import CONTRACTS, EventContract

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

-- Added in version 0.4.0: mappings, which skip rows, and the record of what validated a file.
alter table raw.contents add column if not exists rows_skipped bigint default 0;
alter table raw.contents add column if not exists validated_by varchar;

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

-- Added in version 0.4.0.
alter table quarantine.rejected_events add column if not exists mapped_text varchar;

-- The contents of the rows in raw.removed_*, as long as these are remembered.
create table if not exists raw.removed_contents (
    file_id integer not null,
    entity varchar not null,
    path varchar not null,
    is_intended boolean not null,
    content_hash varchar not null
);
"""

REFRESHES = """
create table if not exists raw.refreshes (
    refresh_number integer not null,
    run_id varchar not null,
    started_at timestamp not null,
    finished_at timestamp,
    files_loaded bigint not null,
    files_failed bigint not null,
    messages_accepted bigint not null,
    messages_rejected bigint not null,
    orders_accepted bigint not null,
    orders_rejected bigint not null,
    days_recomputed bigint,
    rows_replaced bigint,
    rows_replaced_by_model map(varchar, bigint),
    rebuilt_because varchar[],
    seconds_by_step map(varchar, double) not null,
    version_published varchar,
    loaded_through integer,
    software_version varchar not null,
    engine varchar not null,
    timezone varchar,
    currency varchar
);

-- Added with the second engine.
alter table raw.refreshes add column if not exists engine varchar default 'duckdb';

-- Added when zone and currency came to belong to the hub.
alter table raw.refreshes add column if not exists timezone varchar;
alter table raw.refreshes add column if not exists currency varchar;

-- Added in version 0.4.0: runs of some of the steps, which are not published.
alter table raw.refreshes add column if not exists is_partial boolean default false;
"""


# What readers of the published table are told.
REFRESHES_COMMENT = (
    "One row per refresh, finished or not: what it loaded, computed and published. Instants are in UTC."
)
REFRESHES_COLUMN_COMMENTS = {
    "refresh_number": "The number of the refresh: 1 is the first one of the hub.",
    "run_id": "The run of Dagster that did the refresh.",
    "started_at": "When it began.",
    "finished_at": "When readers could see what it published. NULL when it did not get so far.",
    "files_loaded": "How many landed files it loaded.",
    "files_failed": "How many landed files could not be loaded.",
    "messages_accepted": "Rows of messages that it accepted.",
    "messages_rejected": "Rows of messages that it rejected, into the quarantine.",
    "orders_accepted": "Rows of orders that it accepted.",
    "orders_rejected": "Rows of orders that it rejected, into the quarantine.",
    "days_recomputed": "How many days of messages it gave other figures.",
    "rows_replaced": "How many rows of all tables are new or other than at the last finished refresh.",
    "rows_replaced_by_model": "The same for each table.",
    "rebuilt_because": "Why it rebuilt models, by reason. Empty when it computed only what changed.",
    "seconds_by_step": "How many seconds each step took.",
    "version_published": "The name of the version that it published, below published/versions.",
    "loaded_through": "The number of the last landed file that it took in: the next high-water mark.",
    "software_version": "Version of this software.",
    "engine": "What computed the models: duckdb or spark.",
    "timezone": "The reporting time zone (IANA name) that it computed with.",
    "currency": "The reporting currency (ISO 4217) that it loaded orders with.",
}


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


def digest_of(contract: EventContract) -> str:
    """The SQL of ``id_digest``, over the id of an event."""
    return f"hash({contract.event_id})"


def make_record_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of what became of files, rows and refreshes, where they are missing."""
    connection.execute(RECORDS)
    connection.execute(REFRESHES)
    for contract in CONTRACTS:
        _make_event_table(connection, contract, f"removed_{contract.table}")


def make_event_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """The tables of the accepted events, where they are missing."""
    for contract in CONTRACTS:
        _make_event_table(connection, contract, contract.table)


def _make_event_table(connection: duckdb.DuckDBPyConnection, contract: EventContract, table: str) -> None:
    columns = ", ".join(
        f"{name} {column_type}{'' if name in contract.field_names else ' not null'}"
        for name, column_type in columns_of_raw(contract)
    )
    connection.execute(f"create table if not exists raw.{table} ({columns})")
