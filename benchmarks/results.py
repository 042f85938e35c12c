"""The tables of results, printed and written to RESULTS.md.

Belongs here: medians, ratios, and how they are shown. Does not belong here: any judgement: targets are for
the reader to hold the figures against.
"""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import LOADING_STEPS, SHARES, Measurement

Runs = Sequence[Measurement]


@dataclass(frozen=True)
class History:
    """What was measured of one generated history.

    Attributes:
        name: what the history is made of.
        rebuilds: refreshes of all of it from the landed files alone.
        unchanged: refreshes after such a rebuild, with nothing new.
        ordinary_days: refreshes of one more day, each after such a rebuild.
        rows_read: rows read on the ordinary day by each model and all checks.
    """

    name: str
    rebuilds: Runs
    unchanged: Runs
    ordinary_days: Runs
    rows_read: Mapping[str, int]


@dataclass(frozen=True)
class Section:
    """A table under a heading, with what there is to know to read it."""

    heading: str
    text: str
    columns: Sequence[str]
    lines: Sequence[Sequence[str]]

    def as_markdown(self) -> str:
        rule = ["---"] + ["---:"] * (len(self.columns) - 1)
        table = "\n".join("| " + " | ".join(line) + " |" for line in [self.columns, rule, *self.lines])
        return f"## {self.heading}\n\n{self.text}\n\n{table}\n"

    def print_to(self, console: Console) -> None:
        table = Table(title=self.heading, title_justify="left", caption=self.text, caption_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=not number)
        for line in self.lines:
            table.add_row(*line)
        console.print(table)
        console.print()


def report(sections: Sequence[Section], runs: int, file: Path, console: Console) -> None:
    """Print the sections and write them to a file."""
    for section in sections:
        section.print_to(console)
    file.write_text(
        "# Results of `make bench`\n\n"
        f"Medians of {runs} {'run' if runs == 1 else 'runs'} in fresh processes; "
        "memory is that of the largest process.\n"
        f"Machine: {os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}.\n\n"
        + "\n".join(section.as_markdown() for section in sections),
        encoding="utf-8",
    )
    console.print(f"Written to {file.name}")


def refreshes(measured: Mapping[str, Runs]) -> Section:
    """What each refresh took."""
    lines = []
    for name, runs in measured.items():
        walls = [run.wall for run in runs]
        lines.append(
            [
                name,
                f"{statistics.median(walls):.1f} ({min(walls):.1f}-{max(walls):.1f})",
                f"{_median(runs, lambda run: run.cpu):.1f}",
                f"{_median(runs, lambda run: run.memory):.0f}",
                *(f"{_share(runs, share):.1f}" for share in SHARES),
            ]
        )
    return Section(
        "Refreshes",
        "Wall seconds are divided into shares; README.md says what is in each.",
        ["Refresh of", "Wall s (min-max)", "CPU s", "Peak MB", *(f"{share} s" for share in SHARES)],
        lines,
    )


def ordinary_day(history: History) -> Section:
    """The ordinary day, held against the full rebuild of the history before it."""
    rebuild = _median(history.rebuilds, lambda run: run.wall)
    lines = []
    for name, part in PARTS.items():
        day, same = _median(history.ordinary_days, part), _median(history.rebuilds, part)
        lines.append([name, f"{day:.2f}", f"{same:.2f}", f"{day / same:.1%}", f"{day / rebuild:.1%}"])
    files, messages, orders = history.ordinary_days[0].landed
    return Section(
        "One ordinary day",
        f"{messages:,} messages and {orders:,} orders landed in {files} files, after {history.name}.",
        ["Part", "Day s", "Full rebuild s", "Of the same part", "Of the whole full rebuild"],
        lines,
    )


def doubling(half: History, whole: History) -> Section:
    """The same ordinary day after half the history and after all of it."""
    lines = []
    for name, part in {
        **PARTS,
        **{share: (lambda run, share=share: run.shares[share]) for share in SHARES},
        "CPU": lambda run: run.cpu,
        "wall": lambda run: run.wall,
    }.items():
        before, after = _median(half.ordinary_days, part), _median(whole.ordinary_days, part)
        lines.append([name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f}"])
    return Section(
        "An ordinary day when the history doubles",
        f"As many events per day, once after {half.name}, once after {whole.name}.",
        ["Part", "Half s", "Whole s", "Growth factor"],
        lines,
    )


def steps(history: History, half: History | None = None) -> Section:
    """The steps of the ordinary day, and what they took after half the history, if that was measured."""
    columns = ["Step", "Rows read", "Rows replaced", "Seconds"]
    if half:
        columns += ["Half: rows read", "Half: rows replaced", "Half: seconds"]
    measured = [_step_figures(one) for one in ([history, half] if half else [history])]
    return Section(
        "Steps of the ordinary day",
        "Models and checks run side by side, so their seconds add up to more than their shares. Views and "
        "functions read nothing.",
        columns,
        [[name, *(figure for one in measured for figure in one[name])] for name in measured[0]],
    )


PARTS: Mapping[str, Callable[[Measurement], float]] = {
    "between start-up and publishing": lambda run: run.between,
    "of which loading, models and checks": lambda run: run.working,
}


def _step_figures(history: History) -> dict[str, list[str]]:
    day = history.ordinary_days[-1]
    read = {**dict(zip(LOADING_STEPS, day.landed[1:], strict=True)), **history.rows_read}
    replaced = {
        name: step.rows_replaced for name, step in day.steps.items() if step.rows_replaced is not None
    }
    seconds = {
        name: _median(history.ordinary_days, lambda run, name=name: run.steps[name].seconds)
        for name in day.steps
    }
    together = [sum(read.values()), sum(replaced.values()), sum(seconds.values())]
    figures = {name: [read.get(name), replaced.get(name), seconds[name]] for name in day.steps}
    return {
        name: [*("" if rows is None else f"{rows:,}" for rows in rows), f"{taken:.2f}"]
        for name, (*rows, taken) in {**figures, "together": together}.items()
    }


def _share(runs: Runs, share: str) -> float:
    return _median(runs, lambda run: run.shares[share])


def _median(runs: Runs, part: Callable[[Measurement], float]) -> float:
    return statistics.median(part(run) for run in runs)
