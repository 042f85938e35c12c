"""The oracle held to the contract.

What belongs here: examples whose figures were worked out by hand from the contract's wording, the
invariants that hold for any history, and that the strategies do reach the corners they are for.

What does not belong here: any other implementation; those are compared with the oracle elsewhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.oracle import (
    FIGURES,
    UNASSIGNED,
    Event,
    Message,
    Oracle,
    Order,
    Row,
    base_of,
    latest,
    local_day,
    start_of_day,
    touches,
)
from support.strategies import (
    CLOCK_SWITCHES,
    TICK,
    Filter,
    History,
    filters,
    histories,
    identifiers,
    timezones,
)

pytestmark = pytest.mark.slow

DAY = timedelta(days=1)
WEEK = timedelta(days=7)

any_history = settings(
    max_examples=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


# Events in as few words as an example needs.


def instant(text: str) -> datetime:
    """A naive instant in UTC."""
    return datetime.fromisoformat(text)


def sent(
    message_id: str,
    occurred_at: str,
    *,
    customer: str = "c",
    queue: str = "q",
    user: str = "u",
    status: str = "sent",
    updated_at: str | None = None,
) -> Message:
    """A message, sent unless said otherwise."""
    return Message(
        message_id=message_id,
        customer_id=customer,
        queue_id=queue,
        user_id=user,
        status=status,
        occurred_at=instant(occurred_at),
        updated_at=instant(updated_at or occurred_at),
    )


def skipped(message_id: str, occurred_at: str, **fields: Any) -> Message:
    """A message that the user skipped."""
    return sent(message_id, occurred_at, status="skipped", **fields)


def ordered(
    order_id: str,
    ordered_at: str,
    value: str = "10.00",
    *,
    refunded: str = "0.00",
    customer: str | None = "c",
    status: str = "placed",
    channel: str = "online",
    updated_at: str | None = None,
) -> Order:
    """An order, placed unless said otherwise."""
    return Order(
        order_id=order_id,
        customer_id=customer,
        ordered_at=instant(ordered_at),
        order_value=Decimal(value),
        refunded_value=Decimal(refunded),
        sales_channel=channel,
        status=status,
        updated_at=instant(updated_at or ordered_at),
    )


def oracle(
    messages: Sequence[Message],
    orders: Sequence[Order] = (),
    *,
    timezone: str = "UTC",
    as_of: date = date(2025, 6, 30),
    queue_names: dict[str, str] | None = None,
    user_names: dict[str, str] | None = None,
) -> Oracle:
    """An oracle with the settings that most examples share."""
    return Oracle(
        messages,
        orders,
        timezone=timezone,
        as_of=as_of,
        queue_names=queue_names or {},
        user_names=user_names or {},
    )


def all_time(one: Oracle) -> Row:
    """The overview of all time."""
    (row,) = (row for row in one.mart_overview() if row["period"] == "all_time")
    return row


def of_all_days(one: Oracle) -> Row:
    """The figures of every message, also of those after the as-of day."""
    (row,) = one.overview(date.min, date.max)
    return row


def only(rows: list[Row], **wanted: Any) -> Row:
    """The one row that has these values."""
    (row,) = (row for row in rows if wanted.items() <= row.items())
    return row


def part(row: Row, *columns: str) -> tuple[Any, ...]:
    """Some values of a row, in the order asked for."""
    return tuple(row[column] for column in columns)


def columns(names: str) -> set[str]:
    """Names of columns, written with blanks between them."""
    return set(names.split())


def pairs(one: Oracle) -> set[tuple[str, str]]:
    """Which message's window holds which order."""
    return {(row["message_id"], row["order_id"]) for row in one.fct_message_orders()}


# Shapes.


def test_every_relation_has_the_columns_of_the_contract() -> None:
    one = oracle([sent("m", "2025-06-30 10:00")], [ordered("o", "2025-06-30 11:00")])
    figures = columns(
        "messages_sent messages_skipped customers_messaged customers_converted conversion_rate"
        " orders_generated revenue_generated revenue_refunded revenue_credited active_users"
        " revenue_per_message messages_in_open_window"
    )
    period = columns("period period_start period_end")
    queue = columns("queue_id queue_name")
    user = columns("user_id user_name")
    span = (date(2025, 6, 1), date(2025, 6, 30))
    expected = {
        "fct_messages": columns(
            "message_id customer_id queue_id user_id status occurred_at message_date"
            " orders_in_window revenue_in_window refunds_in_window orders_credited revenue_credited"
            " is_converted window_closes_at is_only_message_of_day"
        ),
        "fct_message_orders": columns(
            "message_id order_id customer_id queue_id user_id message_date sent_at ordered_at"
            " sales_channel order_value refunded_value touch_number touch_count is_first_touch"
            " is_last_touch touch_count_on_day touch_count_in_queue touch_count_by_user"
        ),
        "fct_orders": columns("order_id customer_id ordered_at order_date sales_channel status")
        | columns("order_value refunded_value is_attributed"),
        "dim_queues": queue,
        "dim_users": user,
        "mart_overview_daily": {"message_date"} | figures,
        "mart_queue_daily": {"message_date"} | queue | figures,
        "mart_user_daily": {"message_date"} | user | figures,
        "mart_overview": period | figures,
        "mart_queue_breakdown": period | queue | figures,
        "mart_user_breakdown": period | user | figures,
        "report_info": columns("as_of as_of_ends_at last_closed_day newest_event_at events_after_as_of"),
    }
    assert set(FIGURES) == figures
    for relation, wanted in expected.items():
        rows = getattr(one, relation)()
        assert rows, relation
        assert all(set(row) == wanted for row in rows), relation

    assert [set(row) for row in one.overview(*span)] == [figures]
    assert [set(row) for row in one.messages_over_time(*span)] == [{"message_date"} | figures]
    assert [set(row) for row in one.queue_breakdown(*span)] == [queue | figures]
    assert [set(row) for row in one.user_breakdown(*span)] == [user | figures]
    (row,) = one.user_messages_over_time(*span)
    assert set(row) == {"message_date"} | user | figures


def test_all_figures_of_a_small_history_worked_out_by_hand() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-20 10:00", customer="ann", user="eve"),
            sent("m2", "2025-06-21 10:00", customer="ann", user="fay"),
            sent("m3", "2025-06-27 10:00", customer="bob", user="eve"),
            skipped("m4", "2025-06-27 11:00", customer="cid", user="gus"),
        ],
        [
            ordered("o1", "2025-06-22 09:00", "100.00", refunded="30.00", customer="ann"),
            ordered("o2", "2025-06-27 23:00", "0.10", customer="ann"),
            ordered("o3", "2025-06-28 09:00", "55.00", customer="cid"),
        ],
    )
    assert all_time(one) == {
        "period": "all_time",
        "period_start": date(2025, 6, 20),
        "period_end": date(2025, 6, 30),
        "messages_sent": 3,
        "messages_skipped": 1,
        "customers_messaged": 2,
        "customers_converted": 1,
        "conversion_rate": 0.5,
        "orders_generated": 2,
        "revenue_generated": Decimal("100.10"),
        "revenue_refunded": Decimal("30.00"),
        "revenue_credited": Decimal("100.10"),
        "active_users": 2,
        "revenue_per_message": Decimal("33.366667"),
        "messages_in_open_window": 1,
    }
    # o1 is touched by m1 and m2; o2, 13 hours after m1's window has closed, by m2 alone.
    assert part(
        only(one.mart_user_breakdown(), period="all_time", user_id="eve"),
        *("messages_sent", "orders_generated", "revenue_generated", "revenue_credited"),
    ) == (2, 1, Decimal("100.00"), Decimal("0.00"))


