"""The figures of the contract, computed the slow and obvious way.

What belongs here: the rules of the contract's section 3 and the relations of its section 4, in
plain Python and in the contract's own words, so that a reader can hold the two side by side, and
so that every other implementation can be compared with it. Every message is tried against every
order; nothing is indexed, cached or clever.

What does not belong here: SQL, data frames, reading files, validating rows, speed. The events that
come in are already accepted: trimmed, typed, in UTC, with every default filled in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

UNASSIGNED = "unassigned"
WINDOW = timedelta(days=7)
ZERO = Decimal("0.00")

#: The figures of section 3.3, in its order; every row of figures has exactly these.
FIGURES = (
    "messages_sent",
    "messages_skipped",
    "customers_messaged",
    "customers_converted",
    "conversion_rate",
    "orders_generated",
    "revenue_generated",
    "revenue_refunded",
    "revenue_credited",
    "active_users",
    "revenue_per_message",
    "messages_in_open_window",
)

#: The periods that end on the as-of day, and how many days each has.
PERIOD_DAYS = {
    "last_7_days": 7,
    "last_30_days": 30,
    "last_90_days": 90,
    "last_365_days": 365,
}

Row = dict[str, Any]


# The two events. Instants are naive datetimes in UTC, money has two places.


@dataclass(frozen=True)
class Message:
    """One version of one message: its full state as of `updated_at`."""

    message_id: str
    customer_id: str
    queue_id: str
    user_id: str
    status: str
    occurred_at: datetime
    updated_at: datetime

    @property
    def key(self) -> str:
        """The id that all versions of this message share."""
        return self.message_id

    @property
    def precedence(self) -> tuple[Any, ...]:
        """What decides between versions: `updated_at`, then the content (sent first), never the arrival."""
        content = (self.occurred_at, self.customer_id, self.queue_id, self.user_id)
        return (self.updated_at, self.status == "sent", *content)


@dataclass(frozen=True)
class Order:
    """One version of one order: its full state as of `updated_at`; a guest has no customer."""

    order_id: str
    customer_id: str | None
    ordered_at: datetime
    order_value: Decimal
    refunded_value: Decimal
    sales_channel: str
    status: str
    updated_at: datetime

    @property
    def key(self) -> str:
        """The id that all versions of this order share."""
        return self.order_id

    @property
    def precedence(self) -> tuple[Any, ...]:
        """What decides between versions: cancelled, refund and value first; no customer is below any."""
        customer = (self.customer_id is not None, self.customer_id or "")
        money = (self.refunded_value, self.order_value)
        return (
            self.updated_at,
            self.status == "cancelled",
            *money,
            self.ordered_at,
            customer,
            self.sales_channel,
        )


# mypy takes the first type that fits: a list of messages stays one, and only a mixed list is of the union.
Event = TypeVar("Event", Message, Order, Message | Order)


def latest(events: Iterable[Event]) -> list[Event]:
    """The winning version of each id, sorted by id.

    The greatest `updated_at` wins; equal versions are broken by content. Text compares by code
    point, as Python compares it.
    """
    winners: dict[str, Event] = {}
    for event in events:
        rival = winners.get(event.key)
        if rival is None or event.precedence > rival.precedence:
            winners[event.key] = event
    return [winners[key] for key in sorted(winners)]


# The calendar of the reporting zone.


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The day of an instant (naive, UTC) in the zone."""
    return instant.replace(tzinfo=UTC).astimezone(zone).date()


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant (naive, UTC) at which the zone's local midnight begins the day."""
    midnight = datetime.combine(day, time.min, tzinfo=zone)
    return midnight.astimezone(UTC).replace(tzinfo=None)


# The rules.


def in_window(message: Message, order: Order, window: timedelta = WINDOW) -> bool:
    """Whether the order lies in the window that the message opens (section 3.1).

    A sent message opens a window, a skipped one none; cancelled orders and guest orders lie in
    no window; the window is half-open and measured in UTC instants.
    """
    return (
        message.status == "sent"
        and order.status != "cancelled"
        and order.customer_id is not None
        and order.customer_id == message.customer_id
        and message.occurred_at <= order.ordered_at < message.occurred_at + window
    )


