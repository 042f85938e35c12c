"""Questions to a published file, as a dashboard asks them: any range, any filter, a fresh connection each.

Belongs here: what is asked, and how long each answer takes. Does not belong here: whether the answers are
right (tests/models/test_published_against_oracle.py).

    python -m benchmarks.questions PUBLISHED_FILE [--questions 50] [--seed 0]

The questions are drawn from a seed: the same for the same file.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
from rich.console import Console

from benchmarks.report import Section

QUESTIONS = 50
SEED = 0
BREAKDOWNS = ("queue_breakdown", "user_breakdown")

# Functions that can be compared, within how many days, and how many times as long a comparison may take.
COMPARED = ("overview", *BREAKDOWNS)
COMPARED_DAYS = 90
MOST_TIMES = 2

# What is asked of two versions, in SQL, and within how many milliseconds it should be answered. The dashboard
# asks for the largest first; all rows of a month are read by nobody.
ASKED_WHY = {
    "every figure": "from why_figures($1, $2, $3, $4)",
    "the 20 largest of all differences": "from why($1, $2, $3, $4) order by abs(difference) desc limit 20",
    "the sum of all differences": "select figure, sum(difference) from why($1, $2, $3, $4) group by figure",
}
WHY_DAYS = 30
WHY_TARGET_MS = 1_000

# The filters of a question: ids of queues and of users, None where there is no filter.
Filters = tuple[list[str] | None, list[str] | None]
Draw = Callable[[random.Random, list[str], list[str]], Filters]

# The first and the last day, the queues and the users, as the table functions take them.
Question = tuple[date, date, list[str] | None, list[str] | None]


@dataclass(frozen=True)
class Class:
    """Questions of one kind, and in how many milliseconds they should be answered."""

    name: str
    target_ms: int
    most_days: int
    functions: Sequence[str]
    draw: Draw


@dataclass(frozen=True)
class Answers:
    """How long the answers of one function to the questions of one class took."""

    of: Class
    function: str
    milliseconds: Sequence[float]


@dataclass(frozen=True)
class Comparisons:
    """How long a function took, and its comparison for the same days and filters, asked in turn."""

    function: str
    plain: Sequence[float]
    compared: Sequence[float]

    @property
    def times(self) -> float:
        """How many times as long the comparison takes."""
        return statistics.median(self.compared) / statistics.median(self.plain)


@dataclass(frozen=True)
class Reasons:
    """How long it took to say why figures changed between the last two versions.

    Attributes:
        question: of `ASKED_WHY`.
        rows: how many differences there were.
        milliseconds: of each time that it was asked.
    """

    question: str
    rows: int
    milliseconds: Sequence[float]


def no_filter(_drawn: random.Random, _queues: list[str], _users: list[str]) -> Filters:
    """Everything in the range of days."""
    return None, None


def any_filters(drawn: random.Random, queues: list[str], users: list[str]) -> Filters:
    """None, one or several of the queues, and the same of the users."""

    def some(ids: list[str]) -> list[str] | None:
        draw: Callable[[random.Random, list[str]], list[str] | None]
        draw = drawn.choice([lambda _drawn, _ids: None, one, several])
        return draw(drawn, ids)

    return some(queues), some(users)


def at_most_one(drawn: random.Random, queues: list[str], users: list[str]) -> Filters:
    """No filter, one queue, or one user."""
    return drawn.choice([(None, None), (one(drawn, queues), None), (None, one(drawn, users))])


def several_of_both(drawn: random.Random, queues: list[str], users: list[str]) -> Filters:
    """Several queues and several users."""
    return several(drawn, queues), several(drawn, users)


def one(drawn: random.Random, ids: list[str]) -> list[str]:
    """One of the ids."""
    return [drawn.choice(ids)]


def several(drawn: random.Random, ids: list[str]) -> list[str]:
    """At least two of the ids, where there are as many."""
    return drawn.sample(ids, drawn.randint(min(2, len(ids)), len(ids)))


CLASSES = (
    Class(
        "up to 90 days, any filter",
        100,
        90,
        ("overview", "messages_over_time", "queue_breakdown", "user_messages_over_time", "user_breakdown"),
        any_filters,
    ),
    Class("up to two years, at most one", 50, 730, ("overview", "messages_over_time"), at_most_one),
    Class("up to two years, at most one", 250, 730, BREAKDOWNS, at_most_one),
    Class(
        "up to two years, several of both",
        1_000,
        730,
        ("overview", "messages_over_time", *BREAKDOWNS),
        several_of_both,
    ),
)

# Of histories whose facts are far larger than memory.
CLASSES_AT_SCALE = (Class("up to two years, no filter", 50, 730, ("overview",), no_filter),)


def ask(
    published: Path, questions: int = QUESTIONS, seed: int = SEED, classes: Sequence[Class] = CLASSES
) -> list[Answers]:
    """Ask each function of each class this many questions."""
    return [answers for (answers,) in ask_in_turn([published], questions, seed, classes)]


def ask_in_turn(
    files: Sequence[Path], questions: int = QUESTIONS, seed: int = SEED, classes: Sequence[Class] = CLASSES
) -> list[tuple[Answers, ...]]:
    """Ask each question of one published file after the other, all of the same history.

    Returns:
        for each function of each class the answers of each file.
    """
    answers = []
    for one_class, function, drawn in draw_questions(files[0], questions, seed, classes):
        taken: dict[Path, list[float]] = {file: [] for file in files}
        for number, question in enumerate(drawn):
            # Each is the first in its turn, since the first finds less in the caches of the processor.
            first = number % len(files)
            for file in (*files[first:], *files[:first]):
                taken[file].append(milliseconds(file, function, *question))
        answers.append(tuple(Answers(one_class, function, taken[file]) for file in files))
    return answers


def draw_questions(
    published: Path, questions: int, seed: int, classes: Sequence[Class]
) -> Iterator[tuple[Class, str, list[Question]]]:
    """Draw this many questions for each function of each class, within what a published file holds."""
    queues, users, first_day, last_day = known(published)
    drawn = random.Random(seed)
    for one_class in classes:
        for function in one_class.functions:
            yield (
                one_class,
                function,
                [
                    (
                        *draw_days(drawn, first_day, last_day, one_class.most_days),
                        *one_class.draw(drawn, queues, users),
                    )
                    for _ in range(questions)
                ],
            )


def compare(published: Path, questions: int = QUESTIONS, seed: int = SEED) -> list[Comparisons]:
    """Ask this many questions of each function that can be compared, plainly and with the previous days."""
    queues, users, first_day, last_day = known(published)
    drawn = random.Random(seed)
    taken = []
    for function in COMPARED:
        plain, compared = [], []
        for _ in range(questions):
            days = draw_days(drawn, first_day, last_day, COMPARED_DAYS)
            filters = any_filters(drawn, queues, users)
            plain.append(milliseconds(published, function, *days, *filters))
            compared.append(milliseconds(published, f"{function}_compared", *days, *filters))
        taken.append(Comparisons(function, plain, compared))
    return taken


def ask_why(published: Path, times: int = 5) -> list[Reasons]:
    """Ask why the figures of the last days changed between the last two versions.

    Raises:
        ValueError: when there are no two versions.
    """
    with duckdb.connect(str(published), read_only=True) as connection:
        versions = connection.sql("select version from versions order by version desc limit 2").fetchall()
        ((last_day,),) = connection.sql("select as_of from report_info").fetchall()
        if len(versions) < 2:
            raise ValueError(f"{published} holds no two versions")
        (newest,), (before,) = versions
        arguments = [before, newest, last_day - timedelta(days=WHY_DAYS - 1), last_day]
        ((rows,),) = connection.execute("select count(*) from why($1, $2, $3, $4)", arguments).fetchall()
    return [
        Reasons(question, rows, [_milliseconds(published, query, arguments) for _ in range(times)])
        for question, query in ASKED_WHY.items()
    ]


def known(published: Path) -> tuple[list[str], list[str], date, date]:
    """The queues and users of a published file, and its first and last day."""
    with duckdb.connect(str(published), read_only=True) as connection:
        queues = [name for (name,) in connection.sql("select queue_id from dim_queues order by 1").fetchall()]
        users = [name for (name,) in connection.sql("select user_id from dim_users order by 1").fetchall()]
        ((first_day, last_day),) = connection.sql(
            "select min(message_date), max(message_date) from mart_overview_daily"
        ).fetchall()
    return queues, users, first_day, last_day


def draw_days(drawn: random.Random, first_day: date, last_day: date, most_days: int) -> tuple[date, date]:
    """A range of at most so many days within the days that there are."""
    there_are = (last_day - first_day).days + 1
    days = drawn.randint(1, min(most_days, there_are))
    date_from = first_day + timedelta(days=drawn.randint(0, there_are - days))
    return date_from, date_from + timedelta(days=days - 1)


# The arguments are those of the function that is asked.
def milliseconds(  # noqa: PLR0913
    published: Path,
    function: str,
    date_from: date,
    date_to: date,
    queues: list[str] | None,
    users: list[str] | None,
) -> float:
    """How long one answer takes, from opening the file until its rows are there."""
    query = f"from {function}(?, ?, queues := ?::varchar[], users := ?::varchar[])"
    return _milliseconds(published, query, [date_from, date_to, queues, users])


def _milliseconds(published: Path, query: str, arguments: Sequence[object]) -> float:
    started = time.perf_counter()
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute(query, arguments).fetchall()
        return (time.perf_counter() - started) * 1000


def section(answers: Sequence[Answers], history: str, heading: str = "Any question at once") -> Section:
    """The table of the answers to questions about a history."""
    return Section(
        heading,
        f"Questions about {history}, from a fixed seed; each opens the file, asks, and has its rows.",
        [
            "Question",
            "Function",
            "Asked",
            "Median ms",
            "95th percentile ms",
            "Maximum ms",
            "Target ms",
            "Over it",
        ],
        [
            [
                one.of.name,
                one.function,
                str(len(one.milliseconds)),
                f"{statistics.median(one.milliseconds):.0f}",
                f"{percentile(one.milliseconds, 95):.0f}",
                f"{max(one.milliseconds):.0f}",
                str(one.of.target_ms),
                str(sum(taken > one.of.target_ms for taken in one.milliseconds)),
            ]
            for one in answers
        ],
    )


def comparison_section(comparisons: Sequence[Comparisons], history: str) -> Section:
    """The table of what comparisons with the previous days cost, beside their plain functions."""
    return Section(
        "Comparisons beside their plain functions",
        f"Questions about up to {COMPARED_DAYS} days of {history} with any filter, from a fixed seed, each "
        "asked plainly and as a comparison with the previous days, in turn.",
        ["Function", "Asked", "Plain, median ms", "Compared, median ms", "Times", "At most"],
        [
            [
                one.function,
                str(len(one.plain)),
                f"{statistics.median(one.plain):.0f}",
                f"{statistics.median(one.compared):.0f}",
                f"{one.times:.2f}",
                str(MOST_TIMES),
            ]
            for one in comparisons
        ],
    )


def why_section(reasons: Sequence[Reasons], history: str) -> Section:
    """The table of how long it takes to say why figures changed."""
    return Section(
        "Why figures changed",
        f"Between the versions before and after one ordinary day more than {history}, about the last "
        f"{WHY_DAYS} days.",
        ["Question", "Differences", "Median ms", "Target ms"],
        [
            [
                one.question,
                f"{one.rows:,}",
                f"{statistics.median(one.milliseconds):.0f}",
                f"{WHY_TARGET_MS:,}",
            ]
            for one in reasons
        ],
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """The least of the values that so many percent of them do not exceed."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the questions to a published file; the result is the exit status of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.questions")
    parser.add_argument("published", type=Path, help="the published file")
    parser.add_argument(
        "--questions", type=int, default=QUESTIONS, help="how many of each function and class"
    )
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args(arguments)
    history, console = f"the history in {options.published}", Console(highlight=False)
    section(ask(options.published, options.questions, options.seed), history).print_to(console)
    comparison_section(compare(options.published, options.questions, options.seed), history).print_to(console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
