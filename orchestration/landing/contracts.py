"""The two event contracts as data: which fields an event has, of what kind, under which rules.

Belongs here: what a good row is. Does not belong here: how files are read (formats), how a landed
value becomes a typed one (casting.py), how rows are loaded (batch_loader.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

# What surrounds a value, or the name of a column, and is no part of it: Unicode's White_Space, and the two
# characters without width that exports leave, U+FEFF and U+200B.
BLANKS = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff\u200b"
)


# The years that events may lie in, and with them the last day of a report.
FIRST_YEAR, LAST_YEAR = 2000, 2099


class Kind(Enum):
    """What a field holds."""

    ID = auto()
    INSTANT = auto()
    MONEY = auto()
    CHOICE = auto()
    CURRENCY = auto()

    @property
    def column_type(self) -> str:
        """The type in which the warehouse keeps it: instants as UTC without zone, money exact."""
        return {Kind.INSTANT: "timestamp", Kind.MONEY: "decimal(18, 2)"}.get(self, "varchar")


@dataclass(frozen=True)
class Field:
    """One field of an event.

    Attributes:
        name: the name of the column, in landed files and in the warehouse.
        kind: what it holds.
        required: whether its column, and a value in each row, must be there.
        default: SQL over the other fields' columns: the value of an absent or blank field.
        choices: the values that a CHOICE may have.
        kept: whether the warehouse keeps it as a column.
    """

    name: str
    kind: Kind
    required: bool = False
    default: str | None = None
    choices: tuple[str, ...] = ()
    kept: bool = True


@dataclass(frozen=True)
class Rule:
    """A condition over several fields: rows for which ``broken_when`` is true have the reason ``code``."""

    code: str
    broken_when: str


@dataclass(frozen=True)
class EventContract:
    """One entity: where its files land, which table they are loaded into, and what a good row is.

    Attributes:
        happened_at: the field that says when the event happened.
        fields: the identifier of the event, then the others.
        version: the field of which the greatest value among the rows of one event counts.
    """

    entity: str
    table: str
    happened_at: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...] = ()
    version: str = "updated_at"

    @property
    def event_id(self) -> str:
        """The field that tells one event from another."""
        return self.fields[0].name

    @property
    def required_columns(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields if field.required)

    @property
    def field_names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    def currency_of(self, currency: str) -> str | None:
        """The currency that events are validated by, given the reporting currency: none without amounts."""
        return currency if any(field.kind is Kind.CURRENCY for field in self.fields) else None

    @property
    def kept_fields(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields if field.kept)


UNASSIGNED = "'unassigned'"

MESSAGES = EventContract(
    entity="messages",
    table="message_events",
    happened_at="occurred_at",
    fields=(
        Field("message_id", Kind.ID, required=True),
        Field("customer_id", Kind.ID, required=True),
        Field("queue_id", Kind.ID, default=UNASSIGNED),
        Field("user_id", Kind.ID, default=UNASSIGNED),
        Field("status", Kind.CHOICE, required=True, choices=("sent", "skipped")),
        Field("occurred_at", Kind.INSTANT, required=True),
        Field("updated_at", Kind.INSTANT, default="occurred_at"),
    ),
)

ORDERS = EventContract(
    entity="orders",
    table="order_events",
    happened_at="ordered_at",
    fields=(
        Field("order_id", Kind.ID, required=True),
        Field("customer_id", Kind.ID),
        Field("ordered_at", Kind.INSTANT, required=True),
        Field("order_value", Kind.MONEY, required=True),
        Field("refunded_value", Kind.MONEY, default="0"),
        # Every accepted order is in the reporting currency, so there is nothing to keep.
        Field("currency", Kind.CURRENCY, kept=False),
        Field("sales_channel", Kind.CHOICE, required=True, choices=("online", "in_store")),
        Field("status", Kind.CHOICE, default="'placed'", choices=("placed", "cancelled")),
        Field("updated_at", Kind.INSTANT, default="ordered_at"),
    ),
    rules=(Rule("refunded_value_exceeds_order_value", "refunded_value > order_value"),),
)

CONTRACTS = (MESSAGES, ORDERS)
