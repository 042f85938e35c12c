"""What a published version has that another one has not: rows to remove and rows to insert, by table.

Where the version that the database holds is the one that the last refresh began from, the change feeds of
that refresh say so for the large tables. Where it is an older one, all rows of both files are compared. Where
its file is gone, all rows are replaced.

Belongs here: which rows. Does not belong here: what the tables are (table_shapes.py), how rows travel
(row_stream.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.ledger.differences import is_recorded_since
from orchestration.postgres.table_shapes import Shape
from orchestration.settings import Settings
from orchestration.sql import identifier, literal, one_row

# Rows of such a table are written once, with the version that they lead to, and removed together.
VERSION_OF_ROWS = {"restatements": "to_version"}


@dataclass(frozen=True)
class RowChanges:
    """What changes in a table, as queries in DuckDB.

    Attributes:
        removed: gives the rows that go, with all columns; None where all that the table holds go.
        inserted: gives the rows that come, with all columns.
    """

    shape: Shape
    removed: str | None
    inserted: str


class Compared:
    """The published version, and the one that it is compared with."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, has_before: bool, has_feeds: bool) -> None:
        self.connection = connection
        self._feeds = _tables(connection, "reports", "changes") if has_feeds else set()
        self._before = _tables(connection, "before", "main") if has_before else set()

    def changes(self, shape: Shape) -> RowChanges:
        """What changes in a table."""
        after, before = (f"{database}.main.{identifier(shape.name)}" for database in ("after", "before"))
        if shape.name not in self._before or not self._has_columns_of(shape):
            return replaced(shape)
        if shape.name in self._feeds:
            changed = f"changed_{shape.name}"
            self.connection.execute(
                NET_CHANGES.format(
                    changed=identifier(changed), columns=shape.listed, feed=identifier(shape.name)
                )
            )
            removed, inserted = (
                f"select {shape.listed} from {identifier(changed)} where times {sign} 0" for sign in "<>"
            )
            return RowChanges(shape, removed, inserted)
        if shape.name in VERSION_OF_ROWS:
            version = VERSION_OF_ROWS[shape.name]
            return RowChanges(
                shape,
                f"select {shape.listed} from {before} where {version} not in (select {version} from {after})",
                f"select {shape.listed} from {after} where {version} not in (select {version} from {before})",
            )
        rows_before, rows_after = (f"select {shape.listed} from {table}" for table in (before, after))
        return RowChanges(
            shape, f"{rows_before} except all {rows_after}", f"{rows_after} except all {rows_before}"
        )

    def row_count(self, shape: Shape) -> int:
        """How many rows a table of the published version has."""
        count: int = one_row(self.connection, f"select count(*) from after.main.{identifier(shape.name)}")[0]
        return count

    def _has_columns_of(self, shape: Shape) -> bool:
        columns = self.connection.execute(
            "select column_name, data_type from duckdb_columns() "
            "where database_name = 'before' and table_name = ? order by column_index",
            [shape.name],
        ).fetchall()
        return columns == [(column.name, column.duckdb_type) for column in shape.columns]


# A row that one refresh inserted and a later one removed, where the first was killed, is in neither version.
NET_CHANGES = """
create or replace table {changed} as
select {columns}, sum(if(change = 'inserted', 1, -1)) as times
from reports.changes.{feed}
group by {columns}
having sum(if(change = 'inserted', 1, -1)) <> 0
"""


def replaced(shape: Shape) -> RowChanges:
    """All rows of a table, in the place of all that it holds."""
    return RowChanges(shape, None, f"select {shape.listed} from after.main.{identifier(shape.name)}")


@contextmanager
def compared(settings: Settings, file: Path, held: str | None, folder: Path) -> Iterator[Compared]:
    """Open the published version, beside the version that the database holds.

    Args:
        settings: the settings of the hub.
        file: the published version.
        held: the name of the version that the database holds; None where all rows are to be replaced.
        folder: where DuckDB puts what memory has no room for.
    """
    configuration: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": settings.memory_limit,
        "preserve_insertion_order": False,
        "temp_directory": str(folder),
    }
    with duckdb.connect(config=configuration) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {literal(str(file))} as after (read_only)")
        has_before = held is not None and _attach(connection, settings.versions / held / file.name, "before")
        has_feeds = False
        if has_before and held and _attach(connection, settings.reports, "reports"):
            has_feeds = is_recorded_since(connection, held) and _newest(connection) == file.parent.name
        yield Compared(connection, has_before, has_feeds)


def _attach(connection: duckdb.DuckDBPyConnection, file: Path, name: str) -> bool:
    """Whether a file was there to be attached."""
    # One that is damaged is as good as gone.
    with suppress(duckdb.Error):
        connection.execute(f"attach {literal(str(file))} as {name} (read_only)")
        return True
    return False


def _newest(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The version that the reports were published as last."""
    newest: str | None = one_row(connection, "select max(version) from reports.main.versions")[0]
    return newest


def _tables(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> set[str]:
    found = connection.execute(
        "select table_name from duckdb_tables() where database_name = ? and schema_name = ?",
        [database, schema],
    ).fetchall()
    return {table for (table,) in found}
