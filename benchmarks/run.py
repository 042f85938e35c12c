"""Measures whole refreshes, each in a fresh process, and says where the time goes.

Belongs here: which refreshes are measured, in which state of a hub. Does not belong here: the data
(generate.py, ordinary_day.py), how one refresh is measured (measure.py), and the tables (results.py).

    python -m benchmarks.run [--messages 1000000] [--orders 2000000] [--runs 3] [--doubling]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from rich.console import Console

from benchmarks import ordinary_day, results, state
from benchmarks.generate import DEFAULT_LAST_DAY, Recipe, generate
from benchmarks.measure import Measurement, refresh
from benchmarks.results import History
from benchmarks.rows_read import rows_read
from examples.complete_journey.land import land
from orchestration.settings import REPOSITORY, Settings

DATA = REPOSITORY / "benchmarks" / "data"
RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"
DAYS = 730
WIDTH = 200  # of tables in a log


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="how often each refresh is measured")
    parser.add_argument(
        "--doubling", action="store_true", help="measure the ordinary day after half the history too"
    )
    options = parser.parse_args(arguments)
    bench = Bench(options.runs, Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH))

    example = Settings(DATA / "complete_journey", "UTC", date(2017, 12, 31), "USD")
    land(example.landing)
    recipe = Recipe(options.messages, options.orders, DAYS, DEFAULT_LAST_DAY, "parquet")
    refreshes = {"The Complete Journey (`make example`)": bench.rebuilds(example, options.runs)}
    whole = bench.history(recipe, rebuilds=options.runs, unchanged=options.runs)
    refreshes |= {
        f"{whole.name}, Parquet": whole.rebuilds,
        "the same again, nothing new": whole.unchanged,
        "one ordinary day more": whole.ordinary_days,
    }
    half = None
    if options.doubling:
        half = bench.history(half_of(recipe), rebuilds=1, unchanged=0)
        refreshes["one ordinary day after half of these days"] = half.ordinary_days

    sections = [results.refreshes(refreshes), results.ordinary_day(whole)]
    if half:
        sections.append(results.doubling(half, whole))
    sections.append(results.steps(whole, half))
    results.report(sections, options.runs, RESULTS, bench.console)
    return 0


@dataclass(frozen=True)
class Bench:
    """Measures refreshes of hubs, each several times in the same state."""

    runs: int
    console: Console

    def rebuilds(self, hub: Settings, runs: int) -> list[Measurement]:
        """Refreshes from the landed files alone."""
        return self._measure(hub, "all that has landed", state.clear, runs)

    def history(self, recipe: Recipe, rebuilds: int, unchanged: int) -> History:
        """Refreshes of a generated history.

        Args:
            recipe: what the history is made of.
            rebuilds: how often all of it is refreshed from the landed files alone, at least once.
            unchanged: how often it is then refreshed with nothing new.
        """
        name = f"{recipe.messages:,} messages, {recipe.orders:,} orders of {recipe.days} days"
        hub = hub_of(recipe)
        self.console.print(f"Generating {name} ...")
        ordinary_day.remove(recipe, hub.landing)  # what a killed run left
        generate(recipe, hub.data_dir)
        rebuilt = self.rebuilds(hub, rebuilds)
        state.keep_aside(hub)
        nothing_new = self._measure(hub, "nothing new", state.bring_back, unchanged)
        ordinary_day.land(recipe, hub.landing)
        day_later = replace(hub, as_of=ordinary_day.day_after(recipe))
        days = self._measure(day_later, "one ordinary day", state.bring_back, self.runs)
        # The warehouse may be changed by that: it goes in the next step.
        read = rows_read(hub)
        state.bring_back_for_good(hub)
        ordinary_day.remove(recipe, hub.landing)
        if reasons := {reason for day in days for reason in day.rebuilt_because}:
            raise SystemExit(f"The ordinary day was not ordinary: models were rebuilt. {'; '.join(reasons)}")
        return History(name, rebuilt, nothing_new, days, read)

    def _measure(
        self, hub: Settings, what: str, prepare: Callable[[Settings], None], runs: int
    ) -> list[Measurement]:
        measurements = []
        for run in range(1, runs + 1):
            self.console.print(f"Refreshing {hub.data_dir.name}, {what}, run {run} of {runs} ...")
            prepare(hub)
            measurements.append(refresh(hub))
        return measurements


def half_of(recipe: Recipe) -> Recipe:
    """The recipe of half the days, with as many events a day and as many customers."""
    return replace(recipe, messages=recipe.messages // 2, orders=recipe.orders // 2, days=recipe.days // 2)


def hub_of(recipe: Recipe) -> Settings:
    """The hub of a generated history."""
    of_other_days = "" if recipe.days == DAYS else f"-{recipe.days}-days"
    return Settings(DATA / f"{recipe.messages}-{recipe.orders}{of_other_days}", "UTC", recipe.last_day, "USD")


if __name__ == "__main__":
    sys.exit(main())
