"""The tables of results, made of what was measured.

Belongs here: medians and ratios. Does not belong here: how they are shown and kept (report.py), and any
judgement: targets are for the reader to hold the figures against.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.age import AtAge
from benchmarks.alternatives import METHODS, Found
from benchmarks.measure import LOADING_STEPS, SHARES, Measurement, Usage
from benchmarks.report import Section

Runs = Sequence[Measurement]
Run = TypeVar("Run", bound=Usage)

# The columns of what runs took.
USAGE = ("Wall s (min-max)", "CPU s (min-max)", "Peak MB")


@dataclass(frozen=True)
class OrdinaryDay:
    """What was measured of one more day after a generated history.

    Attributes:
        history: what the history is made of.
        rebuilds: refreshes of all of it from the landed files alone.
        days: refreshes of the day, each after such a rebuild.
        rows_read: rows read on the day by each model and all checks.
    """

    history: str
    rebuilds: Runs
    days: Runs
    rows_read: Mapping[str, int]


@dataclass(frozen=True)
class AtSize:
    """One refresh of all of a history and the yardstick's run of it, both within the same memory limit.

    The yardstick is None where it did not end.
    """

    history: str
    yardstick: Usage | None
    refresh: Measurement


def refreshes(measured: Mapping[str, Runs]) -> Section:
    """What each refresh took."""
    lines = []
    for name, runs in measured.items():
        publishing = _median(runs, lambda run: run.shares["publishing"] / run.wall)
        lines.append(
            [
                name,
                *_usage(runs),
                *(f"{_median(runs, _share(share)):.1f}" for share in SHARES),
                f"{publishing:.1%}",
            ]
        )
    return Section(
        "Refreshes",
        "Wall seconds are divided into shares; README.md says what is in each.",
        ["Refresh of", *USAGE, *(f"{share} s" for share in SHARES), "publishing of all"],
        lines,
    )


def ordinary_day(measured: OrdinaryDay) -> Section:
    """The ordinary day, held against the full rebuild of the history before it."""
    rebuild = _median(measured.rebuilds, lambda run: run.wall)
    lines = []
    for name, part in PARTS.items():
        day, same = _median(measured.days, part), _median(measured.rebuilds, part)
        lines.append([name, f"{day:.2f}", f"{same:.2f}", f"{day / same:.1%}", f"{day / rebuild:.1%}"])
    files, messages, orders = measured.days[0].landed
    return Section(
        "One ordinary day",
        f"{messages:,} messages and {orders:,} orders landed in {files} files, after {measured.history}.",
        ["Part", "Day s", "Full rebuild s", "Of the same part", "Of the whole full rebuild"],
        lines,
    )


def doubling(half: OrdinaryDay, whole: OrdinaryDay) -> Section:
    """The same ordinary day after half the history and after all of it."""
    lines = []
    for name, part in {
        **PARTS,
        **{share: _share(share) for share in SHARES},
        "CPU": lambda run: run.cpu,
        "wall": lambda run: run.wall,
    }.items():
        before, after = _median(half.days, part), _median(whole.days, part)
        lines.append([name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f}"])
    return Section(
        "An ordinary day when the history doubles",
        f"As many events per day, once after {half.history}, once after {whole.history}.",
        ["Part", "Half s", "Whole s", "Growth factor"],
        lines,
    )


def steps(whole: OrdinaryDay, half: OrdinaryDay | None = None) -> Section:
    """The steps of the ordinary day, and what they took after half the history, if that was measured."""
    columns = ["Step", "Rows read", "Rows replaced", "Seconds"]
    if half:
        columns += ["Half: rows read", "Half: rows replaced", "Half: seconds"]
    measured = [_step_figures(one) for one in ([whole, half] if half else [whole])]
    return Section(
        "Steps of the ordinary day",
        "Models and checks run side by side, so their seconds add up to more than their shares. Views and "
        "functions read nothing.",
        columns,
        [[name, *(figure for one in measured for figure in one[name])] for name in measured[0]],
    )


def yardstick(history: str, pairs: Sequence[tuple[Usage, Measurement]]) -> Section:
    """The full refresh against the hand-written script, pair by pair."""
    scripts, rebuilds = zip(*pairs, strict=True)
    lines = [
        [
            f"pair {number}",
            f"{script.wall:.1f}",
            f"{rebuild.wall:.1f}",
            *(f"{ratio:.2f}" for ratio in _ratios(script, rebuild)),
        ]
        for number, (script, rebuild) in enumerate(pairs, start=1)
    ]
    ratios = zip(*(_ratios(script, rebuild) for script, rebuild in pairs), strict=True)
    lines.append(
        [
            "median",
            f"{_median(scripts, lambda run: run.wall):.1f}",
            f"{_median(rebuilds, lambda run: run.wall):.1f}",
            *(f"{statistics.median(ratio):.2f}" for ratio in ratios),
        ]
    )
    return Section(
        "The full refresh against a hand-written script",
        f"{history}, from landed Parquet files: yardsticks/hand_written.sql and the refresh in turn. "
        f"The script took {_median(scripts, lambda run: run.cpu):.1f} CPU s and "
        f"{_median(scripts, lambda run: run.memory):.0f} MB at its peak.",
        ["Run", "Script wall s", "Refresh wall s", "Wall ratio", "CPU ratio", "Peak memory ratio"],
        lines,
    )


def fixed_cost(history: str, measured: Mapping[str, Runs]) -> Section:
    """Refreshes that have next to nothing to do."""
    return Section(
        "Fixed cost",
        f"After {history}.",
        ["Refresh of", *USAGE],
        [[name, *_usage(runs)] for name, runs in measured.items()],
    )


def ingestion(measured: Mapping[str, Runs]) -> Section:
    """Rows a second of the loading steps of full refreshes."""
    lines = []
    for name, runs in measured.items():
        for step, entity in zip(LOADING_STEPS, (1, 2), strict=True):
            seconds = [run.steps[step].seconds for run in runs]
            rows = runs[0].landed[entity]
            rates = [rows / taken for taken in seconds]
            lines.append([f"{step}, {name}", f"{rows:,}", _spread(seconds, ".1f"), _spread(rates, ",.0f")])
    return Section(
        "Ingestion",
        "Landed files to raw tables, with every check of the rows; steps of the full refresh.",
        ["Step", "Rows", "Seconds", "Rows a second"],
        lines,
    )


def skew(history: str, pairs: Sequence[tuple[Measurement, Measurement]]) -> Section:
    """The full refresh with two customers who have far more events than any other, against that without."""
    withs, withouts = zip(*pairs, strict=True)
    more = [one - other for one, other in zip(withs[0].landed, withouts[0].landed, strict=True)]
    ratios = zip(*(_ratios(without, skewed) for skewed, without in pairs), strict=True)
    return Section(
        "Skew",
        f"{history}, with and without {more[1]:,} messages and {more[2]:,} orders of two more customers.",
        ["Full refresh", *USAGE],
        [
            ["with them", *_usage(withs)],
            ["without them", *_usage(withouts)],
            ["ratio, pair by pair", *(_spread(ratio, ".2f") for ratio in ratios)],
        ],
    )


def alternatives(
    history: str, measured: Mapping[str, Sequence[Usage]], found: Mapping[str, Found]
) -> Section:
    """Other ways to the same touches."""
    model = _median(measured["buckets"], lambda run: run.wall)
    lines = []
    for key, method in METHODS.items():
        touches = found[key].touches
        lines.append(
            [
                method.name,
                *_usage(measured[key]),
                f"{_median(measured[key], lambda run: run.wall) / model:.2f}",
                "the credited message" if touches is None else f"all {touches:,} touches",
                f"{found[key].credited:,}",
                f"{found[key].differing:,}",
                "exact" if method.exact_on_ties else "any",
            ]
        )
    return Section(
        "What people would write instead",
        f"The touches alone, from the typed messages and orders of {history} in two Parquet files, in turn.",
        ["Way", *USAGE, "Wall ratio", "Gives", "Credited", "Otherwise than the model", "On ties"],
        lines,
    )


def scale(memory_limit: str, tenth: AtSize, whole: AtSize) -> Section:
    """A history ten times as large, against its tenth and against the yardstick."""
    lines = []
    for at in (tenth, whole):
        for name, usage in (("script", at.yardstick), ("refresh", at.refresh)):
            taken = (
                [f"{usage.wall:.1f}", f"{usage.cpu:.1f}", f"{usage.memory:.0f}"]
                if usage
                else ["did not end", "", ""]
            )
            lines.append([f"{name}, {at.history}", *taken])
    for name, one, other in (
        ("refresh / script, a tenth", tenth.yardstick, tenth.refresh),
        ("refresh / script, the whole", whole.yardstick, whole.refresh),
        ("the whole / a tenth, script", tenth.yardstick, whole.yardstick),
        ("the whole / a tenth, refresh", tenth.refresh, whole.refresh),
    ):
        if one and other:
            lines.append([name, *(f"{ratio:.2f}" for ratio in _ratios(one, other))])
    return Section(
        "Ten times the history",
        f"From the landed files, each once, with a memory limit of {memory_limit} for both.",
        ["Run", "Wall s", "CPU s", "Peak MB"],
        lines,
    )


PARTS: Mapping[str, Callable[[Measurement], float]] = {
    "between start-up and publishing": lambda run: run.between,
    "of which loading, models and checks": lambda run: run.working,
}


def age(history: str, ages: Mapping[str, AtAge]) -> Section:
    """Refreshes of one small file in a hub that many refreshes lie behind."""
    lines = [
        [
            name,
            f"{at.refreshes:,}",
            *_usage(at.measured),
            f"{at.dagster / 1e6:,.0f}",
            f"{at.databases / 1e6:,.0f}",
            f"{at.databases / at.rebuilt:.2f}",
        ]
        for name, at in ages.items()
    ]
    return Section(
        "The age of a hub",
        f"One small file after {history}, and after so many refreshes, one each quarter of an hour; of each "
        "day since, a file of each entity has left.",
        ["Age", "Refreshes", *USAGE, "Dagster MB", "Databases MB", "Of rebuilt ones"],
        lines,
    )


def _step_figures(measured: OrdinaryDay) -> dict[str, list[str]]:
    day = measured.days[-1]
    read = {**dict(zip(LOADING_STEPS, day.landed[1:], strict=True)), **measured.rows_read}
    replaced = {
        name: step.rows_replaced for name, step in day.steps.items() if step.rows_replaced is not None
    }
    seconds = {
        name: statistics.median(run.steps[name].seconds for run in measured.days) for name in day.steps
    }
    of_steps = {name: (read.get(name), replaced.get(name), seconds[name]) for name in day.steps}
    together = (sum(read.values()), sum(replaced.values()), sum(seconds.values()))
    return {
        name: [*("" if rows is None else f"{rows:,}" for rows in (rows_read, rows_replaced)), f"{taken:.2f}"]
        for name, (rows_read, rows_replaced, taken) in {**of_steps, "together": together}.items()
    }


def _ratios(one: Usage, other: Usage) -> tuple[float, float, float]:
    """Wall, CPU and memory of the other over those of the one."""
    return other.wall / one.wall, other.cpu / one.cpu, other.memory / one.memory


def _share(name: str) -> Callable[[Measurement], float]:
    return lambda run: run.shares[name]


def _median(runs: Sequence[Run], part: Callable[[Run], float]) -> float:
    return statistics.median(part(run) for run in runs)


def _spread(values: Sequence[float], form: str) -> str:
    """The median, and between what the values lie."""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def _usage(runs: Sequence[Usage]) -> list[str]:
    """What the columns of USAGE hold."""
    return [
        _spread([run.wall for run in runs], ".1f"),
        _spread([run.cpu for run in runs], ".1f"),
        f"{_median(runs, lambda run: run.memory):.0f}",
    ]