def touches(order: Order, messages: Iterable[Message], window: timedelta = WINDOW) -> list[Message]:
    """The messages whose window holds the order, first to last; ties by `message_id`."""
    touching = [message for message in messages if in_window(message, order, window)]
    return sorted(touching, key=lambda message: (message.occurred_at, message.message_id))


def credit(
    orders: Iterable[Order], messages: Sequence[Message], window: timedelta = WINDOW
) -> dict[str, str]:
    """The message that each attributed order is credited to, by id: the last one that touches it.

    It is settled among all messages, before anything is filtered.
    """
    credited_to = {}
    for order in orders:
        touching = touches(order, messages, window)
        if touching:
            credited_to[order.order_id] = touching[-1].message_id
    return credited_to


def figures(
    messages: Iterable[Message],
    *,
    orders: Sequence[Order],
    credited_to: Mapping[str, str],
    as_of_ends: datetime,
    window: timedelta = WINDOW,
) -> Row:
    """The figures of section 3.3 for any set of messages (a period, some queues, some users).

    `messages` is the set and `orders` is every order, one version per id. `credited_to` is the
    `credit` among all messages, not only those of the set. `as_of_ends` is the instant at which
    the as-of day is over.
    """
    messages = list(messages)
    sent = [message for message in messages if message.status == "sent"]
    skipped = [message for message in messages if message.status == "skipped"]

    customers_messaged = {message.customer_id for message in sent}
    converting = [message for message in sent if any(in_window(message, o, window) for o in orders)]
    customers_converted = {message.customer_id for message in converting}

    # Going through the orders, not the pairs, is what makes every order count once.
    generated = [order for order in orders if touches(order, sent, window)]
    sent_ids = {message.message_id for message in sent}
    credited = [order for order in orders if credited_to.get(order.order_id) in sent_ids]

    revenue_generated = sum((order.order_value for order in generated), ZERO)
    return {
        "messages_sent": len(sent),
        "messages_skipped": len(skipped),
        "customers_messaged": len(customers_messaged),
        "customers_converted": len(customers_converted),
        "conversion_rate": _rate(len(customers_converted), len(customers_messaged)),
        "orders_generated": len(generated),
        "revenue_generated": revenue_generated,
        "revenue_refunded": sum((order.refunded_value for order in generated), ZERO),
        "revenue_credited": sum((order.order_value for order in credited), ZERO),
        "active_users": len({message.user_id for message in sent} - {UNASSIGNED}),
        "revenue_per_message": _money_per(revenue_generated, len(sent)),
        "messages_in_open_window": len([m for m in sent if m.occurred_at + window > as_of_ends]),
    }


def _value(orders: Iterable[Order]) -> Decimal:
    """What orders are worth."""
    return sum((order.order_value for order in orders), ZERO)


def _rate(numerator: int, denominator: int) -> float | None:
    """A ratio of counts; none when there is nothing to divide by."""
    return numerator / denominator if denominator else None


def _money_per(money: Decimal, count: int) -> Decimal | None:
    """Money by a count, half up to six places; none when there is nothing to divide by."""
    return (money / count).quantize(Decimal("0.000001"), ROUND_HALF_UP) if count else None


def compared(of_period: Row, of_base: Row) -> Row:
    """Each figure of a period beside that of its base: both, the difference, the relative change."""
    row: Row = {}
    for figure in FIGURES:
        value, base = of_period[figure], of_base[figure]
        row |= {figure: value, f"{figure}_base": base}
        # How many windows are open says how far both sides are; it is nothing to compare.
        if figure != "messages_in_open_window":
            difference = None if value is None or base is None else value - base
            row[f"{figure}_difference"] = difference
            row[f"{figure}_change"] = (
                float(difference) / float(base) if base and difference is not None else None
            )
    points = row["conversion_rate_difference"]
    return row | {"conversion_rate_points": None if points is None else 100 * points}


def base_of(date_from: date, date_to: date, against: str) -> tuple[date, date]:
    """The days that a range of days is compared with, by the name of the comparison."""
    match against:
        case "previous":
            length = (date_to - date_from).days + 1
            return date_from - timedelta(days=length), date_from - timedelta(days=1)
        case "year":
            return date_from - timedelta(days=364), date_to - timedelta(days=364)
        case "last_year_dates":
            return _a_year_before(date_from), _a_year_before(date_to)
    raise ValueError(against)


