"""A hub whose database in PostgreSQL is held against each version that it publishes.

Belongs here: publishing, and the comparison after it. Does not belong here: a server, what lands.
"""

from __future__ import annotations

from datetime import date

from orchestration.postgres.bring_up import BroughtUp, bring_up
from orchestration.settings import Settings
from support import pipeline
from support.hub_life import STEPS
from support.ledger_hub import Published, RecordedHub
from support.postgres_comparison import assert_same
from support.strategies import Filter, History, drawn, filters

FILTERS = 6

# Of so many versions the hub keeps the files.
VERSIONS = 5

# Every kind of filter that the functions tell apart, over all time.
KINDS = [
    Filter(date(2000, 1, 1), date(2099, 12, 31), queues, users)
    for queues in (None, ["queue-1"], ["queue-1", "queue-1", "queue-2"], [])
    for users in (None, ["user-1"], ["user-1", "user-2"])
]


class ComparedHub(RecordedHub):
    """One whose database is held against each version that it publishes."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._database = settings.postgres_url or ""
        self._asked: list[Filter] = []
        self.compared: list[str] = []

    def publish(self) -> Published:
        version = super().publish()
        # The refresh brought it there already.
        assert bring_up(self.settings, pipeline.manifest()) == BroughtUp(version.name, version.name, 0, 0, {})
        if not self._asked:
            messages = tuple(version.state.events.messages.values())
            self._asked = drawn(filters(History(messages, (), self.settings.as_of)), FILTERS, 0)
        # The functions are compiled once: every kind of filter at first, and after all steps.
        is_first_or_last = len(self.versions) in (1, len(STEPS) + 2)
        assert_same(version.file, self._database, [*self._asked, *(KINDS if is_first_or_last else [])])
        self.compared.append(version.name)
        return version
