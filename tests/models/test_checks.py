"""Blocking checks find what they are there for: each is shown facts in which something is wrong.

Belongs here: checks of the facts whose way of looking says little of what they find. Does not belong here:
what a refresh does with a failed check (test_refresh.py).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from support.landed_histories import Batch, land_batch
from support.oracle import Message, Order
from support.pipeline import DBT_TARGET, build, refresh, run_dbt
from support.small_hub import copied

from orchestration.dbt_runner import results
from orchestration.settings import Settings

RULE = "assert_every_touch_obeys_the_rule"
HASHES = "assert_hashes_tell_ids_apart"
CREDITS = "assert_each_attributed_order_is_credited_once"
COUNTS = "assert_counts_are_of_all_messages_and_touches"
SALES = "assert_sales_add_up"
CREDITED = "assert_credited_sales_are_those_of_the_messages"
BOUNDS = "assert_figures_are_within_their_bounds"
LANDED = "assert_landed_rows_are_accepted_or_rejected"
LATE = "warn_events_later_than_the_as_of_day"
NAMES = "unique_without_blanks_queue_names_queue_id"

SECOND = "interval 1 second"
OF_ONE_FILE = "where path = (select min(path) from raw.landed_files)"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two customers with two messages each, which touch two orders of theirs."""
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    messages: list[Message | Order] = []
    orders: list[Message | Order] = []
    for customer in ("c1", "c2"):
        for number in (1, 2):
            at = datetime(2026, 1, 10 + number, 12)
            messages.append(Message(f"{customer}-m{number}", customer, "q1", f"u{number}", "sent", at, at))
            at += timedelta(hours=30)
            paid = (Decimal("10.00"), Decimal("0.00"), "online", "placed")
            orders.append(Order(f"{customer}-o{number}", customer, at, *paid, at))
    land_batch(hub, {"messages": messages, "orders": orders}, 0)
    build(hub)
    return hub


@pytest.fixture
def hub(built: Settings) -> Iterator[Settings]:
    """The hub, whose facts are brought back afterwards."""
    kept = Path(f"{built.reports}.kept")
    shutil.copy(built.reports, kept)
    yield built
    kept.replace(built.reports)


def test_the_checks_pass_on_facts_as_they_are_built(hub: Settings) -> None:
    run_dbt(hub, "test", "--select", RULE, CREDITS, COUNTS, SALES, CREDITED, BOUNDS, HASHES, LANDED)