# The version that counts.


def test_greatest_updated_at_wins_whatever_the_order_of_arrival() -> None:
    old = sent("m", "2025-06-01 10:00", queue="old", updated_at="2025-06-02")
    new = sent("m", "2025-06-01 10:00", queue="new", updated_at="2025-06-03")
    assert latest([old, new]) == latest([new, old]) == latest([new, old, new]) == [new]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ({"status": "skipped"}, {"status": "sent"}),
        ({"occurred_at": instant("2025-06-01")}, {"occurred_at": instant("2025-06-02")}),
        ({"customer_id": "B"}, {"customer_id": "a"}),
        ({"queue_id": "10"}, {"queue_id": "2"}),
        ({"user_id": "\uff5a"}, {"user_id": "\U0001f642"}),
        # The fields decide in their order: the first one that differs.
        (
            {"status": "skipped", "occurred_at": instant("2025-06-02")},
            {"status": "sent", "occurred_at": instant("2025-06-01")},
        ),
        (
            {"occurred_at": instant("2025-06-01"), "customer_id": "b"},
            {"occurred_at": instant("2025-06-02"), "customer_id": "a"},
        ),
        ({"customer_id": "a", "queue_id": "b"}, {"customer_id": "b", "queue_id": "a"}),
        ({"queue_id": "a", "user_id": "b"}, {"queue_id": "b", "user_id": "a"}),
    ],
)
def test_equal_versions_of_a_message_are_broken_by_content(
    lower: dict[str, Any], higher: dict[str, Any]
) -> None:
    message = sent("m", "2025-06-01 10:00")
    loser, winner = replace(message, **lower), replace(message, **higher)
    assert latest([loser, winner]) == latest([winner, loser]) == [winner]


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ({"status": "placed"}, {"status": "cancelled"}),
        ({"ordered_at": instant("2025-06-01")}, {"ordered_at": instant("2025-06-02")}),
        ({"customer_id": None}, {"customer_id": "!"}),
        ({"customer_id": "a"}, {"customer_id": "b"}),
        ({"order_value": Decimal("9.00")}, {"order_value": Decimal("10.00")}),
        ({"refunded_value": Decimal("0.00")}, {"refunded_value": Decimal("0.01")}),
        ({"sales_channel": "in_store"}, {"sales_channel": "online"}),
        # The fields decide in their order: the first one that differs.
        (
            {"status": "placed", "refunded_value": Decimal("1.00")},
            {"status": "cancelled", "refunded_value": Decimal("0.00")},
        ),
        (
            {"refunded_value": Decimal("0.00"), "order_value": Decimal("10.00")},
            {"refunded_value": Decimal("9.00"), "order_value": Decimal("9.00")},
        ),
        (
            {"order_value": Decimal("9.00"), "ordered_at": instant("2025-06-02")},
            {"order_value": Decimal("10.00"), "ordered_at": instant("2025-06-01")},
        ),
        (
            {"ordered_at": instant("2025-06-01"), "customer_id": "c"},
            {"ordered_at": instant("2025-06-02"), "customer_id": None},
        ),
        (
            {"customer_id": None, "sales_channel": "online"},
            {"customer_id": "c", "sales_channel": "in_store"},
        ),
    ],
)
def test_equal_versions_of_an_order_are_broken_by_content(
    lower: dict[str, Any], higher: dict[str, Any]
) -> None:
    order = ordered("o", "2025-06-01 10:00")
    loser, winner = replace(order, **lower), replace(order, **higher)
    assert latest([loser, winner]) == latest([winner, loser]) == [winner]


def test_ids_that_differ_in_case_or_leading_zeros_are_different() -> None:
    at = "2025-06-01 10:00"
    one = oracle(
        [sent("7", at, customer="a"), sent("07", at, customer="A")],
        [ordered("o", at, customer="A")],
    )
    assert pairs(one) == {("07", "o")}
    assert part(all_time(one), "messages_sent", "customers_messaged") == (2, 2)


# The window.


@pytest.mark.parametrize(
    ("ordered_at", "is_inside"),
    [
        ("2025-06-01 09:59:59.999999", False),
        ("2025-06-01 10:00:00", True),
        ("2025-06-08 09:59:59.999999", True),
        ("2025-06-08 10:00:00", False),
    ],
)
def test_window_holds_its_beginning_and_not_its_end(ordered_at: str, is_inside: bool) -> None:
    one = oracle([sent("m", "2025-06-01 10:00")], [ordered("o", ordered_at)])
    assert pairs(one) == ({("m", "o")} if is_inside else set())
    assert only(one.fct_orders(), order_id="o")["is_attributed"] is is_inside
    assert all_time(one)["orders_generated"] == int(is_inside)


@pytest.mark.parametrize(
    ("sent_at", "ordered_at", "is_inside"),
    [
        # Clocks forward on 9 March: 168 hours after 12:00 it is 13:00.
        ("2025-03-05 12:00-05:00", "2025-03-12 12:59:59.999999-04:00", True),
        ("2025-03-05 12:00-05:00", "2025-03-12 13:00-04:00", False),
        # Clocks back on 2 November: 168 hours after 12:00 it is 11:00.
        ("2025-10-29 12:00-04:00", "2025-11-05 10:59:59.999999-05:00", True),
        ("2025-10-29 12:00-04:00", "2025-11-05 11:00-05:00", False),
    ],
)
def test_window_is_168_hours_also_across_a_switch_of_clocks(
    sent_at: str, ordered_at: str, is_inside: bool
) -> None:
    as_utc = [instant(text).astimezone(UTC).replace(tzinfo=None) for text in (sent_at, ordered_at)]
    one = oracle(
        [sent("m", as_utc[0].isoformat())],
        [ordered("o", as_utc[1].isoformat())],
        timezone="America/New_York",
    )
    assert pairs(one) == ({("m", "o")} if is_inside else set())


def test_window_is_for_orders_of_the_same_customer() -> None:
    one = oracle([sent("m", "2025-06-01")], [ordered("o", "2025-06-02", customer="other")])
    assert pairs(one) == set()


def test_skipped_message_opens_no_window() -> None:
    one = oracle([skipped("m", "2025-06-01 10:00")], [ordered("o", "2025-06-01 11:00")])
    assert one.fct_messages() == [
        {
            "message_id": "m",
            "customer_id": "c",
            "queue_id": "q",
            "user_id": "u",
            "status": "skipped",
            "occurred_at": instant("2025-06-01 10:00"),
            "message_date": date(2025, 6, 1),
            "orders_in_window": 0,
            "revenue_in_window": Decimal("0.00"),
            "refunds_in_window": Decimal("0.00"),
            "orders_credited": 0,
            "revenue_credited": Decimal("0.00"),
            "is_converted": False,
            "window_closes_at": None,
            "is_only_message_of_day": False,
        }
    ]
    assert pairs(one) == set()


