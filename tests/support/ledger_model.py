"""What the ledger must say of any two published versions, computed the slow and obvious way.

What belongs here: the facts of two published files and the landed events behind them, compared row by row in
plain Python. A published file gives only `fct_messages`, `fct_message_orders` and `report_info`, which knew
every figure before there was a ledger.

What does not belong here: SQL beyond reading those three, the ledger's own tables, the product's code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import duckdb

from support.oracle import UNASSIGNED, Message, Order, local_day
from support.strategies import Filter

Row = dict[str, Any]

ZERO = Decimal(0)

#: The figures that have rows, and what their rows are about; ratios have none.
ENTITIES = {
    "messages_sent": "message",
    "messages_skipped": "message",
    "customers_messaged": "customer",
    "customers_converted": "customer",
    "orders_generated": "order",
    "revenue_generated": "order",
    "revenue_refunded": "order",
    "revenue_credited": "order",
    "active_users": "user",
    "messages_in_open_window": "message",
}

#: What a message contributes to figures with, and what a touch does. Other columns move no figure.
SHARE_OF_MESSAGE = ("customer_id", "message_date", "queue_id", "user_id", "status", "is_in_open_window")
SHARE_OF_TOUCH = (
    *("customer_id", "message_date", "queue_id", "user_id"),
    *("order_value", "refunded_value", "is_last_touch"),
)

FIELDS_OF_MESSAGE = ("customer_id", "queue_id", "user_id", "status", "occurred_at")
FIELDS_OF_ORDER = ("customer_id", "ordered_at", "order_value", "refunded_value", "status", "sales_channel")


class Key(NamedTuple):
    """What a row of `why` is about."""

    figure: str
    entity: str
    id: str


class Change(NamedTuple):
    """What a row of `why` says of it."""

    before: Decimal
    after: Decimal
    was_settled: bool


@dataclass(frozen=True)
class Facts:
    """The facts of one published file; a touch is known by its message and its order."""

    as_of: date
    as_of_ends_at: datetime
    window: timedelta
    messages: Mapping[str, Row]
    touches: Mapping[tuple[str, str], Row]


@dataclass(frozen=True)
class Events:
    """The winning version of each event that was in force when a file was published, and the settings."""

    messages: Mapping[str, Message]
    orders: Mapping[str, Order]
    timezone: str
    window_days: int


class State(NamedTuple):
    """What a version was published from, and what it published."""

    events: Events
    facts: Facts


class Causes(NamedTuple):
    """The causes that a row must have, and all that it may have."""

    required: frozenset[str]
    allowed: frozenset[str]


def read_facts(file: Path) -> Facts:
    """The facts that a published file holds."""
    with duckdb.connect(str(file), read_only=True) as connection:
        (info,) = _rows(connection, "from report_info")
        messages = _rows(connection, "from fct_messages")
        touches = _rows(connection, "from fct_message_orders")
    window = timedelta(days=info["attribution_window_days"])
    for message in messages:
        is_open = message["occurred_at"] + window > info["as_of_ends_at"]
        message["is_in_open_window"] = message["status"] == "sent" and is_open
    return Facts(
        info["as_of"],
        info["as_of_ends_at"],
        window,
        {row["message_id"]: row for row in messages},
        {(row["message_id"], row["order_id"]): row for row in touches},
    )


def figures_of(facts: Facts, asked: Filter) -> dict[str, Decimal]:
    """The figures that have rows."""
    totals = dict.fromkeys(ENTITIES, ZERO)
    for key, parts in _shares(facts, asked).items():
        totals[key.figure] += _amount(key, parts)
    return totals


def explain(earlier: Facts, later: Facts, asked: Filter) -> dict[Key, Change]:
    """The rows of `why`: what moved between the earlier version and the later one, with what it moved by."""
    before, after = _shares(earlier, asked), _shares(later, asked)
    rows = {}
    for key in before.keys() | after.keys():
        parts = before.get(key, {}), after.get(key, {})
        amounts = _amount(key, parts[0]), _amount(key, parts[1])
        if amounts[0] != amounts[1]:
            moved = {m for m in parts[0].keys() | parts[1].keys() if parts[0].get(m) != parts[1].get(m)}
            rows[key] = Change(*amounts, any(is_settled(m, earlier, later) for m in moved))
    return rows


def is_settled(message_id: str, earlier: Facts, later: Facts) -> bool:
    """Whether a message had settled at the end of the as-of day of the earlier version.

    It settles when its window closes; a skipped one, which opens none, as if it had been sent.
    """
    message = earlier.messages.get(message_id) or later.messages[message_id]
    settles_at: datetime = message["occurred_at"] + earlier.window
    return settles_at <= earlier.as_of_ends_at


def new_days(earlier: Facts, later: Facts) -> set[date]:
    """The days after the earlier as-of day of which only the later version has messages."""
    had, has = ({row["message_date"] for row in facts.messages.values()} for facts in (earlier, later))
    return {day for day in has - had if day > earlier.as_of}


def restated_messages(earlier: Facts, later: Facts) -> set[str]:
    """The messages whose share in some figure differs, but for those that are new on a new day."""
    return _restated(earlier.messages, later.messages, SHARE_OF_MESSAGE, new_days(earlier, later))


def restated_touches(earlier: Facts, later: Facts) -> set[tuple[str, str]]:
    """The touches whose share in some figure differs, but for those that are new on a new day."""
    return _restated(earlier.touches, later.touches, SHARE_OF_TOUCH, new_days(earlier, later))


def causes_of_message(message_id: str, before: State, after: State) -> Causes:
    """The causes of a restated message between a version and the next one."""
    required = _event_causes_of_message(message_id, before, after)
    row_before, row_after = before.facts.messages.get(message_id), after.facts.messages.get(message_id)
    closed_or_opened = (
        row_before is not None
        and row_after is not None
        and row_before["status"] == row_after["status"] == "sent"
        and row_before["occurred_at"] == row_after["occurred_at"]
        and row_before["is_in_open_window"] != row_after["is_in_open_window"]
        and not _has_other_settings(before, after)
    )
    if closed_or_opened:
        required.add("as_of_moved")
    return _with_other_causes(required, set(), before, after)


def causes_of_touch(touch: tuple[str, str], before: State, after: State) -> Causes:
    """The causes of a restated touch: those of its order, of its message, and of those that took its credit.

    A message that came to the touches of its order, left them, or was sent at another instant, has to be told
    where the credit moved.
    """
    message_id, order_id = touch
    required, optional = _event_causes_of_order(order_id, before.events, after.events)
    required |= _event_causes_of_message(message_id, before, after)
    row_before, row_after = before.facts.touches.get(touch), after.facts.touches.get(touch)
    has_moved = (
        row_before is not None
        and row_after is not None
        and row_before["is_last_touch"] != row_after["is_last_touch"]
    )
    touching = [
        {(m, row["sent_at"]) for (m, o), row in state.facts.touches.items() if o == order_id}
        for state in (before, after)
    ]
    for other in {m for m, _ in touching[0] ^ touching[1]}:
        (required if has_moved else optional).update(_event_causes_of_message(other, before, after))
    return _with_other_causes(required, optional, before, after)


def changed_fields(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The fields in which two versions of an event differ; none when one is missing."""
    one, other = before.get(key), after.get(key)
    if one is None or other is None:
        return set()
    fields = FIELDS_OF_MESSAGE if isinstance(one, Message) else FIELDS_OF_ORDER
    return {field for field in fields if getattr(one, field) != getattr(other, field)}


