"""Hypothesis strategies for adversarial histories of messages and orders.

What belongs here: drawing accepted event versions, settings and filters that are likely to break
an implementation: few ids that collide, instants on the very edge of a window or of a day, ties,
late and conflicting versions, odd text. Everything drawn is valid input.

What does not belong here: rows that the contract rejects, files and their notations, and any
judgement about figures (that is `oracle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from support.oracle import UNASSIGNED, WINDOW, Event, Message, Order, latest, start_of_day

TICK = timedelta(microseconds=1)

Drawn = TypeVar("Drawn")

#: Zones with switches: of an hour, of half an hour, across midnight; with an odd offset; and without any.
TIMEZONES = (
    "UTC",
    "America/New_York",
    "Europe/Paris",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
)

#: The instants (UTC) at which clocks are put forward or back.
CLOCK_SWITCHES: dict[str, tuple[datetime, ...]] = {
    "America/New_York": (
        datetime(2025, 3, 9, 7),
        datetime(2025, 11, 2, 6),
        datetime(2026, 3, 8, 7),
        datetime(2026, 11, 1, 6),
    ),
    "Europe/Paris": (
        datetime(2025, 3, 30, 1),
        datetime(2025, 10, 26, 1),
        datetime(2026, 3, 29, 1),
        datetime(2026, 10, 25, 1),
    ),
    # From 00:01 to 23:01: the day before comes again.
    "America/St_Johns": (datetime(2010, 11, 7, 2, 31),),
    "Australia/Lord_Howe": (
        datetime(2025, 4, 5, 15),
        datetime(2025, 10, 4, 15, 30),
        datetime(2026, 4, 4, 15),
        datetime(2026, 10, 3, 15, 30),
    ),
}

#: A history plays around one of these, or around a switch of clocks.
_ANCHORS = (datetime(2025, 6, 15, 12), datetime(2026, 1, 1))

#: Where messages lie, seen from the anchor.
_MESSAGE_OFFSETS = (
    timedelta(0),
    TICK,
    -TICK,
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=-1),
    timedelta(days=1),
    timedelta(days=-1),
    timedelta(days=3),
    WINDOW - TICK,
    WINDOW,
    -WINDOW,
    timedelta(days=-30),
)

#: Where orders lie, seen from the instant of a message.
_ORDER_OFFSETS = (
    timedelta(0),
    WINDOW - TICK,
    WINDOW,
    -TICK,
    timedelta(days=2),
    WINDOW - timedelta(hours=1),
    WINDOW + timedelta(minutes=30),
    timedelta(days=20),
)

#: As-of days, seen from the day of an event: on, before and after it, and period edges.
_AS_OF_OFFSETS = (0, 1, -1, 6, 7, 8, -8, 29, 30, 89, 90, 364, 365)

#: Ids that careless code takes for one another (the first two of each family most of all), or
#: sorts in another order than by code point.
_ID_FAMILIES = (
    ("1", "2", "3", "4", "5", "6"),
    ("a", "A", "B", "b"),
    ("7", "07", "10", "1e1", "-7"),
    ("\u00e9", "e\u0301", "\U0001f642", "\uff5a"),
    ("null", "NULL", "None", "NaN"),
    ("a b", "a  b", "a,b", "it's", 'say "hi"', '"', "a\\b", "[1]"),
    ("x" * 1000, "x" * 999 + "y"),
)

_FAMILIAR_IDS = st.sampled_from([member for family in _ID_FAMILIES for member in family])
_ODD_CHARACTERS = st.sampled_from(" '\",;") | st.characters(exclude_categories=("C", "Zl", "Zp"))
_ODD_TEXTS = st.lists(_ODD_CHARACTERS, min_size=1, max_size=6).map("".join)
_ODD_IDS = _ODD_TEXTS.filter(lambda text: text == text.strip())

_PRICES = st.sampled_from(
    [Decimal(text) for text in ("10.00", "0.00", "0.01", "99.99", "1234567.89")]
) | st.decimals(min_value=0, max_value=1000, places=2)


@dataclass(frozen=True)
class History:
    """Accepted event versions in the order of their arrival, and the as-of day."""

    messages: tuple[Message, ...]
    orders: tuple[Order, ...]
    as_of: date


class Filter(NamedTuple):
    """The arguments of a table function, in their order."""

    date_from: date
    date_to: date
    queues: list[str] | None
    users: list[str] | None


class Comparison(NamedTuple):
    """The arguments of a comparison, in the order of the oracle's; a base by its name or by its days."""

    date_from: date
    date_to: date
    against: str | tuple[date, date]
    complete_days_only: bool
    queues: list[str] | None
    users: list[str] | None