def test_sent_after_being_skipped_counts_as_sent_and_the_other_way_round() -> None:
    order = ordered("o", "2025-06-02")
    skip = skipped("m", "2025-06-01 10:00", updated_at="2025-06-01 10:00")
    send = sent("m", "2025-06-01 12:00", updated_at="2025-06-01 12:00")
    unsend = skipped("m", "2025-06-01 12:00", updated_at="2025-06-01 14:00")
    columns = ("messages_sent", "messages_skipped", "orders_generated")
    assert part(all_time(oracle([skip], [order])), *columns) == (0, 1, 0)
    assert part(all_time(oracle([send, skip], [order])), *columns) == (1, 0, 1)
    assert part(all_time(oracle([skip, unsend, send], [order])), *columns) == (0, 1, 0)


# Orders.


def test_cancelled_order_is_out_and_back_in_when_that_is_undone() -> None:
    message = sent("m", "2025-06-01")
    placed = ordered("o", "2025-06-02", updated_at="2025-06-02")
    cancelled = replace(placed, status="cancelled", updated_at=instant("2025-06-03"))
    undone = replace(placed, updated_at=instant("2025-06-04"))
    assert pairs(oracle([message], [placed, cancelled])) == set()
    assert pairs(oracle([message], [placed, cancelled, undone])) == {("m", "o")}

    (row,) = oracle([message], [placed, cancelled]).fct_orders()
    assert part(row, "status", "is_attributed") == ("cancelled", False)


def test_guest_order_is_never_attributed_and_still_in_fct_orders() -> None:
    one = oracle([sent("m", "2025-06-01")], [ordered("o", "2025-06-01", customer=None)])
    assert pairs(one) == set()
    assert one.fct_orders() == [
        {
            "order_id": "o",
            "customer_id": None,
            "ordered_at": instant("2025-06-01"),
            "order_date": date(2025, 6, 1),
            "sales_channel": "online",
            "status": "placed",
            "order_value": Decimal("10.00"),
            "refunded_value": Decimal("0.00"),
            "is_attributed": False,
        }
    ]


def test_zero_value_order_is_a_purchase() -> None:
    one = oracle([sent("m", "2025-06-01")], [ordered("o", "2025-06-02", "0.00")])
    row = all_time(one)
    assert part(row, "orders_generated", "customers_converted", "conversion_rate") == (1, 1, 1.0)
    assert part(row, "revenue_generated", "revenue_per_message") == (Decimal(0), Decimal(0))
    (message,) = one.fct_messages()
    assert part(message, "orders_in_window", "orders_credited", "is_converted") == (1, 1, True)


def test_refund_moves_the_refunded_value_and_nothing_else() -> None:
    message = sent("m", "2025-06-01")
    order = ordered("o", "2025-06-02", "80.00")
    refund = replace(order, refunded_value=Decimal("80.00"), updated_at=instant("2025-12-24"))
    before = all_time(oracle([message], [order]))
    after = all_time(oracle([message], [order, refund]))
    assert after == {**before, "revenue_refunded": Decimal("80.00")}
    assert before["revenue_generated"] == Decimal("80.00")


def test_order_with_a_new_customer_or_time_leaves_the_old_messages_and_joins_the_new() -> None:
    messages = [
        sent("ann's", "2025-06-01", customer="ann"),
        sent("bob's", "2025-06-01", customer="bob"),
        sent("bob's later", "2025-06-20", customer="bob"),
    ]
    first = ordered("o", "2025-06-02", customer="ann", updated_at="2025-06-02")
    to_bob = replace(first, customer_id="bob", updated_at=instant("2025-06-03"))
    to_later = replace(to_bob, ordered_at=instant("2025-06-21"), updated_at=instant("2025-06-04"))
    assert pairs(oracle(messages, [first])) == {("ann's", "o")}
    assert pairs(oracle(messages, [first, to_bob])) == {("bob's", "o")}
    assert pairs(oracle(messages, [first, to_bob, to_later])) == {("bob's later", "o")}


def test_money_is_exact() -> None:
    orders = [ordered(f"o{n}", "2025-06-02", "0.10") for n in range(3)]
    row = all_time(oracle([sent("m", "2025-06-01")], orders))
    assert isinstance(row["revenue_generated"], Decimal)
    assert str(row["revenue_generated"]) == "0.30"  # 0.1 + 0.1 + 0.1 as floats is not 0.3


# Touches and credit.


def test_order_touched_by_two_queues_counts_in_both_once_in_total_and_is_credited_once() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-01", queue="first", user="eve"),
            sent("m2", "2025-06-03", queue="second", user="fay"),
        ],
        [ordered("o", "2025-06-04", "40.00", refunded="5.00")],
    )
    by_queue, by_user = one.mart_queue_breakdown(), one.mart_user_breakdown()
    earlier = (
        only(by_queue, period="all_time", queue_id="first"),
        only(by_user, period="all_time", user_id="eve"),
    )
    later = (
        only(by_queue, period="all_time", queue_id="second"),
        only(by_user, period="all_time", user_id="fay"),
    )
    for row in (*earlier, *later, all_time(one)):
        assert row["orders_generated"] == 1
        assert row["revenue_generated"] == Decimal("40.00")
        assert row["revenue_refunded"] == Decimal("5.00")
    assert [row["revenue_credited"] for row in earlier] == [Decimal("0.00")] * 2
    assert [row["revenue_credited"] for row in later] == [Decimal("40.00")] * 2
    assert all_time(one)["revenue_credited"] == Decimal("40.00")


def test_filter_to_one_queue_does_not_move_the_credit() -> None:
    one = oracle(
        [sent("m1", "2025-06-01", queue="first"), sent("m2", "2025-06-03", queue="second")],
        [ordered("o", "2025-06-04", "40.00")],
    )
    june = (date(2025, 6, 1), date(2025, 6, 30))
    (first,) = one.overview(*june, queues=["first"])
    assert part(first, "revenue_generated", "revenue_credited") == (Decimal(40), Decimal(0))
    (earlier,) = one.overview(date(2025, 6, 1), date(2025, 6, 2))
    assert part(earlier, "revenue_generated", "revenue_credited") == (Decimal(40), Decimal(0))


def test_touches_are_numbered_by_instant_and_ties_by_message_id_as_text() -> None:
    one = oracle(
        [
            sent("2", "2025-06-02"),
            sent("10", "2025-06-02"),
            sent("b", "2025-06-02"),
            sent("B", "2025-06-02"),
            sent("z", "2025-06-01"),
            skipped("zz", "2025-06-03"),
        ],
        [ordered("o", "2025-06-02", "5.00")],
    )
    (order,) = one.orders
    in_order = [message.message_id for message in touches(order, reversed(one.messages))]
    assert in_order == ["z", "10", "2", "B", "b"]
    touching = sorted(one.fct_message_orders(), key=lambda row: row["touch_number"])
    assert [row["message_id"] for row in touching] == ["z", "10", "2", "B", "b"]
    assert [row["touch_number"] for row in touching] == [1, 2, 3, 4, 5]
    assert {row["touch_count"] for row in touching} == {5}
    assert [row["is_first_touch"] for row in touching] == [True, False, False, False, False]
    assert [row["is_last_touch"] for row in touching] == [False, False, False, False, True]
    assert {
        row["message_id"]: part(row, "orders_credited", "revenue_credited")
        for row in one.fct_messages()
        if row["orders_credited"] or row["revenue_credited"]
    } == {"b": (1, Decimal("5.00"))}


