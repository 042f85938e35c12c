"""The rows of a landed file, read the slow and obvious way.

What belongs here: bytes to accepted and rejected rows, by Python's own ``csv``, ``json`` and ``gzip`` and by
pyarrow, for the notations that `support.arrivals` writes: UTF-8, comma, plain decimals, ISO 8601.

What does not belong here: other notations (test_casting.py and test_ingest.py have them), the reasons of a
rejection, and what becomes of the rows when a file changes (`support.arrivals_model`).
"""

from __future__ import annotations

import csv
import functools
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from support.oracle import UNASSIGNED, Message, Order

Event = Message | Order
RawRow = frozenset[tuple[str, str]]
"""The contract's fields of a rejected row as text, those without a value left out."""

ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet")
MESSAGE_FIELDS = ("message_id", "customer_id", "queue_id", "user_id", "status", "occurred_at", "updated_at")
ORDER_FIELDS = (
    *("order_id", "customer_id", "ordered_at", "order_value", "refunded_value"),
    *("currency", "sales_channel", "status", "updated_at"),
)
FIELDS = {"messages": MESSAGE_FIELDS, "orders": ORDER_FIELDS}
REQUIRED = {
    "messages": {"message_id", "customer_id", "status", "occurred_at"},
    "orders": {"order_id", "ordered_at", "order_value", "sales_channel"},
}
# A file whose end is cut off can end in 10.
AMOUNT = re.compile(r"[0-9]+(\.[0-9]{0,2})?")
MALFORMED: Mapping[str, Any] = {}


class UnreadableError(ValueError):
    """Content that has no rows at all, not even rejected ones."""


class RowError(ValueError):
    """A row that the contract rejects."""


@dataclass(frozen=True)
class Reading:
    """What the bytes of a file say.

    Attributes:
        accepted, rejected: its rows; none when it cannot be read.
        is_readable: whether it has rows, be it none.
    """

    accepted: tuple[Event, ...] = ()
    rejected: tuple[RawRow, ...] = ()
    is_readable: bool = True


@functools.cache
def read(entity: str, ending: str, content: bytes, currency: str = "USD") -> Reading:
    """The rows of a file of an entity whose name has one of ``ENDINGS``, in the reporting currency."""
    accepted: list[Event] = []
    rejected: list[RawRow] = []
    typed = _message if entity == "messages" else functools.partial(_order, currency=currency)
    try:
        for fields, is_whole in _rows(entity, ending, content):
            try:
                accepted.append(_accepted(fields, is_whole, typed))
            except RowError:
                rejected.append(_raw(entity, fields))
    except (UnreadableError, EOFError, OSError, zlib.error, pa.ArrowException):
        return Reading(is_readable=False)
    return Reading(tuple(accepted), tuple(rejected))


def ending_of(name: str) -> str | None:
    """The ending that decides how a file is read, one for each format, or None when it is not read."""
    ending = next((ending for ending in reversed(ENDINGS) if name.lower().endswith(ending)), None)
    return ending and ending.replace("ndjson", "jsonl")


def _rows(entity: str, ending: str, content: bytes) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The fields of each row by name, and whether the row has the form of its format."""
    if not content:
        raise UnreadableError("zero bytes")
    if ending == ".parquet":
        table = pq.read_table(io.BytesIO(content))
        _require_columns(entity, table.column_names)
        yield from ((row, True) for row in table.to_pylist())
        return
    text = (gzip.decompress(content) if ending.endswith(".gz") else content).decode()
    yield from _csv_rows(entity, text) if ending.startswith(".csv") else _json_rows(text)


def _csv_rows(entity: str, text: str) -> Iterator[tuple[Mapping[str, Any], bool]]:
    rows = csv.reader(io.StringIO(text, newline=""))
    header = [name.strip().lower() for name in next(rows, [])]
    _require_columns(entity, header)
    for cells in rows:
        if cells:
            yield dict(zip(header, cells, strict=False)), len(cells) == len(header)


def _json_rows(text: str) -> Iterator[tuple[Mapping[str, Any], bool]]:
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            pairs = json.loads(line, object_pairs_hook=list, parse_float=Decimal)
        except json.JSONDecodeError:
            yield MALFORMED, False
            continue
        values = {name: [value for key, value in pairs if key == name] for name, _ in pairs}
        once = {name: several[0] for name, several in values.items() if len(several) == 1}
        twice = {
            name: json.dumps(several, separators=(",", ":"))
            for name, several in values.items()
            if len(several) > 1
        }
        yield once | twice, not twice


def _require_columns(entity: str, names: list[str]) -> None:
    if not REQUIRED[entity] <= set(names):
        raise UnreadableError("lacks a required column")


def _accepted(fields: Mapping[str, Any], is_whole: bool, typed: Callable[..., Event]) -> Event:
    if not is_whole:
        raise RowError("not of the form of its format")
    return typed(fields)


def _message(fields: Mapping[str, Any]) -> Message:
    occurred_at = _instant(fields, "occurred_at")
    return Message(
        _text(fields, "message_id"),
        _text(fields, "customer_id"),
        _text(fields, "queue_id", UNASSIGNED),
        _text(fields, "user_id", UNASSIGNED),
        _choice(fields, "status", ("sent", "skipped")),
        occurred_at,
        _instant(fields, "updated_at", occurred_at),
    )


def _order(fields: Mapping[str, Any], currency: str) -> Order:
    ordered_at = _instant(fields, "ordered_at")
    value = _amount(fields, "order_value")
    refunded = _amount(fields, "refunded_value", Decimal("0.00"))
    _choice(fields, "currency", (currency,), currency)
    if refunded > value:
        raise RowError("refunded more than its value")
    return Order(
        _text(fields, "order_id"),
        _shown(fields.get("customer_id")),
        ordered_at,
        value,
        refunded,
        _choice(fields, "sales_channel", ("online", "in_store")),
        _choice(fields, "status", ("placed", "cancelled"), "placed"),
        _instant(fields, "updated_at", ordered_at),
    )


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    text = _shown(fields.get(name)) or default
    if text is None:
        raise RowError(f"no {name}")
    return text


def _choice(
    fields: Mapping[str, Any], name: str, choices: tuple[str, ...], default: str | None = None
) -> str:
    text = _text(fields, name, default)
    if text not in choices:
        raise RowError(f"unknown {name}")
    return text


def _amount(fields: Mapping[str, Any], name: str, default: Decimal | None = None) -> Decimal:
    if default is not None and _shown(fields.get(name)) is None:
        return default
    text = _text(fields, name)
    if not AMOUNT.fullmatch(text):
        raise RowError(f"malformed {name}")
    return Decimal(text).quantize(Decimal("0.01"))


def _instant(fields: Mapping[str, Any], name: str, default: datetime | None = None) -> datetime:
    if default is not None and _shown(fields.get(name)) is None:
        return default
    value = fields.get(name)
    try:
        instant = value if isinstance(value, datetime) else datetime.fromisoformat(_text(fields, name))
    except ValueError as error:
        raise RowError(f"malformed {name}") from error
    if not 2000 <= instant.year <= 2099:
        raise RowError(f"{name} out of range")
    return instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant


def _shown(value: object) -> str | None:
    """A value as text, trimmed; None when there is none."""
    return (str(value).strip() if value is not None else "") or None


def _raw(entity: str, fields: Mapping[str, Any]) -> RawRow:
    shown = {name: _shown(fields.get(name)) for name in FIELDS[entity]}
    return frozenset((name, text) for name, text in shown.items() if text is not None)
