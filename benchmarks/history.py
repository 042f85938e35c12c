"""A generated history: a hub of it, and refreshes of that hub, each several times in the same state.

Belongs here: the states that a hub is refreshed in, and what has landed by then. Does not belong here: the
files (generate.py and what lands beside them), and which refreshes are measured (run.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from benchmarks import state
from benchmarks.generate import Recipe, generate
from benchmarks.measure import Measurement, Usage, apart, refresh
from orchestration.settings import REPOSITORY, Settings

DATA = REPOSITORY / "benchmarks" / "data"
DAYS = 730


@dataclass
class History:
    """Refreshes of one history. It is generated, and rebuilt, as soon as something asks for that.

    Attributes:
        recipe: what the history is made of.
        runs: how often all of it is refreshed from the landed files alone, at least once.
        say: told what is going on.
        beside: what is measured before each of these rebuilds, to be held against it.
    """

    recipe: Recipe
    runs: int
    say: Callable[[str], None]
    beside: Callable[[Settings], Usage] | None = None

    @property
    def name(self) -> str:
        """What the history is made of, in words."""
        return f"{self.recipe.messages:,} messages, {self.recipe.orders:,} orders of {self.recipe.days} days"

    @cached_property
    def hub(self) -> Settings:
        """The hub in which the history has landed, and nothing else."""
        hub = hub_of(self.recipe)
        self.say(f"Generating {self.name}, {self.recipe.format} ...")
        apart(generate, self.recipe, hub.data_dir)
        remove_what_landed_beside(self.recipe, hub.landing)  # a killed run leaves it
        return hub

    @cached_property
    def pairs(self) -> list[tuple[Usage | None, Measurement]]:
        """Each rebuild, and what was measured before it. The state after the last one is kept aside."""
        pairs = []
        for run in range(1, self.runs + 1):
            before = self.beside(self.hub) if self.beside else None
            pairs.append((before, self.rebuild(f"all that has landed, run {run} of {self.runs}")))
        state.keep_aside(self.hub)
        return pairs

    @property
    def rebuilds(self) -> list[Measurement]:
        """The rebuilds alone."""
        return [rebuild for _, rebuild in self.pairs]

    def rebuild(self, what: str, memory_limit: str | None = None) -> Measurement:
        """A refresh from the landed files alone."""
        self._say_refreshing(what)
        state.clear(self.hub)
        limited = replace(self.hub, memory_limit=memory_limit) if memory_limit else self.hub
        return refresh(limited)

    def after_rebuild(
        self, what: str, runs: int, as_of: date | None = None, logged: bool = False
    ) -> list[Measurement]:
        """Refreshes of what has landed by now, each after a rebuild of the history alone.

        Raises:
            ValueError: when the history is never rebuilt.
        """
        if not self.rebuilds:
            raise ValueError(f"{self.name} must be rebuilt at least once")
        measurements = []
        for run in range(1, runs + 1):
            self._say_refreshing(f"{what}, run {run} of {runs}")
            state.bring_back(self.hub)
            measurements.append(refresh(replace(self.hub, as_of=as_of or self.hub.as_of), logged))
        return measurements

    @contextmanager
    def landing_beside(self, land: Callable[[Recipe, Path], None]) -> Iterator[None]:
        """Within it, what a function lands has landed beside the history."""
        try:
            apart(land, self.recipe, self.hub.landing)
            yield
        finally:
            remove_what_landed_beside(self.recipe, self.hub.landing)

    def leave(self) -> None:
        """Leave the hub as it was after the last rebuild, with nothing kept aside."""
        if "pairs" in vars(self):
            state.bring_back_for_good(self.hub)

    def _say_refreshing(self, what: str) -> None:
        self.say(f"Refreshing {self.hub.data_dir.name}, {what} ...")


def remove_what_landed_beside(recipe: Recipe, landing: Path) -> None:
    """Remove the landed files that are not of the history itself, whose files are named by their days."""
    days = {str(recipe.first_day + timedelta(days=number)) for number in range(recipe.days)}
    for path in landing.glob("*/*"):
        if path.stem not in days:
            path.unlink()


def half_of(recipe: Recipe) -> Recipe:
    """The recipe of half the days, with as many events a day and as many customers."""
    return replace(recipe, messages=recipe.messages // 2, orders=recipe.orders // 2, days=recipe.days // 2)


def tenfold(recipe: Recipe) -> Recipe:
    """The recipe of ten times as many events of ten times as many customers in the same days."""
    return replace(recipe, messages=recipe.messages * 10, orders=recipe.orders * 10)


def tenth_of(recipe: Recipe) -> Recipe:
    """The recipe of a tenth of the events, of a tenth of the customers, in the same days."""
    return replace(recipe, messages=recipe.messages // 10, orders=recipe.orders // 10)


def hub_of(recipe: Recipe) -> Settings:
    """The hub of a generated history."""
    of_other_days = "" if recipe.days == DAYS else f"-{recipe.days}-days"
    in_csv = "" if recipe.format == "parquet" else f"-{recipe.format}"
    folder = DATA / f"{recipe.messages}-{recipe.orders}{of_other_days}{in_csv}"
    return Settings(folder, "UTC", recipe.last_day, "USD")
