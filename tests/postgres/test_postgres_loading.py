"""What readers of a database meet while it is brought to another version, and what brings it back.

Belongs here: kills, readers, lag, foreign hands, errors, rights. Does not belong here: whether every version
is the same in PostgreSQL (test_postgres_histories.py).
"""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
from support import pipeline
from support.compared_hub import VERSIONS, ComparedHub
from support.landing import land_json_lines
from support.ledger_hub import Published
from support.postgres_comparison import FUNCTIONS, SCHEMA, assert_same, rows, tables_of
from support.postgres_server import address, admin, make_roles
from support.strategies import Filter

from orchestration import refresh
from orchestration.postgres.bring_up import BringUpError, BroughtUp, bring_up
from orchestration.settings import REPOSITORY, Settings

ALL_TIME = [Filter(date(2000, 1, 1), date(2099, 12, 31), None, None)]

BringTo = Callable[[str, Published], BroughtUp]

KILLS = 8
# Of all versions, so twenty publishings.
ROUNDS_OF_READING = 4

# In one statement, so of one version: how it is called, what tables hold, and what a function answers.
READ = """
select
    (select max(version) from {schema}versions),
    (select count(*) from {schema}fct_messages),
    (select sum(order_value) from {schema}fct_message_orders),
    (select sum(revenue_generated) from {schema}mart_overview_daily),
    figures.*
from {schema}overview('2000-01-01', '2099-12-31') as figures
"""


@pytest.fixture(scope="module")
def first_version(new_database: Callable[[], str], hub: ComparedHub, bring_to: BringTo) -> str:
    """A database that holds the first of the versions whose files are there, to be copied."""
    database = new_database()
    bring_to(database, hub.versions[-VERSIONS])
    return database


@pytest.fixture
def holding_first(first_version: str, server: Path) -> Callable[[], str]:
    """Makes a database that holds the first version."""
    numbers = itertools.count()

    def make() -> str:
        name = f"copy_{time.monotonic_ns()}_{next(numbers)}"
        with admin(server) as cursor:
            cursor.execute(
                f"create database {name} template {psycopg2.extensions.parse_dsn(first_version)['dbname']}"
            )
        return address(server, name)

    return make


BRING_UP = """
import json, sys
from dataclasses import replace
from pathlib import Path
from orchestration.postgres.bring_up import bring_up
from orchestration.settings import Settings
manifest = json.loads(Path(sys.argv[1]).read_text())
print("begins", flush=True)
bring_up(Settings.from_environment(), manifest)
print("done", flush=True)
"""


def test_a_kill_leaves_one_version_whole(
    hub: ComparedHub, holding_first: Callable[[], str], server: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(pipeline.manifest()))
    chance = random.Random("kills")
    before, after = hub.versions[-VERSIONS], hub.versions[-1]

    def begin(database: str) -> subprocess.Popen[str]:
        settings = replace(hub.settings, postgres_url=database)
        process = subprocess.Popen(
            [sys.executable, "-c", BRING_UP, str(manifest)],
            cwd=REPOSITORY,
            env={"PATH": "/usr/bin:/bin", **settings.as_environment()},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        return process

    started = time.monotonic()
    assert begin(holding_first()).wait() == 0
    whole = time.monotonic() - started
    left = []
    for _ in range(KILLS):
        database = holding_first()
        process = begin(database)
        time.sleep(chance.uniform(0, whole))
        process.kill()
        process.wait()
        with admin(server) as cursor:
            while rows(cursor, "select 1 from pg_stat_activity where application_name = 'contact-reporting'"):
                time.sleep(0.01)
        with psycopg2.connect(database) as connection, connection.cursor() as cursor:
            ((version,),) = rows(cursor, f"select version from {SCHEMA}.loaded_version")
        assert_same({before.name: before, after.name: after}[version].file, database, ALL_TIME)
        left.append(version)
        bring_up(replace(hub.settings, postgres_url=database), pipeline.manifest())
        assert_same(after.file, database, ALL_TIME)
    print(f"\n{left.count(before.name)} of {KILLS} kills left the version before")
    assert before.name in left


def test_readers_see_one_version_and_never_wait(
    hub: ComparedHub, holding_first: Callable[[], str], bring_to: BringTo
) -> None:
    database = holding_first()
    expected = {}
    for version in hub.versions[-VERSIONS:]:
        with duckdb.connect(str(version.file), read_only=True) as published:
            (row,) = published.execute(READ.format(schema="")).fetchall()
            expected[row[0]] = row
    reading = Reading(database)
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read")
        query = READ.format(schema=f"{SCHEMA}.")
        assert rows(cursor, query) == [expected[hub.versions[-VERSIONS].name]]
        reading.start()
        for _ in range(ROUNDS_OF_READING):
            for version in hub.versions[-VERSIONS:]:
                bring_to(database, version)
            # So that the next round begins anew, with all rows deleted and inserted.
            forget_version(database)
        # This transaction began before all of them.
        assert rows(cursor, query) == [expected[hub.versions[-VERSIONS].name]]
    reading.stop()
    assert set(reading.seen) <= set(expected.values())
    assert {row[0] for row in reading.seen} == set(expected)


class Reading(threading.Thread):
    """A reader who asks without pause, and whom a lock that he must wait for ends."""

    def __init__(self, database: str) -> None:
        super().__init__()
        self._database = database
        self._stopped = threading.Event()
        self._failed: BaseException | None = None
        self.seen: dict[Any, None] = {}

    def run(self) -> None:
        try:
            with psycopg2.connect(self._database) as connection:
                connection.autocommit = True
                cursor = connection.cursor()
                cursor.execute("set lock_timeout = '10ms'")
                while not self._stopped.is_set():
                    self.seen.update(dict.fromkeys(rows(cursor, READ.format(schema=f"{SCHEMA}."))))
        except psycopg2.Error as error:
            self._failed = error

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        if self._failed:
            raise self._failed


def forget_version(database: str) -> None:
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"delete from {SCHEMA}.loaded_version")


