"""The ledger over random histories, held against the published file of every version.

Belongs here: what `why`, `why_figures`, `figures_as_of`, `versions` and `restatements` say, for any filter
and any two versions, against the facts and figures of two files, which know nothing of the ledger. Does not
belong here: each cause by an example (test_ledger_causes.py), the expected rows (support/ledger_model.py).
"""

from __future__ import annotations

import itertools
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.hub_life import batches_of, live
from support.landed_histories import landed_histories
from support.ledger_hub import LandedContent, Published, RecordedHub
from support.ledger_model import (
    ENTITIES,
    FIELDS_OF_MESSAGE,
    Change,
    Key,
    Row,
    causes_of_message,
    causes_of_touch,
    changed_fields,
    explain,
    figures_of,
    is_settled,
    new_days,
    restated_messages,
    restated_touches,
)
from support.oracle import FIGURES
from support.pipeline import reading
from support.strategies import TIMEZONES, Filter, History, drawn, filters

from orchestration.settings import Settings

# A refresh costs the same for one history as for many.
HISTORIES_PER_HUB = 50

# Steps that change no event and keep the as-of day.
STANDING_STILL = ("nothing", "rebuild")

FILTERS = 6

PAIRS = 8

ALL_TIME = Filter(date(2000, 1, 1), date(2099, 12, 31), None, None)

CAUSES = {"as_of_moved", "setting_changed", "software_changed"}
CAUSES |= {f"message_{what}" for what in ("new", "late", "changed", "removed")}
CAUSES |= {f"order_{what}" for what in ("new", "changed", "cancelled", "reinstated", "refunded", "removed")}


