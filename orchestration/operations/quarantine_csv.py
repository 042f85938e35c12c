"""The whole quarantine as a CSV file, for a spreadsheet.

Belongs here: the file, in which no landed text is a formula. Does not belong here: what `make quarantine`
prints, from a copy of the newest rows (landing/quarantine.py).
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from orchestration.faults import Fault, fault_of, first_line
from orchestration.publishing.export import FORMULA
from orchestration.settings import Settings
from orchestration.sql import literal

COLUMNS = {
    "entity": "entity",
    "path": "path",
    "row_number": "row_number",
    "reasons": "array_to_string(reasons, '; ')",
    "raw_text": "raw_text",
    "rejected_at": "strftime(rejected_at, '%Y-%m-%d %H:%M:%S')",
}


class QuarantineCsvError(RuntimeError):
    """The file was not written; the message says why and what to do."""


def write_csv(settings: Settings) -> tuple[Path, int]:
    """Write each rejected row, the newest first, in the place of the file of before.

    Returns:
        The file, and how many rows it has.

    Raises:
        QuarantineCsvError: when the warehouse cannot be read now, or the file cannot be written.
    """
    file = settings.data_dir / "quarantine.csv"
    building = file.with_name(f".{file.name}")
    if not settings.warehouse.exists():
        raise QuarantineCsvError("No load has looked into the landing folder yet: `make run`.")
    columns = ", ".join(
        f"if(regexp_matches({text}, {literal(FORMULA)}), chr(39) || {text}, {text}) as {name}"
        for name, text in ((name, f"cast({expression} as varchar)") for name, expression in COLUMNS.items())
    )
    try:
        with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
            (rows,) = connection.execute(
                f"copy (select {columns} from quarantine.rejected_events as rejected "
                "order by rejected.rejected_at desc, rejected.path, rejected.row_number) "
                f"to {literal(str(building))} (format csv, header)"
            ).fetchall()[0]
        building.replace(file)
    except (OSError, duckdb.Error) as error:
        advice = (
            "A refresh, or another program, has the warehouse open. Try again when it has ended; without "
            "CSV=yes, the newest rows are shown meanwhile."
            if fault_of(error) is Fault.LOCKED
            else f"See that the disk of {settings.data_dir} has room and that this user may write there."
        )
        raise QuarantineCsvError(f"{file} was not written: {first_line(error)}. {advice}") from None
    return file, rows
