"""Dagster's record of runs is reached by one engine for each of its files, which a run holds open."""

from __future__ import annotations

import sqlite3
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from orchestration.operations import record_engines
from orchestration.operations.record_engines import (
    DATABASES,
    engine_of,
    events_of,
    held_open,
    keep_engines,
)


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


def test_a_file_has_one_engine_for_the_same_arguments(tmp_path: Path) -> None:
    one = engine_of(url_of(tmp_path / "a.db"), {"timeout": 30}, poolclass=NullPool)

    assert engine_of(url_of(tmp_path / "a.db"), poolclass=NullPool, connect_args={"timeout": 30}) is one
    assert engine_of(url_of(tmp_path / "a.db"), {"timeout": 5}, poolclass=NullPool) is not one
    assert engine_of(url_of(tmp_path / "b.db"), {"timeout": 30}, poolclass=NullPool) is not one


def test_a_file_that_was_replaced_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    for said in ("before", "after"):
        file.unlink(missing_ok=True)
        with sqlite3.connect(file) as connection:
            connection.execute(f"create table words as select '{said}' as word")
        with engine_of(url_of(file), poolclass=NullPool).connect() as reader:
            assert reader.execute(text("select word from words")).scalar() == said


def test_events_of_a_run_make_no_further_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(url: str, **options: object) -> object:
        made.append(url)
        return create_engine(url, **options)

    monkeypatch.setattr(record_engines, "create_engine", counted)
    keep_engines()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:

        @dg.asset
        def one() -> None: ...

        assert dg.materialize([one], instance=instance).success

    assert made
    assert len(made) == len(set(made))


@pytest.mark.parametrize("is_held", [False, True])
def test_a_run_writes_no_log_into_its_file_before_it_ends_where_it_holds_the_file(
    tmp_path: Path, is_held: bool
) -> None:
    logs = []

    @dg.asset
    def one() -> None:
        context = dg.AssetExecutionContext.get()
        record = held_open(tmp_path, context.run.run_id) if is_held else nullcontext()
        with record:
            context.log.info("An event.")
            files = [events_of(tmp_path, context.run.run_id), *(tmp_path / name for name in DATABASES[:2])]
            logs.append([file.with_name(f"{file.name}-wal").exists() for file in files])

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert dg.materialize([one], instance=instance).success

    assert logs == [[is_held] * 3]
    assert not list(tmp_path.rglob("*.db-wal"))


def test_a_damaged_file_is_left_to_those_who_need_it(tmp_path: Path) -> None:
    file = events_of(tmp_path, "a-run")
    file.parent.mkdir(parents=True)
    file.write_text("no database" * 100)
    folder = tmp_path / DATABASES[0]
    folder.mkdir(parents=True)

    with held_open(tmp_path, "a-run"):
        assert file.read_text() == "no database" * 100
        assert not list(folder.iterdir())


def test_what_a_record_lacks_is_not_made_by_holding_it_open(tmp_path: Path) -> None:
    with held_open(tmp_path, "a-run"):
        assert not list(tmp_path.iterdir())