def _restated(
    before: Mapping[Any, Row], after: Mapping[Any, Row], share: Sequence[str], growing: set[date]
) -> set[Any]:
    def share_of(row: Row | None) -> list[Any] | None:
        return None if row is None else [row[column] for column in share]

    return {
        key
        for key in before.keys() | after.keys()
        if share_of(before.get(key)) != share_of(after.get(key))
        and not (key not in before and after[key]["message_date"] in growing)
    }


def _event_causes_of_message(message_id: str, before: State, after: State) -> set[str]:
    messages = before.events.messages, after.events.messages
    one, other = messages[0].get(message_id), messages[1].get(message_id)
    if other is None:
        return set() if one is None else {"message_removed"}
    if one is None:
        is_later = local_day(other.occurred_at, ZoneInfo(after.events.timezone)) > before.facts.as_of
        return {"message_new" if is_later else "message_late"}
    return {"message_changed"} if changed_fields(message_id, *messages) else set()


def _event_causes_of_order(order_id: str, before: Events, after: Events) -> tuple[set[str], set[str]]:
    """The causes that an order must give its touches, and those that it may give them besides."""
    one, other = before.orders.get(order_id), after.orders.get(order_id)
    if one is None or other is None:
        return ({"order_new"} if one is None else {"order_removed"}), set()
    fields = changed_fields(order_id, before.orders, after.orders)
    required, optional = set(), set()
    if "status" in fields:
        required.add("order_cancelled" if other.status == "cancelled" else "order_reinstated")
    if "refunded_value" in fields:
        required.add("order_refunded")
    if fields & {"customer_id", "ordered_at", "order_value"}:
        required.add("order_changed")
    if "sales_channel" in fields:
        # No figure of these is made of it.
        optional.add("order_changed")
    return required, optional


