"""The benchmark of PostgreSQL measures what it says: both loads, and each question asked of both.

Belongs here: what is loaded and asked. Does not belong here: how long anything takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.compared_hub import ComparedHub
from support.postgres_comparison import assert_same

from benchmarks import postgres, questions
from orchestration.settings import Settings


@pytest.fixture(scope="module")
def measured(hub: ComparedHub, new_database: Callable[[], str]) -> Settings:
    """The hub, with a database that is empty at first."""
    return replace(hub.settings, postgres_url=new_database())


@pytest.fixture(scope="module")
def loads(measured: Settings) -> list[postgres.Load]:
    """Both loads, in this process, where the functions are compiled already."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(postgres, "apart", lambda function, *arguments: function(*arguments))
        return postgres.load(measured)


def test_the_last_two_versions_are_loaded(
    hub: ComparedHub, measured: Settings, loads: list[postgres.Load]
) -> None:
    first, day = loads
    before, after = (count_rows(version.file) for version in hub.versions[-2:])
    assert (first.removed, first.inserted) == (0, before)
    assert day.inserted - day.removed == after - before
    assert 0 < day.inserted < after
    assert_same(hub.versions[-1].file, measured.postgres_url or "", [])
    assert len(postgres.load_section(loads, "a history", "a server").lines) == 2


def count_rows(file: Path) -> int:
    with duckdb.connect(str(file), read_only=True) as connection:
        tables = connection.sql("show tables").fetchall()
        return sum(len(connection.sql(f"from {name}")) for (name,) in tables)


@pytest.mark.usefixtures("loads")
def test_a_database_that_is_not_empty_is_refused(measured: Settings) -> None:
    with pytest.raises(SystemExit, match="Name an empty database"):
        postgres.load(measured)


@pytest.mark.usefixtures("loads")
def test_each_question_is_asked_of_both(measured: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = postgres.ask(measured, 1, seed=0)
    asked: dict[str, list[Any]] = {"postgres": [], "file": []}

    def record(which: str) -> Callable[..., float]:
        def answer(place: object, *question: object) -> float:
            asked[which].append(question)
            return 1.0

        return answer

    monkeypatch.setattr(postgres, "milliseconds", record("postgres"))
    monkeypatch.setattr(questions, "milliseconds", record("file"))
    postgres.ask(measured, 2, seed=0)

    kinds = [(of, function) for of in postgres.CLASSES for function in of.functions]
    assert [(one.of, one.function) for one in answers] == kinds
    assert all(min(*one.of_postgres, *one.of_file) > 0 for one in answers)
    assert asked["postgres"] == asked["file"]
    assert [function for function, *_ in asked["file"]] == [name for _, name in kinds for _ in range(2)]
    section = postgres.section(answers, "a history", postgres.server(measured.postgres_url or ""))
    assert len(section.lines) == len(kinds)