@dataclass(frozen=True)
class _Cast:
    """Who and when: the few ids and instants from which all events of a history are drawn."""

    customers: Sequence[str]
    queues: Sequence[str]
    users: Sequence[str]
    instants: Sequence[datetime]
    versions: Sequence[datetime]


def timezones() -> st.SearchStrategy[str]:
    """A reporting zone."""
    return st.sampled_from(TIMEZONES)


def identifiers() -> st.SearchStrategy[str]:
    """An id as accepted: not empty, no blanks around it, no control characters."""
    return _FAMILIAR_IDS | _ODD_IDS


@st.composite
def histories(
    draw: st.DrawFn,
    max_messages: int = 6,
    max_orders: int = 6,
    zones: Sequence[str] = TIMEZONES,
) -> History:
    """A history of at most so many messages and orders, each with one to three versions.

    Messages gather around the midnights and the switches of clocks of the zones.
    """
    switches = [switch for zone in zones for switch in CLOCK_SWITCHES.get(zone, ())]
    anchor = draw(st.sampled_from(_ANCHORS) | st.sampled_from(switches or _ANCHORS))
    cast = _Cast(
        customers=_draw_customers(draw),
        queues=_draw_assignees(draw),
        users=_draw_assignees(draw),
        instants=draw(st.lists(_instants(anchor, zones), min_size=1, max_size=4, unique=True)),
        versions=(anchor, anchor + TICK, anchor + timedelta(days=40), anchor - timedelta(days=40)),
    )

    messages: list[Message] = []
    for message_id in _draw_event_ids(draw, max_messages):
        messages += _draw_message_versions(draw, message_id, cast)
    orders: list[Order] = []
    for order_id in _draw_event_ids(draw, max_orders):
        orders += _draw_order_versions(draw, order_id, cast, messages)

    event_days = [message.occurred_at.date() for message in messages]
    day = draw(st.sampled_from([anchor.date(), *event_days]))
    as_of = day + timedelta(days=draw(st.sampled_from(_AS_OF_OFFSETS)))
    return History(
        messages=tuple(_draw_arrivals(draw, messages)),
        orders=tuple(_draw_arrivals(draw, orders)),
        as_of=as_of,
    )


@st.composite
def filters(draw: st.DrawFn, history: History) -> Filter:
    """A filter on a history: also reversed and far ranges, empty lists, and unknown ids."""
    days = sorted({message.occurred_at.date() for message in history.messages} | {history.as_of})
    edges = st.builds(
        lambda day, shift: day + timedelta(days=shift),
        st.sampled_from(days),
        st.sampled_from((0, -1, 1, -7, 7)),
    )
    date_from, date_to = draw(edges), draw(edges)
    if date_from > date_to and draw(st.sampled_from((True, True, False))):
        date_from, date_to = date_to, date_from
    return Filter(
        date_from=date_from,
        date_to=date_to,
        queues=draw(_id_filters({message.queue_id for message in history.messages})),
        users=draw(_id_filters({message.user_id for message in history.messages})),
    )


@st.composite
def comparisons(draw: st.DrawFn, history: History) -> Comparison:
    """A comparison within a history: with bases before, after and across the period, open on either side."""
    one, base = draw(filters(history)), draw(filters(history))
    of_days = (base.date_from, base.date_to)
    bases: list[str | tuple[date, date]] = ["previous", "year", "last_year_dates", of_days]
    return Comparison(
        date_from=one.date_from,
        date_to=one.date_to,
        against=draw(st.sampled_from(bases)),
        complete_days_only=draw(st.booleans()),
        queues=one.queues,
        users=one.users,
    )