def _with_other_causes(required: set[str], optional: set[str], before: State, after: State) -> Causes:
    """Add what moves a figure although no event changed, or besides: a message to another day, for one."""
    allowed = required | optional
    if before.facts.as_of != after.facts.as_of:
        allowed.add("as_of_moved")
    if _has_other_settings(before, after):
        allowed.add("setting_changed")
    elif not required:
        allowed.add("software_changed")
    if not required and len(allowed) == 1:
        required = allowed
    return Causes(frozenset(required), frozenset(allowed))


def _has_other_settings(before: State, after: State) -> bool:
    one, other = before.events, after.events
    return (one.timezone, one.window_days) != (other.timezone, other.window_days)


def _shares(facts: Facts, asked: Filter) -> dict[Key, dict[str, Decimal]]:
    """What each entity brings to each figure under a filter, by the message through which it does."""
    shares: dict[Key, dict[str, Decimal]] = defaultdict(dict)
    for figure, entity_id, message_id, amount in _parts(facts, asked):
        shares[Key(figure, ENTITIES[figure], entity_id)][message_id] = Decimal(amount)
    return shares


def _parts(facts: Facts, asked: Filter) -> Iterator[tuple[str, str, str, Decimal | int]]:
    for message_id, row in facts.messages.items():
        if not _passes(row, asked):
            continue
        if row["status"] == "skipped":
            yield "messages_skipped", message_id, message_id, 1
            continue
        yield "messages_sent", message_id, message_id, 1
        yield "customers_messaged", row["customer_id"], message_id, 1
        if row["user_id"] != UNASSIGNED:
            yield "active_users", row["user_id"], message_id, 1
        if row["is_in_open_window"]:
            yield "messages_in_open_window", message_id, message_id, 1
    for (message_id, order_id), row in facts.touches.items():
        if not _passes(row, asked):
            continue
        yield "customers_converted", row["customer_id"], message_id, 1
        yield "orders_generated", order_id, message_id, 1
        yield "revenue_generated", order_id, message_id, row["order_value"]
        yield "revenue_refunded", order_id, message_id, row["refunded_value"]
        if row["is_last_touch"]:
            yield "revenue_credited", order_id, message_id, row["order_value"]


def _passes(row: Row, asked: Filter) -> bool:
    return (
        asked.date_from <= row["message_date"] <= asked.date_to
        and (asked.queues is None or row["queue_id"] in asked.queues)
        and (asked.users is None or row["user_id"] in asked.users)
    )


def _amount(key: Key, parts: Mapping[str, Decimal]) -> Decimal:
    """What an entity brings to a figure, once, through however many messages."""
    amounts = set(parts.values())
    assert len(amounts) < 2, f"{key} has several amounts: {parts}"
    return amounts.pop() if amounts else ZERO


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[Row]:
    cursor = connection.sql(query)
    return [dict(zip(cursor.columns, row, strict=True)) for row in cursor.fetchall()]