def test_message_with_several_orders_sums_them_and_converts_once() -> None:
    one = oracle(
        [sent("m", "2025-06-01")],
        [ordered("o1", "2025-06-02", "10.00"), ordered("o2", "2025-06-03", "5.50")],
    )
    assert part(
        only(one.fct_messages(), message_id="m"),
        *("orders_in_window", "revenue_in_window", "orders_credited", "revenue_credited"),
        *("is_converted", "window_closes_at"),
    ) == (2, Decimal("15.50"), 2, Decimal("15.50"), True, instant("2025-06-08"))
    assert part(all_time(one), "customers_converted", "conversion_rate") == (1, 1.0)


def test_order_counts_once_for_a_user_with_many_messages_to_the_customer() -> None:
    one = oracle(
        [sent("m1", "2025-06-01"), sent("m2", "2025-06-02"), sent("m3", "2025-06-03")],
        [ordered("o", "2025-06-04", "10.00")],
    )
    row = only(one.mart_user_breakdown(), period="all_time", user_id="u")
    assert part(row, "messages_sent", "customers_messaged", "orders_generated") == (3, 1, 1)
    assert row["revenue_generated"] == Decimal("10.00")
    assert row["revenue_per_message"] == Decimal("3.333333")


def test_pair_shows_the_message_and_the_order() -> None:
    one = oracle(
        [sent("m", "2025-06-01 23:30", queue="q1", user="u1")],
        [ordered("o", "2025-06-03", "10.00", refunded="2.00", channel="in_store")],
        timezone="Europe/Paris",
    )
    assert one.fct_message_orders() == [
        {
            "message_id": "m",
            "order_id": "o",
            "customer_id": "c",
            "queue_id": "q1",
            "user_id": "u1",
            "message_date": date(2025, 6, 2),
            "sent_at": instant("2025-06-01 23:30"),
            "ordered_at": instant("2025-06-03"),
            "sales_channel": "in_store",
            "order_value": Decimal("10.00"),
            "refunded_value": Decimal("2.00"),
            "touch_number": 1,
            "touch_count": 1,
            "is_first_touch": True,
            "is_last_touch": True,
            "touch_count_on_day": 1,
            "touch_count_in_queue": 1,
            "touch_count_by_user": 1,
        }
    ]


# Days.


@pytest.mark.parametrize(
    ("zone", "day", "begins", "ends"),
    [
        ("UTC", "2025-06-01", "2025-06-01 00:00", "2025-06-02 00:00"),
        ("Asia/Kathmandu", "2025-06-01", "2025-05-31 18:15", "2025-06-01 18:15"),
        # 23 and 25 hours; 24.5 and 23.5 hours.
        ("America/New_York", "2025-03-09", "2025-03-09 05:00", "2025-03-10 04:00"),
        ("America/New_York", "2025-11-02", "2025-11-02 04:00", "2025-11-03 05:00"),
        ("Europe/Paris", "2025-03-30", "2025-03-29 23:00", "2025-03-30 22:00"),
        ("Europe/Paris", "2025-10-26", "2025-10-25 22:00", "2025-10-26 23:00"),
        ("Australia/Lord_Howe", "2025-04-06", "2025-04-05 13:00", "2025-04-06 13:30"),
        ("Australia/Lord_Howe", "2025-10-05", "2025-10-04 13:30", "2025-10-05 13:00"),
        # Clocks that skip midnight, and clocks that show it twice.
        ("Africa/Cairo", "2025-04-25", "2025-04-24 22:00", "2025-04-25 21:00"),
        ("America/Havana", "2025-11-02", "2025-11-02 04:00", "2025-11-03 05:00"),
    ],
)
def test_day_is_the_local_one_from_its_first_to_its_last_microsecond(
    zone: str, day: str, begins: str, ends: str
) -> None:
    wanted, first, after = date.fromisoformat(day), instant(begins), instant(ends)
    one = oracle(
        [
            sent("day before", (first - TICK).isoformat()),
            sent("first", first.isoformat()),
            sent("last", (after - TICK).isoformat()),
            sent("day after", after.isoformat()),
        ],
        timezone=zone,
        as_of=wanted,
    )
    days = {row["message_id"]: row["message_date"] for row in one.fct_messages()}
    assert days == {
        "day before": wanted - DAY,
        "first": wanted,
        "last": wanted,
        "day after": wanted + DAY,
    }
    assert start_of_day(wanted, ZoneInfo(zone)) == first
    assert one.as_of_ends == after
    assert [part(row, "message_date", "messages_sent") for row in one.mart_overview_daily()] == [
        (wanted - DAY, 1),
        (wanted, 2),
        (wanted + DAY, 1),
    ]


def test_message_brings_its_order_on_its_own_day_also_when_the_order_is_after_the_period() -> None:
    one = oracle(
        [sent("m", "2025-06-10 12:00")],
        [ordered("o", "2025-06-16 12:00")],
        as_of=date(2025, 6, 10),
    )
    ending_before = one.overview(date(2025, 6, 10), date(2025, 6, 10))
    ending_after = one.overview(date(2025, 6, 10), date(2025, 6, 20))
    assert ending_before == ending_after
    assert ending_before[0]["revenue_generated"] == Decimal("10.00")
    assert one.overview(date(2025, 6, 11), date(2025, 6, 20))[0]["orders_generated"] == 0
    assert [row["message_date"] for row in one.mart_overview_daily()] == [date(2025, 6, 10)]


def test_days_without_messages_have_no_row_and_days_with_skips_only_have_one() -> None:
    one = oracle(
        [sent("m1", "2025-06-01"), skipped("m2", "2025-06-03", queue="p", user="v")],
        [ordered("o", "2025-06-02")],
    )
    june = (date(2025, 6, 1), date(2025, 6, 30))
    columns = ("message_date", "messages_sent", "messages_skipped")
    days = [(date(2025, 6, 1), 1, 0), (date(2025, 6, 3), 0, 1)]
    assert [part(row, *columns) for row in one.mart_overview_daily()] == days
    assert [part(row, *columns) for row in one.messages_over_time(*june)] == days
    assert [part(row, *columns) for row in one.mart_queue_daily()] == days
    assert [part(row, *columns) for row in one.mart_user_daily()] == days
    assert [part(row, *columns) for row in one.user_messages_over_time(*june)] == days
    assert [row["queue_id"] for row in one.mart_queue_daily()] == ["q", "p"]
    assert [row["user_id"] for row in one.mart_user_daily()] == ["u", "v"]


# Open windows.


def test_window_is_open_when_it_closes_after_the_end_of_the_as_of_day() -> None:
    # The as-of day 30 June ends in New York at 04:00 UTC on 1 July.
    one = oracle(
        [
            sent("closes at the end", "2025-06-24 04:00"),
            sent("closes a microsecond later", "2025-06-24 04:00:00.000001"),
            sent("after the as-of day", "2025-07-02 12:00"),
            skipped("opens none", "2025-06-30 12:00"),
        ],
        timezone="America/New_York",
        as_of=date(2025, 6, 30),
    )
    assert all_time(one)["messages_in_open_window"] == 1
    assert of_all_days(one)["messages_in_open_window"] == 2
    last_7 = only(one.mart_overview(), period="last_7_days")
    assert part(last_7, "messages_sent", "messages_in_open_window") == (2, 1)
    daily = only(one.mart_overview_daily(), message_date=date(2025, 6, 24))
    assert daily["messages_in_open_window"] == 1
    by_queue = only(one.mart_queue_breakdown(), period="all_time", queue_id="q")
    assert by_queue["messages_in_open_window"] == 1


