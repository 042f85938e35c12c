"""One SQLAlchemy engine for each file of Dagster's record of runs, for as long as a process lives.

Dagster makes a new one for each of the thousand statements of a refresh, so each statement is compiled anew,
which is half of what the record costs. Its engines hold no connection (NullPool), so nothing but compiled
statements is kept.

Belongs here: how Dagster reaches its record. Does not belong here: what is in it (runs.py, retention.py).
"""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any

from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from sqlalchemy import Engine, create_engine

STORAGES: tuple[ModuleType, ...] = (sqlite_event_log, sqlite_run_storage)

# A run has a file of events of its own, so a process that lives for months needs an end to them.
ENGINES_KEPT = 16


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
