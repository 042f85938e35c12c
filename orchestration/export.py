"""The published file as files for spreadsheets, and for tools without a DuckDB driver.

Belongs here: which relations, in which formats. Does not belong here: what is published (publish.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.sql import identifier, literal

# What a spreadsheet can hold: figures and names, not a row for each message or order.
SPREADSHEET_PREFIXES = ("mart_", "dim_", "report_info")


class ExportError(RuntimeError):
    """Nothing was exported; the message says why."""


def export(settings: Settings) -> tuple[Path, list[str]]:
    """Write each published table as Parquet, and the marts as CSV too, all of one published version.

    The folder of the last export is replaced when the new one is whole.

    Returns:
        The folder, and the names of the files in it.

    Raises:
        ExportError: when nothing is published yet, or the folder cannot be written.
    """
    if not settings.published.exists():
        raise ExportError(f"Nothing is published in {settings.published.parent} yet. Run `make run` first.")
    building = settings.exported.with_name(f".{settings.exported.name}")
    try:
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        with duckdb.connect(str(settings.published), read_only=True) as connection:
            tables = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
            for (table,) in tables:
                _copy(connection, table, building / f"{table}.parquet", "format parquet")
                if table.startswith(SPREADSHEET_PREFIXES):
                    _copy(connection, table, building / f"{table}.csv", "format csv, header")
        shutil.rmtree(settings.exported, ignore_errors=True)
        building.rename(settings.exported)
    except (OSError, duckdb.IOException) as error:
        raise ExportError(
            f"The export could not be written: {error}. Make sure that {settings.exported.parent} may be "
            "written and that its disk has room, then export again."
        ) from None
    return settings.exported, sorted(file.name for file in settings.exported.iterdir())


def _copy(connection: duckdb.DuckDBPyConnection, table: str, file: Path, options: str) -> None:
    connection.execute(f"copy {identifier(table)} to {literal(str(file))} ({options})")