def test_open_windows_follow_a_short_as_of_day() -> None:
    # 9 March has 23 hours in New York and ends at 04:00 UTC; the day before ended at 05:00.
    message = sent("m", "2025-03-03 04:30")
    zone = "America/New_York"
    open_on_9 = all_time(oracle([message], timezone=zone, as_of=date(2025, 3, 9)))
    assert open_on_9["messages_in_open_window"] == 1
    open_on_10 = all_time(oracle([message], timezone=zone, as_of=date(2025, 3, 10)))
    assert open_on_10["messages_in_open_window"] == 0


# Periods.


def test_last_closed_day_follows_a_short_and_a_long_day() -> None:
    def last_closed(as_of: date) -> date:
        return oracle([], [], timezone="America/New_York", as_of=as_of).last_closed_day()

    # Clocks go forward on 9 March and back on 2 November.
    assert last_closed(date(2025, 3, 8)) == date(2025, 3, 1)
    assert last_closed(date(2025, 3, 9)) == date(2025, 3, 1)
    assert last_closed(date(2025, 3, 15)) == date(2025, 3, 7)
    assert last_closed(date(2025, 3, 16)) == date(2025, 3, 9)
    assert last_closed(date(2025, 11, 2)) == date(2025, 10, 26)


def test_comparison_worked_out_by_hand() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-10 10:00", customer="ann"),
            sent("m2", "2025-06-12 10:00", customer="bob"),
            sent("m3", "2025-06-20 10:00", customer="ann"),
            skipped("m4", "2025-06-21 10:00", customer="cid"),
        ],
        [
            ordered("o1", "2025-06-10 11:00", "80.00", customer="ann"),
            ordered("o2", "2025-06-20 11:00", "100.00", customer="ann"),
        ],
    )
    (row,) = one.overview_compared(date(2025, 6, 20), date(2025, 6, 29))
    assert part(row, "period_start", "period_end") == (date(2025, 6, 20), date(2025, 6, 29))
    assert part(row, "base_start", "base_end") == (date(2025, 6, 10), date(2025, 6, 19))
    assert part(row, "messages_sent", "messages_sent_base", "messages_sent_change") == (1, 2, -0.5)
    assert row["messages_skipped_change"] is None
    assert row["revenue_generated_difference"] == Decimal("20.00")
    assert row["revenue_generated_change"] == 0.25
    assert part(row, "conversion_rate_difference", "conversion_rate_points") == (0.5, 50.0)
    # 23 June is the last closed day, the fourth of the period.
    (complete,) = one.overview_compared(date(2025, 6, 20), date(2025, 6, 29), complete_days_only=True)
    assert part(complete, "period_end", "base_end") == (date(2025, 6, 23), date(2025, 6, 13))
    assert part(complete, "days_left_out", "days_left_out_base") == (6, 6)


@pytest.mark.parametrize(
    ("against", "base"),
    [
        ("previous", (date(2024, 2, 10), date(2024, 2, 19))),
        ("year", (date(2023, 2, 21), date(2023, 3, 2))),
        ("last_year_dates", (date(2023, 2, 20), date(2023, 2, 28))),
    ],
)
def test_base_is_what_its_name_says(against: str, base: tuple[date, date]) -> None:
    first, last = date(2024, 2, 20), date(2024, 2, 29)
    assert base_of(first, last, against) == base
    assert against != "year" or first.weekday() == base[0].weekday()


def test_all_periods_end_on_the_as_of_day() -> None:
    as_of = date(2025, 6, 30)
    firsts = {7: "2025-06-24", 30: "2025-06-01", 90: "2025-04-02", 365: "2024-07-01"}
    one = oracle(
        [
            *(sent(f"first of {days}", f"{first} 00:00") for days, first in firsts.items()),
            *(
                sent(f"just before {days}", (instant(first) - TICK).isoformat())
                for days, first in firsts.items()
            ),
            sent("on the as-of day", "2025-06-30 23:59:59.999999"),
            sent("after it", "2025-07-01 00:00"),
        ],
        as_of=as_of,
    )
    columns = ("period", "period_start", "period_end", "messages_sent")
    assert [part(row, *columns) for row in one.mart_overview()] == [
        ("last_7_days", date(2025, 6, 24), as_of, 2),
        ("last_30_days", date(2025, 6, 1), as_of, 4),
        ("last_90_days", date(2025, 4, 2), as_of, 6),
        ("last_365_days", date(2024, 7, 1), as_of, 8),
        ("all_time", date(2024, 6, 30), as_of, 9),
    ]
    assert [part(row, *columns) for row in one.mart_queue_breakdown()] == [
        part(row, *columns) for row in one.mart_overview()
    ]
    assert [part(row, *columns) for row in one.mart_user_breakdown()] == [
        part(row, *columns) for row in one.mart_overview()
    ]


def test_events_after_the_as_of_day_are_counted_and_no_event_is_newer_than_it() -> None:
    late, early = "2025-07-30 12:00", "2025-06-30 23:59:59.999999"
    one = oracle([sent("m", early), sent("late", late)], [ordered("o", "2025-07-01 00:00")])
    assert one.report_info() == [
        {
            "as_of": date(2025, 6, 30),
            "as_of_ends_at": instant("2025-07-01"),
            "last_closed_day": date(2025, 6, 23),
            "newest_event_at": instant(early),
            "events_after_as_of": 2,
        }
    ]
    assert all_time(oracle([sent("late", late)]))["period_start"] == date(2025, 6, 30)
    assert oracle([], []).report_info()[0]["newest_event_at"] is None


def test_ratios_with_denominator_zero_are_null_and_an_empty_history_has_its_rows() -> None:
    nothing = {
        "messages_sent": 0,
        "messages_skipped": 0,
        "customers_messaged": 0,
        "customers_converted": 0,
        "conversion_rate": None,
        "orders_generated": 0,
        "revenue_generated": Decimal("0.00"),
        "revenue_refunded": Decimal("0.00"),
        "revenue_credited": Decimal("0.00"),
        "active_users": 0,
        "revenue_per_message": None,
        "messages_in_open_window": 0,
    }
    as_of = date(2025, 6, 30)
    one = oracle([], [ordered("o", "2025-06-30")], as_of=as_of)
    assert one.overview(as_of, as_of) == [nothing]
    assert len(one.mart_overview()) == 5
    assert all_time(one) == {
        "period": "all_time",
        "period_start": as_of,
        "period_end": as_of,
        **nothing,
    }
    assert one.mart_overview_daily() == one.mart_queue_breakdown() == one.dim_users() == []
    assert len(one.fct_orders()) == 1

    skips_only = oracle([skipped("m", "2025-06-30")], as_of=as_of)
    assert skips_only.overview(as_of, as_of) == [{**nothing, "messages_skipped": 1}]


@pytest.mark.parametrize(
    ("revenue", "messages_sent", "expected"),
    [("1.00", 3, "0.333333"), ("2.00", 3, "0.666667"), ("0.01", 64, "0.000156")],
)
def test_revenue_per_message_is_rounded_to_six_places(
    revenue: str, messages_sent: int, expected: str
) -> None:
    messages = [sent(f"m{n}", "2025-06-01") for n in range(messages_sent)]
    row = all_time(oracle(messages, [ordered("o", "2025-06-02", revenue)]))
    assert str(row["revenue_per_message"]) == expected


