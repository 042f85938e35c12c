"""A small shop with a REST API: orders and messages as of a day, in pages, changed ones alone on request.

The data is drawn from a seed. At the first look some orders and messages have not reached the shop's system
yet; at the second they have, and other orders were corrected, refunded or cancelled.

Belongs here: the shop's data in its own words, and how it hands them out. Does not belong here: what the
project makes of it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Record = dict[str, Any]

FIRST_DAY = datetime(2025, 6, 1, tzinfo=UTC)
DAYS, CUSTOMERS, MESSAGES, ORDERS = 60, 300, 1500, 2500
# Two instants at which somebody asks the shop: when all has happened, and when the shop knows all of it.
FIRST_LOOK, SECOND_LOOK = FIRST_DAY + timedelta(days=DAYS), FIRST_DAY + timedelta(days=DAYS + 90)
PAGE_RECORDS = 400


def records() -> dict[str, list[list[Record]]]:
    """Each message and each order as the list of its versions, the first one first."""
    numbers = random.Random(7)
    return {
        "messages": [_message(numbers, number) for number in range(MESSAGES)],
        "orders": [_order(numbers, number) for number in range(ORDERS)],
    }


def as_of(versions: list[list[Record]], instant: datetime) -> list[Record]:
    """The newest version of each record that the shop has at an instant, by when they were changed."""
    known = [[one for one in each if one["updated_at"] <= _text(instant)] for each in versions]
    return sorted((each[-1] for each in known if each), key=lambda one: (one["updated_at"], one["id"]))


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _instant(numbers: random.Random) -> datetime:
    return FIRST_DAY + timedelta(seconds=numbers.randrange(DAYS * 86_400))


def _customer(numbers: random.Random) -> Record:
    return {"id": f"C-{numbers.randrange(CUSTOMERS):04}", "email": "not read"}


def _message(numbers: random.Random, number: int) -> list[Record]:
    at = _instant(numbers)
    # One in twenty is told to the shop's system days later.
    told = at + timedelta(days=numbers.choice([0] * 19 + [70]))
    return [
        {
            "id": f"M-{number:05}",
            "customer": _customer(numbers),
            "agent": {"id": f"agent-{numbers.randrange(6)}"},
            "list": numbers.choice(["birthdays", "lapsed", "new"]),
            "state": numbers.choice(["delivered"] * 9 + ["skipped"]),
            "created_at": _text(at),
            "updated_at": _text(max(at, told)),
        }
    ]


def _order(numbers: random.Random, number: int) -> list[Record]:
    at = _instant(numbers)
    kind = numbers.choice(["plain"] * 8 + ["late", "corrected", "refunded", "cancelled"])
    first: Record = {
        "id": 10_000 + number,
        "customer": _customer(numbers) if numbers.random() < 0.9 else None,
        "channel": numbers.choice(["web", "shop"]),
        "state": "paid",
        "total_cents": numbers.randrange(100, 30_000),
        "refunded_cents": 0,
        "created_at": _text(at),
        "updated_at": _text(at + timedelta(days=70) if kind == "late" else at),
    }
    changed = {
        "corrected": {"total_cents": numbers.randrange(100, 30_000)},
        "refunded": {"refunded_cents": first["total_cents"] // 2},
        "cancelled": {"state": "voided"},
    }
    if kind not in changed:
        return [first]
    return [first, {**first, **changed[kind], "updated_at": _text(at + timedelta(days=61))}]


@contextmanager
def serving(instant: datetime) -> Iterator[str]:
    """The shop's API as of an instant, on a free port of this machine; gives its address."""
    of_instant = {name: as_of(versions, instant) for name, versions in records().items()}

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(address.query).items()}
            found = of_instant.get(address.path.strip("/"))
            since, page = asked.get("changed_since", ""), int(asked.get("page", 1))
            changed = [one for one in found or [] if one["updated_at"] >= since]
            first = (page - 1) * PAGE_RECORDS
            body = json.dumps(
                {"data": changed[first : first + PAGE_RECORDS], "pages": -(-len(changed) // PAGE_RECORDS)}
            ).encode()
            self.send_response(404 if found is None else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
