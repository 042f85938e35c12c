"""A PostgreSQL database beside the published file: how long it takes to bring it there, and to answer.

Belongs here: the loads, and the questions to both. Does not belong here: whether the database holds and
answers what the file does (tests/postgres).

    CONTACT_POSTGRES=postgresql://... python -m benchmarks.postgres HUB [--questions 50] [--seed 0]

The database must be empty. The version before the newest one of the hub is loaded first, then the newest
one: after an ordinary day of the hub, that is an ordinary day of the database.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import psycopg2
from rich.console import Console

from benchmarks import questions, report
from benchmarks.measure import apart
from benchmarks.questions import BREAKDOWNS, Class, any_filters, at_most_one, percentile
from benchmarks.report import Section
from orchestration.dbt_runner.project import prepared_project
from orchestration.postgres.bring_up import bring_up
from orchestration.postgres.table_shapes import SCHEMA
from orchestration.settings import REPOSITORY, Settings

RESULTS = REPOSITORY / "benchmarks" / "RESULTS.md"

FIRST_LOAD_TARGET_S = 360
DAY_TARGET_S = 10

# Those whose answers stay short over two years.
OF_FEW_ROWS = ("overview", "messages_over_time", *BREAKDOWNS)

FUNCTIONS = (*OF_FEW_ROWS, "user_messages_over_time")

CLASSES = (
    Class("up to 90 days, at most one", 100, 90, FUNCTIONS, at_most_one),
    Class("up to two years, at most one", 100, 730, OF_FEW_ROWS, at_most_one),
    Class("up to 90 days, any filter", 1_000, 90, FUNCTIONS, any_filters),
)

# What decides how fast a server answers and can be read of it.
SERVER_SETTINGS = ("server_version", "shared_buffers", "work_mem", "jit", "max_parallel_workers_per_gather")


@dataclass(frozen=True)
class Load:
    """One bringing up of the database.

    Attributes:
        of: what it was, in words.
        removed, inserted: rows.
        seconds: from its beginning until readers have the version, with indexes and statistics.
        target: of the seconds.
        size: of the database afterwards, in bytes.
    """

    of: str
    removed: int
    inserted: int
    seconds: float
    target: int
    size: int


@dataclass(frozen=True)
class Answers:
    """How long the answers of one function to the questions of one class took, asked of both in turn."""

    of: Class
    function: str
    of_postgres: Sequence[float]
    of_file: Sequence[float]


def load(hub: Settings) -> list[Load]:
    """Bring an empty database to the last but one version of a hub, then to the last one.

    Args:
        hub: the hub, which is only read, with the address of the database.

    Raises:
        SystemExit: when the database is not empty, or the hub has no two versions.
    """
    # What a publishing that was killed has left begins with a dot.
    versions = sorted(path for path in hub.versions.iterdir() if not path.name.startswith("."))[-2:]
    if len(versions) < 2:
        raise SystemExit(
            f"{hub.data_dir} has no two published versions. Refresh it after another day has landed."
        )
    with closing(psycopg2.connect(hub.postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute("select to_regnamespace(%s) is not null", [SCHEMA])
        if cursor.fetchone() == (True,):
            raise SystemExit(
                f"The database of CONTACT_POSTGRES has a schema {SCHEMA} already. Name an empty database: "
                "the first load is measured too."
            )
    return [
        apart(_load, hub, version, of, target)
        for version, of, target in zip(
            versions, ("the first load", "an ordinary day"), (FIRST_LOAD_TARGET_S, DAY_TARGET_S), strict=True
        )
    ]


def _load(hub: Settings, version: Path, of: str, target: int) -> Load:
    """Bring the database to a version of the hub, as if that were the newest one."""
    manifest = json.loads(prepared_project().manifest_path.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        seen = replace(hub, data_dir=Path(folder))
        seen.versions.parent.mkdir()
        seen.versions.symlink_to(hub.versions.resolve())
        seen.reports.symlink_to(hub.reports.resolve())
        seen.published.symlink_to(seen.versions / version.name / seen.published.name)
        started = time.perf_counter()
        done = bring_up(seen, manifest)
        seconds = time.perf_counter() - started
    assert done is not None
    with closing(psycopg2.connect(hub.postgres_url)) as connection, connection.cursor() as cursor:
        cursor.execute("select pg_database_size(current_database())")
        ((size,),) = cursor.fetchall()
    return Load(of, done.removed, done.inserted, seconds, target, size)


def ask(hub: Settings, asked: int, seed: int, classes: Sequence[Class] = CLASSES) -> list[Answers]:
    """Ask each function of each class this many questions, the database and the published file in turn.

    Raises:
        ValueError: when the hub names no database.
    """
    if hub.postgres_url is None:
        raise ValueError(f"{hub.data_dir} names no database of PostgreSQL")
    answers = []
    for one_class, function, drawn in questions.draw_questions(hub.published, asked, seed, classes):
        of_postgres, of_file = [], []
        for question in drawn:
            of_postgres.append(milliseconds(hub.postgres_url, function, *question))
            of_file.append(questions.milliseconds(hub.published, function, *question))
        answers.append(Answers(one_class, function, of_postgres, of_file))
    return answers


# The arguments are those of the function that is asked.
def milliseconds(  # noqa: PLR0913
    url: str,
    function: str,
    date_from: date,
    date_to: date,
    queues: list[str] | None,
    users: list[str] | None,
) -> float:
    """How long one answer takes, from connecting until its rows are there."""
    started = time.perf_counter()
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"select * from {SCHEMA}.{function}(%s, %s, %s::text[], %s::text[])",
            [date_from, date_to, queues, users],
        )
        cursor.fetchall()
        return (time.perf_counter() - started) * 1000


def history_of(published: Path) -> str:
    """What a published file holds, in words."""
    with duckdb.connect(str(published), read_only=True) as connection:
        ((messages, orders),) = connection.sql(
            "select (select count(*) from fct_messages), (select count(*) from fct_orders)"
        ).fetchall()
    return f"{messages:,} messages, {orders:,} orders"


def server(url: str) -> str:
    """The server in words: its version, and the settings that decide how fast it is."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        found = []
        for name in SERVER_SETTINGS:
            cursor.execute(f"show {name}")
            found += [value for (value,) in cursor.fetchall()]
    version, *values = found
    settings = zip(SERVER_SETTINGS[1:], values, strict=True)
    listed = ", ".join(f"{name} {value}" for name, value in settings)
    return f"PostgreSQL {version} on the same machine, {listed}"