@pytest.mark.parametrize(
    ("check", "wrong"),
    [
        (RULE, "update fct_message_orders set message_id = 'c1-m2' where message_id = 'c2-m2'"),
        (RULE, "update fct_message_orders set order_id = 'c2-o2' where order_id = 'c1-o2'"),
        (RULE, "update fct_message_orders set customer_id = 'c2' where message_id = 'c1-m1'"),
        (RULE, f"update fct_message_orders set sent_at = sent_at + {SECOND} where message_id = 'c1-m1'"),
        (RULE, f"update fct_message_orders set ordered_at = ordered_at + {SECOND} where order_id = 'c1-o1'"),
        (RULE, "delete from fct_message_orders where message_id = 'c1-m1'"),
        (RULE, "insert into fct_message_orders from fct_message_orders where message_id = 'c1-m1'"),
        (RULE, f"update fct_messages set window_closes_at = occurred_at + {SECOND} where customer_id = 'c1'"),
        (RULE, "update fct_messages set status = 'skipped' where message_id = 'c1-m1'"),
        (RULE, "update fct_messages set is_converted = false where message_id = 'c1-m1'"),
        (RULE, "update fct_orders set touch_count = touch_count + 1 where order_id = 'c1-o1'"),
        (RULE, "update fct_orders set status = 'cancelled' where order_id = 'c1-o1'"),
        (
            RULE,
            "update fct_message_orders set ordered_at = timestamp '2026-01-30' where order_id = 'c1-o1'; "
            "update fct_orders set ordered_at = timestamp '2026-01-30' where order_id = 'c1-o1'",
        ),
        (CREDITS, "update fct_messages set revenue_in_window = 1 where message_id = 'c1-m1'"),
        (CREDITS, "update fct_messages set refunds_in_window = 1 where message_id = 'c1-m1'"),
        (COUNTS, "update messages_by_day set touches = touches + 1 where message_date = date '2026-01-11'"),
        (COUNTS, "update messages_by_day set touched_value = touched_value + 1 where user_id = 'u1'"),
        (COUNTS, "update counts_by_day set messages_converted = messages_converted + 1"),
        (COUNTS, "update counts_by_day_and_queue set queue_id = 'q2'"),
        (COUNTS, "delete from counts_by_day_and_user where previous_date is null"),
        (SALES, "update sales_by_day set order_value = order_value + 0.01 where user_id = 'u2'"),
        (SALES, "update sales_by_day set queue_id = null, user_id = null where user_id = 'u2'"),
        (SALES, "update sales_by_day set order_date = order_date + 1"),
        (SALES, "delete from sales_by_day where user_id = 'u2'"),
        (SALES, "update fct_orders set status = 'cancelled' where order_id = 'c1-o1'"),
        (SALES, "update mart_sales_daily set revenue_unattributed = 1"),
        (CREDITED, "update sales_by_day set user_id = 'u1' where user_id = 'u2'"),
        (CREDITED, "update messages_by_day set revenue_credited = 0 where user_id = 'u2'"),
        (BOUNDS, "update mart_overview set orders_generated = 0"),
        (BOUNDS, "update mart_queue_breakdown set customers_converted = -1, conversion_rate = 0"),
        (BOUNDS, "update mart_user_daily set revenue_refunded = -0.01"),
        (HASHES, "update fct_message_orders set order_digest = 1"),
        (HASHES, "update fct_messages set customer_digest = 1"),
    ],
)
def test_a_check_finds_what_is_wrong(hub: Settings, check: str, wrong: str) -> None:
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute(wrong)

    with pytest.raises(AssertionError, match=check):
        run_dbt(hub, "test", "--select", check)


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("delete from raw.message_events where message_id = 'c1-m1'", 1),
        ("insert into raw.order_events from raw.order_events where order_id = 'c1-o1'", 1),
        (f"update raw.landed_files set rows_landed = rows_landed + 1 {OF_ONE_FILE}", 1),
        (f"update raw.landed_files set rows_skipped = 1, rows_rejected = -1 {OF_ONE_FILE}", 1),
        # The file has no accepted rows then, and its rows have no file.
        (f"delete from raw.contents {OF_ONE_FILE}", 2),
    ],
)
def test_a_check_finds_landed_rows_that_are_lost_or_come_twice(
    tmp_path: Path, hub: Settings, wrong: str, found: int
) -> None:
    changed = copied(hub, tmp_path / "hub")
    with duckdb.connect(str(changed.warehouse)) as connection:
        connection.execute(wrong)

    with pytest.raises(AssertionError, match=f"{LANDED}: Got {found} results?"):
        run_dbt(changed, "test", "--select", LANDED)


def test_a_check_finds_two_names_of_one_queue_whose_ids_differ_in_blanks(
    tmp_path: Path, hub: Settings
) -> None:
    with_names = copied(hub, tmp_path / "hub")
    with duckdb.connect(str(with_names.warehouse)) as connection:
        connection.execute("insert into raw.queue_names values ('win-back' || chr(12288), 'Another')")

    with pytest.raises(AssertionError, match=NAMES):
        run_dbt(with_names, "test", "--select", "queue_names")


def test_ids_of_a_day_and_a_number_have_digests_of_their_own(built: Settings, tmp_path: Path) -> None:
    hub = copied(built, tmp_path / "hub")
    at = datetime(2026, 1, 10, 12)
    # DuckDB's hash() gives both one value.
    ids = ("20260122-0000004", "20260125-0000009")
    paid = (Decimal("10.00"), Decimal("0.00"), "online", "placed")
    batch: Batch = {
        "messages": [Message(one, one, "q1", "u1", "sent", at, at) for one in ids],
        "orders": [Order(one, one, at, *paid, at) for one in ids],
    }
    land_batch(hub, batch, 1)

    build(hub)

    assert len({digests(hub)[one] for one in ids}) == 2


