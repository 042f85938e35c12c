"""Two hubs with the same landed files, one for each engine, refreshed as a user would and compared.

Belongs here: refreshing and comparing. Does not belong here: what is landed, and how a cluster is started
(cluster.py).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from orchestration.ledger import ledger_tables
from orchestration.settings import REPOSITORY, Engine, Settings

Rows = list[tuple[object, ...]]
"""The columns and types of a relation, then its rows."""


def refresh(hub: Settings, **environment: str) -> str:
    """One refresh by the command that `make run` calls. Returns what it printed."""
    ended = refreshing(hub, **environment)
    printed, _ = ended.communicate()
    assert ended.returncode == 0, printed
    return printed


def refreshing(hub: Settings, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A refresh that has begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", *(arguments or ("run", "--period", "all_time"))],
        cwd=REPOSITORY,
        env={**os.environ, **hub.as_environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def of_duckdb(hub: Settings) -> Settings:
    """A hub beside it with the same landed files, computed by DuckDB from nothing."""
    other = replace(hub, data_dir=hub.data_dir.with_name("duckdb"), engine=Engine.DUCKDB)
    shutil.rmtree(other.data_dir, ignore_errors=True)
    for source, target in ((hub.landing, other.landing), (hub.kept, other.kept)):
        if source.exists():
            shutil.copytree(source, target)
    return other


def assert_equal(hub: Settings) -> None:
    """What is published and recorded is what DuckDB makes of the same landed files, row for row."""
    other = of_duckdb(hub)
    refresh(other)
    published, expected = _published(hub), _published(other)
    assert_same_rows(published, expected)
    parquet = _parquet(hub)
    assert_same_rows(parquet, {table: expected[table] for table in parquet})
    assert all(len(expected[table]) == 1 for table in _tables(expected) - parquet.keys())
    assert_same_rows(_records(hub), _records(other))


def assert_same_rows(found: Mapping[str, Rows], expected: Mapping[str, Rows]) -> None:
    """The same relations with the same columns and rows."""
    assert found.keys() == expected.keys()
    assert any(rows[1:] for rows in expected.values())
    for name, rows in expected.items():
        only_found = [row for row in found[name] if row not in set(rows)]
        missing = [row for row in rows if row not in set(found[name])]
        assert found[name] == rows, f"{name}: found {only_found[:5]}, missing {missing[:5]}"


def assert_ledger_tells_earlier_figures(hub: Settings) -> None:
    """The ledger of the newest version tells the figures that each version showed whose file is there."""
    versions = sorted(path.name for path in hub.versions.iterdir())
    days = "'2000-01-01', '2099-12-31'"
    with duckdb.connect(str(hub.published), read_only=True) as newest:
        for version in versions:
            with duckdb.connect(str(hub.versions / version / hub.published.name), read_only=True) as file:
                shown = file.execute(f"from overview({days})").fetchall()
            assert newest.execute(f"from figures_as_of('{version}', {days})").fetchall() == shown, version


def _published(hub: Settings) -> dict[str, Rows]:
    """Each published table: its columns and types, then its sorted rows."""
    with duckdb.connect(str(hub.published), read_only=True) as connection:
        tables = connection.execute(
            "select table_name from duckdb_tables() where not list_contains(?, table_name) order by all",
            [["refreshes", *ledger_tables.NAMES]],
        ).fetchall()
        functions = connection.execute(
            "select function_name from duckdb_functions() "
            "where function_type = 'table_macro' and not internal and list_contains(parameters, 'date_from') "
            "and not list_has_any(parameters, ['version', 'from_version']) order by all"
        ).fetchall()
        relations = [f'"{table}"' for (table,) in tables]
        relations += [f"{function}('2000-01-01', '2099-12-31')" for (function,) in functions]
        return {relation: _rows(connection, relation) for relation in relations}


def _tables(relations: Iterable[str]) -> set[str]:
    return {relation for relation in relations if relation.startswith('"')}


def _parquet(hub: Settings) -> dict[str, Rows]:
    """The same of the published files of Parquet; a table without rows has none."""
    found = {}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{hub.published}' as published (read_only)")
        for folder in sorted(path for path in hub.published_parquet.iterdir() if path.is_dir()):
            columns = connection.execute(
                "select column_name from duckdb_columns() "
                "where database_name = 'published' and table_name = ? order by column_index",
                [folder.name],
            ).fetchall()
            listed = ", ".join(f'"{name}"' for (name,) in columns)
            found[f'"{folder.name}"'] = _rows(
                connection,
                f"(select {listed} from read_parquet('{folder}/**/*.parquet', hive_partitioning = true))",
            )
    return found


def _records(hub: Settings) -> dict[str, Rows]:
    """What became of each file and of each row that was refused."""
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        return {
            query: _rows(connection, f"({query})")
            for query in (
                "select entity, path, content_hash, status, rows_landed, rows_accepted, rows_rejected, "
                "rows_kept, error from raw.landed_files",
                "select entity, path, row_number, raw_text, reasons from quarantine.rejected_events",
            )
        }


def _rows(connection: duckdb.DuckDBPyConnection, relation: str) -> Rows:
    # Two refreshes never have the instant in common, two engines never the digests.
    compared = "columns(lambda name: name <> 'refreshed_at' and name not like '%_digest')"
    relation = f"(select {compared} from {relation})"
    described = connection.execute(f"describe from {relation}").fetchall()
    rows = connection.execute(f"from {relation} order by all").fetchall()
    return [tuple((name, kind) for name, kind, *_ in described), *(tuple(map(str, row)) for row in rows)]


def empty_hub(folder: Path, *, timezone: str, as_of: date, currency: str) -> Settings:
    """A hub for Spark, which nothing has landed in yet."""
    hub = Settings(folder / "spark", timezone, as_of, currency, engine=Engine.SPARK)
    hub.landing.mkdir(parents=True)
    return hub
