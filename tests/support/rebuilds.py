"""A hub beside its rebuild: both must hold the same rows.

Belongs here: rebuilding a hub elsewhere from its files, and the comparison. Does not belong here: what was
landed and refreshed before.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import duckdb

from orchestration.ledger import ledger_tables
from orchestration.settings import Settings
from support.pipeline import build


def assert_equals_a_rebuild(hub: Settings, *arguments: str) -> None:
    """Facts and marts hold the same rows, to the bit, as when they are built from the landed files alone."""
    with rebuilt(hub, *arguments) as other, duckdb.connect() as connection:
        connection.execute(f"attach '{hub.reports}' as incremental (read_only)")
        connection.execute(f"attach '{other.reports}' as rebuilt (read_only)")
        tables = {database: _columns(connection, database) for database in ("incremental", "rebuilt")}
        assert tables["incremental"] == tables["rebuilt"]
        assert tables["rebuilt"]
        for table, columns in tables["rebuilt"].items():
            listed = ", ".join(f'"{column}"' for column, _ in columns if column != "refreshed_at")
            for one, two in (("incremental", "rebuilt"), ("rebuilt", "incremental")):
                only = connection.sql(
                    f"select {listed} from {one}.{table} except all select {listed} from {two}.{table}"
                )
                assert not only.fetchall(), f"{table}: only {one}:\n{only}"


@contextmanager
def rebuilt(hub: Settings, *arguments: str) -> Iterator[Settings]:
    """A hub of its own, built from the same landed files, with arguments for dbt.

    Its checks are left out: they take a third of the time, and have passed on the hub that must be its equal.
    """
    with tempfile.TemporaryDirectory() as folder:
        other = replace(hub, data_dir=Path(folder) / "hub")
        other.data_dir.mkdir()
        for source, target in ((hub.landing, other.landing), (hub.kept, other.kept)):
            if source.exists():
                shutil.copytree(source, target)
        build(other, "--exclude-resource-type", "test", *arguments)
        yield other


def _columns(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, list[tuple[str, str]]]:
    """The columns of each table but those of the ledger: of the versions before, a rebuild knows none."""
    tables: dict[str, list[tuple[str, str]]] = {}
    for schema, table, column, data_type in connection.execute(
        """
        select table_schema, table_name, column_name, data_type
        from information_schema.columns
        where table_catalog = ? and table_schema = 'main' and not list_contains(?, table_name)
        order by all
        """,
        [database, ledger_tables.NAMES],
    ).fetchall():
        tables.setdefault(f'"{schema}"."{table}"', []).append((column, data_type))
    return tables
