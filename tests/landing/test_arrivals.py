"""How files arrive: generated histories of the landing folder, loaded and published, against the model.

What holds for the model by itself is tested in test_arrivals_model.py, how single files are read in
test_ingest.py.
"""

from __future__ import annotations

import contextlib
import functools
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from pprint import pformat
from typing import Any, cast

import duckdb
import pytest
from support import pipeline
from support.arrivals import (
    UNREADABLE,
    Batch,
    Move,
    Retract,
    Write,
    carry_out,
    csv_of,
    history,
    make_folders,
    shrunk,
)
from support.arrivals_model import ArrivalsModel
from support.oracle import Message, Order
from support.plain_reader import Event, RawRow

from orchestration import cli
from orchestration.hub.hub_toml import Hub as HubSettings
from orchestration.hub.landing_tables import LandingTable, Overwritten
from orchestration.landing import load as loading
from orchestration.landing import retract as retracting
from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.landing.load import load_entity
from orchestration.settings import Settings
from orchestration.warehouse import databases

# Histories that lie side by side in one hub, in folders and with ids of their own. A refresh of several costs
# little more than of one; all of them share its rebuilds and kills.
HISTORIES_PER_HUB = 50
BATCHES = 6
# Histories in the one hub that is refreshed through to what is published.
HISTORIES_PUBLISHED = 24
BATCHES_PUBLISHED = 3
PUBLISHED = {
    "fct_messages": "message_id, customer_id, queue_id, user_id, status, occurred_at",
    "fct_orders": ("order_id, customer_id, ordered_at, sales_channel, status, order_value, refunded_value"),
    "mart_overview_daily": "*",
}
# How often a rebuild takes the place of a refresh, and how often a killed one goes before it.
REBUILT = 0.25
KILLED = 0.35

OVERWRITTEN = {"orders/**r.csv": "replaces", "messages/**a.csv": "adds"}
LIMITS = HubSettings(
    max_rejected_share=1.0,
    max_fall=1.0,
    max_restated_share=1.0,
    landing=tuple(LandingTable(files, Overwritten(said)) for files, said in OVERWRITTEN.items()),
)
EVENTS = {"messages": Message, "orders": Order}


@dataclass(frozen=True)
class Loaded:
    """What the warehouse holds of a path; rows in any order.

    Attributes:
        status: that of the record, or ``gone`` for a path without a file.
    """

    status: str
    rows_landed: int
    rows_kept: int
    accepted: Counter[Event]
    rejected: Counter[RawRow]


Difference = tuple[Loaded | None, Loaded | None]


@dataclass(frozen=True)
class Run:
    """A refresh or rebuild after a batch.

    Attributes:
        killed_at: how far a refresh came that was killed when the first steps of the batch were done, as a
            share of the statements of the last one; None when there was none.
    """

    is_rebuild: bool
    killed_at: float | None

    @classmethod
    def drawn(cls, chance: random.Random) -> Run:
        return cls(chance.random() < REBUILT, chance.random() if chance.random() < KILLED else None)


class Killed(BaseException):
    """What ends a refresh as SIGKILL does: nothing that catches exceptions sees it."""


class MortalConnection:
    """A connection that counts the statements it is given, and dies at one of them, before it is executed."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, dies_at: int | None = None) -> None:
        self.connection = connection
        self.dies_at = dies_at
        self.statements = 0

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.connection, name)
        return functools.partial(self._counted, attribute) if callable(attribute) else attribute

    def _counted(self, method: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if self.statements == self.dies_at:
            raise Killed
        self.statements += 1
        return method(*arguments, **named)


@pytest.fixture(autouse=True)
def _files_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of a history changes while it is read, so nobody waits for one to rest."""
    monkeypatch.setattr(loading, "REST_SECONDS", 0.0)


