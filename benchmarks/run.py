"""Measures whole refreshes, each in a fresh process, and what they are held against.

Belongs here: which refreshes are measured, in which order, against what. Does not belong here: the data
(generate.py and what lands beside it), the states of a hub (history.py), how one refresh is measured
(measure.py), and the tables (results.py).

    python -m benchmarks.run [--messages 1000000] [--orders 2000000] [--runs 3] [--doubling] [--scale]
    python -m benchmarks.run --only questions,ingestion
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property, partial
from pathlib import Path

from rich.console import Console

from benchmarks import (
    alternatives,
    ordinary_day,
    questions,
    report,
    results,
    skew,
    small_file,
    state,
    yardstick,
)
from benchmarks.age import at_ages
from benchmarks.generate import DEFAULT_LAST_DAY, Recipe
from benchmarks.history import DATA, DAYS, History, half_of, tenfold, tenth_of
from benchmarks.measure import Measurement, Usage, apart, refresh
from benchmarks.report import Section
from benchmarks.results import AtSize, OrdinaryDay
from benchmarks.rows_read import rows_read
from examples.complete_journey.land import land
from orchestration.settings import REPOSITORY, Settings

RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"
WIDTH = 200  # of tables in a log


@dataclass
class Bench:
    """What is measured, and what several pieces share.

    Attributes:
        recipe: the history.
        compared: the history whose touches are found in other ways too.
        runs: how often each thing is measured.
        memory_limit: of both sides at scale.
        pieces: what is measured in this run.
        say: told what is going on.
        refreshes: what was measured of each refresh so far.
    """

    recipe: Recipe
    compared: Recipe
    runs: int
    memory_limit: str
    pieces: Sequence[str]
    say: Callable[[str], None]
    refreshes: dict[str, list[Measurement]] = field(default_factory=dict)

    @cached_property
    def history(self) -> History:
        """The history; its rebuilds are measured in turn with the yardstick where that is wanted."""
        beside = self._yardstick if "yardstick" in self.pieces else None
        return History(self.recipe, self.runs, self.say, beside)

    def rebuilt(self) -> History:
        """The history after its full refreshes, which are measured when it is first asked for."""
        self.refreshes[f"{self.history.name}, Parquet"] = self.history.rebuilds
        return self.history

    @cached_property
    def day(self) -> OrdinaryDay:
        """One ordinary day after the history."""
        measured = self.ordinary_day_after(self.rebuilt())
        self.refreshes["one ordinary day more"] = list(measured.days)
        return measured

    def ordinary_day_after(self, history: History) -> OrdinaryDay:
        """Refreshes of one more day.

        Raises:
            SystemExit: when models were rebuilt on that day, or nothing had landed.
        """
        rebuilds = history.rebuilds  # before the day lands
        with history.landing_beside(ordinary_day.land):
            the_day = ordinary_day.day_after(history.recipe)
            days = history.after_rebuild("one ordinary day", self.runs, the_day)
            history.after_rebuild("one ordinary day, for what it reads", 1, the_day, logged=True)
            # The warehouse may be changed by that: what is measured next begins with another one.
            read = apart(rows_read, history.hub)
        if reasons := {reason for day in days for reason in day.rebuilt_because}:
            raise SystemExit(f"The ordinary day was not ordinary: models were rebuilt. {'; '.join(reasons)}")
        if not all(sum(day.landed) for day in days):
            raise SystemExit("The ordinary day was not ordinary: nothing had landed on it.")
        return OrdinaryDay(history.name, rebuilds, days, read)

    def _yardstick(self, hub: Settings) -> Usage:
        self.say("Running the yardstick ...")
        return yardstick.measure(hub)


def complete_journey(bench: Bench) -> list[Section]:
    """The full refresh of the example."""
    hub = Settings(DATA / "complete_journey", "UTC", date(2017, 12, 31), "USD")
    apart(land, hub.landing)
    measured = []
    for run in range(1, bench.runs + 1):
        bench.say(f"Refreshing {hub.data_dir.name}, run {run} of {bench.runs} ...")
        state.clear(hub)
        measured.append(refresh(hub))
    bench.refreshes["The Complete Journey (`make example`)"] = measured
    return []


def against_the_yardstick(bench: Bench) -> list[Section]:
    """The full refresh, in turn with the hand-written script."""
    history = bench.rebuilt()
    pairs = [(script, rebuild) for script, rebuild in history.pairs if script]
    return [results.yardstick(history.name, pairs)]


def fixed_cost(bench: Bench) -> list[Section]:
    """Refreshes with nothing new, and with one small file."""
    history = bench.rebuilt()
    measured = {"nothing new": history.after_rebuild("nothing new", bench.runs)}
    with history.landing_beside(small_file.land):
        name = f"one file of {small_file.MESSAGES} messages"
        measured[name] = history.after_rebuild(name, bench.runs)
    bench.refreshes |= measured
    return [results.fixed_cost(history.name, measured)]


def one_ordinary_day(bench: Bench) -> list[Section]:
    """One day more, and why its version differs from the one before."""
    day = bench.day
    bench.say("Asking why ...")
    reasons = apart(questions.ask_why, bench.history.hub.published)
    return [
        results.ordinary_day(day),
        results.steps(day),
        questions.why_section(reasons, bench.history.name),
    ]


def doubling(bench: Bench) -> list[Section]:
    """The same day after half the history."""
    half = History(half_of(bench.recipe), 1, bench.say)
    day = bench.ordinary_day_after(half)
    half.leave()
    bench.refreshes["one ordinary day after half of these days"] = list(day.days)
    return [results.doubling(day, bench.day), results.steps(bench.day, day)]


def ingestion(bench: Bench) -> list[Section]:
    """The loading steps: from Parquet, from CSV, and from as many CSV files with a tenth of the rows."""
    measured = {"Parquet": bench.rebuilt().rebuilds}
    in_csv = replace(bench.recipe, format="csv")
    for name, recipe in {"CSV": in_csv, "CSV, smaller files": tenth_of(in_csv)}.items():
        history = History(recipe, bench.runs, bench.say)
        measured[name] = history.rebuilds
        history.leave()
    return [results.ingestion(measured)]


def two_large_customers(bench: Bench) -> list[Section]:
    """The full refresh with and without two customers who have far more events than any other."""
    history, pairs = bench.history, []
    for run in range(1, bench.runs + 1):
        with history.landing_beside(skew.land):
            skewed = history.rebuild(f"with two large customers, run {run} of {bench.runs}")
        pairs.append((skewed, history.rebuild(f"without them, run {run} of {bench.runs}")))
    return [results.skew(history.name, pairs)]


def any_question(bench: Bench) -> list[Section]:
    """Questions to what is published of the history."""
    history = bench.rebuilt()
    state.bring_back(history.hub)
    bench.say("Asking questions ...")
    return [
        questions.section(apart(questions.ask, history.hub.published), history.name),
        questions.comparison_section(apart(questions.compare, history.hub.published), history.name),
    ]


def instead(bench: Bench) -> list[Section]:
    """The touches alone, found in other ways."""
    history = History(bench.compared, bench.runs, bench.say)
    folder = DATA / "alternatives"
    apart(alternatives.prepare, history.hub.landing, folder)
    measured: dict[str, list[Usage]] = {method: [] for method in alternatives.METHODS}
    for run in range(1, bench.runs + 1):
        for method in alternatives.METHODS:
            bench.say(f"Joining with {method}, run {run} of {bench.runs} ...")
            measured[method].append(alternatives.measure(method, folder))
    return [results.alternatives(history.name, measured, apart(alternatives.found, folder))]


def scale(bench: Bench) -> list[Section]:
    """A history ten times as large, and its tenth, within the same memory limit."""
    sizes, asked = [], []
    for recipe in (bench.recipe, tenfold(bench.recipe)):
        history = History(recipe, 1, bench.say)
        rebuild = history.rebuild(f"within {bench.memory_limit}", bench.memory_limit)
        bench.say("Asking questions ...")
        asked += apart(partial(questions.ask, classes=questions.CLASSES_AT_SCALE), history.hub.published)
        state.clear(history.hub)  # the script needs the disk
        sizes.append(AtSize(history.name, _script_if_it_ends(bench, history.hub), rebuild))
    return [
        results.scale(bench.memory_limit, *sizes),
        questions.section(asked, f"{sizes[0].history}, then {sizes[1].history}", "Questions at both sizes"),
    ]


def age(bench: Bench) -> list[Section]:
    """A hub that a day, a month, a year of refreshes each quarter of an hour lie behind."""
    ages = at_ages(bench.recipe, bench.runs, bench.say)
    return [results.age(bench.history.name, ages)]


def _script_if_it_ends(bench: Bench, hub: Settings) -> Usage | None:
    """The yardstick, which at scale may find too little disk: what the refresh took is worth keeping then."""
    bench.say(f"Running the yardstick within {bench.memory_limit} ...")
    try:
        return yardstick.measure(hub, bench.memory_limit)
    except SystemExit as failure:
        bench.say(str(failure))
        return None


PIECES: dict[str, Callable[[Bench], list[Section]]] = {
    "example": complete_journey,
    "yardstick": against_the_yardstick,
    "fixed": fixed_cost,
    "day": one_ordinary_day,
    "doubling": doubling,
    "ingestion": ingestion,
    "questions": any_question,
    "skew": two_large_customers,
    "alternatives": instead,
    "scale": scale,
    "age": age,
}
# They take long, so they are measured only when they are asked for.
ON_REQUEST = ("doubling", "scale", "age")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write down what was found; the result is the exit status of the process."""
    options = parse(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    recipe = partial(Recipe, days=DAYS, last_day=DEFAULT_LAST_DAY, format="parquet")
    bench = Bench(
        recipe(options.messages, options.orders),
        recipe(*(options.compared or (options.messages, options.orders))),
        options.runs,
        options.memory_limit,
        options.pieces,
        console.print,
    )
    for piece in options.pieces:
        sections = PIECES[piece](bench)
        for section in sections:
            section.print_to(console)
        # After each piece, so that nothing is lost when a later one fails.
        if bench.refreshes:
            sections = [results.refreshes(bench.refreshes), *sections]
        report.write(sections, options.runs, options.results)
    if bench.refreshes:
        results.refreshes(bench.refreshes).print_to(console)
    bench.history.leave()
    console.print(f"Written to {options.results.name}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line; `pieces` are those that are measured, in their order."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="how often each thing is measured")
    parser.add_argument("--only", metavar="PIECE,...", help=f"of {', '.join(PIECES)}")
    parser.add_argument(
        "--doubling", action="store_true", help="measure the ordinary day after half the history too"
    )
    parser.add_argument("--scale", action="store_true", help="measure ten times the history too, once")
    parser.add_argument("--age", action="store_true", help="measure after a year of refreshes too")
    parser.add_argument("--memory-limit", default="6GB", help="of both sides at ten times the history")
    parser.add_argument(
        "--compared",
        type=int,
        nargs=2,
        metavar=("MESSAGES", "ORDERS"),
        help="the history of the other ways to the touches, by default the same",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of results")
    options = parser.parse_args(arguments)
    usual = [piece for piece in PIECES if piece not in ON_REQUEST]
    wanted = options.only.split(",") if options.only else usual
    wanted += [piece for piece in ON_REQUEST if getattr(options, piece)]
    if unknown := set(wanted) - set(PIECES):
        parser.error(f"no such piece: {', '.join(sorted(unknown))}; there are {', '.join(PIECES)}")
    options.pieces = [piece for piece in PIECES if piece in wanted]
    return options


if __name__ == "__main__":
    sys.exit(main())