def test_versions_that_were_missed_are_caught_up_with(
    hub: ComparedHub, holding_first: Callable[[], str], bring_to: BringTo
) -> None:
    database = holding_first()

    done = bring_to(database, hub.versions[-1])

    assert (done.held, done.version, done.reloaded) == (
        hub.versions[-VERSIONS].name,
        hub.versions[-1].name,
        {},
    )
    assert_same(hub.versions[-1].file, database, ALL_TIME)


def test_without_the_file_of_the_version_that_is_held_all_rows_are_loaded(
    hub: ComparedHub, holding_first: Callable[[], str], bring_to: BringTo
) -> None:
    database = holding_first()
    folder = hub.settings.versions / hub.versions[-VERSIONS].name
    folder.rename(folder.with_name("elsewhere"))
    try:
        done = bring_to(database, hub.versions[-1])
    finally:
        folder.with_name("elsewhere").rename(folder)

    assert set(done.reloaded.values()) == {"the file of the version that was held is gone"}
    assert all("fct_messages" in sentence for sentence in done.sentences)
    assert_same(hub.versions[-1].file, database, ALL_TIME)


@pytest.mark.parametrize(
    ("touched", "table"),
    [
        (
            "delete from fct_messages where message_id = (select min(message_id) from fct_messages)",
            "fct_messages",
        ),
        ("update mart_overview set messages_sent = 0", "mart_overview"),
        ("insert into dim_users select 'one more', 'One more'", "dim_users"),
        ("truncate fct_orders", "fct_orders"),
        ("drop table dim_users", "dim_users"),
        ("alter table fct_orders add note text", "fct_orders"),
        ("alter table fct_messages drop constraint fct_messages_pkey", "fct_messages"),
        ("drop trigger note_touch on dim_users; delete from dim_users", "dim_users"),
        ("drop function overview(date, date, text[], text[])", None),
        (
            "create or replace function messages_over_time"
            "(date_from date, date_to date, queues text[] default null, users text[] default null) "
            "returns table (message_date date) language sql as 'select current_date'",
            None,
        ),
    ],
)
def test_what_somebody_else_changed_is_found_and_put_right(
    touched: str, table: str | None, hub: ComparedHub, holding_first: Callable[[], str], bring_to: BringTo
) -> None:
    database = holding_first()
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"set search_path = {SCHEMA}")
        if "returns" in touched:
            cursor.execute("drop function messages_over_time(date, date, text[], text[])")
        cursor.execute(touched)

    # Whether the version is another one or the same.
    done = bring_to(database, hub.versions[-VERSIONS])

    assert set(done.reloaded) == ({table} if table else set())
    assert_same(hub.versions[-VERSIONS].file, database, ALL_TIME)
    assert bring_to(database, hub.versions[1 - VERSIONS]).reloaded == {}
    assert_same(hub.versions[1 - VERSIONS].file, database, ALL_TIME)


def test_tables_and_columns_have_the_words_of_the_docs(
    hub: ComparedHub, holding_first: Callable[[], str], bring_to: BringTo
) -> None:
    database = holding_first()
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"comment on column {SCHEMA}.fct_messages.user_id is 'Words of an older version.'")
        cursor.execute(f"comment on table {SCHEMA}.dim_queues is null")

    version = hub.versions[1 - VERSIONS]
    bring_to(database, version)

    with duckdb.connect(str(version.file), read_only=True) as published:
        expected = published.execute(
            "select table_name, '', comment from duckdb_tables() where comment is not null union all "
            "select table_name, column_name, comment from duckdb_columns() "
            "where comment is not null and table_name in (select table_name from duckdb_tables())"
        ).fetchall()
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        found = rows(
            cursor,
            f"""
            select tables.table_name, columns.column_name, columns.comment
            from information_schema.tables as tables
            cross join lateral (
                select '' as column_name, obj_description(('{SCHEMA}.' || table_name)::regclass) as comment
                union all
                select column_name, col_description(('{SCHEMA}.' || table_name)::regclass, ordinal_position)
                from information_schema.columns
                where table_schema = tables.table_schema and table_name = tables.table_name
            ) as columns
            where
                table_schema = '{SCHEMA}'
                and table_name not in ('loaded_version', 'loaded_tables')
                and columns.comment is not null
            """,
        )
    assert found
    assert sorted(found) == sorted(expected)


