"""What ``make quarantine`` shows: the rejected rows, from a copy that each load leaves.

The copy can be read while the warehouse is locked. Of the rows it has the newest ones alone, because a source
that changed its notation fills the quarantine with millions.

Belongs here: the copy, and how many rows are open. Does not belong here: how rows come into the quarantine
(batch_loader.py), how they are printed (terminal/printed_quarantine.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from orchestration.faults import first_line
from orchestration.landing.contracts import EventContract
from orchestration.settings import Settings
from orchestration.sql import one_row, replace_parquet

MOST_ROWS = 20


class QuarantineError(RuntimeError):
    """The copy of the quarantine cannot be read; the message says what to do."""


@dataclass(frozen=True)
class Rejections:
    """How many rows of a file are rejected for a reason."""

    path: str
    reason: str
    rows: int


@dataclass(frozen=True)
class RejectedRow:
    """A row in the quarantine.

    Attributes:
        raw_text: its fields as they were landed, as a JSON object.
    """

    path: str
    row_number: int
    reasons: tuple[str, ...]
    raw_text: str


@dataclass(frozen=True)
class Quarantine:
    """The rejected rows, the newest first.

    Attributes:
        rejections: each file with each of its reasons; a row with several reasons counts for each.
        rows: the newest rows, at most :data:`MOST_ROWS`.
    """

    rejections: tuple[Rejections, ...]
    rows: tuple[RejectedRow, ...]


def copy_rejected_rows(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Leave a copy of what is in the quarantine beside the warehouse."""
    query = f"""
        select path, reason, count(*) as rows, max(rejected_at) as rejected_at
        from (select path, unnest(reasons) as reason, rejected_at from quarantine.rejected_events)
        group by path, reason
        union all by name
        (
            select path, row_number, reasons, raw_text, rejected_at
            from quarantine.rejected_events
            order by rejected_at desc, path, row_number
            limit {MOST_ROWS}
        )
    """
    replace_parquet(connection, query, settings.rejected_rows)


def count_rejected(connection: duckdb.DuckDBPyConnection, contract: EventContract) -> tuple[int, int]:
    """How many rows of an entity are in the quarantine, and how many of them are open.

    A row is open as long as no good row has landed with its id: in the same file or in another.
    """
    # What is no JSON is a row whose fields could not be told apart.
    text = "coalesce(mapped_text, raw_text)"
    event_id = f"trim(case when json_valid({text}) then {text} ->> '$.{contract.event_id}' end)"
    # Of the accepted rows only those with an id of a rejected one are looked at: mostly none of millions.
    rows, closed = one_row(
        connection,
        f"""
        with rejected as (
            select {event_id} as event_id from quarantine.rejected_events where entity = ?
        ),
        accepted as (
            select {contract.event_id} as event_id from raw.{contract.table}
            where {contract.event_id} in (select event_id from rejected)
        )
        select count(*), count(*) filter (event_id in (select event_id from accepted)) from rejected
        """,
        [contract.entity],
    )
    return rows, rows - closed


def read_quarantine(settings: Settings) -> Quarantine | None:
    """What the last load left in the quarantine; None before the first load.

    Raises:
        QuarantineError: when the copy is damaged.
    """
    copy = str(settings.rejected_rows)
    if not settings.rejected_rows.exists():
        return None
    try:
        with duckdb.connect() as connection:
            rejections = connection.execute(
                "select path, reason, rows from read_parquet(?) where reason is not null "
                "order by rejected_at desc, path, rows desc, reason",
                [copy],
            ).fetchall()
            rows = connection.execute(
                "select path, row_number, reasons, raw_text from read_parquet(?) where reason is null "
                "order by rejected_at desc, path, row_number",
                [copy],
            ).fetchall()
    except duckdb.Error as error:
        raise QuarantineError(
            f"{copy}, the copy of the quarantine, cannot be read: {first_line(error)}. The rows themselves "
            "are in the warehouse; the next refresh copies them again."
        ) from None
    return Quarantine(
        tuple(Rejections(*one) for one in rejections),
        tuple(RejectedRow(path, number, tuple(codes), text) for path, number, codes, text in rows),
    )