def test_revenue_per_message_is_rounded_half_up() -> None:
    messages = [sent(f"m{n}", "2025-06-01") for n in range(160)]
    row = all_time(oracle(messages, [ordered("o", "2025-06-02", "0.01")]))
    assert str(row["revenue_per_message"]) == "0.000063"  # from 0.0000625


# Queues and users.


def test_queue_with_skips_only_has_no_row_in_the_breakdown_but_counts_in_the_overview() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-01", queue="works"),
            skipped("m2", "2025-06-01", queue="skips"),
        ]
    )
    june = (date(2025, 6, 1), date(2025, 6, 30))
    assert {row["queue_id"] for row in one.mart_queue_breakdown()} == {"works"}
    assert [row["queue_id"] for row in one.queue_breakdown(*june)] == ["works"]
    assert all_time(one)["messages_skipped"] == 1
    assert [row["queue_id"] for row in one.dim_queues()] == ["skips", "works"]


def test_user_who_only_skipped_is_not_active_and_has_no_row_in_the_breakdown() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-01", user="works"),
            skipped("m2", "2025-06-01", user="skips"),
        ]
    )
    june = (date(2025, 6, 1), date(2025, 6, 30))
    assert all_time(one)["active_users"] == 1
    assert {row["user_id"] for row in one.mart_user_breakdown()} == {"works"}
    assert [row["user_id"] for row in one.user_breakdown(*june)] == ["works"]


def test_breakdown_shows_the_skips_of_those_who_also_sent() -> None:
    one = oracle([sent("m1", "2025-06-01"), skipped("m2", "2025-06-02")])
    row = only(one.mart_queue_breakdown(), period="all_time", queue_id="q")
    assert part(row, "messages_sent", "messages_skipped") == (1, 1)


def test_unassigned_has_rows_like_any_other_but_is_no_active_user() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-01", queue=UNASSIGNED, user=UNASSIGNED),
            sent("m2", "2025-06-01", queue="q", user="u"),
        ]
    )
    assert all_time(one)["active_users"] == 1
    assert {row["queue_id"] for row in one.mart_queue_breakdown()} == {"q", "unassigned"}
    of_users = [row for row in one.mart_user_breakdown() if row["period"] == "all_time"]
    assert sorted(part(row, "user_id", "messages_sent", "active_users") for row in of_users) == [
        ("u", 1, 1),
        ("unassigned", 1, 0),
    ]


def test_names_are_the_given_ones_else_unassigned_else_the_id() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-01", queue="q1", user="u1"),
            sent("m2", "2025-06-01", queue="q2", user="u2"),
            sent("m3", "2025-06-01", queue=UNASSIGNED, user=UNASSIGNED),
        ],
        queue_names={"q1": "Welcome", "gone": "Nobody names it"},
        user_names={"u1": "Eve", UNASSIGNED: "No one"},
    )
    assert one.dim_queues() == [
        {"queue_id": "q1", "queue_name": "Welcome"},
        {"queue_id": "q2", "queue_name": "q2"},
        {"queue_id": "unassigned", "queue_name": "Unassigned"},
    ]
    assert one.dim_users() == [
        {"user_id": "u1", "user_name": "Eve"},
        {"user_id": "u2", "user_name": "u2"},
        {"user_id": "unassigned", "user_name": "No one"},
    ]
    assert [part(row, "queue_id", "queue_name") for row in one.mart_queue_daily()] == [
        ("q1", "Welcome"),
        ("q2", "q2"),
        ("unassigned", "Unassigned"),
    ]
    assert only(one.mart_user_daily(), user_id="u1")["user_name"] == "Eve"


def test_message_counts_for_the_queue_and_user_of_its_latest_version() -> None:
    one = oracle(
        [
            sent("m", "2025-06-01", queue="old", user="old", updated_at="2025-06-01"),
            sent("m", "2025-06-01", queue="new", user="new", updated_at="2025-06-02"),
        ]
    )
    assert [row["queue_id"] for row in one.dim_queues()] == ["new"]
    assert [row["user_id"] for row in one.mart_user_daily()] == ["new"]


def test_user_in_two_queues_counts_in_each_and_is_one_active_user() -> None:
    one = oracle([sent("m1", "2025-06-01", queue="q1"), sent("m2", "2025-06-01", queue="q2")])
    columns = ("queue_id", "messages_sent", "active_users")
    assert [part(row, *columns) for row in one.mart_queue_daily()] == [("q1", 1, 1), ("q2", 1, 1)]
    assert all_time(one)["active_users"] == 1


# Filters.


def test_filters_are_inclusive_and_combine() -> None:
    one = oracle(
        [
            sent("m1", "2025-06-01", queue="q1", user="u1"),
            sent("m2", "2025-06-02", queue="q2", user="u1"),
            sent("m3", "2025-06-03", queue="q2", user="u2"),
        ]
    )

    def sent_in(*arguments: Any, **lists: Any) -> int:
        (row,) = one.overview(*arguments, **lists)
        return row["messages_sent"]

    first, second, third = (date(2025, 6, day) for day in (1, 2, 3))
    assert sent_in(first, third) == 3
    assert sent_in(second, second) == 1
    assert sent_in(third, first) == 0
    assert sent_in(first, third, queues=["q2"]) == 2
    assert sent_in(first, third, queues=["q2"], users=["u1"]) == 1
    assert sent_in(first, third, queues=["q1", "q2", "q2"]) == 3
    assert sent_in(first, third, queues=["Q2"]) == 0
    assert sent_in(first, third, queues=[]) == 0
    assert sent_in(first, third, users=[]) == 0

    only_u2 = (first, third, None, ["u2"])
    assert [row["message_date"] for row in one.messages_over_time(*only_u2)] == [third]
    assert [row["queue_id"] for row in one.queue_breakdown(*only_u2)] == ["q2"]
    assert [row["user_id"] for row in one.user_breakdown(*only_u2)] == ["u2"]
    (row,) = one.user_messages_over_time(*only_u2)
    assert part(row, "message_date", "user_id") == (third, "u2")


# Invariants.

ADDITIVE = (
    "messages_sent",
    "messages_skipped",
    "revenue_credited",
    "messages_in_open_window",
)
DISTINCT = (
    "customers_messaged",
    "customers_converted",
    "orders_generated",
    "revenue_generated",
    "revenue_refunded",
    "active_users",
)
#: The figures that the reporting zone has no part in: its as-of day decides what is still open.
ZONELESS = tuple(figure for figure in FIGURES if figure != "messages_in_open_window")


def of(history: History, timezone: str = "UTC") -> Oracle:
    """The oracle of a drawn history."""
    return oracle(history.messages, history.orders, timezone=timezone, as_of=history.as_of)


def every_relation(one: Oracle) -> list[list[Row]]:
    """All that the oracle says without being asked with a filter."""
    return [
        one.fct_messages(),
        one.fct_message_orders(),
        one.fct_orders(),
        one.dim_queues(),
        one.dim_users(),
        one.mart_overview_daily(),
        one.mart_queue_daily(),
        one.mart_user_daily(),
        one.mart_overview(),
        one.mart_queue_breakdown(),
        one.mart_user_breakdown(),
    ]


def total(rows: list[Row], column: str) -> Any:
    """The sum of a column."""
    return sum(row[column] for row in rows)


