"""Marts -> the published file: built beside the old one, checked, then put in its place in one step.

Belongs here: what is published and how readers are kept from ever seeing half of it.
Does not belong here: whether the figures are right; the blocking checks said so before this runs.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from orchestration import ingest, plan
from orchestration.settings import Settings
from orchestration.sql import identifier, literal, one_row

# The layers that readers need; the others stay in the warehouse.
PUBLISHED_SCHEMAS = ("facts", "marts")

# Many drivers still carry DuckDB 1.x, which cannot read what DuckDB 2 writes unless asked to.
STORAGE_VERSION = "v1.2.0"

VERSIONS_KEPT = 5


class PublishError(RuntimeError):
    """A version that was built but must not be published; the message says why."""


@dataclass(frozen=True)
class Published:
    """What was published: where, the rows of each table, and the table functions."""

    version: Path
    rows: dict[str, int]
    functions: list[str]


def publish(settings: Settings, run_id: str) -> Published:
    """Copy what readers need into a new version and point the published path to it.

    Readers with an open connection keep the version that they opened; later connections see the new one.

    Raises:
        PublishError: when the new version cannot be written, or does not hold what the warehouse holds; the
            old one stays.
    """
    started = time.monotonic()
    try:
        published = _publish(settings, run_id)
    except (OSError, duckdb.IOException, duckdb.TransactionException) as error:
        # A commit that finds no room for its log is an error of the transaction.
        raise PublishError(
            f"The new version could not be written: {error}. What was published before stays as it is. Make "
            f"sure that {settings.published.parent} may be written and that its disk has room, then run the "
            "refresh again."
        ) from None
    with ingest.connect(settings) as connection:
        plan.finish(connection, run_id, published.version.parent.name, time.monotonic() - started)
    return published


def _publish(settings: Settings, run_id: str) -> Published:
    settings.versions.mkdir(parents=True, exist_ok=True)
    for unfinished in settings.versions.glob(".*"):
        shutil.rmtree(unfinished, ignore_errors=True)

    name = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    building = settings.versions / f".{name}"
    building.mkdir()
    # The file's name is the database's name in a reader's queries, so it is the same in each version.
    file = building / settings.published.name
    rows, functions = _build(settings, file, run_id)
    _make_durable(file)

    version = settings.versions / name
    building.rename(version)
    _fsync(settings.versions)
    _point_to(settings.published, version / file.name)
    _remove_old_versions(settings)
    return Published(version / file.name, rows, functions)


def _build(settings: Settings, file: Path, run_id: str) -> tuple[dict[str, int], list[str]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal(str(settings.warehouse))} as warehouse (read_only)")
        connection.execute(
            f"attach {literal(str(file))} as published (storage_version {literal(STORAGE_VERSION)})"
        )
        connection.execute("use published")
        rows = {}
        for schema, table in _tables(connection):
            source = f"warehouse.{identifier(schema)}.{identifier(table)}"
            connection.execute(f"create table {identifier(table)} as from {source}")
            copied, expected = one_row(
                connection,
                f"select (select count(*) from {identifier(table)}), (select count(*) from {source})",
            )
            if copied != expected:
                raise PublishError(
                    f"{table} has {copied} rows in the new version and {expected} in the warehouse. "
                    "The published file was left as it is. Run the refresh again."
                )
            rows[table] = copied
        _copy_comments(connection)
        functions = _create_functions(connection)
        _add_refreshes(connection, file, run_id)
        connection.execute("checkpoint published")
        connection.execute("use memory")
        connection.execute("detach published")
    return rows, functions


def _add_refreshes(connection: duckdb.DuckDBPyConnection, file: Path, run_id: str) -> None:
    """The record of refreshes; this one is finished as soon as readers can see it."""
    connection.execute("create table refreshes as from warehouse.raw.refreshes")
    connection.execute(
        "update refreshes set finished_at = ?, version_published = ? where run_id = ?",
        [datetime.now(UTC).replace(tzinfo=None), file.parent.name.removeprefix("."), run_id],
    )


def _tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return connection.execute(
        """
        select table_schema, table_name
        from information_schema.tables
        where table_catalog = 'warehouse' and table_schema in (select unnest(?))
        order by table_schema, table_name
        """,
        [list(PUBLISHED_SCHEMAS)],
    ).fetchall()


def _copy_comments(connection: duckdb.DuckDBPyConnection) -> None:
    """Say of each published table and column what the docs say of it, so that BI tools can show it."""
    comments = connection.execute(
        """
        select 'table', table_name, null, comment
        from duckdb_tables()
        where database_name = 'warehouse' and schema_name in (select unnest($schemas)) and comment is not null

        union all

        select 'table', view_name, null, comment
        from duckdb_views()
        where database_name = 'warehouse' and schema_name in (select unnest($schemas)) and comment is not null

        union all

        select 'column', table_name, column_name, comment
        from duckdb_columns()
        where database_name = 'warehouse' and schema_name in (select unnest($schemas)) and comment is not null
        """,
        {"schemas": list(PUBLISHED_SCHEMAS)},
    ).fetchall()
    connection.execute("begin")  # one write to the disk for all of them
    for kind, *path, comment in comments:
        name = ".".join(identifier(part) for part in path if part is not None)
        connection.execute(f"comment on {kind} {name} is {literal(comment)}")
    connection.execute("commit")


def _create_functions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Create the table functions of the warehouse over the published tables of the same names."""
    definitions = connection.execute(
        """
        select function_name, parameters, macro_definition
        from duckdb_functions()
        where
            database_name = 'warehouse'
            and schema_name in (select unnest(?))
            and function_type = 'table_macro'
        order by function_name
        """,
        [list(PUBLISHED_SCHEMAS)],
    ).fetchall()
    for name, parameters, definition in definitions:
        # The database does not tell defaults; by contract the lists, which come after the dates, have one.
        signature = ", ".join(
            parameter if parameter.startswith("date_") else f"{parameter} := null" for parameter in parameters
        )
        body = re.sub(rf"\bwarehouse\.({'|'.join(PUBLISHED_SCHEMAS)})\.", "", definition)
        connection.execute(f"create macro {identifier(name)}({signature}) as table {body}")
        connection.execute(f"describe from {identifier(name)}(null, null)")
    return [name for name, _, _ in definitions]


def _make_durable(file: Path) -> None:
    log = file.with_name(file.name + ".wal")
    if log.exists():
        raise PublishError(
            f"{log} was left behind, so the new version is not whole. The published file was left as it is. "
            "Run the refresh again."
        )
    file.chmod(0o444)
    for path in (file, file.parent):
        _fsync(path)


def _point_to(published: Path, version: Path) -> None:
    """Replace the link in one step; a link that is there never points nowhere."""
    link = published.with_name(f".{published.name}")
    link.unlink(missing_ok=True)
    link.symlink_to(version.relative_to(published.parent))
    link.replace(published)
    _fsync(published.parent)


def _remove_old_versions(settings: Settings) -> None:
    current = settings.published.resolve().parent
    versions = sorted(path for path in settings.versions.iterdir() if path.is_dir() and path != current)
    for version in versions[: max(0, len(versions) - (VERSIONS_KEPT - 1))]:
        # What cannot be removed, as where a reader on a network drive holds it, is tried again next time.
        shutil.rmtree(version, ignore_errors=True)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