def _draw_ids(draw: st.DrawFn, size: int) -> list[str]:
    """Distinct ids, many of them of one family."""
    relatives = st.sampled_from(draw(st.sampled_from(_ID_FAMILIES)))
    return draw(st.lists(relatives | identifiers(), min_size=size, max_size=size, unique=True))


def _draw_event_ids(draw: st.DrawFn, max_size: int) -> list[str]:
    """Ids of messages or orders: usually several, seldom none."""
    sizes = [size for size in (3, 1, 4, 5, 6, 2, 0) if size <= max_size]
    return _draw_ids(draw, draw(st.sampled_from([*sizes, max_size])))


def _draw_customers(draw: st.DrawFn) -> list[str]:
    """One to three customers, half of the time two that look alike."""
    if draw(st.booleans()):
        return list(draw(st.sampled_from(_ID_FAMILIES))[:2])
    return _draw_ids(draw, draw(st.integers(1, 3)))


def _draw_assignees(draw: st.DrawFn) -> list[str]:
    """Queues or users: one to four, often also none at all."""
    pool = _draw_ids(draw, draw(st.integers(1, 2)))
    extra = draw(st.sampled_from(((UNASSIGNED,), (), (UNASSIGNED, "Unassigned"))))
    return [*pool, *extra]


def _instants(anchor: datetime, zones: Sequence[str]) -> st.SearchStrategy[datetime]:
    """Instants of messages: around the anchor, and around local midnights next to it."""
    near_anchor = st.sampled_from(_MESSAGE_OFFSETS).map(lambda offset: anchor + offset)
    near_midnight = st.builds(
        lambda zone, days, tick: start_of_day(anchor.date() + days, ZoneInfo(zone)) + tick,
        st.sampled_from(zones),
        st.sampled_from([timedelta(days=days) for days in (0, 1, -1, 2)]),
        st.sampled_from((timedelta(0), timedelta(0), -TICK)),
    )
    return near_anchor | near_midnight


def _draw_updated_at(draw: st.DrawFn, instant: datetime, cast: _Cast) -> datetime:
    """When a version was written: by default its own instant, else one of few, so that they tie."""
    return draw(st.sampled_from([instant, *cast.versions]))


def _draw_further_versions(draw: st.DrawFn) -> int:
    """How many versions an event has besides its first."""
    return draw(st.sampled_from((0, 0, 1, 2)))


def _draw_arrivals(draw: st.DrawFn, events: list[Event]) -> list[Event]:
    """The events in any order, some of them more than once."""
    again: list[Event] = draw(st.lists(st.sampled_from(events), max_size=2)) if events else []
    return draw(st.permutations(events + again))


def _draw_message(draw: st.DrawFn, message_id: str, cast: _Cast) -> Message:
    occurred_at = draw(st.sampled_from(cast.instants))
    return Message(
        message_id=message_id,
        customer_id=draw(st.sampled_from(cast.customers)),
        queue_id=draw(st.sampled_from(cast.queues)),
        user_id=draw(st.sampled_from(cast.users)),
        status=draw(st.sampled_from(("sent", "sent", "sent", "skipped"))),
        occurred_at=occurred_at,
        updated_at=_draw_updated_at(draw, occurred_at, cast),
    )


def _draw_message_versions(draw: st.DrawFn, message_id: str, cast: _Cast) -> list[Message]:
    versions = [_draw_message(draw, message_id, cast)]
    for _ in range(_draw_further_versions(draw)):
        another = _draw_message(draw, message_id, cast)
        if draw(st.booleans()):  # the same version again, with other content in one field
            fields = ("status", "occurred_at", "customer_id", "queue_id", "user_id")
            field = draw(st.sampled_from(fields))
            another = replace(versions[-1], **{field: getattr(another, field)})
        versions.append(another)
    return versions