@any_history
@given(history=histories(), timezone=timezones(), data=st.data())
def test_shuffled_and_repeated_events_give_identical_output(
    history: History, timezone: str, data: st.DataObject
) -> None:
    def shuffled(events: tuple[Event, ...]) -> list[Event]:
        return data.draw(st.permutations(events + events[:2]))

    again = replace(
        history,
        messages=tuple(shuffled(history.messages)),
        orders=tuple(shuffled(history.orders)),
    )
    assert every_relation(of(again, timezone)) == every_relation(of(history, timezone))


@any_history
@given(history=histories())
def test_pairs_are_exactly_those_that_obey_the_rule(history: History) -> None:
    one = of(history)
    microseconds_open = 7 * 24 * 60 * 60 * 1_000_000
    obeying = set()
    for message in latest(history.messages):
        for order in latest(history.orders):
            waited = (order.ordered_at - message.occurred_at) // TICK
            if (
                (message.status, order.status) == ("sent", "placed")
                and message.customer_id == order.customer_id
                and waited in range(microseconds_open)
            ):
                obeying.add((message.message_id, order.order_id))
    assert pairs(one) == obeying
    assert len(one.fct_message_orders()) == len(obeying)


@any_history
@given(history=histories())
def test_each_attributed_order_is_credited_whole_to_exactly_one_message(history: History) -> None:
    one = of(history)
    attributed = [row for row in one.fct_orders() if row["is_attributed"]]
    credited = [row for row in one.fct_message_orders() if row["is_last_touch"]]
    assert sorted(row["order_id"] for row in credited) == [row["order_id"] for row in attributed]
    for last in credited:
        for row in one.fct_message_orders():
            if row["order_id"] == last["order_id"]:
                assert part(row, "sent_at", "message_id") <= part(last, "sent_at", "message_id")

    value = total(attributed, "order_value")
    assert total(one.fct_messages(), "revenue_credited") == value
    assert total(one.fct_messages(), "orders_credited") == len(attributed)
    assert of_all_days(one)["revenue_credited"] == of_all_days(one)["revenue_generated"] == value
    assert of_all_days(one)["revenue_refunded"] == total(attributed, "refunded_value")


@any_history
@given(history=histories(), timezone=timezones(), data=st.data())
def test_figures_of_any_row_are_within_their_bounds(
    history: History, timezone: str, data: st.DataObject
) -> None:
    one = of(history, timezone)
    chosen = data.draw(filters(history))
    rows = [row for rows in every_relation(one) for row in rows if "conversion_rate" in row]
    rows += one.overview(*chosen) + one.messages_over_time(*chosen)
    rows += one.queue_breakdown(*chosen) + one.user_breakdown(*chosen)
    for row in rows:
        assert 0 <= row["customers_converted"] <= row["customers_messaged"] <= row["messages_sent"]
        assert 0 <= row["active_users"] <= row["messages_sent"]
        assert 0 <= row["messages_in_open_window"] <= row["messages_sent"]
        assert row["customers_converted"] <= row["orders_generated"]
        assert 0 <= row["revenue_credited"] <= row["revenue_generated"]
        assert 0 <= row["revenue_refunded"] <= row["revenue_generated"]
        assert (row["conversion_rate"] is None) == (row["messages_sent"] == 0)
        assert (row["revenue_per_message"] is None) == (row["messages_sent"] == 0)
        assert row["conversion_rate"] is None or 0 <= row["conversion_rate"] <= 1


@any_history
@given(history=histories(), timezone=timezones(), data=st.data())
def test_additive_figures_add_up_over_neighbouring_ranges_and_distinct_ones_at_most(
    history: History, timezone: str, data: st.DataObject
) -> None:
    one = of(history, timezone)
    chosen = data.draw(filters(history))
    days = [row["message_date"] for row in one.mart_overview_daily()] or [history.as_of]
    for lists in ((None, None), (chosen.queues, chosen.users)):
        (whole,) = one.overview(days[0], days[-1], *lists)
        for middle in days:
            (left,) = one.overview(days[0], middle, *lists)
            (right,) = one.overview(middle + DAY, days[-1], *lists)
            for figure in ADDITIVE:
                assert left[figure] + right[figure] == whole[figure], figure
            for figure in DISTINCT:
                parts = (left[figure], right[figure])
                assert max(parts) <= whole[figure] <= sum(parts), figure


@any_history
@given(history=histories(), timezone=timezones(), data=st.data())
def test_additive_figures_add_up_across_days_queues_and_users(
    history: History, timezone: str, data: st.DataObject
) -> None:
    one = of(history, timezone)
    whole = of_all_days(one)
    for rows in (one.mart_overview_daily(), one.mart_queue_daily(), one.mart_user_daily()):
        for figure in ADDITIVE:
            assert total(rows, figure) == whole[figure], figure

    chosen = data.draw(filters(history))
    (overview,) = one.overview(*chosen)
    for figure in ADDITIVE:
        assert total(one.messages_over_time(*chosen), figure) == overview[figure], figure
        assert total(one.user_messages_over_time(*chosen), figure) == overview[figure], figure
        if figure != "messages_skipped":  # those of a queue that sent nothing have no row
            assert total(one.queue_breakdown(*chosen), figure) == overview[figure], figure
            assert total(one.user_breakdown(*chosen), figure) == overview[figure], figure


@any_history
@given(history=histories(), data=st.data())
def test_filter_on_everything_is_no_filter_and_on_nothing_is_nothing(
    history: History, data: st.DataObject
) -> None:
    one = of(history)
    chosen: Filter = data.draw(filters(history))
    days = (chosen.date_from, chosen.date_to)
    queues = [row["queue_id"] for row in one.dim_queues()]
    users = [row["user_id"] for row in one.dim_users()]
    assert one.overview(*days, queues=queues, users=users) == one.overview(*days)
    assert one.queue_breakdown(*days, queues=["no such id"]) == []
    assert one.messages_over_time(*days, queues=chosen.queues, users=[]) == []


@any_history
@given(history=histories(), timezone=timezones())
def test_marts_are_the_table_functions_over_their_periods(history: History, timezone: str) -> None:
    one = of(history, timezone)
    by_queue, by_user = [], []
    for row in one.mart_overview():
        period = {name: row[name] for name in ("period", "period_start", "period_end")}
        days = (row["period_start"], row["period_end"])
        assert [row] == [{**period, **figures} for figures in one.overview(*days)]
        by_queue += [{**period, **figures} for figures in one.queue_breakdown(*days)]
        by_user += [{**period, **figures} for figures in one.user_breakdown(*days)]
    assert one.mart_queue_breakdown() == by_queue
    assert one.mart_user_breakdown() == by_user


@any_history
@given(history=histories(), one_zone=timezones(), other_zone=timezones())
def test_shifting_the_reporting_zone_keeps_the_totals_of_all_days(
    history: History, one_zone: str, other_zone: str
) -> None:
    one, other = of(history, one_zone), of(history, other_zone)
    assert part(of_all_days(one), *ZONELESS) == part(of_all_days(other), *ZONELESS)
    assert pairs(one) == pairs(other)
    for row, shifted in zip(one.fct_messages(), other.fct_messages(), strict=True):
        assert {**row, "message_date": None} == {**shifted, "message_date": None}
        assert abs(row["message_date"] - shifted["message_date"]) <= DAY