def _a_year_before(day: date) -> date:
    """The same date of the year before; of a leap day the last one of its month."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


@dataclass(frozen=True)
class Sides:
    """The days of a comparison, first those of the period: as requested, and those compared."""

    requested: tuple[list[date], list[date]]
    compared: tuple[list[date], list[date]]

    def described(self) -> Row:
        """The columns that say which days are compared."""
        of_period, of_base = self.compared
        return {
            "period_start": min(of_period, default=None),
            "period_end": max(of_period, default=None),
            "base_start": min(of_base, default=None),
            "base_end": max(of_base, default=None),
            "days_left_out": len(self.requested[0]) - len(of_period),
            "days_left_out_base": len(self.requested[1]) - len(of_base),
        }


def _days(first: date, last: date) -> list[date]:
    """The days from the first to the last, both inclusive."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


# The relations.


class Oracle:
    """Every relation and table function of section 4, from accepted event versions.

    Each method returns rows as dicts whose keys are the columns that the contract names. The
    rows are sorted by their keys only to be readable; their order means nothing.
    """

    def __init__(
        self,
        messages: Iterable[Message],
        orders: Iterable[Order],
        *,
        timezone: str,
        as_of: date,
        queue_names: Mapping[str, str],
        user_names: Mapping[str, str],
        window: timedelta = WINDOW,
    ) -> None:
        """Keep the latest version of every event, and the settings that the figures depend on."""
        self.messages = latest(messages)
        self.orders = latest(orders)
        self.zone = ZoneInfo(timezone)
        self.as_of = as_of
        self.as_of_ends = start_of_day(as_of + timedelta(days=1), self.zone)
        self.queue_names = queue_names
        self.user_names = user_names
        self.window = window
        self.credited_to = credit(self.orders, self.messages, window)

    # Facts and dimensions.

    def fct_messages(self) -> list[Row]:
        """One row per message; a skipped one brings nothing and has no window to close."""
        sent_on_days = Counter(
            (message.customer_id, self._message_date(message))
            for message in self.messages
            if message.status == "sent"
        )
        rows = []
        for message in self.messages:
            alone = self._figures([message])
            rows.append(
                {
                    "message_id": message.message_id,
                    "customer_id": message.customer_id,
                    "queue_id": message.queue_id,
                    "user_id": message.user_id,
                    "status": message.status,
                    "occurred_at": message.occurred_at,
                    "message_date": self._message_date(message),
                    "orders_in_window": alone["orders_generated"],
                    "revenue_in_window": alone["revenue_generated"],
                    "refunds_in_window": alone["revenue_refunded"],
                    "orders_credited": list(self.credited_to.values()).count(message.message_id),
                    "revenue_credited": alone["revenue_credited"],
                    "is_converted": alone["customers_converted"] == 1,
                    "window_closes_at": (
                        message.occurred_at + self.window if message.status == "sent" else None
                    ),
                    "is_only_message_of_day": (
                        message.status == "sent"
                        and sent_on_days[message.customer_id, self._message_date(message)] == 1
                    ),
                }
            )
        return rows

    def fct_message_orders(self) -> list[Row]:
        """One row per message and order in its window."""
        rows = []
        for order in self.orders:
            touching = self._touches(order)
            days = Counter(self._message_date(message) for message in touching)
            queues = Counter(message.queue_id for message in touching)
            users = Counter(message.user_id for message in touching)
            for touch_number, message in enumerate(touching, start=1):
                rows.append(
                    {
                        "message_id": message.message_id,
                        "order_id": order.order_id,
                        "customer_id": message.customer_id,
                        "queue_id": message.queue_id,
                        "user_id": message.user_id,
                        "message_date": self._message_date(message),
                        "sent_at": message.occurred_at,
                        "ordered_at": order.ordered_at,
                        "sales_channel": order.sales_channel,
                        "order_value": order.order_value,
                        "refunded_value": order.refunded_value,
                        "touch_number": touch_number,
                        "touch_count": len(touching),
                        "is_first_touch": touch_number == 1,
                        "is_last_touch": touch_number == len(touching),
                        "touch_count_on_day": days[self._message_date(message)],
                        "touch_count_in_queue": queues[message.queue_id],
                        "touch_count_by_user": users[message.user_id],
                    }
                )
        return rows

    def fct_orders(self) -> list[Row]:
        """One row per order: cancelled and guest orders too."""
        return [
            {
                "order_id": order.order_id,
                "customer_id": order.customer_id,
                "ordered_at": order.ordered_at,
                "order_date": local_day(order.ordered_at, self.zone),
                "sales_channel": order.sales_channel,
                "status": order.status,
                "order_value": order.order_value,
                "refunded_value": order.refunded_value,
                "is_attributed": len(self._touches(order)) > 0,
            }
            for order in self.orders
        ]

    def dim_queues(self) -> list[Row]:
        """One row per queue that a message names."""
        return [
            {"queue_id": queue_id, "queue_name": _name(queue_id, self.queue_names)}
            for queue_id in sorted({message.queue_id for message in self.messages})
        ]

    def dim_users(self) -> list[Row]:
        """One row per user that a message names."""
        return [
            {"user_id": user_id, "user_name": _name(user_id, self.user_names)}
            for user_id in sorted({message.user_id for message in self.messages})
        ]

    # Daily marts: a row wherever there is a message, sent or skipped.

    def mart_overview_daily(self) -> list[Row]:
        """One row per day."""
        return self._rows(self.messages, "message_date")

    def mart_queue_daily(self) -> list[Row]:
        """One row per day and queue."""
        return self._rows(self.messages, "message_date", "queue_id")

    def mart_user_daily(self) -> list[Row]:
        """One row per day and user."""
        return self._rows(self.messages, "message_date", "user_id")

    # Period marts, which end with the as-of day.

    def report_info(self) -> list[Row]:
        """One row in all: the columns that follow from the events."""
        instants = [message.occurred_at for message in self.messages]
        instants += [order.ordered_at for order in self.orders]
        until_then = [instant for instant in instants if instant < self.as_of_ends]
        return [
            {
                "as_of": self.as_of,
                "as_of_ends_at": self.as_of_ends,
                "last_closed_day": self.last_closed_day(),
                "newest_event_at": max(until_then, default=None),
                "events_after_as_of": len(instants) - len(until_then),
            }
        ]

    def last_closed_day(self) -> date:
        """The last day of whose messages none can have an open window."""
        day = self.as_of
        while start_of_day(day + timedelta(days=1), self.zone) + self.window > self.as_of_ends:
            day -= timedelta(days=1)
        return day

    def mart_overview(self) -> list[Row]:
        """One row per period: always all five."""
        return [{**period, **self._figures(messages)} for period, messages in self._periods()]

    def mart_queue_breakdown(self) -> list[Row]:
        """One row per period and queue with a sent message in it."""
        return [
            {**period, **row}
            for period, messages in self._periods()
            for row in self._breakdown(messages, "queue_id")
        ]

    def mart_user_breakdown(self) -> list[Row]:
        """One row per period and user with a sent message in it."""
        return [
            {**period, **row}
            for period, messages in self._periods()
            for row in self._breakdown(messages, "user_id")
        ]

    # The period marts with what was before: the same number of days. All time has nothing before it.

    def mart_overview_compared(self) -> list[Row]:
        """One row per period: always all four."""
        return self._compared_periods(self.overview_compared)

    def mart_queue_breakdown_compared(self) -> list[Row]:
        """One row per period and queue with a sent message in it or in the one before."""
        return self._compared_periods(self.queue_breakdown_compared)

    def mart_user_breakdown_compared(self) -> list[Row]:
        """One row per period and user with a sent message in it or in the one before."""
        return self._compared_periods(self.user_breakdown_compared)

    def _compared_periods(self, compare: Callable[[date, date], list[Row]]) -> list[Row]:
        rows = []
        for period, days in PERIOD_DAYS.items():
            for row in compare(self.as_of - timedelta(days=days - 1), self.as_of):
                del row["days_left_out"], row["days_left_out_base"]
                rows.append({"period": period, **row})
        return rows

    # Sales, by the day of the order.

    def mart_sales_daily(self) -> list[Row]:
        """One row per day and sales channel with an order that is not cancelled."""
        return self.sales(date.min, date.max)

    # Table functions: dates inclusive; no list = no filter, an empty list = nothing.

    def sales(
        self,
        date_from: date,
        date_to: date,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row per day and sales channel; the filter says what is credited, and nothing else."""
        messages = {message.message_id: message for message in self.messages}
        groups: dict[tuple[date, str], list[Order]] = {}
        for order in self.orders:
            day = local_day(order.ordered_at, self.zone)
            if order.status != "cancelled" and date_from <= day <= date_to:
                groups.setdefault((day, order.sales_channel), []).append(order)
        rows = []
        for (day, channel), orders in sorted(groups.items()):
            attributed = [order for order in orders if self._touches(order)]
            credited = [
                order
                for order in attributed
                if (message := messages[self.credited_to[order.order_id]])
                and (queues is None or message.queue_id in queues)
                and (users is None or message.user_id in users)
            ]
            revenue, refunded = _value(orders), sum((order.refunded_value for order in orders), ZERO)
            rows.append(
                {
                    "order_date": day,
                    "sales_channel": channel,
                    "orders_placed": len(orders),
                    "orders_attributed": len(attributed),
                    "orders_unattributed": len(orders) - len(attributed),
                    "orders_credited": len(credited),
                    "revenue_placed": revenue,
                    "revenue_attributed": _value(attributed),
                    "revenue_unattributed": _value(order for order in orders if order not in attributed),
                    "revenue_credited": _value(credited),
                    "share_attributed": float(_value(attributed)) / float(revenue) if revenue else None,
                    "value_refunded": refunded,
                    "value_net": revenue - refunded,
                }
            )
        return rows

    def overview(
        self,
        date_from: date,
        date_to: date,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row in all, also when no message passes the filter."""
        return [self._figures(self._filtered(date_from, date_to, queues, users))]

    def messages_over_time(
        self,
        date_from: date,
        date_to: date,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row per day."""
        return self._rows(self._filtered(date_from, date_to, queues, users), "message_date")

    def queue_breakdown(
        self,
        date_from: date,
        date_to: date,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row per queue with a sent message."""
        return self._breakdown(self._filtered(date_from, date_to, queues, users), "queue_id")

    def user_messages_over_time(
        self,
        date_from: date,
        date_to: date,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row per day and user."""
        filtered = self._filtered(date_from, date_to, queues, users)
        return self._rows(filtered, "message_date", "user_id")

    def user_breakdown(
        self,
        date_from: date,
        date_to: date,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row per user with a sent message."""
        return self._breakdown(self._filtered(date_from, date_to, queues, users), "user_id")

    # Comparisons. A base given by its days is used whatever its length is.

    def overview_compared(
        self,
        date_from: date,
        date_to: date,
        against: str | tuple[date, date] = "previous",
        complete_days_only: bool = False,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row in all."""
        sides = self._sides(date_from, date_to, against, complete_days_only)
        of_period, of_base = (self._figures(self._of_days(days, queues, users)) for days in sides.compared)
        return [{**sides.described(), **compared(of_period, of_base)}]

    def queue_breakdown_compared(
        self,
        date_from: date,
        date_to: date,
        against: str | tuple[date, date] = "previous",
        complete_days_only: bool = False,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row per queue with a sent message on either side."""
        sides = self._sides(date_from, date_to, against, complete_days_only)
        return self._compared_breakdown("queue_id", sides, queues, users)

    def user_breakdown_compared(
        self,
        date_from: date,
        date_to: date,
        against: str | tuple[date, date] = "previous",
        complete_days_only: bool = False,
        queues: Sequence[str] | None = None,
        users: Sequence[str] | None = None,
    ) -> list[Row]:
        """One row per user with a sent message on either side."""
        sides = self._sides(date_from, date_to, against, complete_days_only)
        return self._compared_breakdown("user_id", sides, queues, users)

    def _sides(
        self, date_from: date, date_to: date, against: str | tuple[date, date], complete_days_only: bool
    ) -> Sides:
        """The days of both sides, up to the first place at which the day of either is open."""
        base = base_of(date_from, date_to, against) if isinstance(against, str) else against
        requested = (_days(date_from, date_to), _days(*base))
        if not complete_days_only:
            return Sides(requested, requested)
        last_closed = self.last_closed_day()
        open_places = [place for days in requested for place, day in enumerate(days) if day > last_closed]
        of_period, of_base = (days[: min(open_places, default=None)] for days in requested)
        return Sides(requested, (of_period, of_base))

    def _compared_breakdown(
        self,
        column: str,
        sides: Sides,
        queues: Sequence[str] | None,
        users: Sequence[str] | None,
    ) -> list[Row]:
        messages = [self._of_days(days, queues, users) for days in sides.compared]
        names = self.queue_names if column == "queue_id" else self.user_names
        rows = []
        for key in sorted({self._describe(one)[column] for side in messages for one in side}):
            of_period, of_base = (
                self._figures([one for one in side if self._describe(one)[column] == key])
                for side in messages
            )
            if of_period["messages_sent"] or of_base["messages_sent"]:
                row = {column: key, column.replace("_id", "_name"): _name(key, names)}
                rows.append({**sides.described(), **row, **compared(of_period, of_base)})
        return rows

    def _of_days(
        self, days: Sequence[date], queues: Sequence[str] | None, users: Sequence[str] | None
    ) -> list[Message]:
        first, last = min(days, default=date.max), max(days, default=date.min)
        return [
            message
            for message in self._filtered(first, last, queues, users)
            if self._message_date(message) in days
        ]

    # Which messages a row is about. All figures come from `figures`.

    def _message_date(self, message: Message) -> date:
        return local_day(message.occurred_at, self.zone)

    def _touches(self, order: Order) -> list[Message]:
        return touches(order, self.messages, self.window)

    def _figures(self, messages: Iterable[Message]) -> Row:
        return figures(
            messages,
            orders=self.orders,
            credited_to=self.credited_to,
            as_of_ends=self.as_of_ends,
            window=self.window,
        )

    def _filtered(
        self,
        date_from: date,
        date_to: date,
        queues: Sequence[str] | None,
        users: Sequence[str] | None,
    ) -> list[Message]:
        return [
            message
            for message in self.messages
            if date_from <= self._message_date(message) <= date_to
            and (queues is None or message.queue_id in queues)
            and (users is None or message.user_id in users)
        ]

    def _periods(self) -> list[tuple[Row, list[Message]]]:
        """The five periods, each with its messages."""
        periods = []
        for period, days in PERIOD_DAYS.items():
            start = self.as_of - timedelta(days=days - 1)
            row = {"period": period, "period_start": start, "period_end": self.as_of}
            periods.append((row, self._filtered(start, self.as_of, None, None)))

        so_far = [message for message in self.messages if self._message_date(message) <= self.as_of]
        all_time = {
            "period": "all_time",
            "period_start": min(map(self._message_date, so_far), default=self.as_of),
            "period_end": self.as_of,
        }
        return [*periods, (all_time, so_far)]

    def _rows(self, messages: Sequence[Message], *columns: str) -> list[Row]:
        """A row of figures for each combination of the columns that a message has."""
        groups: dict[tuple[Any, ...], list[Message]] = {}
        for message in messages:
            described = self._describe(message)
            key = tuple(described[column] for column in columns)
            groups.setdefault(key, []).append(message)

        rows = []
        for key in sorted(groups):
            row = dict(zip(columns, key, strict=True))
            if "queue_id" in row:
                row["queue_name"] = _name(row["queue_id"], self.queue_names)
            if "user_id" in row:
                row["user_name"] = _name(row["user_id"], self.user_names)
            rows.append({**row, **self._figures(groups[key])})
        return rows

    def _breakdown(self, messages: Sequence[Message], column: str) -> list[Row]:
        """A row for each queue (user) with at least one sent message (section 3.4)."""
        return [row for row in self._rows(messages, column) if row["messages_sent"] >= 1]

    def _describe(self, message: Message) -> Row:
        """What rows of figures can be about."""
        return {
            "message_date": self._message_date(message),
            "queue_id": message.queue_id,
            "user_id": message.user_id,
        }


def _name(identifier: str, names: Mapping[str, str]) -> str:
    """The name of a queue or user; one that nobody has named goes by its id."""
    return names.get(identifier, "Unassigned" if identifier == UNASSIGNED else identifier)
