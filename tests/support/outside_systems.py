"""The systems around a hub: what they land, batch by batch, while the hub is at work.

Belongs here: their events, and in which files they land. Does not belong here: what happens to the hub.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from orchestration.settings import Settings
from support.landing import land

Row = dict[str, Any]


class Outside:
    """The systems around a hub: they land what is new, and what they know better now, in files."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._messages: dict[str, Row] = {}
        self._orders: dict[str, Row] = {}
        self._batches = 0

    def land_a_batch(self, hub: Settings) -> None:
        """Land new events, corrections of earlier ones, rows that repeat, and a bad row of each entity."""
        self._batches += 1
        # Corrections first: they are of what landed before.
        files = {
            "messages": [self._corrected_messages(), [self._new_message() for _ in range(12)]],
            "orders": [self._corrected_orders(), [self._new_order() for _ in range(12)]],
        }
        for entity, parts in files.items():
            parts[1] += self._rng.sample(parts[1], 2)
            parts[1].append({**parts[1][0], "status": "lost"})
            for number, rows in enumerate(rows for rows in parts if rows):
                ending = self._rng.choice((".csv", ".csv.gz", ".jsonl", ".parquet"))
                land(hub.landing / entity / f"{self._batches:03}-{number}{ending}", rows)

    def _corrected_messages(self) -> list[Row]:
        corrections = (
            {"status": "skipped"},
            {"status": "sent"},
            {"customer_id": self._customer()},
            {"queue_id": self._rng.choice("abc")},
            {"occurred_at": _text(self._instant())},
        )
        return self._corrected(self._messages, "message_id", corrections)

    def _corrected_orders(self) -> list[Row]:
        corrections = (
            {"status": "cancelled"},
            {"status": "placed"},
            {"customer_id": self._customer()},
            {"customer_id": None},
            {"order_value": self._money(), "refunded_value": "0"},
            {"refunded_value": "0.01"},
            {"ordered_at": _text(self._instant())},
        )
        return self._corrected(self._orders, "order_id", corrections)

    def _corrected(self, known: dict[str, Row], key: str, corrections: tuple[Row, ...]) -> list[Row]:
        """One known event for each kind of correction, if there are so many."""
        chosen = self._rng.sample(sorted(known), min(len(corrections), len(known)))
        for event_id, correction in zip(chosen, corrections, strict=False):
            known[event_id] = {**known[event_id], **correction, "updated_at": self._now()}
        return [known[event_id] for event_id in chosen]

    def _new_message(self) -> Row:
        message_id = f"m{len(self._messages):05}"
        self._messages[message_id] = {
            "message_id": message_id,
            "customer_id": self._customer(),
            "queue_id": self._rng.choice(("a", "b", "c", None)),
            "user_id": self._rng.choice(("u-01", "u-02", None)),
            "status": self._rng.choice(("sent", "sent", "sent", "skipped")),
            "occurred_at": _text(self._instant()),
            "updated_at": self._now(),
        }
        return self._messages[message_id]

    def _new_order(self) -> Row:
        order_id = f"o{len(self._orders):05}"
        seen = self._rng.choice(list(self._messages.values()))
        lag = timedelta(seconds=self._rng.randint(-86_400, 8 * 86_400))
        self._orders[order_id] = {
            "order_id": order_id,
            "customer_id": self._rng.choice((seen["customer_id"],) * 4 + (self._customer(), None)),
            "ordered_at": _text(datetime.fromisoformat(seen["occurred_at"]) + lag),
            "order_value": self._money(),
            "refunded_value": "0",
            "sales_channel": self._rng.choice(("online", "in_store")),
            "status": "placed",
            "updated_at": self._now(),
        }
        return self._orders[order_id]

    def _customer(self) -> str:
        return f"c{self._rng.randrange(20):02}"

    def _instant(self) -> datetime:
        return datetime(2026, 1, 1) + timedelta(seconds=self._rng.randrange(40 * 86_400))

    def _money(self) -> str:
        return f"{self._rng.randint(1, 99)}.{self._rng.randint(0, 99):02}"

    def _now(self) -> str:
        return _text(datetime(2026, 3, 1) + timedelta(hours=self._batches))


def _text(instant: datetime) -> str:
    return instant.isoformat()