def test_another_salt_gives_all_ids_other_digests(hub: Settings) -> None:
    before = digests(hub)

    build(hub, "--vars", '{"digest_salt": "another"}', "--full-refresh")

    assert digests(hub).keys() == before.keys()
    assert not set(digests(hub).values()) & set(before.values())


def digests(hub: Settings) -> dict[str, int]:
    """The digest of each customer and order."""
    with duckdb.connect(str(hub.reports), read_only=True) as connection:
        return dict(
            connection.execute(
                "select customer_id, customer_digest from fct_messages "
                "union select order_id, order_digest from fct_message_orders"
            ).fetchall()
        )


def warnings_of(hub: Settings, check: str = "customers_meet") -> str:
    """What a check that only warns says of a hub."""
    run_dbt(hub, "test", "--select", check)
    return "\n".join(results.warnings(DBT_TARGET, hub))


def test_customers_whom_no_order_knows_are_named_with_those_of_the_orders(hub: Settings) -> None:
    assert warnings_of(hub) == ""

    # Who is in no order has not converted.
    strangers = "customer_id = customer_id || '@example.com', is_converted = false"
    change(hub, f"update fct_messages set {strangers}")
    found = warnings_of(hub)

    assert "The check customers_meet warns" in found
    assert re.search(r"2026-01-01 +2 +0 +c1@example.com +c1\b", found)
    assert re.search(r"2026-01-01 +2 +0 +c2@example.com +c2\b", found)


def test_one_customer_in_a_hundred_is_enough(hub: Settings) -> None:
    further = """
        insert into fct_messages by name
        select fct_messages.* replace (
            message_id || number as message_id,
            customer_id || number as customer_id,
            false as is_converted
        )
        from fct_messages, range(198) as numbers(number)
        where message_id = 'c1-m1'
    """
    change(hub, further)
    assert warnings_of(hub) == ""

    # Of those who did not convert, the orders say so.
    change(hub, "update fct_messages set is_converted = false")
    assert warnings_of(hub) == ""

    change(hub, "update fct_messages set customer_id = 'stranger' where customer_id = 'c2'")
    assert "customers_meet" in warnings_of(hub)


def test_a_month_is_looked_at_again_when_something_of_it_lands(tmp_path: Path, hub: Settings) -> None:
    later = copied(hub, tmp_path / "hub")
    said: list[str] = []
    at = datetime(2025, 11, 5, 12)
    land_batch(later, {"messages": [Message("m", "stranger", "q1", "u1", "sent", at, at)], "orders": []}, 1)
    refresh(later, said.append)

    (warned,) = [sentence for sentence in said if "customers_meet" in sentence]
    assert re.search(r"2025-11-01 +1 +0 +stranger\b", warned)
    assert "2026-01-01" not in warned

    said.clear()
    refresh(later, said.append)
    assert not [sentence for sentence in said if "customers_meet" in sentence]


def test_events_later_than_the_as_of_day_are_named_with_their_files(tmp_path: Path, hub: Settings) -> None:
    late = copied(hub, tmp_path / "hub")
    assert warnings_of(late, LATE) == ""

    date_message(late, datetime(2026, 2, 1))
    assert re.search(r"message +c1-m1 +2026-02-01 +landing/messages/", warnings_of(late, LATE))

    # Today when this test runs over midnight, and tomorrow otherwise.
    date_message(late, datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time()))
    assert warnings_of(late, LATE) == ""

    date_message(late, datetime(2099, 12, 31))
    assert re.search(r"message +c1-m1 +2099-12-31 +landing/messages/", warnings_of(late, LATE))


def date_message(hub: Settings, at: datetime) -> None:
    """Date the message c1-m1 otherwise, as landed and in the facts."""
    for database, table in ((hub.reports, "fct_messages"), (hub.warehouse, "raw.message_events")):
        with duckdb.connect(str(database)) as connection:
            connection.execute(f"update {table} set occurred_at = ? where message_id = 'c1-m1'", [at])


def change(hub: Settings, statement: str) -> None:
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute(statement)
