"""What ``make files`` shows: each path of the landing folder with its state, and what to do about it.

Belongs here: reading the copy of the record of files that each load leaves (operations/status.py), which
needs no warehouse. Does not belong here: how states come about (load.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.faults import first_line
from orchestration.settings import Settings

TO_DO = {
    "arriving": "wait for its writer, or write the rest",
    "failed": "replace it by a file that can be read; it is tried again at each refresh",
    "left": "nothing: its rows stay; `make retract FILE=...` takes them back",
    "retracted": "nothing; land it again to load it again",
    "passed over": "rename it when it is whole",
    "not read": "rename or move it, or see links_to in hub.toml",
}


@dataclass(frozen=True)
class FileState:
    """A path and its state, as the last load left it.

    Attributes:
        rows_kept: how many of its rows are kept of contents that it no longer holds.
        reason: why it failed, or is not read.
    """

    path: str
    state: str
    rows_accepted: int
    rows_rejected: int
    rows_kept: int
    reason: str | None

    @property
    def to_do(self) -> str:
        """What to do about it; empty when nothing is wrong."""
        return TO_DO.get(self.state, "")


class RecordError(RuntimeError):
    """The copy of the record of files cannot be read; the message says what to do."""


def saved(settings: Settings) -> list[FileState] | None:
    """All paths in their order; None before the first load.

    Raises:
        RecordError: when the copy of the record is damaged.
    """
    columns = ("path", "status", "rows_accepted", "rows_rejected", "rows_kept", "error")
    record = read_record(settings, columns)
    return None if record is None else [FileState(*row) for row in record]


def read_record(settings: Settings, columns: Sequence[str]) -> list[tuple[Any, ...]] | None:
    """The copy of the record of files, in the order of the paths; None before the first load.

    Args:
        settings: the settings of the hub.
        columns: the columns of ``raw.landed_files`` to read.

    Raises:
        RecordError: when the copy is damaged.
    """
    if not settings.record_of_files.exists():
        return None
    try:
        with duckdb.connect() as connection:
            return connection.execute(
                f"select {', '.join(columns)} from read_parquet(?) order by path",
                [str(settings.record_of_files)],
            ).fetchall()
    except duckdb.Error as error:
        raise RecordError(
            f"{settings.record_of_files}, the copy of the record of files, cannot be read: "
            f"{first_line(error)}. The record itself is in the warehouse; the next refresh copies it anew."
        ) from None