def test_text_that_means_something_to_copy_arrives_as_it_is(tmp_path: Path, database: str) -> None:
    settings = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD", postgres_url=database)
    texts = [
        "\\.",
        "a\n\\.\nb",
        "\\N",
        "NULL",
        '"',
        '""',
        "'; drop schema contact_reports; --",
        "{a,b}",
        "a\0b",
        "\t",
    ]
    message = {"status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}
    ids = [
        {"message_id": f"m{text}", "customer_id": text, "queue_id": text, "user_id": text} for text in texts
    ]
    order = {"ordered_at": "2026-01-11T10:00:00Z", "order_value": "10.00", "sales_channel": "online"}
    orders = [{"order_id": f"o{text}", "customer_id": text} for text in texts]
    land_json_lines(settings.landing / "messages" / 'a"b\\.jsonl', [{**message, **one} for one in ids])
    land_json_lines(settings.landing / "orders" / "a.jsonl", [{**order, **one} for one in orders])

    file = pipeline.refresh(settings)

    days = (date(2026, 1, 1), date(2026, 1, 31))
    assert_same(file, database, [Filter(*days, [text], None) for text in texts if "\0" not in text])
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        assert {"a\u2400b"} == {
            name
            for (name,) in rows(cursor, f"select queue_id from {SCHEMA}.dim_queues where queue_id like 'a_b'")
        }


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://owner:secret@127.0.0.1:1/reports", "Connection refused"),
        ("postgresql://owner:secret%zz@127.0.0.1:1/reports", "no address that libpq can read"),
        ("postgresql://owner:secret@/reports?host={server}", "password authentication failed"),
    ],
)
def test_a_database_out_of_reach_stops_nothing_and_no_password_is_said(
    url: str, said: str, hub: ComparedHub, server: Path
) -> None:
    settings = replace(hub.settings, postgres_url=url.format(server=server))
    log: list[str] = []

    done = refresh.bring_up_postgres(pipeline.run_of(settings, "r", log.append), pipeline.manifest())

    assert isinstance(done, BringUpError)
    (sentence,) = log
    assert said in sentence
    assert "The next refresh tries again." in sentence
    assert "secret" not in sentence + repr(settings)


def test_a_database_of_another_hub_is_left_alone(
    hub: ComparedHub, holding_first: Callable[[], str], bring_to: BringTo
) -> None:
    database = holding_first()
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"update {SCHEMA}.loaded_version set version = '20200101T000000.000000Z'")

    with pytest.raises(BringUpError, match="which this hub has never published"):
        bring_to(database, hub.versions[-1])

    assert_same(hub.versions[-VERSIONS].file, database, [])


def test_a_schema_that_nobody_here_made_is_left_alone(
    hub: ComparedHub, database: str, bring_to: BringTo
) -> None:
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute(f"create schema {SCHEMA}; create table {SCHEMA}.precious (id int)")

    with pytest.raises(BringUpError, match="has tables that no refresh has made"):
        bring_to(database, hub.versions[-VERSIONS])

    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        assert tables_of(cursor) == {"precious"}


def test_the_roles_can_do_what_they_need_and_nothing_else(
    hub: ComparedHub, database: str, bring_to: BringTo, server: Path
) -> None:
    name = psycopg2.extensions.parse_dsn(database)["dbname"]
    make_roles(server, name)

    bring_to(address(server, name, "contact_owner"), hub.versions[-VERSIONS])
    bring_to(address(server, name, "contact_owner"), hub.versions[1 - VERSIONS])

    assert_same(hub.versions[1 - VERSIONS].file, address(server, name, "bi"), ALL_TIME)
    for forbidden in (
        f"delete from {SCHEMA}.fct_messages",
        f"update {SCHEMA}.loaded_version set version = ''",
        f"insert into {SCHEMA}.dim_users values ('a', 'b')",
        f"truncate {SCHEMA}.mart_overview",
        f"drop table {SCHEMA}.mart_overview",
        f"drop function {SCHEMA}.{FUNCTIONS[0]}",
        f"create table {SCHEMA}.mine (id int)",
        "create table public.mine (id int)",
        "create temp table mine (id int)",
        "create schema mine",
    ):
        with (
            psycopg2.connect(address(server, name, "bi")) as connection,
            connection.cursor() as cursor,
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
        ):
            cursor.execute(forbidden)
