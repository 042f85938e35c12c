"""Whether a change made anything slower: refreshes and questions of two trees in turn, pair by pair.

Belongs here: the same work done by another tree of this repository, beside this one's. Does not belong here:
what this tree's refreshes are divided into (run.py).

    git worktree add ../before COMMIT && make -C ../before .venv/ready
    python -m benchmarks.pairs ../before [../after] [--messages 1000000] [--orders 2000000] [--runs 3]

Without ``../after``, this tree is the one after the change. Each tree refreshes in its own environment. The
questions are asked from this one, of both published files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from rich.console import Console

from benchmarks import ordinary_day, questions, report, small_file, state
from benchmarks.generate import DEFAULT_LAST_DAY, Recipe
from benchmarks.history import DATA, DAYS, History, remove_what_landed_beside
from benchmarks.measure import Usage, apart, usage_of_refresh
from benchmarks.questions import Answers
from benchmarks.report import Section
from benchmarks.run import RESULTS, WIDTH
from orchestration.settings import REPOSITORY, Settings

Say = Callable[[str], None]
Pair = tuple[Usage, Usage]


@dataclass(frozen=True)
class Side:
    """One of the two trees, what is checked out there, and a hub that only it refreshes."""

    tree: Path
    commit: str
    hub: Settings


@dataclass(frozen=True)
class Sides:
    """Both trees, the one before the change first, with the same files landed in their hubs."""

    before: Side
    after: Side
    recipe: Recipe
    runs: int
    say: Say

    @property
    def about(self) -> str:
        """What is refreshed, and by what."""
        history = History(self.recipe, self.runs, self.say).name
        return f"{history}; before is {self.before.commit}, after is {self.after.commit}"

    def full_refreshes(self) -> list[Pair]:
        """Refresh all that has landed; the state after the last pair is kept aside."""
        pairs = self._pairs("all that has landed", state.clear)
        for side in (self.before, self.after):
            state.keep_aside(side.hub)
        return pairs

    def after_full_refresh(
        self,
        what: str,
        land: Callable[[Recipe, Path], None] | None = None,
        as_of: date | None = None,
    ) -> list[Pair]:
        """Refresh what a function lands beside the history, each time after the history alone."""
        if land:
            for side in (self.before, self.after):
                apart(land, self.recipe, side.hub.landing)
        pairs = self._pairs(what, state.bring_back, as_of)
        for side in (self.before, self.after):
            remove_what_landed_beside(self.recipe, side.hub.landing)
        return pairs

    def answers(self) -> list[tuple[Answers, Answers]]:
        """Ask each question of both published files, one after the other, as often as there are runs."""
        runs = []
        for run in range(1, self.runs + 1):
            self.say(f"Asking questions of both, run {run} of {self.runs} ...")
            runs.append(
                apart(questions.ask_in_turn, [side.hub.published for side in (self.before, self.after)])
            )
        both = []
        for same in zip(*runs, strict=True):
            before, after = map(_together, zip(*same, strict=True))
            both.append((before, after))
        return both

    def _pairs(self, what: str, prepare: Callable[[Settings], None], as_of: date | None = None) -> list[Pair]:
        pairs = []
        for run in range(1, self.runs + 1):
            usage = {}
            for side in self._in_turn(run):
                self.say(f"Refreshing {what}, {side.commit}, run {run} of {self.runs} ...")
                prepare(side.hub)
                took = usage_of_refresh(replace(side.hub, as_of=as_of or side.hub.as_of), side.tree)
                self.say(f"  {took.wall:.1f} s, {took.cpu:.1f} CPU s, {took.memory:,.0f} MB")
                usage[side] = took
            pairs.append((usage[self.before], usage[self.after]))
        return pairs

    def _in_turn(self, run: int) -> tuple[Side, Side]:
        """Each side is the first in every other run, since the first finds less in memory."""
        return (self.before, self.after) if run % 2 else (self.after, self.before)


def _together(answers: Sequence[Answers]) -> Answers:
    """The answers of several runs to the same questions."""
    return replace(answers[0], milliseconds=[taken for one in answers for taken in one.milliseconds])


def sides_of(before: Path, after: Path, recipe: Recipe, runs: int, say: Say) -> Sides:
    """Both trees with a hub each, in which the history has landed and nothing else."""
    history = History(recipe, 1, say).hub
    return Sides(
        Side(before, commit_of(before), _hub_like(history, "before")),
        Side(after, commit_of(after), _hub_like(history, "after")),
        recipe,
        runs,
        say,
    )


def commit_of(tree: Path) -> str:
    """The commit that is checked out in a tree, and whether anything differs from it."""
    command = ["git", "-C", str(tree), "describe", "--always", "--exclude=*", "--dirty"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _hub_like(history: Settings, name: str) -> Settings:
    hub = replace(history, data_dir=DATA / "pairs" / name)
    shutil.rmtree(hub.data_dir, ignore_errors=True)
    # Nobody changes what has landed.
    shutil.copytree(history.landing, hub.landing, copy_function=os.link)
    return hub


def refreshes_section(sides: Sides, measured: Mapping[str, Sequence[Pair]]) -> Section:
    """What the same refreshes took before and after; ratios are medians of those of the pairs."""
    lines = []
    for name, pairs in measured.items():
        wall, cpu, memory = (
            [statistics.median(figures) for figures in zip(*_with_ratios(pairs, figure), strict=True)]
            for figure in ("wall", "cpu", "memory")
        )
        lines.append(
            [
                name,
                *(f"{figure:.1f}" for figure in wall[:2]),
                f"{wall[2]:.2f}",
                *(f"{figure:.1f}" for figure in cpu[:2]),
                f"{cpu[2]:.2f}",
                f"{memory[2]:.2f}",
            ]
        )
    return Section(
        "Refreshes before and after a change",
        f"{sides.about}, in turn; ratios are medians of those of the pairs.",
        ["Refresh of", *_compared("Wall s", "CPU s"), "Peak memory, ratio"],
        lines,
    )


def _with_ratios(pairs: Sequence[Pair], figure: str) -> list[tuple[float, float, float]]:
    values = [(getattr(before, figure), getattr(after, figure)) for before, after in pairs]
    return [(before, after, after / before) for before, after in values]


def questions_section(sides: Sides, answers: Sequence[tuple[Answers, Answers]]) -> Section:
    """How long the answers to the same questions took before and after, and the median of their ratios."""
    lines = []
    for before, after in answers:
        medians = [statistics.median(of.milliseconds) for of in (before, after)]
        pairs = zip(before.milliseconds, after.milliseconds, strict=True)
        ratio = statistics.median(later / earlier for earlier, later in pairs)
        tails = [questions.percentile(of.milliseconds, 95) for of in (before, after)]
        lines.append(
            [before.of.name, before.function, str(len(before.milliseconds))]
            + [f"{value:.0f}" for value in medians]
            + [f"{ratio:.2f}"]
            + [f"{value:.0f}" for value in tails]
            + [f"{tails[1] / tails[0]:.2f}"]
        )
    return Section(
        "Questions before and after a change",
        f"{sides.about}; each question to one published file after the other. The ratio beside the medians "
        "is the median of the ratios of the pairs.",
        ["Question", "Function", "Asked", *_compared("Median ms", "95th percentile ms")],
        lines,
    )


def _compared(*figures: str) -> list[str]:
    return [f"{figure}, {of}" for figure in figures for of in ("before", "after", "ratio")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both trees; the result is the exit status of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pairs")
    parser.add_argument("before", type=Path, help="the folder in which the other commit is checked out")
    parser.add_argument(
        "after",
        type=Path,
        nargs="?",
        default=REPOSITORY,
        help="the folder of the later commit; this one by default",
    )
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=2_000_000)
    parser.add_argument("--runs", type=int, default=3, help="how many pairs of each refresh")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of results")
    options = parser.parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    recipe = Recipe(options.messages, options.orders, DAYS, DEFAULT_LAST_DAY, format="parquet")
    sides = sides_of(options.before.resolve(), options.after.resolve(), recipe, options.runs, console.print)
    full = sides.full_refreshes()
    answers = sides.answers()
    measured = {
        "all that has landed": full,
        "nothing new": sides.after_full_refresh("nothing new"),
        f"one file of {small_file.MESSAGES} messages": sides.after_full_refresh(
            "a small file", small_file.land
        ),
        "one ordinary day": sides.after_full_refresh(
            "one ordinary day", ordinary_day.land, ordinary_day.day_after(recipe)
        ),
    }
    sections = [refreshes_section(sides, measured), questions_section(sides, answers)]
    for section in sections:
        section.print_to(console)
    report.write(sections, options.runs, options.results)
    shutil.rmtree(DATA / "pairs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