class Hub:
    """A hub of the product and the model of it, over one landing folder."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(folder, "UTC", date(2026, 1, 31), "USD", hub=LIMITS)
        make_folders(self.settings.landing)
        self.model = ArrivalsModel(self.settings.landing, OVERWRITTEN)
        self.statements = 0

    def take(self, batch: Batch) -> None:
        """Carry out the steps of a batch; what is retracted moves out of the landing folder."""
        for step in batch:
            if not isinstance(step, Retract):
                carry_out(step, self.settings.landing)
            elif step.path in self.model.paths and self.model.paths[step.path].status != "retracted":
                moved = self.model.retract(step.path)
                retract(self.settings, step.path)
                remaining = [path for path in moved if (self.settings.landing / path).exists()]
                assert not remaining, f"{step} leaves {remaining}"

    def run(self, run: Run) -> None:
        """One refresh or rebuild, of the product and of the model."""
        self.statements = load(self.settings)
        self.model.refresh()
        if run.is_rebuild:
            assert cli.remove_warehouse(self.settings)
            load(self.settings)
            self.model.rebuild()

    def run_killed(self, killed_at: float) -> None:
        """A refresh that is killed. Where it committed something, a refresh goes on from there.

        Where it committed nothing it may leave nothing behind, whatever lands next; the model has no refresh.
        """
        before = loaded(self.settings)
        with contextlib.suppress(Killed):
            load(self.settings, dies_at=int(killed_at * self.statements))
        if loaded(self.settings) != before:
            load(self.settings)
            self.model.refresh()

    def differences(self) -> dict[str, Difference]:
        """What is loaded, and what must be by the model, of each path where they differ."""
        return _differences(loaded(self.settings), _expected(self.model))


def load(settings: Settings, dies_at: int | None = None) -> int:
    """Load what has landed; returns how many statements that took.

    Raises:
        Killed: when it takes more than ``dies_at``.
    """
    with databases.connect(settings) as connection:
        counted = MortalConnection(connection, dies_at)
        for contract in CONTRACTS:
            # It passes on whatever else a connection has.
            load_entity(cast("duckdb.DuckDBPyConnection", counted), settings, contract)
    return counted.statements


def retract(settings: Settings, path: str) -> None:
    """Take back a file of the record, as `make retract` does."""
    with databases.connect(settings) as connection:
        retracting.retract(connection, settings, f"landing/{path}")


def loaded(settings: Settings) -> dict[str, Loaded]:
    """What the warehouse of a hub holds, by the path below the landing folder."""
    with databases.connect(settings) as connection:
        states = {
            path: state for contract in CONTRACTS for path, state in _loaded(connection, contract).items()
        }
    return {
        path: state if (settings.landing / path).exists() else replace(state, status="gone")
        for path, state in states.items()
        # Of a file that is gone, and left nothing behind, there may be a record or none.
        if state.rows_landed or (settings.landing / path).exists()
    }


def _loaded(connection: duckdb.DuckDBPyConnection, contract: EventContract) -> dict[str, Loaded]:
    names = [field.name for field in contract.kept_fields]
    columns = ", ".join(f"events.{name}" for name in names)
    accepted: dict[str, Counter[Event]] = {}
    for path, *values in connection.execute(
        f"select files.path, {columns} from raw.{contract.table} as events "
        "left join raw.contents as files on events.file_id = files.file_id"
    ).fetchall():
        event = EVENTS[contract.entity](**dict(zip(names, values, strict=True)))
        accepted.setdefault(path, Counter())[event] += 1
    rejected: dict[str, Counter[RawRow]] = {}
    for path, raw_text in connection.execute(
        "select path, raw_text from quarantine.rejected_events where entity = ?", [contract.entity]
    ).fetchall():
        shown = {
            name: str(value).strip() for name, value in json.loads(raw_text).items() if value is not None
        }
        rejected.setdefault(path, Counter())[frozenset(item for item in shown.items() if item[1])] += 1
    records = connection.execute(
        "select path, status, rows_landed, rows_accepted, rows_rejected, rows_kept from raw.landed_files "
        "where entity = ?",
        [contract.entity],
    ).fetchall()
    assert {*accepted, *rejected} <= {path for path, *_ in records}
    states = {}
    for path, status, rows_landed, rows_accepted, rows_rejected, rows_kept in records:
        rows = accepted.get(path, Counter()), rejected.get(path, Counter())
        assert (rows_accepted, rows_rejected) == tuple(of.total() for of in rows), path
        states[path.removeprefix("landing/")] = Loaded(status, rows_landed, rows_kept, *rows)
    return states


def _expected(model: ArrivalsModel) -> dict[str, Loaded]:
    return {
        path: Loaded(
            state.status if path in model.files.landed else "gone",
            *(state.rows_landed, state.rows_kept),
            *(Counter(state.accepted), Counter(state.rejected)),
        )
        for path, state in model.paths.items()
        if state.rows_landed or path in model.files.landed
    }


def _differences(one: dict[str, Loaded], other: dict[str, Loaded]) -> dict[str, Difference]:
    return {
        path: (one.get(path), other.get(path))
        for path in sorted({*one, *other})
        if one.get(path) != other.get(path)
    }


def _copied(hub: Hub, folder: Path) -> Settings:
    """A hub of its own that has nothing but the files of another one."""
    for name in ("landing", "kept", "retracted"):
        if (hub.settings.data_dir / name).exists():
            shutil.copytree(hub.settings.data_dir / name, folder / name)
    return replace(hub.settings, data_dir=folder)


FILE, OTHER = "orders/h/o.csv", "orders/h/other.csv"
ONE, TWO = csv_of("o1 v1 10.00"), csv_of("o2 v1 20.00")
HEADER = csv_of()

EXAMPLES: dict[str, list[Batch]] = {
    "copied, and emptied": [(Write(FILE, ONE),), (Write(OTHER, ONE), Write(FILE, b""))],
    "emptied before it had rows": [(Write(FILE, HEADER),), (Write(FILE, b""),)],
    "renamed to another format": [(Write(FILE, ONE),), (Move(FILE, "orders/h/o.csv.gz"),)],
    "read half, then whole": [
        (Write(FILE, csv_of("o1 v9 10.00", "o2 v9 20.00")),),
        (Write(FILE, csv_of("o1 v3 11.00")),),
        (Write(FILE, csv_of("o1 v3 11.00", "o2 v3 21.00")),),
    ],
    "retracted though never loaded": [(Write(FILE, UNREADABLE),), (Retract(FILE),)],
    "retracted though unreadable": [(Write(FILE, ONE),), (Write(FILE, UNREADABLE),), (Retract(FILE),)],
    "retracted with an unreadable copy": [
        (Write(FILE, ONE), Write(OTHER, TWO)),
        (Write(FILE, UNREADABLE), Write(OTHER, UNREADABLE)),
        (Retract(FILE),),
    ],
    "retracted, zero bytes": [
        (Write(FILE, ONE), Write(OTHER, TWO)),
        (Write(FILE, b""), Write(OTHER, b"")),
        (Retract(FILE),),
    ],
    "retracted where only other content is kept": [
        (Write(FILE, ONE),),
        (Write(FILE, TWO),),
        (Move(FILE, OTHER),),
        (Retract(FILE),),
    ],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_loads_as_the_model_says(name: str) -> None:
    runs = [Run(is_rebuild=False, killed_at=None)] * len(EXAMPLES[name])
    assert _first_differences([EXAMPLES[name]], runs) == {}


@pytest.mark.long
def test_histories_load_as_the_model_says(request: pytest.FixtureRequest) -> None:
    seed = request.config.getoption("--arrivals-seed")
    for number in range(-(-request.config.getoption("--arrivals") // HISTORIES_PER_HUB)):
        chance = random.Random(f"{seed} {number}")
        runs = [Run.drawn(chance) for _ in range(BATCHES)]
        histories = {
            f"h{one}": history((seed, number, one), f"h{one}", batches=BATCHES)
            for one in range(HISTORIES_PER_HUB)
        }
        if wrong := _first_differences([*histories.values()], runs):
            pytest.fail(_report(wrong, histories, runs), pytrace=False)


def test_what_is_published_is_what_the_model_says(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    seed = request.config.getoption("--arrivals-seed")
    hub = Hub(tmp_path / "hub")
    histories = [
        history((seed, "published", one), f"h{one}", batches=BATCHES_PUBLISHED)
        for one in range(HISTORIES_PUBLISHED)
    ]
    for number, batches in enumerate(zip(*histories, strict=True)):
        for batch in batches:
            hub.take(batch)
        pipeline.refresh(hub.settings)
        hub.model.refresh()
        other = _copied(hub, tmp_path / f"rebuilt {number}")
        pipeline.refresh(other)
        for settings in (hub.settings, other):
            published = _published(settings)
            assert published["fct_messages"] == [_message_row(one) for one in hub.model.latest("messages")]
            assert published["fct_orders"] == [_order_row(one) for one in hub.model.latest("orders")]
        assert _published(hub.settings) == _published(other)


def _published(settings: Settings) -> dict[str, list[tuple[Any, ...]]]:
    """Rows of published tables in the order of their first column."""
    with pipeline.reading(settings.published) as connection:
        return {
            table: connection.sql(f"select {columns} from {table} order by 1").fetchall()
            for table, columns in PUBLISHED.items()
        }


def _message_row(message: Event) -> tuple[Any, ...]:
    assert isinstance(message, Message)
    identity = (message.message_id, message.customer_id, message.queue_id, message.user_id)
    return (*identity, message.status, message.occurred_at)


def _order_row(order: Event) -> tuple[Any, ...]:
    assert isinstance(order, Order)
    money = (order.order_value, order.refunded_value)
    return (order.order_id, order.customer_id, order.ordered_at, order.sales_channel, order.status, *money)


def _first_differences(histories: Sequence[Sequence[Batch]], runs: Sequence[Run]) -> dict[str, Difference]:
    """The first differences when histories happen side by side in one hub; none when there are none."""
    with tempfile.TemporaryDirectory() as folder:
        hub = Hub(Path(folder) / "hub")
        for batches, run in zip(zip(*histories, strict=True), runs, strict=False):
            if run.killed_at is not None:
                for batch in batches:
                    hub.take(batch[:1])
                hub.run_killed(run.killed_at)
            for batch in batches:
                hub.take(batch if run.killed_at is None else batch[1:])
            hub.run(run)
            if different := hub.differences():
                return different
        other = _copied(hub, Path(folder) / "other")
        load(other)
        return _differences(loaded(other), _expected(hub.model))


def _report(different: dict[str, Difference], histories: dict[str, list[Batch]], runs: Sequence[Run]) -> str:
    """The differences of the first history that has some, and the steps that it takes to see them."""
    name = next(iter(different)).split("/")[1]

    def is_wrong(batches: Sequence[Batch]) -> bool:
        return bool(_first_differences([batches], runs))

    if not is_wrong(histories[name]):
        return f"only beside other histories:\n{pformat(different, width=110)}"
    smallest = shrunk(histories[name], is_wrong)
    (path, (is_so, must_be)), *_ = _first_differences([smallest], runs).items()
    return "\n".join(
        [
            *("A refresh after each of:", pformat(smallest, width=110)),
            *(f"{path} is", pformat(is_so, width=110), "and must be", pformat(must_be, width=110)),
        ]
    )