@pytest.mark.long
def test_the_ledger_says_what_the_files_of_any_two_versions_say(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    drawn_from = request.config.getoption("--histories-seed")
    hubs = -(-request.config.getoption("--histories") // HISTORIES_PER_HUB)
    several = drawn(landed_histories(), hubs * HISTORIES_PER_HUB, drawn_from)
    for number in range(hubs):
        chance = random.Random(f"{drawn_from} {number}")
        histories = several[number::hubs]
        hub = RecordedHub(Settings(tmp_path / f"{number}" / "hub", chance.choice(TIMEZONES), date.max, "USD"))
        steps = live(hub, batches_of(histories), chance)
        print(f"\nseed {drawn_from}, hub {number}: {', '.join(steps)}")
        messages = tuple(message for v in hub.versions for message in v.state.events.messages.values())
        asked = drawn(filters(History(messages, (), hub.settings.as_of)), FILTERS, drawn_from + number)
        with Ledger.open(hub.versions) as ledger:
            ledger.check_versions()
            for before, after in itertools.pairwise(range(len(hub.versions))):
                ledger.check_restatements(before, after)
                if steps[after] in STANDING_STILL:
                    assert ledger.restatements(before, after) == []
            for before, after in pairs_of(len(hub.versions), chance):
                for one in (ALL_TIME, *chance.sample(asked, 3)):
                    ledger.check_why(before, after, one)
            for one in asked:
                ledger.check_netting(sorted(chance.sample(range(len(hub.versions)), 3)), one)


def pairs_of(count: int, chance: random.Random) -> list[tuple[int, int]]:
    """Each version with the next one, the first with the last, and some others, backwards too."""
    pairs = set(itertools.pairwise(range(count))) | {(0, count - 1), (count - 1, 0)}
    others = sorted(set(itertools.permutations(range(count), 2)) - pairs)
    return sorted([*pairs, *chance.sample(others, PAIRS)])


class Ledger:
    """The ledger of the newest version, and the files of all of them."""

    def __init__(
        self, versions: Sequence[Published], connections: Sequence[duckdb.DuckDBPyConnection]
    ) -> None:
        self.versions = versions
        self.connections = connections
        self.newest = connections[-1]

    @classmethod
    @contextmanager
    def open(cls, versions: Sequence[Published]) -> Iterator[Ledger]:
        with ExitStack() as files:
            yield cls(versions, [files.enter_context(reading(version.file)) for version in versions])

    def check_versions(self) -> None:
        listed = rows(self.newest, "from versions order by version")

        assert [row["version"] for row in listed] == [version.name for version in self.versions]
        assert [row["previous_version"] for row in listed] == [None, *(v.name for v in self.versions[:-1])]
        for row, version in zip(listed, self.versions, strict=True):
            facts, events = version.state.facts, version.state.events
            assert (row["as_of"], row["as_of_ends_at"]) == (facts.as_of, facts.as_of_ends_at)
            assert row["settings"] == {
                "timezone": events.timezone,
                "currency": "USD",
                "attribution_window_days": events.window_days,
            }
        for before, after in itertools.pairwise(range(len(self.versions))):
            grown = new_days(self._state(before).facts, self._state(after).facts)
            assert set(listed[after]["new_days"]) == grown, self._about(before, after)

    def restatements(self, before: int, after: int) -> list[Row]:
        names = [self.versions[before].name, self.versions[after].name]
        return rows(self.newest, "from restatements where from_version = ? and to_version = ?", *names)

    def check_restatements(self, before: int, after: int) -> None:
        one, other = self._state(before), self._state(after)
        about = self._about(before, after)
        listed = self.restatements(before, after)
        messages = {row["message_id"]: row for row in listed if row["entity"] == "message"}
        touches = {(row["message_id"], row["order_id"]): row for row in listed if row["entity"] == "touch"}
        assert len(messages) + len(touches) == len(listed), about

        assert messages.keys() == restated_messages(one.facts, other.facts), about
        assert touches.keys() == restated_touches(one.facts, other.facts), about
        for row in listed:
            for side, state in (("before", one), ("after", other)):
                message = state.facts.messages.get(row["message_id"], {})
                assert row[f"occurred_at_{side}"] == message.get("occurred_at"), (side, about, row)
        for message_id, row in messages.items():
            assert row["order_id"] is None
            for side, state in (("before", one), ("after", other)):
                assert_side(row, side, state.facts.messages.get(message_id), about)
            causes = causes_of_message(message_id, one, other)
            fields = changed_fields(message_id, one.events.messages, other.events.messages)
            assert set(row["changed_fields"] or ()) == fields, (about, row)
            self._check_reasons(after, row, causes, {message_id})
        for touch, row in touches.items():
            for side, state in (("before", one), ("after", other)):
                assert_side(row, side, touch_of(state, touch), about)
            fields = changed_fields(touch[1], one.events.orders, other.events.orders)
            allowed = fields | set(FIELDS_OF_MESSAGE)
            assert fields - {"sales_channel"} <= set(row["changed_fields"] or ()) <= allowed, (about, row)
            touching = {m for state in (one, other) for m, o in state.facts.touches if o == touch[1]}
            self._check_reasons(after, row, causes_of_touch(touch, one, other), {*touching, *touch})

    def _check_reasons(self, after: int, row: Row, causes: Any, ids: set[str]) -> None:
        about = (self._about(after - 1, after), row)
        said = set(row["causes"])
        assert said, about
        assert causes.required <= said <= causes.allowed, (causes, about)
        assert row["was_settled"] == is_settled(
            row["message_id"], self._state(after - 1).facts, self._state(after).facts
        ), about
        files = {LandedContent(**file) for file in row["files"] or ()}
        moved = self.versions[after].moved
        assert files <= {content for content, keys in moved.items() if keys & ids}, about
        assert bool(files) == any(cause.startswith(("message_", "order_")) for cause in said), about

    def check_why(self, before: int, after: int, asked: Filter) -> None:
        about = (self._about(before, after), asked)
        changes = self.why(before, after, asked)
        earlier, later = sorted((before, after))
        expected = explain(self._state(earlier).facts, self._state(later).facts, asked)
        if before > after:
            expected = {key: Change(c.after, c.before, c.was_settled) for key, c in expected.items()}
        assert_same(changes, expected, about)

        overviews = self.overview(before, asked), self.overview(after, asked)
        for figure in ENTITIES:
            moved = sum(
                (c.after - c.before for key, c in changes.items() if key.figure == figure), Decimal(0)
            )
            assert moved == overviews[1][figure] - overviews[0][figure], (figure, about)
            assert figures_of(self._state(before).facts, asked)[figure] == overviews[0][figure]
        self._check_why_figures(before, after, asked, changes)
        as_of = rows(self.newest, f"from figures_as_of(?, {ASKED})", self.versions[before].name, *asked)
        assert as_of == [overviews[0]], about

    def _check_why_figures(self, before: int, after: int, asked: Filter, changes: dict[Key, Change]) -> None:
        about = (self._about(before, after), asked)
        listed = rows(self.newest, f"from why_figures(?, ?, {ASKED})", *self._names(before, after), *asked)
        assert [row["figure"] for row in listed] == list(FIGURES), about
        overviews = self.overview(before, asked), self.overview(after, asked)
        restated = {figure: Decimal(overviews[0][figure]) for figure in ENTITIES}
        for key, change in changes.items():
            restated[key.figure] += (change.after - change.before) * change.was_settled
        for row in listed:
            for side, overview in zip(("before", "after"), overviews, strict=True):
                assert_figure(row[side], overview[row["figure"]], (row, about))
            assert_adds_up(row, with_ratios(restated), about)

    def check_netting(self, versions: Sequence[int], asked: Filter) -> None:
        first, second, third = versions
        net: dict[Key, Decimal] = defaultdict(Decimal)
        for before, after in ((first, second), (second, third)):
            for key, change in self.why(before, after, asked).items():
                net[key] += change.after - change.before
        direct = {key: c.after - c.before for key, c in self.why(first, third, asked).items()}
        assert {key: moved for key, moved in net.items() if moved} == direct, (versions, asked)

    def why(self, before: int, after: int, asked: Filter) -> dict[Key, Change]:
        about = (self._about(before, after), asked)
        listed = rows(self.newest, f"from why(?, ?, {ASKED})", *self._names(before, after), *asked)
        changes = {}
        for row in listed:
            entity = ENTITIES[row["figure"]]
            assert row["entity"] == entity, (row, about)
            assert row["causes"], (row, about)
            assert set(row["causes"]) <= CAUSES, (row, about)
            assert row["difference"] == row["after"] - row["before"], (row, about)
            key = Key(row["figure"], entity, row[f"{entity}_id"])
            assert key not in changes, (row, about)
            changes[key] = Change(row["before"], row["after"], row["was_settled"])
        return changes

    def overview(self, version: int, asked: Filter) -> Row:
        (row,) = rows(self.connections[version], f"from overview({ASKED})", *asked)
        return row

    def _state(self, version: int) -> Any:
        return self.versions[version].state

    def _names(self, before: int, after: int) -> list[str]:
        return [self.versions[before].name, self.versions[after].name]

    def _about(self, before: int, after: int) -> str:
        return f"version {before} ({self.versions[before].name}) -> {after} ({self.versions[after].name})"


ASKED = "?, ?, queues := ?::varchar[], users := ?::varchar[]"


def rows(connection: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> list[Row]:
    cursor = connection.execute(query, list(parameters))
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def touch_of(state: Any, touch: tuple[str, str]) -> Row | None:
    """A touch with what is told of its message."""
    row = state.facts.touches.get(touch)
    message = state.facts.messages.get(touch[0])
    return row and {**row, "status": message["status"]}


def assert_side(row: Row, side: str, expected: Row | None, about: str) -> None:
    """What a restatement says of one side: nothing of one on which it was not there."""
    columns = (
        *("customer_id", "message_date", "queue_id", "user_id", "status"),
        *("is_in_open_window", "order_value", "refunded_value", "is_last_touch"),
    )
    for column in columns:
        value = (expected or {}).get(column)
        assert row[f"{column}_{side}"] == value, (column, side, about, row)


def assert_same(said: dict[Key, Change], expected: dict[Key, Change], about: object) -> None:
    differing = sorted(key for key in said.keys() | expected.keys() if said.get(key) != expected.get(key))
    shown = [(key, f"said {said.get(key)}", f"expected {expected.get(key)}") for key in differing[:5]]
    assert not differing, (about, len(differing), shown)


def assert_figure(said: Decimal | None, expected: Any, about: object) -> None:
    """A figure as decimal; a rate, which is a double in the overview, to the places that it has here."""
    if said is None or expected is None:
        assert said is None, about
        assert expected is None, about
    elif isinstance(expected, float):
        assert math.isclose(said, expected, rel_tol=0, abs_tol=1e-12), about
    else:
        assert said == expected, about


def assert_adds_up(row: Row, restated: Row, about: object) -> None:
    """Growth and restatement are the difference; there is none where a ratio has no denominator.

    Args:
        row: a row of `why_figures`.
        restated: the overview before, with what was restated and nothing else.
    """
    if row["before"] is None or row["after"] is None:
        assert row["difference"] is None, (row, about)
        return
    assert row["difference"] == row["after"] - row["before"], (row, about)
    assert row["growth"] + row["restatement"] == row["difference"], (row, about)
    if restated[row["figure"]] is not None:
        assert_figure(row["before"] + row["restatement"], restated[row["figure"]], (row, about))


def with_ratios(figures: dict[str, Decimal]) -> Row:
    """The figures that have rows, and the ratios of them."""

    messaged, sent = figures["customers_messaged"], figures["messages_sent"]
    return {
        **figures,
        "conversion_rate": float(figures["customers_converted"] / messaged) if messaged else None,
        "revenue_per_message": money_per(figures["revenue_generated"], sent) if sent else None,
    }


def money_per(money: Decimal, count: Decimal) -> Decimal:
    """Money by a count, half up to six places."""
    return (money / count).quantize(Decimal("0.000001"), ROUND_HALF_UP)
