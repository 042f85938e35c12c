"""Readers that ask without pause while refreshes publish: no error, and no answer that mixes two versions."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import publish, reading, refresh

from orchestration.publishing import publish as publishing
from orchestration.settings import Settings
from orchestration.sql import one_row
from orchestration.warehouse import run_log, stamps
from orchestration.warehouse.databases import attach_reports

# Whole refreshes, and after them publishes alone, which is what readers could notice, in faster succession.
REFRESHES, PUBLISHES = 2, 20

# How many questions are asked through one connection before the next one is opened.
ROUNDS = 30

VERSION = "select (select max(refresh_number) from refreshes), (select refreshed_at from report_info)"

FIGURES = (
    "select count(*), sum(revenue_credited) from fct_messages where status = 'sent'",
    "select sum(messages_sent), sum(revenue_credited) from mart_overview_daily",
    "select sum(messages_sent), sum(revenue_credited) from mart_queue_daily",
    "select sum(messages_sent), sum(revenue_credited) from mart_user_daily",
    "select messages_sent, revenue_credited from overview('2000-01-01', '2099-12-31')",
)

# All of it in one query, as for readers that open a connection for each.
AT_ONCE = f"from ({VERSION}) cross join (select distinct * from ({' union all '.join(FIGURES)}))"


class Holds(Enum):
    """How long a reader holds a connection."""

    ONE_QUERY = auto()
    SOME_QUERIES = auto()
    UNTIL_THE_VERSION_IS_REMOVED = auto()


@dataclass(frozen=True)
class Answer:
    """What a reader was told: of which refresh, made when, and two figures on which all tables agreed."""

    refresh_number: int
    refreshed_at: datetime
    messages_sent: int
    revenue_credited: Decimal


@dataclass
class Reader:
    """What one reader was told so far."""

    answers: int = 0
    removed_while_open: int = 0
    versions: dict[int, Answer] = field(default_factory=dict)

    def note(self, answer: Answer) -> None:
        self.answers += 1
        known = self.versions.setdefault(answer.refresh_number, answer)
        assert answer == known, f"one refresh, two answers: {known}, {answer}"


@pytest.mark.long
def test_readers_see_whole_versions_while_refreshes_publish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Else the last version of a day stays, which the reader would wait for that opens it before midnight.
    monkeypatch.setattr(publishing, "DAYS_KEPT", 0)
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    land_an_event_of_each_kind(hub, 0)
    refresh(hub)
    published = [told(hub)]
    with readers(hub.published, stop=tmp_path / "stop") as futures:
        for number in range(1, REFRESHES + PUBLISHES + 1):
            if number <= REFRESHES:
                land_an_event_of_each_kind(hub, number)
                refresh(hub)
            else:
                publish_another_message(hub, number)
            published.append(told(hub))
            if any(future.done() for future in futures.values()):
                break

    for future in futures.values():
        future.result()
    assert [answer.messages_sent for answer in published] == list(range(1, REFRESHES + PUBLISHES + 2))
    assert len({answer.revenue_credited for answer in published}) == len(published)
    known = {answer.refresh_number: answer for answer in published}
    for holds, future in futures.items():
        reader = future.result()
        print(f"\n{holds.name}: {reader.answers} answers over {len(reader.versions)} versions", end="")
        assert reader.answers > 20, holds
        assert len(reader.versions) > 1, holds
        assert reader.versions.items() <= known.items(), holds
    assert futures[Holds.UNTIL_THE_VERSION_IS_REMOVED].result().removed_while_open > 0


@contextmanager
def readers(published: Path, stop: Path) -> Iterator[dict[Holds, Future[Reader]]]:
    """A process for each kind of reader, all of them at work until the end."""
    with ProcessPoolExecutor(len(Holds), multiprocessing.get_context("spawn")) as pool:
        futures = {holds: pool.submit(read_without_pause, published, holds, stop) for holds in Holds}
        try:
            yield futures
        finally:
            stop.touch()


def read_without_pause(published: Path, holds: Holds, stop: Path) -> Reader:
    """Ask until there is a file of that name."""
    reader = Reader()
    newest = 0
    while not stop.exists():
        version = published.resolve()
        with reading(published) as connection:
            match holds:
                case Holds.ONE_QUERY:
                    answer = Answer(*one_row(connection, AT_ONCE))
                case Holds.SOME_QUERIES:
                    answer = asked_one_by_one(connection)
                    for _ in range(ROUNDS):
                        assert asked_one_by_one(connection) == answer
                        reader.note(answer)
                case Holds.UNTIL_THE_VERSION_IS_REMOVED:
                    answer = asked_one_by_one(connection)
                    while version.exists() and not stop.exists():
                        assert asked_one_by_one(connection) == answer
                        # Others of the same process go on to the newest meanwhile.
                        with reading(published) as another:
                            reader.note(asked_one_by_one(another))
                    assert asked_one_by_one(connection) == answer
                    reader.removed_while_open += not version.exists()
            reader.note(answer)
        assert answer.refresh_number >= newest, "an older version after a newer one"
        newest = answer.refresh_number
    return reader


def asked_one_by_one(connection: duckdb.DuckDBPyConnection) -> Answer:
    """Each figure by a query of its own, all through one connection; they have to agree."""
    version = one_row(connection, VERSION)
    figures = {one_row(connection, query) for query in FIGURES}
    assert len(figures) == 1, f"tables that disagree: {figures}"
    assert one_row(connection, VERSION) == version
    return Answer(*version, *figures.pop())


def told(hub: Settings) -> Answer:
    """What a reader is told who opens the file now."""
    with reading(hub.published) as connection:
        return asked_one_by_one(connection)


def land_an_event_of_each_kind(hub: Settings, number: int) -> None:
    """A message, and an order that it brought."""
    sent = datetime(2026, 1, 1, 10) + timedelta(days=number)
    message = {
        "message_id": f"m{number}",
        "customer_id": f"c{number % 3}",
        "queue_id": f"q{number % 2}",
        "user_id": f"u{number % 4}",
        "status": "sent",
        "occurred_at": sent.isoformat(),
    }
    order = {
        "order_id": f"o{number}",
        "customer_id": message["customer_id"],
        "ordered_at": (sent + timedelta(hours=1)).isoformat(),
        "order_value": "19.99",
        "sales_channel": "online",
    }
    land_csv(hub.landing / "messages" / f"{number:02}.csv", [message])
    land_csv(hub.landing / "orders" / f"{number:02}.csv", [order])


def publish_another_message(hub: Settings, number: int) -> None:
    """Publish with one message more, which was put where a refresh would have put it."""
    run_id = f"publish {number}"
    with duckdb.connect(str(hub.warehouse)) as connection:
        run_log.begin(connection, run_id, hub)
        attach_reports(connection, hub)
        stamps.write_to_reports(connection, stamps.stamp_of_run(connection, run_id, is_complete=False))
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute("begin")
        connection.execute("update report_info set refreshed_at = refreshed_at + interval 1 second")
        (day, revenue) = one_row(
            connection, "select message_date, revenue_credited from fct_messages where message_id = 'm0'"
        )
        connection.execute(
            "insert into fct_messages "
            "select * replace (? as message_id) from fct_messages where message_id = 'm0'",
            [f"m{number}"],
        )
        for table in ("messages_by_day", "mart_overview_daily", "mart_queue_daily", "mart_user_daily"):
            connection.execute(
                f"update {table} "
                "set messages_sent = messages_sent + 1, revenue_credited = revenue_credited + ? "
                "where message_date = ?",
                [revenue, day],
            )
        connection.execute("commit")
    publish(hub, run_id)
