"""Random histories in several refreshes: after each, the database holds and answers what the file does."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import psycopg2
from comparing import new_rows, tables_of, written_by_last_load
from conftest import VERSIONS, ComparedHub
from ledger_hub import Published
from test_ledger_histories import STEPS


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
