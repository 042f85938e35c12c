"""What happens to a hub between its versions, in any order: files land, a refresh is killed, settings change.

Belongs here: the steps, and what lands before each of them. Does not belong here: what its ledger or a
database must say then.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from support.landed_histories import MOST_BATCHES, Landed
from support.ledger_hub import Event, LandedContent, RecordedHub
from support.oracle import Message, local_day
from support.pipeline import load_and_build
from support.strategies import TIMEZONES, of_history

# What happens to a hub after its first load, in any order. Only some of it lands a batch.
STEPS = (
    *("land", "land, and rebuild", "land, after one was killed", "land, in another zone"),
    *("retract", "nothing", "rebuild"),
)

# Follows one that lets windows close, which it opens again.
OTHER_WINDOW = "other window"


def batches_of(several: Sequence[tuple[list[Landed], date]]) -> list[list[Event]]:
    """The events of several histories side by side, in the batches that they land in."""
    batches: list[list[Event]] = [[] for _ in range(MOST_BATCHES + 1)]
    for number, (events, _) in enumerate(several):
        for one in events:
            for batch in one.batches:
                batches[batch].append(of_history(one.event, number))
        # One history in ten waits for the last batch: customers whom no version knew before.
        if number % 10 == 9:
            batches[MOST_BATCHES] += [of_history(one.event, number) for one in events]
    return batches


def live(hub: RecordedHub, batches: list[list[Event]], chance: random.Random) -> list[str]:
    """Land the batches between several refreshes; returns what happened before each published version."""
    steps = ["first load", *chance.sample(STEPS, len(STEPS))]
    steps.insert(steps.index("land") + 1, OTHER_WINDOW)
    contents: list[LandedContent] = []
    for number, step in enumerate(steps):
        if "land" in step or step == "first load":
            batch = batches.pop(0)
            contents += _land(hub, number, batch)
            hub.set(as_of=_next_as_of_day(hub, batch, chance, is_after=step == "land"))
        match step:
            case "land, after one was killed":
                load_and_build(hub.settings, "killed before it published")
            case "land, in another zone":
                others = [zone for zone in TIMEZONES if zone != hub.settings.timezone]
                hub.set(timezone=chance.choice(others))
            case "retract":
                hub.retract(contents.pop(chance.randrange(len(contents))))
                hub.set(as_of=hub.settings.as_of + timedelta(days=chance.choice((0, 1))))
            case "rebuild" | "land, and rebuild":
                hub.remove_databases()
        if step == OTHER_WINDOW:
            hub.window_days *= 2
        hub.publish()
    assert not batches
    return steps


def _land(hub: RecordedHub, number: int, batch: list[Event]) -> Iterator[LandedContent]:
    for entity in ("messages", "orders"):
        events = [event for event in batch if isinstance(event, Message) == (entity == "messages")]
        cut = len(events) // 3
        for part, some in enumerate((events[:cut], events[cut:])):
            if some:
                yield hub.land(entity, f"{number}-{part}", some)


def _next_as_of_day(hub: RecordedHub, batch: list[Event], chance: random.Random, *, is_after: bool) -> date:
    """A day of the batch or near it, so that some of it is settled, some open and some yet to come.

    Args:
        is_after: whether the windows of some of it have just closed.
    """
    zone = ZoneInfo(hub.settings.timezone)
    days = sorted(local_day(event.occurred_at, zone) for event in batch if isinstance(event, Message))
    if not hub.versions:
        return days[len(days) // 2]
    now = hub.settings.as_of
    day = chance.choice([day for day in days if day >= now] or days)
    if is_after:
        return day + timedelta(8)
    return chance.choice((now, now + timedelta(1), now - timedelta(3), day))
