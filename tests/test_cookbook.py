"""Each query of docs/cookbook.md runs as it stands, and gives what the oracle's facts add up to.

Belongs here: the queries and what they are to give, worked out in Python from the oracle's rows. Does not
belong here: whether the facts themselves are right, which test_published_against_oracle.py says.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from support.landed_histories import land_batch
from support.oracle import Message, Oracle, Order
from support.pipeline import reading, refresh

from orchestration.settings import REPOSITORY, Settings

AS_OF = date(2026, 3, 10)
ZONE = ZoneInfo("America/New_York")

Row = dict[str, Any]

QUERIES = dict(
    re.findall(
        r"^## ([^\n]+)\n(?:(?!^## ).)*?^```sql\n(.*?)^```",
        (REPOSITORY / "docs" / "cookbook.md").read_text(encoding="utf-8"),
        re.MULTILINE | re.DOTALL,
    )
)


def events() -> tuple[list[Message], list[Order]]:
    """Few customers with many messages and orders around the as-of day, some of them after it."""
    chance = random.Random(0)
    start = datetime(2025, 11, 20, 3, 30)
    customers = [f"c{number}" for number in range(12)]
    messages: list[Message] = []
    orders: list[Order] = []
    for number in range(160):
        at = start + timedelta(minutes=chance.randrange(115 * 24 * 60))
        queue, user = chance.choice(["win-back", "birthday", "q3"]), chance.choice(["u-01", "u-02", "u-99"])
        status = "skipped" if number % 9 == 0 else "sent"
        messages.append(Message(f"m{number}", chance.choice(customers), queue, user, status, at, at))
    for number in range(120):
        at = start + timedelta(minutes=chance.randrange(115 * 24 * 60))
        customer = None if number % 8 == 0 else chance.choice(customers)
        value = Decimal(chance.randrange(10_000)) / 100
        money = (value, value if number % 7 == 0 else Decimal("0.00"), chance.choice(["online", "in_store"]))
        state = "cancelled" if number % 11 == 0 else "placed"
        orders.append(Order(f"o{number}", customer, at, *money, state, at))
    # On the first days of the ranges, and on the days before them.
    for back in (6, 7, 13, 14, 29, 30, 89, 90):
        at = datetime.combine(AS_OF - timedelta(days=back), time(16))
        messages.append(Message(f"m-{back}", f"c-{back}", "birthday", "u-01", "sent", at, at))
        paid = (Decimal(back), Decimal("1.00"), "online", "placed")
        orders.append(Order(f"o-{back}", f"c-{back}", at, *paid, at))
    return messages, orders


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    names = {"win-back": "Win back", "birthday": "Birthday"}
    messages, orders = events()
    return Oracle(messages, orders, timezone=ZONE.key, as_of=AS_OF, queue_names=names, user_names={})


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    hub = Settings(tmp_path_factory.mktemp("hub"), ZONE.key, AS_OF, "USD")
    messages, orders = events()
    land_batch(hub, {"messages": list(messages), "orders": list(orders)}, 0)
    with reading(refresh(hub)) as connection:
        # A reader's own zone changes nothing.
        connection.execute("set TimeZone = 'Asia/Kathmandu'")
        yield connection


def days_back(row: Row, days: int, day: str = "message_date") -> bool:
    return AS_OF - timedelta(days=days - 1) <= row[day] <= AS_OF


def sent_within(oracle: Oracle, days: int) -> list[Row]:
    return [row for row in oracle.fct_messages() if row["status"] == "sent" and days_back(row, days)]


def orders_within(oracle: Oracle, days: int) -> dict[str, Row]:
    return {row["order_id"]: row for row in oracle.fct_message_orders() if days_back(row, days)}


def orders_behind_a_user(oracle: Oracle) -> list[tuple[Any, ...]]:
    columns = ("order_id", "ordered_at", "sales_channel", "order_value", "refunded_value")
    touches = [row for row in oracle.fct_message_orders() if row["user_id"] == "u-01" and days_back(row, 30)]
    found = {tuple(row[name] for name in columns) for row in touches}
    (of_user,) = oracle.overview(AS_OF - timedelta(days=29), AS_OF, users=["u-01"])
    assert sum(row[3] for row in found) == of_user["revenue_generated"]
    return sorted(found, key=lambda row: (row[1], row[0]))


def conversion_by_weekday_and_hour(oracle: Oracle) -> list[tuple[Any, ...]]:
    hours: dict[tuple[int, str, int], list[Row]] = {}
    for row in sent_within(oracle, 90):
        local = row["occurred_at"].replace(tzinfo=UTC).astimezone(ZONE)
        hours.setdefault((local.isoweekday(), f"{local:%A}", local.hour), []).append(row)
    return [
        (
            weekday,
            hour,
            len(messaged := {row["customer_id"] for row in rows}),
            len({row["customer_id"] for row in rows if row["is_converted"]}) / len(messaged),
        )
        for (_, weekday, hour), rows in sorted(hours.items())
    ]


def figures_of_any_set_of_messages(oracle: Oracle) -> list[tuple[Any, ...]]:
    chosen = [row for row in sent_within(oracle, 10_000) if row["message_date"].weekday() >= 5]
    ids = {row["message_id"] for row in chosen}
    orders = {
        row["order_id"]: row["order_value"] for row in oracle.fct_message_orders() if row["message_id"] in ids
    }
    return [
        (
            len(chosen),
            len({row["customer_id"] for row in chosen}),
            len({row["customer_id"] for row in chosen if row["is_converted"]}),
            len(orders),
            sum(orders.values()),
            sum(row["revenue_credited"] for row in chosen),
        )
    ]


def first_touch_and_last_touch(oracle: Oracle) -> list[tuple[Any, ...]]:
    names = {row["queue_id"]: row["queue_name"] for row in oracle.dim_queues()}
    first: dict[str, Decimal] = defaultdict(Decimal)
    last: dict[str, Decimal] = defaultdict(Decimal)
    for row in oracle.fct_message_orders():
        first[names[row["queue_id"]]] += row["order_value"] if row["is_first_touch"] else Decimal("0.00")
        last[names[row["queue_id"]]] += row["order_value"] if row["is_last_touch"] else Decimal("0.00")
    assert sum(first.values()) == sum(last.values())
    return sorted(((name, first[name], last[name]) for name in last), key=lambda row: (-row[2], row[0]))


def days_to_purchase(oracle: Oracle) -> list[tuple[Any, ...]]:
    days: dict[int, list[Decimal]] = {}
    for row in oracle.fct_message_orders():
        if row["is_last_touch"]:
            days.setdefault((row["ordered_at"] - row["sent_at"]).days, []).append(row["order_value"])
    return [(day, len(values), sum(values)) for day, values in sorted(days.items())]


def repeat_customers(oracle: Oracle) -> list[tuple[Any, ...]]:
    values: dict[str, list[Decimal]] = {}
    for row in orders_within(oracle, 90).values():
        values.setdefault(row["customer_id"], []).append(row["order_value"])
    counts: dict[int, list[Decimal]] = {}
    for of_customer in values.values():
        counts.setdefault(len(of_customer), []).append(sum(of_customer, Decimal()))
    return [(orders, len(revenue), sum(revenue)) for orders, revenue in sorted(counts.items())]


def online_and_in_store(oracle: Oracle) -> list[tuple[Any, ...]]:
    channels: dict[str, list[Row]] = {}
    for row in orders_within(oracle, 30).values():
        channels.setdefault(row["sales_channel"], []).append(row)
    return [
        (
            channel,
            len(rows),
            sum(row["order_value"] for row in rows),
            sum(row["refunded_value"] for row in rows),
        )
        for channel, rows in sorted(channels.items())
    ]


def open_windows(oracle: Oracle) -> list[tuple[Any, ...]]:
    days: dict[date, list[datetime]] = {}
    for row in sent_within(oracle, 10_000):
        if row["window_closes_at"] > oracle.as_of_ends:
            days.setdefault(row["message_date"], []).append(row["window_closes_at"])
    return [(day, len(closing), max(closing)) for day, closing in sorted(days.items())]


def week_over_week(oracle: Oracle) -> list[tuple[Any, ...]]:
    figures = (
        *("messages_sent", "messages_sent_base", "messages_sent_change", "revenue_generated"),
        *("revenue_generated_base", "messages_in_open_window", "messages_in_open_window_base"),
    )
    return [
        (row["queue_name"], *(row[figure] for figure in figures))
        for row in oracle.queue_breakdown_compared(AS_OF - timedelta(days=6), AS_OF)
    ]


def complete_days_beside_those_before(oracle: Oracle) -> list[tuple[Any, ...]]:
    columns = (
        *("user_id", "period_start", "period_end", "base_start", "base_end", "days_left_out"),
        *("revenue_generated", "revenue_generated_base", "revenue_generated_change"),
    )
    rows = oracle.user_breakdown_compared(AS_OF - timedelta(days=29), AS_OF, complete_days_only=True)
    assert rows[0]["days_left_out"] >= 7
    return [(*(row[column] for column in columns), row["conversion_rate_points"]) for row in rows]


def share_of_all_sales(oracle: Oracle) -> list[tuple[Any, ...]]:
    rows = oracle.sales(AS_OF - timedelta(days=29), AS_OF, queues=["win-back"])
    columns = ("orders_placed", "orders_attributed", "revenue_placed", "revenue_credited")
    result = []
    for channel in ("in_store", "online"):
        of_channel = [row for row in rows if row["sales_channel"] == channel]
        attributed, placed = (
            float(sum(row[column] for row in of_channel))
            for column in ("revenue_attributed", "revenue_placed")
        )
        sums = (sum(row[column] for row in of_channel) for column in columns)
        result.append((channel, *sums, attributed / placed))
    return result


EXPECTED: dict[str, Callable[[Oracle], list[tuple[Any, ...]]]] = {
    "Orders behind a user": orders_behind_a_user,
    "Conversion by weekday and hour": conversion_by_weekday_and_hour,
    "Figures of any set of messages": figures_of_any_set_of_messages,
    "First touch and last touch": first_touch_and_last_touch,
    "Days to purchase": days_to_purchase,
    "Repeat customers": repeat_customers,
    "Online and in store": online_and_in_store,
    "Open windows": open_windows,
    "Week over week": week_over_week,
    "Complete days beside those before": complete_days_beside_those_before,
    "Share of all sales that followed a message": share_of_all_sales,
}


def test_the_cookbook_has_a_query_for_each_of_its_questions() -> None:
    text = (REPOSITORY / "docs" / "cookbook.md").read_text(encoding="utf-8")

    assert [*QUERIES] == [*EXPECTED] == re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert len(QUERIES) == text.count("```sql") == 11


@pytest.mark.parametrize("question", EXPECTED)
def test_a_query_gives_what_the_facts_add_up_to(
    question: str, published: duckdb.DuckDBPyConnection, oracle: Oracle
) -> None:
    expected = EXPECTED[question](oracle)

    assert expected
    assert published.execute(QUERIES[question]).fetchall() == [
        tuple(pytest.approx(value) if isinstance(value, float) else value for value in row)
        for row in expected
    ]
