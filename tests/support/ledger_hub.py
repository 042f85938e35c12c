"""A hub that keeps what it published: a copy of the file of each version, and the events it was made from.

Belongs here: landing, retracting and refreshing, and what must be known of each version afterwards. Does not
belong here: what the ledger must say of it (support/ledger_model.py).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

from orchestration.dbt_runner.sources import hash_of_sources, record_parsed
from orchestration.incremental import plan as planning
from orchestration.incremental.fingerprints import project_variables
from orchestration.landing.retract import retract
from orchestration.refresh import Dbt
from orchestration.settings import Engine, Settings
from orchestration.warehouse import databases
from support import pipeline
from support.landed_histories import landed_text
from support.landing import land_json_lines
from support.ledger_model import Events, State, read_facts
from support.oracle import Message, Order, latest

Event = Message | Order

WINDOW_DAYS = 7


@dataclass(frozen=True)
class LandedContent:
    """A file as `raw.landed_files` names it."""

    path: str
    content_hash: str


@dataclass(frozen=True)
class Published:
    """A published version.

    Attributes:
        file: a copy of its file, which stays.
        moved: the files that landed or were retracted since the version before, with the ids of their events.
    """

    name: str
    file: Path
    state: State
    moved: Mapping[LandedContent, frozenset[str]]


class RecordedHub:
    """A hub that remembers each version that it publishes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.window_days = WINDOW_DAYS
        self.versions: list[Published] = []
        self._landed: dict[LandedContent, list[Event]] = {}
        self._moved: dict[LandedContent, frozenset[str]] = {}
        self._copies = settings.data_dir.with_name("copies")
        self._copies.mkdir(parents=True)

    def land(self, entity: str, name: str, events: Sequence[Event]) -> LandedContent:
        """Land events as a new file of an entity."""
        file = self.settings.landing / entity / f"{name}.jsonl"
        assert not file.exists(), name
        rows = [{field: landed_text(value) for field, value in asdict(event).items()} for event in events]
        land_json_lines(file, rows)
        path = file.relative_to(self.settings.data_dir).as_posix()
        content = LandedContent(path, hashlib.sha256(file.read_bytes()).hexdigest())
        self._landed[content] = list(events)
        self._moved[content] = frozenset(event.key for event in events)
        return content

    def retract(self, content: LandedContent) -> None:
        """Take a file back, and with it every copy of its bytes."""
        with databases.connect(self.settings) as connection:
            retract(connection, self.settings, content.path)
        for copy in [one for one in self._landed if one.content_hash == content.content_hash]:
            self._moved[copy] = frozenset(event.key for event in self._landed.pop(copy))

    def set(self, as_of: date | None = None, timezone: str | None = None) -> None:
        """Change the as-of day, or the zone as a person with an editor would."""
        if timezone:
            self.settings = pipeline.edit_hub_file(self.settings, timezone=timezone)
        self.settings = replace(self.settings, as_of=as_of or self.settings.as_of)

    def remove_databases(self) -> None:
        """Remove what a rebuild removes."""
        databases.remove_databases(self.settings)

    def publish(self) -> Published:
        """One refresh, and all that must be known of it afterwards."""
        with _window_of(self.window_days):
            published = pipeline.refresh(self.settings).resolve()
        copy = self._copies / published.parent.name / published.name
        copy.parent.mkdir()
        shutil.copyfile(published, copy)
        state = State(self._events(), read_facts(copy))
        version = Published(published.parent.name, copy, state, self._moved)
        self.versions.append(version)
        self._moved = {}
        return version

    def _events(self) -> Events:
        events = [event for content in self._landed.values() for event in content]
        messages = latest(event for event in events if isinstance(event, Message))
        orders = latest(event for event in events if isinstance(event, Order))
        return Events(
            {message.key: message for message in messages},
            {order.key: order for order in orders},
            self.settings.timezone,
            self.window_days,
        )


@contextlib.contextmanager
def _window_of(days: int) -> Iterator[None]:
    """Within it, the dbt project has an attribution window of so many days, as its other release would."""
    if days == WINDOW_DAYS:
        yield
        return
    variables = {**project_variables(), "attribution_window_days": days}
    run_dbt = pipeline.dbt_in_process

    def with_variables(*further: str) -> Dbt:
        def dbt(arguments: Sequence[str]) -> Iterator[Any]:
            events = run_dbt("--vars", json.dumps({"attribution_window_days": days}), *further)(arguments)
            record_parsed(target, hash_of_sources(Engine.DUCKDB))
            return events

        return dbt

    # dbt parses all again where a variable differs, so that such a project has a target of its own, and keeps
    # what it has parsed.
    target = pipeline.DBT_TARGET.with_name(f"{pipeline.DBT_TARGET.name}-{days}-days")
    with (
        patch.object(planning, "project_variables", lambda: variables),
        patch.object(pipeline, "dbt_in_process", with_variables),
        patch.object(pipeline, "DBT_TARGET", target),
    ):
        yield
