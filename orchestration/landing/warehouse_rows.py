"""The rows of contents in the warehouse: how they leave, and how many there are.

Belongs here: what is done with rows of ``raw``, whichever engine holds them. Does not belong here: why rows
leave (arrivals.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import duckdb

from orchestration.engines import portions
from orchestration.landing.contracts import EventContract
from orchestration.settings import Engine, Settings


def columns_of_raw(contract: EventContract) -> list[tuple[str, str]]:
    """Name and type of each column of the table of an entity: fields, facts about the row, hash of the id."""
    kept = [(field.name, field.kind.column_type) for field in contract.kept_fields]
    return [
        *kept,
        ("has_version", "boolean"),
        ("file_id", "integer"),
        ("row_number", "bigint"),
        ("id_digest", "ubigint"),
    ]


def insert(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    accepted: str,
    file_ids: Sequence[int],
) -> None:
    """Insert accepted rows.

    Args:
        connection: a connection with an open transaction.
        settings: the settings of the hub.
        contract: the contract of the entity.
        accepted: SQL with the columns that :func:`orchestration.landing.casting.check` gives.
        file_ids: the ids of their contents.
    """
    rows = f"select *, hash({contract.event_id}) as id_digest from ({accepted})"
    if settings.engine is Engine.DUCKDB:
        connection.execute(f"insert into raw.{contract.table} by name {rows}")
    else:
        columns = ", ".join(
            f"{name}::{column_type} as {name}" for name, column_type in columns_of_raw(contract)
        )
        file = portions.portion_file(settings, contract, min(file_ids), max(file_ids))
        portions.write(connection, f"select {columns} from ({rows})", file)


def remove(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    gone: Collection[int],
    shrunk: Mapping[int, str],
) -> None:
    """Remove accepted rows. They are remembered until a refresh has been published without them.

    Args:
        connection: a connection with an open transaction.
        settings: the settings of the hub.
        contract: the contract of the entity.
        gone: the ids of contents all of whose rows leave.
        shrunk: contents whose rows leave that ``compared_rows`` says are replaced, by their ids.
    """
    if not gone and not shrunk:
        return
    leaves = "rows.file_id in (select unnest($gone))"
    bound: dict[str, object] = {"gone": list(gone)}
    if shrunk:
        leaves += """
            or (rows.file_id, rows.row_number) in (
                select (file_id, row_number) from compared_rows
                where is_replaced and file_id in (select unnest($shrunk))
            )
        """
        bound["shrunk"] = list(shrunk)
    connection.execute(
        f"insert into raw.removed_{contract.table} by name "
        f"select * from raw.{contract.table} as rows where {leaves}",
        bound,
    )
    # Spark keeps events in files, which are written again without these once this is committed
    # (engines/portions.py).
    if settings.engine is Engine.DUCKDB:
        connection.execute(f"delete from raw.{contract.table} as rows where {leaves}", bound)


def count(connection: duckdb.DuckDBPyConnection, contract: EventContract, file_ids: Sequence[int]) -> None:
    """Count how many rows of contents are in the warehouse, accepted and rejected."""
    if not file_ids:
        return
    for column, table in (
        ("rows_accepted", f"raw.{contract.table}"),
        ("rows_rejected", "quarantine.rejected_events"),
    ):
        connection.execute(
            f"""
            update raw.contents set {column} = coalesce(counted.rows, 0)
            from (
                select ids.file_id, rows_of_id.rows
                from (select unnest($ids) as file_id) as ids
                left join (
                    select file_id, count(*) as rows
                    from {table}
                    where file_id in (select unnest($ids))
                    group by file_id
                ) as rows_of_id on ids.file_id = rows_of_id.file_id
            ) as counted
            where contents.file_id = counted.file_id
            """,
            {"ids": list(file_ids)},
        )
    connection.execute(
        "update raw.contents set rows_landed = rows_accepted + rows_rejected "
        "where file_id in (select unnest(?))",
        [list(file_ids)],
    )
