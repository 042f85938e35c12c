"""A load that leaves nothing behind: a database in memory with the tables that a load needs.

Belongs here: making such a load. Does not belong here: what is loaded, and what becomes of the rows.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from orchestration.landing.arrivals import Load
from orchestration.landing.contracts import EventContract
from orchestration.landing.kept import KeptRows
from orchestration.settings import Engine, Settings
from orchestration.sql import literal
from orchestration.warehouse import schema


@contextmanager
def load_in_memory(settings: Settings, contract: EventContract) -> Iterator[Load]:
    """A load of an entity into an empty database in memory, whichever engine the hub has."""
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as folder:
        connection.execute("set TimeZone = 'UTC'")
        # What does not fit into memory goes there, and not into the current folder.
        connection.execute(f"set temp_directory = {literal(f'{folder}/spilled')}")
        schema.make_record_tables(connection)
        schema.make_event_tables(connection)
        in_memory = replace(settings, engine=Engine.DUCKDB)
        yield Load(connection, in_memory, contract, KeptRows(Path(folder) / "kept", contract))
