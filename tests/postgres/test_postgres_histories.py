"""Random histories in several refreshes: after each, the database holds and answers what the file does."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import duckdb
import psycopg2
import pytest
from support.compared_hub import VERSIONS, ComparedHub
from support.hub_life import STEPS
from support.ledger_hub import Published
from support.postgres_comparison import SCHEMA, new_rows, tables_of, written_by_last_load


def test_every_version_is_the_same_in_postgres(hub: ComparedHub) -> None:
    assert hub.compared == [version.name for version in hub.versions]
    assert len(hub.compared) == len(STEPS) + 2


def test_only_what_differs_is_sent(
    hub: ComparedHub, new_database: Callable[[], str], bring_to: Callable[[str, Published], object]
) -> None:
    database = new_database()
    versions = hub.versions[-VERSIONS:]
    bring_to(database, versions[0])
    for before, after in itertools.pairwise(versions):
        bring_to(database, after)
        with psycopg2.connect(database) as connection, connection.cursor() as cursor:
            for table in tables_of(cursor):
                assert written_by_last_load(cursor, table) == new_rows(before.file, after.file, table), table


@pytest.mark.parametrize(
    "call",
    [
        "overview_compared('2026-01-01', '2026-01-31', against := 'month')",
        "queue_breakdown_compared('2026-01-01', '2026-01-31', base_from := '2025-01-01')",
        "user_breakdown_compared('2026-01-01', '2026-01-31', 'year', '2025-12-01', '2025-12-31')",
        "why('2026-02-30', '2026-02-30', '2026-01-01', '2026-01-31')",
        "figures_as_of(null, '2026-01-01', '2026-01-31')",
    ],
)
def test_what_cannot_be_answered_is_refused_in_the_same_words(hub: ComparedHub, call: str) -> None:
    with (
        duckdb.connect(str(hub.settings.published), read_only=True) as published,
        pytest.raises(duckdb.InvalidInputException) as by_file,
    ):
        published.execute(f"from {call}").fetchall()
    with (
        psycopg2.connect(hub.settings.postgres_url) as connection,
        connection.cursor() as cursor,
        pytest.raises(psycopg2.DataError) as by_server,
    ):
        cursor.execute(f"select * from {SCHEMA}.{call}")

    said = by_server.value.diag.message_primary
    assert said.endswith(".")
    assert said in str(by_file.value)
