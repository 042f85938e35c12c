"""Random histories in several refreshes: after each, the database holds and answers what the file does."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pipeline
import psycopg2
import pytest
from comparing import assert_same, new_rows, tables_of, written_by_last_load
from ledger_hub import Published, RecordedHub
from strategies import TIMEZONES, Filter, History, drawn, filters
from test_incremental_refresh import landed_histories
from test_ledger_histories import STEPS, batches_of, live

from orchestration.postgres.bring_up import BroughtUp, bring_up
from orchestration.settings import Settings

HISTORIES = 50

FILTERS = 6

# Every kind of filter that the functions tell apart, over all time.
SHAPES = [
    Filter(date(2000, 1, 1), date(2099, 12, 31), queues, users)
    for queues in (None, ["queue-1"], ["queue-1", "queue-1", "queue-2"], [])
    for users in (None, ["user-1"], ["user-1", "user-2"])
]


def test_every_version_is_the_same_in_postgres(
    request: pytest.FixtureRequest, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = request.config.getoption("--histories-seed")
    chance = random.Random(f"{seed} postgres")
    settings = Settings(tmp_path / "hub", chance.choice(TIMEZONES), date.max, "USD", postgres_url=database)
    hub = RecordedHub(settings)
    asked: list[Filter] = []
    publish = RecordedHub.publish

    def publish_and_compare(self: RecordedHub) -> Published:
        self.settings = replace(self.settings, postgres_url=database)
        version = publish(self)
        # The refresh brought it there already.
        assert bring_up(self.settings, pipeline.manifest()) == BroughtUp(version.name, version.name, 0, 0, {})
        messages = tuple(version.state.events.messages.values())
        asked[:] = asked or drawn(filters(History(messages, (), self.settings.as_of)), FILTERS, seed)
        # The functions are compiled once, and asked for all kinds of filters at first, and after all steps.
        is_first_or_last = len(self.versions) in (1, len(STEPS) + 2)
        assert_same(version.file, database, [*asked, *(SHAPES if is_first_or_last else [])])
        return version

    monkeypatch.setattr(RecordedHub, "publish", publish_and_compare)
    steps = live(hub, batches_of(drawn(landed_histories(), HISTORIES, seed)), chance)
    print(f"\nseed {seed}: {', '.join(steps)}")
    assert len(hub.versions) == len(STEPS) + 2


def test_only_what_differs_is_sent(
    hub: RecordedHub, new_database: Callable[[], str], bring_to: Callable[[str, Published], object]
) -> None:
    database = new_database()
    bring_to(database, hub.versions[0])
    for before, after in itertools.pairwise(hub.versions):
        bring_to(database, after)
        with psycopg2.connect(database) as connection, connection.cursor() as cursor:
            for table in tables_of(cursor):
                assert written_by_last_load(cursor, table) == new_rows(before.file, after.file, table), table
