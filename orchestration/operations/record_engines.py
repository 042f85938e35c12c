"""How Dagster reaches its record of runs: with one SQLAlchemy engine for each file, which a run holds open.

Dagster makes a new engine for each of the thousand statements of a refresh, so each statement is compiled
anew, which is half of what the record costs. Its engines hold no connection (NullPool), so nothing but
compiled statements is kept.

It also opens a connection for each event and closes it again. When the last connection to a file is closed,
SQLite writes its log into the file and removes the log.

Belongs here: how Dagster reaches its record. Does not belong here: what is in it (runs.py, retention.py).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from sqlalchemy import Engine, create_engine

STORAGES: tuple[ModuleType, ...] = (sqlite_event_log, sqlite_run_storage)

# A run has a file of events of its own, so a process that lives for months needs an end to them.
ENGINES_KEPT = 16

# Of all runs, below Dagster's home.
DATABASES = ("history/runs/index.db", "history/runs.db", "schedules/schedules.db")


def events_of(dagster_home: Path, run_id: str) -> Path:
    """The database of the events of one run."""
    return dagster_home / "history" / "runs" / f"{run_id}.db"


@lru_cache(ENGINES_KEPT)
def _engine_of(
    url: str, options: tuple[tuple[str, Any], ...], connect: tuple[tuple[str, Any], ...]
) -> Engine:
    return create_engine(url, connect_args=dict(connect), **dict(options))


def engine_of(url: str, connect_args: dict[str, Any] | None = None, **options: Any) -> Engine:
    """The engine of a file, made once; the arguments are those of SQLAlchemy's ``create_engine``."""
    return _engine_of(url, tuple(sorted(options.items())), tuple(sorted((connect_args or {}).items())))


def keep_engines() -> None:
    """Have Dagster's storages in SQLite take the same engine for the same file."""
    for storage in STORAGES:
        vars(storage)["create_engine"] = engine_of


@contextmanager
def held_open(dagster_home: Path, run_id: str) -> Iterator[None]:
    """Hold the record open for a run, so that no connection of Dagster's is the last one to a file.

    Only while nobody replaces the files: who closes the last connection to an old one removes the log of the
    new one.
    """
    with ExitStack() as held:
        for file in (*(dagster_home / name for name in DATABASES), events_of(dagster_home, run_id)):
            # A company may keep its record elsewhere.
            if not file.exists():
                continue
            # Without one that cannot be opened, the run takes longer at most.
            with suppress(sqlite3.Error):
                # Whoever ends the run may be another thread than the one that began it.
                connection = sqlite3.connect(file, timeout=0.1, check_same_thread=False)
                held.enter_context(closing(connection))
                # The log is not opened before the first statement.
                connection.execute("select count(*) from sqlite_schema").fetchone()
        yield
