"""The published file as files for spreadsheets, and for tools without a DuckDB driver.

Belongs here: which relations, in which formats, and that no landed text is a formula in a spreadsheet.
Does not belong here: what is published (publish.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from orchestration.sql import identifier, literal

# What a spreadsheet can hold: figures and names. Facts have a row for each message or order.
SPREADSHEET_PREFIXES = ("mart_", "dim_", "report_info")
FACT_PREFIX = "fct_"

# A spreadsheet takes text that begins so for a formula, the wide forms in some languages. The apostrophe is
# in the list because it marks such text. To undo it, take one apostrophe off each text that begins with one.
FORMULA = r"^['=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"


class ExportError(RuntimeError):
    """Nothing was exported; the message says why."""


def export(settings: Settings, with_facts: bool = False) -> tuple[Path, list[str]]:
    """Write each published table as Parquet, and the marts as CSV too, all of one published version.

    The folder of the last export is replaced when the new one is whole.

    Args:
        settings: the settings of the hub.
        with_facts: whether the facts are written as CSV too.

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
            for table in write_parquet(connection, building):
                if table.startswith((*SPREADSHEET_PREFIXES, *([FACT_PREFIX] if with_facts else []))):
                    rows = _without_formulas(connection, table)
                    _copy(connection, rows, building / f"{table}.csv", "format csv, header")
        shutil.rmtree(settings.exported, ignore_errors=True)
        building.rename(settings.exported)
    except (OSError, duckdb.IOException) as error:
        raise ExportError(
            f"The export could not be written: {error}. Make sure that {settings.exported.parent} may be "
            "written and that its disk has room, then export again."
        ) from None
    return settings.exported, sorted(file.name for file in settings.exported.iterdir())


def write_parquet(connection: duckdb.DuckDBPyConnection, folder: Path) -> list[str]:
    """Write each table of a published version as Parquet; gives their names.

    Args:
        connection: a connection to the version.
        folder: an empty folder.
    """
    found = connection.execute("select table_name from duckdb_tables() order by 1").fetchall()
    tables = [table for (table,) in found]
    for table in tables:
        _copy(connection, f"from {identifier(table)}", folder / f"{table}.parquet", "format parquet")
    return tables


def _without_formulas(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """A query of a table in which text that a spreadsheet would compute begins with an apostrophe."""
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns() where table_name = ? order by column_index",
        [table],
    ).fetchall()
    marked = [
        f"if(regexp_matches({name}, {literal(FORMULA)}), chr(39) || {name}, {name}) as {name}"
        if kind == "VARCHAR"
        else name
        for name, kind in ((identifier(column), kind) for column, kind in columns)
    ]
    return f"select {', '.join(marked)} from {identifier(table)}"


def _copy(connection: duckdb.DuckDBPyConnection, query: str, file: Path, options: str) -> None:
    connection.execute(f"copy ({query}) to {literal(str(file))} ({options})")