def newcomers(history: History) -> list[Message]:
    """Messages that could be added: to the same customers, also at the instants of their orders."""
    like_a_message = [replace(one, message_id="+" + one.message_id) for one in history.messages]
    like_an_order = [
        Message(
            message_id="+" + order.order_id,
            customer_id=order.customer_id,
            queue_id="new queue",
            user_id="new user",
            status="sent",
            occurred_at=order.ordered_at,
            updated_at=order.ordered_at,
        )
        for order in history.orders
        if order.customer_id is not None
    ]
    return like_a_message + like_an_order


@any_history
@given(history=histories())
def test_adding_a_message_never_lowers_what_was_generated(history: History) -> None:
    before = of_all_days(of(history))
    for added in newcomers(history):
        after = of_all_days(of(replace(history, messages=(*history.messages, added))))
        for figure in DISTINCT:
            assert after[figure] >= before[figure], figure


@any_history
@given(history=histories())
def test_adding_a_skip_changes_nothing_but_skips(history: History) -> None:
    before = of_all_days(of(history))
    one_more_skip = {**before, "messages_skipped": before["messages_skipped"] + 1}
    for added in newcomers(history):
        skip = replace(added, status="skipped")
        after = of_all_days(of(replace(history, messages=(*history.messages, skip))))
        assert part(after, *FIGURES) == part(one_more_skip, *FIGURES)


@any_history
@given(history=histories())
def test_an_older_version_changes_nothing(history: History) -> None:
    older_messages = [
        replace(message, status="sent", queue_id="old", updated_at=message.updated_at - TICK)
        for message in latest(history.messages)
    ]
    older_orders = [
        replace(order, order_value=order.order_value + 1, updated_at=order.updated_at - TICK)
        for order in latest(history.orders)
    ]
    late = replace(
        history,
        messages=(*history.messages, *older_messages),
        orders=(*history.orders, *older_orders),
    )
    assert every_relation(of(late)) == every_relation(of(history))


# The strategies reach what they are for.


def _pairs_of_events(history: History) -> list[tuple[Message, Order]]:
    return [
        (message, order)
        for message in latest(history.messages)
        for order in latest(history.orders)
        if message.status == "sent" and message.customer_id == order.customer_id
    ]


def _waits(history: History) -> set[timedelta]:
    return {order.ordered_at - message.occurred_at for message, order in _pairs_of_events(history)}


def _versions_tie(history: History) -> bool:
    return any(
        one.key == other.key and one.updated_at == other.updated_at and one != other
        for events in (history.messages, history.orders)
        for one in events
        for other in events
    )


def _older_version_arrives_later(history: History) -> bool:
    messages = history.messages
    return any(
        one.key == other.key and one.updated_at > other.updated_at and one.status != other.status
        for place, one in enumerate(messages)
        for other in messages[place + 1 :]
    )


def _two_queues_tie_for_one_order(history: History) -> bool:
    return any(
        row["touch_count"] > 1
        and any(
            row["order_id"] == other["order_id"]
            and row["sent_at"] == other["sent_at"]
            and row["queue_id"] != other["queue_id"]
            for other in of(history).fct_message_orders()
        )
        for row in of(history).fct_message_orders()
    )


def _begins_a_day_in(zone: str) -> Callable[[History], bool]:
    def corner(history: History) -> bool:
        return any(
            message.occurred_at
            == start_of_day(local_day(message.occurred_at, ZoneInfo(zone)), ZoneInfo(zone))
            for message in latest(history.messages)
        )

    return corner


CORNERS: dict[str, Callable[[History], bool]] = {
    "order at the message's instant": lambda history: timedelta(0) in _waits(history),
    "order a microsecond before": lambda history: -TICK in _waits(history),
    "order at the end of the window": lambda history: WEEK in _waits(history),
    "order a microsecond before the end": lambda history: WEEK - TICK in _waits(history),
    "window across a switch of clocks": lambda history: any(
        message.occurred_at < switch < order.ordered_at < message.occurred_at + WEEK
        for message, order in _pairs_of_events(history)
        for switches in CLOCK_SWITCHES.values()
        for switch in switches
    ),
    "message at midnight in New York": _begins_a_day_in("America/New_York"),
    "message at midnight on Lord Howe": _begins_a_day_in("Australia/Lord_Howe"),
    "message at midnight in Kathmandu": _begins_a_day_in("Asia/Kathmandu"),
    "equal versions, other content": _versions_tie,
    "older version arrives later": _older_version_arrives_later,
    "two queues tie for one order": _two_queues_tie_for_one_order,
    "guest order": lambda history: any(o.customer_id is None for o in latest(history.orders)),
    "cancelled order in a window": lambda history: any(
        timedelta(0) <= order.ordered_at - message.occurred_at < WEEK
        for message, order in _pairs_of_events(history)
        if order.status == "cancelled"
    ),
    "zero-value order in a window": lambda history: any(
        row["order_value"] == 0 for row in of(history).fct_message_orders()
    ),
    "partial refund": lambda history: any(
        0 < order.refunded_value < order.order_value for order in latest(history.orders)
    ),
    "unassigned queue": lambda history: any(
        message.queue_id == UNASSIGNED for message in latest(history.messages)
    ),
    "customers that differ in case": lambda history: any(
        one.customer_id.lower() == other.customer_id.lower()
        for one in latest(history.messages)
        for other in latest(history.messages)
        if one.customer_id != other.customer_id
    ),
    "same row twice": lambda history: len(set(history.messages)) < len(history.messages),
    "message after the as-of day": lambda history: any(
        message.occurred_at.date() > history.as_of for message in latest(history.messages)
    ),
    "no messages": lambda history: not history.messages and bool(history.orders),
}


@pytest.fixture(scope="module")
def drawn() -> list[History]:
    """As many histories as a thorough comparison draws."""
    collected: list[History] = []

    @settings(any_history, max_examples=250, database=None, phases=[Phase.generate])
    @given(history=histories())
    def collect(history: History) -> None:
        collected.append(history)

    collect()
    return collected


@pytest.mark.parametrize("corner", CORNERS)
def test_histories_reach(corner: str, drawn: list[History]) -> None:
    assert any(CORNERS[corner](history) for history in drawn)


@pytest.mark.parametrize("zone", CLOCK_SWITCHES)
def test_clock_switches_are_where_the_zone_has_them(zone: str) -> None:
    for switch in CLOCK_SWITCHES[zone]:
        before, after = (
            moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset()
            for moment in (switch - TICK, switch)
        )
        assert before != after, switch


@any_history
@given(identifier=identifiers())
def test_identifiers_are_as_accepted(identifier: str) -> None:
    assert identifier == identifier.strip() != ""
    assert not {unicodedata.category(character)[0] for character in identifier} & {"C"}
    assert identifier.splitlines() == [identifier]


@any_history
@given(history=histories())
def test_histories_are_valid_input(history: History) -> None:
    for message in history.messages:
        assert message.status in {"sent", "skipped"}
        assert 2000 <= message.occurred_at.year <= 2099
        assert "" not in (message.customer_id, message.queue_id, message.user_id)
    for order in history.orders:
        assert 0 <= order.refunded_value <= order.order_value
        for money in (order.order_value, order.refunded_value):
            assert money.as_tuple().exponent == -2
        assert order.status in {"placed", "cancelled"}
        assert order.sales_channel in {"online", "in_store"}
        assert order.customer_id != ""
