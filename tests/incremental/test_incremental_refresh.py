"""Any sequence of refreshes leaves exactly what a rebuild from nothing of the same landed files gives."""

from __future__ import annotations

import json
import random
import tempfile
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from support.landed_histories import MOST_BATCHES, Batch, Landed, land_batch, landed_histories, write_events
from support.oracle import Message, Order
from support.pipeline import build, executed, load_and_build
from support.rebuilds import assert_equals_a_rebuild
from support.strategies import TIMEZONES, drawn, histories, of_history, side_by_side

from orchestration.settings import Settings

# Histories that lie side by side in one hub: customers of their own, queues, users and days in common. A
# refresh costs the same for one as for several.
HISTORIES_PER_HUB = 25

# Models that are rebuilt batch by batch, and variables that cut them into many.
BATCHED = ("fct_message_orders", "fct_orders", "fct_messages", "counts_by_day")
SMALL_BATCHES = {"rows_per_batch": 1, "bytes_per_message": 200_000_000}


@pytest.mark.long
def test_incremental_refreshes_equal_a_rebuild_after_each_batch(request: pytest.FixtureRequest) -> None:
    drawn_from = request.config.getoption("--histories-seed")
    hubs = -(-request.config.getoption("--histories") // HISTORIES_PER_HUB)
    several = drawn(landed_histories(), hubs * HISTORIES_PER_HUB, drawn_from)
    print(f"\nseed {drawn_from}, {len(several)} histories, {sum(len(one) for one, _ in several)} versions")
    for number in range(hubs):
        _check_a_hub(several[number::hubs], random.Random(f"{drawn_from} {number}"))


def test_a_rebuild_in_batches_equals_one_at_once(tmp_path: Path) -> None:
    history = side_by_side(drawn(histories(max_messages=8, max_orders=8), HISTORIES_PER_HUB, 0))
    hub = Settings(tmp_path / "hub", "Europe/Paris", history.as_of, "USD")
    # An order that messages of two months touch, as far apart as they can be: clocks go forward between them.
    instants = (datetime(2025, 3, 24, 22, 30), datetime(2025, 3, 31, 22, 10))
    messages = [Message(f"m-{at:%m-%d}", "c", "q", "u", "sent", at, at) for at in instants]
    at = datetime(2025, 3, 31, 22, 20)
    order = Order("o", "c", at, Decimal("1.00"), Decimal("0.00"), "online", "placed", at)
    land_batch(hub, {"messages": [*history.messages, *messages], "orders": [*history.orders, order]}, 0)
    build(hub)
    assert {executed(model).count("insert into") for model in BATCHED} == {1}

    assert_equals_a_rebuild(hub, "--vars", json.dumps(SMALL_BATCHES))
    assert min(executed(model).count("insert into") for model in BATCHED) > 3


def test_the_as_of_day_alone_moves_open_windows(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 10), "USD")
    sent_at = datetime(2026, 1, 10, 12)
    land_batch(
        hub, {"messages": [Message("m1", "c1", "q1", "u1", "sent", sent_at, sent_at)], "orders": []}, 0
    )
    for as_of, still_open in (
        (date(2026, 1, 10), 1),
        (date(2026, 1, 17), 0),
        (date(2027, 1, 1), 0),
        # An earlier day than before: the window is open again.
        (date(2026, 1, 16), 1),
    ):
        hub = replace(hub, as_of=as_of)
        build(hub)

        with duckdb.connect(str(hub.reports), read_only=True) as connection:
            for mart in ("mart_overview_daily", "mart_queue_daily", "mart_user_daily"):
                counted = connection.sql(f"select messages_in_open_window from {mart}").fetchall()
                assert counted == [(still_open,)], f"{mart} as of {as_of}"
        if as_of >= date(2027, 1, 1):
            assert_equals_a_rebuild(hub)
    assert_equals_a_rebuild(hub)


