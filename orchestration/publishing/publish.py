"""Reports -> the published file: built beside the old one, checked, then put in its place in one step.

Belongs here: what is published and how readers are kept from ever seeing half of it.
Does not belong here: whether the figures are right; the blocking checks said so before this runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from orchestration.dbt_runner.table_functions import Signatures, required_parameters, signatures_of
from orchestration.durable import point_to, sync
from orchestration.engines.engine import engine_of
from orchestration.hub.rights import open_to_readers
from orchestration.incremental import plan
from orchestration.ledger import ledger
from orchestration.settings import Settings
from orchestration.sql import identifier, literal, one_row
from orchestration.warehouse import databases
from orchestration.warehouse.schema import REFRESHES_COLUMN_COMMENTS, REFRESHES_COMMENT

# The layers that readers need; the others stay in the warehouse.
PUBLISHED_LAYERS = ("attribution", "facts", "marts")

# The newest versions stay, and the last one of each day for some days.
VERSIONS_KEPT = 5
DAYS_KEPT = 14

NAME_OF_VERSION = "%Y%m%dT%H%M%S.%fZ"

Manifest = Mapping[str, Any]


class PublishError(RuntimeError):
    """A version that was built but must not be published; the message says why."""


@dataclass(frozen=True)
class Published:
    """What was published: where, the rows of each table, and the table functions."""

    version: Path
    rows: dict[str, int]
    functions: list[str]


def publish(settings: Settings, run_id: str, dbt_target: Path) -> Published:
    """Copy the reports into a new version and point the published path to it.

    Readers with an open connection keep the version that they opened; later connections see the new one.

    Args:
        settings: the settings of the hub.
        run_id: the run of the refresh.
        dbt_target: where dbt has left its artifacts, which tell the parameters of the table functions.

    Raises:
        PublishError: when the new version cannot be written, or does not hold what the reports hold; the old
            one stays.
    """
    started = time.monotonic()
    try:
        published = _publish(settings, run_id, dbt_target)
    except (OSError, duckdb.IOException, duckdb.TransactionException) as error:
        # A commit that finds no room for its log is an error of the transaction.
        raise PublishError(
            f"The new version could not be written: {error}. What was published before stays as it is. Make "
            f"sure that {settings.published.parent} may be written and that its disk has room, then run the "
            "refresh again."
        ) from None
    with databases.connect(settings) as connection:
        plan.finish(connection, settings, run_id, published.version.parent.name, time.monotonic() - started)
    return published


def _publish(settings: Settings, run_id: str, dbt_target: Path) -> Published:
    settings.versions.mkdir(parents=True, exist_ok=True)
    for unfinished in settings.versions.glob(".*"):
        shutil.rmtree(unfinished, ignore_errors=True)

    name = _name_of_version(settings)
    building = settings.versions / f".{name}"
    building.mkdir()
    # The file's name is the database's name in a reader's queries, so it is the same in each version.
    file = building / settings.published.name
    manifest = _manifest_of(dbt_target)
    signatures = signatures_of(manifest)
    rows = _build(settings, file, run_id, manifest, signatures)
    _make_durable(file)
    files = engine_of(settings).published_files(rows)
    if files is not None:
        _link(files, building / settings.published_parquet.name)

    version = settings.versions / name
    building.rename(version)
    open_to_readers(settings, version)
    sync(settings.versions)
    point_to(settings.published, version / file.name)
    if files is not None:
        point_to(settings.published_parquet, version / settings.published_parquet.name)
    _remove_old_versions(settings)
    return Published(version / file.name, rows, sorted(signatures))


def _name_of_version(settings: Settings) -> str:
    """The instant or, where the clock went back, the one after the newest version: names are in order."""
    known = instants_of_versions(path.name for path in settings.versions.iterdir())
    after_newest = max(known.values(), default=datetime.min.replace(tzinfo=UTC)) + timedelta(microseconds=1)
    return max(datetime.now(UTC), after_newest).strftime(NAME_OF_VERSION)


def instants_of_versions(names: Iterable[str]) -> dict[str, datetime]:
    """When each version was published, by its name; what is no version is left out."""
    instants = {}
    for name in names:
        with suppress(ValueError):
            instants[name] = datetime.strptime(name, NAME_OF_VERSION).replace(tzinfo=UTC)
    return instants


def _build(
    settings: Settings, file: Path, run_id: str, manifest: Manifest, signatures: Signatures
) -> dict[str, int]:
    """Copy the database of the reports as a file, which takes a fraction of copying its rows."""
    with databases.connect(settings) as connection:
        if not engine_of(settings).has_built_reports(connection, run_id):
            raise PublishError(
                f"{settings.reports} is not the one that this refresh has built: it was put back meanwhile. "
                "The published file was left as it is. Run the refresh again."
            )
        version = file.parent.name.removeprefix(".")
        (published_at,) = instants_of_versions([version]).values()
        ledger.record(connection, settings, run_id, version, published_at)
        expected = _rows(connection, "reports")
        # The copy is whole without the log.
        connection.execute("checkpoint reports")
    copy_file(settings.reports, file)
    with duckdb.connect(str(file)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for own in ("changes", "stamps"):
            connection.execute(f"drop schema if exists {own} cascade")
        _make_functions_of_the_copy(connection, signatures)
        _describe_ledger(connection, manifest)
        _add_refreshes(connection, settings, file, run_id)
        connection.execute("checkpoint")
        rows = _rows(connection, file.stem)
        for table, count in expected.items():
            if rows.get(table) != count:
                raise PublishError(
                    f"{table} has {rows.get(table, 'no')} rows in the new version and {count} in "
                    f"{settings.reports}. The published file was left as it is. Run the refresh again."
                )
    _require_answers(file, signatures)
    return rows


def copy_file(source: Path, target: Path) -> None:
    """Copy a file. On file systems such as XFS and Btrfs, both share their blocks until one is written.

    Raises:
        OSError: when the target cannot be written.
    """
    left = source.stat().st_size
    # Not every system has this call, and not every file system supports it.
    with suppress(OSError, AttributeError), source.open("rb") as reading, target.open("wb") as writing:
        while left and (copied := os.copy_file_range(reading.fileno(), writing.fileno(), left)):
            left -= copied
    if left:
        shutil.copyfile(source, target)


def _link(files: Iterator[tuple[Path, Path]], folder: Path) -> None:
    """Put files into a folder. They are never changed, only replaced, so here they need no room of their own.

    Args:
        files: each file, with its path below the folder.
        folder: the folder.
    """
    for file, path in files:
        linked = folder / path
        linked.parent.mkdir(parents=True, exist_ok=True)
        try:
            linked.hardlink_to(file)
        except OSError:
            # Not every file system has links.
            shutil.copyfile(file, linked)


def _rows(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, int]:
    tables = connection.execute(
        "select table_name from duckdb_tables() "
        "where database_name = ? and schema_name = 'main' order by all",
        [database],
    ).fetchall()
    return {
        table: one_row(connection, f"select count(*) from {identifier(database)}.main.{identifier(table)}")[0]
        for (table,) in tables
    }


def _manifest_of(dbt_target: Path) -> Manifest:
    manifest: Manifest = json.loads((dbt_target / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def _describe_ledger(connection: duckdb.DuckDBPyConnection, manifest: Manifest) -> None:
    """Give the tables of the ledger the words of the docs, as dbt has given them to its own."""
    for source in manifest["sources"].values():
        if source["source_name"] == "ledger":
            table = identifier(source["name"])
            connection.execute(f"comment on table {table} is {literal(source['description'])}")
            for name, column in source["columns"].items():
                connection.execute(
                    f"comment on column {table}.{identifier(name)} is {literal(column['description'])}"
                )


def _make_functions_of_the_copy(connection: duckdb.DuckDBPyConnection, signatures: Signatures) -> None:
    """Table functions name the database that they were made in; those of the copy must not."""
    made = connection.execute(
        """
        select function_name, macro_definition, comment
        from duckdb_functions()
        where function_type = 'table_macro' and schema_name = 'main' and not internal
        """
    ).fetchall()
    for name, _, _ in made:
        # Also one whose model is gone.
        connection.execute(f"drop macro table {identifier(name)}")
    definitions = {name: (definition, comment) for name, definition, comment in made}
    for name, parameters in signatures.items():
        definition, comment = definitions[name]
        body = re.sub(r"\breports\.main\.", "", definition)
        connection.execute(f"create macro {identifier(name)}({', '.join(parameters)}) as table {body}")
        connection.execute(f"comment on macro table {identifier(name)} is {literal(comment or '')}")


def _add_refreshes(
    connection: duckdb.DuckDBPyConnection, settings: Settings, file: Path, run_id: str
) -> None:
    """The record of refreshes; this one is finished as soon as readers can see it."""
    connection.execute(f"attach {literal(str(settings.warehouse))} as warehouse (read_only)")
    connection.execute(
        "create table refreshes as "
        "select * exclude (is_partial) from warehouse.raw.refreshes where is_partial is not true"
    )
    connection.execute("detach warehouse")
    connection.execute(f"comment on table refreshes is {literal(REFRESHES_COMMENT)}")
    for column, comment in REFRESHES_COLUMN_COMMENTS.items():
        connection.execute(f"comment on column refreshes.{identifier(column)} is {literal(comment)}")
    connection.execute(
        "update refreshes set finished_at = ?, version_published = ? where run_id = ?",
        [datetime.now(UTC).replace(tzinfo=None), file.parent.name.removeprefix("."), run_id],
    )


def _require_answers(file: Path, signatures: Signatures) -> None:
    """Make sure that each table function of a published file answers."""
    with duckdb.connect(str(file), read_only=True) as connection:
        for name, parameters in signatures.items():
            nulls = ", ".join("null" for _ in required_parameters(parameters))
            connection.execute(f"describe from {identifier(name)}({nulls})")


def _make_durable(file: Path) -> None:
    log = file.with_name(file.name + ".wal")
    if log.exists():
        raise PublishError(
            f"{log} was left behind, so the new version is not whole. The published file was left as it is. "
            "Run the refresh again."
        )
    for path in (file, file.parent):
        sync(path)


def versions_to_remove(names: Iterable[str], timezone: str) -> set[str]:
    """All versions but the newest few, and the last one of each day until the day is too old.

    Days are counted back from the newest version, so that no version leaves while none is published.

    Args:
        names: the names in the folder of the versions; what is no version stays.
        timezone: the zone of the days, as an IANA name.
    """
    published = instants_of_versions(names)
    newest_first = sorted(published, reverse=True)
    last_of_day = {
        published[name].astimezone(ZoneInfo(timezone)).date(): name for name in reversed(newest_first)
    }
    days = sorted(last_of_day, reverse=True)
    recent = [day for day in days if days[0] - day < timedelta(days=DAYS_KEPT)]
    return {*newest_first[VERSIONS_KEPT:]} - {last_of_day[day] for day in recent}


def _remove_old_versions(settings: Settings) -> None:
    names = {path.name for path in settings.versions.iterdir() if path.is_dir()}
    current = settings.published.resolve().parent.name
    for name in versions_to_remove(names, settings.timezone) - {current}:
        # What cannot be removed, as where a reader on a network drive holds it, is tried again next time.
        shutil.rmtree(settings.versions / name, ignore_errors=True)
