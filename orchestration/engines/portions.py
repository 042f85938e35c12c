"""The events of a hub that Spark computes: files of Parquet, a *portion* of the landed contents each.

Belongs here: where these files are, and how rows come and go. Does not belong here: how Spark is reached
(spark.py), why rows go (landing/arrivals.py).
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import duckdb

from orchestration.landing.contracts import EventContract
from orchestration.settings import Settings
from orchestration.sql import literal


def landed_folder(settings: Settings, table: str) -> Path:
    """The folder of a table of ``raw`` or ``quarantine``."""
    return settings.spark / "landed" / Path(*table.split("."))


def left_by_tasks(settings: Settings) -> Path:
    """Where tasks leave what became of files, until the warehouse has recorded it."""
    return settings.spark / "landed" / "unrecorded"


def portion_file(settings: Settings, contract: EventContract, first_id: int, last_id: int) -> Path:
    """The file with the events of contents of these numbers."""
    return landed_folder(settings, f"raw.{contract.table}") / f"{first_id}-{last_id}.parquet"


def write(connection: duckdb.DuckDBPyConnection, query: str, file: Path) -> None:
    """Write rows as a file of Parquet, which is there whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as beside:
        written = Path(beside.name)
    connection.execute(f"copy ({query}) to {literal(str(written))} (format parquet)")
    written.replace(file)


def show_events(connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract) -> None:
    """Let the warehouse show the events as a view: those of recorded contents that were not removed."""
    files = literal(str(landed_folder(settings, f"raw.{contract.table}") / "*.parquet"))
    connection.execute(f"create or replace view raw.{contract.table} as {_present_rows(contract, files)}")


def tidy(connection: duckdb.DuckDBPyConnection, settings: Settings, contract: EventContract) -> None:
    """Make the files hold what the view shows, since Spark reads them itself.

    What is left of loads that were killed goes, and so do rows that were removed.
    """
    shutil.rmtree(left_by_tasks(settings), ignore_errors=True)
    recorded = {
        number
        for (number,) in connection.execute(
            "select file_id from raw.contents where entity = ?", [contract.entity]
        ).fetchall()
    }
    shrunk = {
        number
        for (number,) in connection.execute(
            f"select distinct file_id from raw.removed_{contract.table}"
        ).fetchall()
    }
    for file in landed_folder(settings, f"raw.{contract.table}").iterdir():
        first, _, last = file.stem.partition("-")
        if first == "0":
            continue
        numbers = set() if file.name.startswith(".") else set(range(int(first), int(last) + 1))
        if recorded.isdisjoint(numbers):
            file.unlink()
        elif not shrunk.isdisjoint(numbers):
            write(connection, _present_rows(contract, literal(str(file))), file)


def _present_rows(contract: EventContract, files: str) -> str:
    """SQL with the rows of files whose contents are recorded and that were not removed."""
    return f"""
        select * from read_parquet({files}) as rows
        where
            file_id in (select contents.file_id from raw.contents as contents)
            and not exists (
                select 1 from raw.removed_{contract.table} as removed
                where removed.file_id = rows.file_id and removed.row_number = rows.row_number
            )
    """
