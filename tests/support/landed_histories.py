"""Histories of events as files of a landing folder: in batches that land one after another, or all at once.

Belongs here: which event lands when, and in which file. Does not belong here: drawing the events
(strategies.py), files of any other kind (landing.py).
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st

from orchestration.settings import Settings
from support.oracle import Message, Order
from support.strategies import History, histories

MOST_BATCHES = 4

Batch = dict[str, list[Message | Order]]


@dataclass(frozen=True)
class Landed:
    """An event of a history, and the batches that it lands in: one, or two, counted from 0."""

    event: Message | Order
    batches: tuple[int, ...]


@st.composite
def landed_histories(draw: st.DrawFn) -> tuple[list[Landed], date]:
    """The events of a history in batches, in any order; and an as-of day."""
    history = draw(histories(max_messages=8, max_orders=8))
    in_batches = st.lists(st.integers(0, MOST_BATCHES - 1), min_size=1, max_size=2, unique=True).map(tuple)
    events: list[Message | Order] = [*history.messages, *history.orders]
    return [Landed(event, draw(in_batches)) for event in events], history.as_of


def write_events(file: Path, events: Sequence[Message | Order]) -> None:
    """Write events as JSON lines, over whatever the file held."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({name: landed_text(value) for name, value in asdict(e).items()}) for e in events]
    file.write_text("".join(line + "\n" for line in lines))


def land_batch(hub: Settings, batch: Batch, number: int) -> None:
    """Land the events of a batch, each entity in one or two files."""
    for entity, events in batch.items():
        cut = random.Random(number).randint(0, len(events))
        for part, some in enumerate((events[:cut], events[cut:])):
            write_events(hub.landing / entity / f"{number}-{part}.jsonl", some)


def land_history(hub: Settings, history: History, chance: random.Random) -> None:
    """Land a history in a few files of different formats, in any order, some rows twice."""
    for entity, events in (("messages", history.messages), ("orders", history.orders)):
        folder = hub.landing / entity
        folder.mkdir(parents=True)
        landed = [{name: landed_text(value) for name, value in asdict(event).items()} for event in events]
        landed += chance.sample(landed, k=min(len(landed), 3))
        chance.shuffle(landed)
        cut = chance.randint(0, len(landed))
        _write_csv(folder / "some.csv", landed[:cut])
        _write_json_lines(folder / "others.ndjson", landed[cut:])


def landed_text(value: object) -> str | None:
    """A value of an event as landed files hold it; None for none."""
    match value:
        case None:
            return None
        case datetime():
            return value.isoformat() + "Z"
        case date() | Decimal():
            return str(value)
    assert isinstance(value, str)
    return value


def _write_csv(path: Path, landed: list[dict[str, str | None]]) -> None:
    if landed:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(landed[0]))
            writer.writeheader()
            writer.writerows(landed)


def _write_json_lines(path: Path, landed: Iterable[dict[str, str | None]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in landed), encoding="utf-8")