def load_section(loads: Sequence[Load], history: str, on: str) -> Section:
    """The table of how long it took to bring the database to both versions."""
    return Section(
        "PostgreSQL brought to what is published",
        f"The last two versions of {history}, loaded once each; {on}.",
        ["What", "Rows removed", "Rows inserted", "Seconds", "Target s", "Database MB"],
        [
            [
                one.of,
                f"{one.removed:,}",
                f"{one.inserted:,}",
                f"{one.seconds:.1f}",
                str(one.target),
                f"{one.size / 1e6:,.0f}",
            ]
            for one in loads
        ],
    )


def section(answers: Sequence[Answers], history: str, on: str) -> Section:
    """The table of the answers of both to questions about a history."""
    return Section(
        "Questions to PostgreSQL beside the file",
        f"Questions about {history}, from a fixed seed, to both in turn; each connects to the database or "
        f"opens the file, asks, and has its rows; {on}.",
        [
            "Question",
            "Function",
            "Asked",
            "Median ms",
            "95th percentile ms",
            "Target ms",
            "Over it",
            "File, median ms",
            "File, 95th percentile ms",
            "Ratio of medians",
        ],
        [
            [
                one.of.name,
                one.function,
                str(len(one.of_postgres)),
                f"{statistics.median(one.of_postgres):.0f}",
                f"{percentile(one.of_postgres, 95):.0f}",
                str(one.of.target_ms),
                str(sum(taken > one.of.target_ms for taken in one.of_postgres)),
                f"{statistics.median(one.of_file):.0f}",
                f"{percentile(one.of_file, 95):.0f}",
                f"{statistics.median(one.of_postgres) / statistics.median(one.of_file):.2f}",
            ]
            for one in answers
        ],
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write down what was found; the result is the exit status of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.postgres")
    parser.add_argument("hub", type=Path, help="the data directory of a hub with two published versions")
    parser.add_argument(
        "--questions", type=int, default=questions.QUESTIONS, help="how many of each function and class"
    )
    parser.add_argument("--seed", type=int, default=questions.SEED)
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file of results")
    options = parser.parse_args(arguments)
    url = os.environ.get("CONTACT_POSTGRES")
    if not url:
        parser.error("CONTACT_POSTGRES names no database")
    hub = Settings.from_environment({**os.environ, "CONTACT_DATA_DIR": str(options.hub.resolve())})
    history, on, console = history_of(hub.published), server(url), Console(highlight=False)

    def keep(found: Section) -> None:
        found.print_to(console)
        report.write([found], 1, options.results)

    keep(load_section(load(hub), history, on))
    keep(section(ask(hub, options.questions, options.seed), history, on))
    return 0


if __name__ == "__main__":
    sys.exit(main())