def test_a_version_that_only_a_killed_refresh_saw_leaves_nothing_behind(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    sent_at = datetime(2026, 1, 10, 12)

    def message_of(customer: str, version: int) -> Message:
        return Message("m1", customer, "q1", "u1", "sent", sent_at, sent_at + timedelta(days=version))

    orders: list[Message | Order] = [
        Order(f"o-{name}", name, sent_at, Decimal("1.00"), Decimal("0.00"), "online", "placed", sent_at)
        for name in ("c0", "c1", "c2")
    ]
    land_batch(hub, {"messages": [message_of("c0", 0)], "orders": orders}, 0)
    build(hub)
    land_batch(hub, {"messages": [message_of("c1", 1)], "orders": []}, 1)
    load_and_build(hub, "killed before it published")
    land_batch(hub, {"messages": [message_of("c2", 2)], "orders": []}, 2)
    build(hub)

    assert_equals_a_rebuild(hub)


def test_an_older_version_that_lands_late_changes_nothing(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    land_batch(hub, _of_version(2), 0)
    build(hub)
    land_batch(hub, _of_version(1), 1)
    build(hub)

    assert_equals_a_rebuild(hub)


@pytest.mark.long
def test_overwritten_and_removed_files_change_what_a_rebuild_says(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    file = hub.landing / "messages" / "dump.jsonl"
    first = [_message(name, "c1") for name in ("m1", "m2", "m3")]
    land_batch(hub, _of_version(1), 0)
    for content in (
        first,
        # The full dump again, with one message more: nothing that was there has changed.
        [*first, _message("m4", "c1")],
        # A message that has left, which stays; one that says something else.
        [_message("m1", "c1"), _message("m2", "c2", version=1)],
        # An older dump, which has every message: an older version counts again.
        [_message("m1", "c1"), _message("m2", "c1")],
        [],
        None,
        [_message("m9", "c1")],
    ):
        if content is None:
            file.unlink()
        else:
            write_events(file, content)
        build(hub)
        assert_equals_a_rebuild(hub)


def test_rows_that_a_killed_refresh_removed_are_gone_after_the_next(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    file = hub.landing / "messages" / "dump.jsonl"
    land_batch(hub, _of_version(1), 0)
    write_events(file, [_message("m2", "c1")])
    build(hub)
    write_events(file, [_message("m2", "c2"), _message("m3", "c1")])
    load_and_build(hub, "killed before it published")
    # What the killed refresh had loaded is dumped again, some of it as it was.
    write_events(file, [_message("m2", "c1"), _message("m3", "c1"), _message("m4", "c1")])
    build(hub)

    assert_equals_a_rebuild(hub)


def test_a_dump_that_repeats_what_is_there_changes_no_fact(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    file = hub.landing / "messages" / "dump.jsonl"
    land_batch(hub, _of_version(1), 0)
    write_events(file, [_message("m2", "c1"), _message("m3", "c1")])
    build(hub)
    write_events(file, [_message("m3", "c1"), _message("m2", "c1"), _message("m4", "c2")])
    load_and_build(hub, "one")

    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        changed = connection.sql("select distinct message_id from changes.changed_messages").fetchall()
    assert changed == [("m4",)]


def _message(message_id: str, customer_id: str, version: int = 0) -> Message:
    sent_at = datetime(2026, 1, 10, 12)
    return Message(message_id, customer_id, "q1", "u1", "sent", sent_at, sent_at + timedelta(days=version))


def test_versions_are_found_after_a_change_of_duckdb_that_makes_other_digests(tmp_path: Path) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    land_batch(hub, _of_version(1), 0)
    build(hub)
    with duckdb.connect(str(hub.warehouse)) as connection:
        for table in ("message_events", "order_events"):
            connection.execute(f"update raw.{table} set id_digest = xor(id_digest, 1)")
    land_batch(hub, _of_version(2), 1)
    build(hub)

    assert_equals_a_rebuild(hub)


def _of_version(version: int) -> Batch:
    """A message and an order, which it touches, in a version of both."""
    sent_at = datetime(2026, 1, 10, 12)
    updated_at = sent_at + timedelta(days=version)
    order = Order("o1", "c1", sent_at, Decimal(version), Decimal(0), "online", "placed", updated_at)
    return {
        "messages": [Message("m1", "c1", f"q{version}", "u1", "sent", sent_at, updated_at)],
        "orders": [order],
    }


def _check_a_hub(several: list[tuple[list[Landed], date]], chance: random.Random) -> None:
    count = chance.randint(2, MOST_BATCHES)
    landed: list[Batch] = [{"messages": [], "orders": []} for _ in range(count)]
    for number, (events, _) in enumerate(several):
        for one in events:
            entity = "messages" if isinstance(one.event, Message) else "orders"
            for place in {place % count for place in one.batches}:
                landed[place][entity].append(of_history(one.event, number))
    with tempfile.TemporaryDirectory() as folder:
        hub = Settings(Path(folder) / "hub", chance.choice(TIMEZONES), several[0][1], "USD")
        for number, batch in enumerate(landed):
            land_batch(hub, batch, number)
            # Days pass between refreshes, and sometimes none does, or somebody asks for an earlier one.
            hub = replace(hub, as_of=hub.as_of + timedelta(days=chance.choice([1, 0, 9, -3])))
            if number < len(landed) - 1 and chance.random() < 1 / 3:
                load_and_build(hub, f"killed before it published batch {number}")
                continue
            build(hub)
            assert_equals_a_rebuild(hub)