def _draw_order(draw: st.DrawFn, order_id: str, cast: _Cast, messages: Sequence[Message]) -> Order:
    customer_id: str | None
    if messages and draw(st.sampled_from((True, True, True, False))):
        message = draw(st.sampled_from([*latest(messages), *messages]))
        customer_id, seen_from = message.customer_id, message.occurred_at
    else:
        customer_id = draw(st.sampled_from([*cast.customers, None]))
        seen_from = draw(st.sampled_from(cast.instants))
    ordered_at = seen_from + draw(st.sampled_from(_ORDER_OFFSETS))
    order_value = draw(_PRICES)
    return Order(
        order_id=order_id,
        customer_id=customer_id,
        ordered_at=ordered_at,
        order_value=order_value,
        refunded_value=_draw_refund(draw, order_value),
        sales_channel=draw(st.sampled_from(("online", "in_store"))),
        status=draw(st.sampled_from(("placed", "placed", "placed", "cancelled"))),
        updated_at=_draw_updated_at(draw, ordered_at, cast),
    )


def _draw_order_versions(
    draw: st.DrawFn, order_id: str, cast: _Cast, messages: Sequence[Message]
) -> list[Order]:
    versions = [_draw_order(draw, order_id, cast, messages)]
    for _ in range(_draw_further_versions(draw)):
        before, another = versions[-1], _draw_order(draw, order_id, cast, messages)
        if draw(st.booleans()):  # the same version again, with other content in one respect
            respects = (
                ("status",),
                ("ordered_at",),
                ("customer_id",),
                ("order_value", "refunded_value"),
                ("sales_channel",),
            )
            fields = draw(st.sampled_from(respects))
            another = replace(before, **{field: getattr(another, field) for field in fields})
        elif draw(st.booleans()):  # the same order refunded, at a version of its own
            refunded_value = _draw_refund(draw, before.order_value)
            another = replace(before, refunded_value=refunded_value, updated_at=another.updated_at)
        versions.append(another)
    return versions


def _draw_refund(draw: st.DrawFn, order_value: Decimal) -> Decimal:
    """Nothing, a part of the value, or all of it."""
    cent = Decimal("0.01")
    parts = (Decimal("0.00"), order_value, (order_value / 3).quantize(cent), cent)
    return min(draw(st.sampled_from(parts)), order_value)


def _id_filters(known: set[str]) -> st.SearchStrategy[list[str] | None]:
    """No filter, or a list: empty, of known ids, of ids that nothing has, with repetitions."""
    ids = st.sampled_from([*sorted(known), UNASSIGNED, "no such id"])
    return st.none() | st.lists(ids, max_size=3)


def drawn(strategy: st.SearchStrategy[Drawn], count: int, drawn_from: int) -> list[Drawn]:
    """So many examples of a seed, none made smaller.

    Each is a draw of its own: where all of them are one draw, which is large, Hypothesis keeps nothing but
    its least example.
    """
    examples: list[Drawn] = []

    def keep(example: Drawn) -> None:
        examples.append(example)

    check = settings(
        max_examples=count,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    check(seed(drawn_from)(given(strategy)(keep)))()
    assert len(examples) == count
    return examples


def of_history(event: Event, number: int) -> Event:
    """An event of one of several histories side by side: customers of its own, queues and users in common."""
    key = f"{number}:{event.key}"
    if isinstance(event, Message):
        return replace(event, message_id=key, customer_id=f"{number}:{event.customer_id}")
    customer = None if event.customer_id is None else f"{number}:{event.customer_id}"
    return replace(event, order_id=key, customer_id=customer)


def side_by_side(several: Sequence[History]) -> History:
    """Several histories as one, as of the day of the first."""
    return History(
        messages=tuple(of_history(one, number) for number, h in enumerate(several) for one in h.messages),
        orders=tuple(of_history(one, number) for number, h in enumerate(several) for one in h.orders),
        as_of=several[0].as_of,
    )
