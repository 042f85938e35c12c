"""The rows of contents in the warehouse: how they leave, and how many there are.

Belongs here: what is done with rows of ``raw``, whichever engine holds them. Does not belong here: why rows
leave (arrivals.py).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import duckdb

from orchestration.engines.engine import engine_of
from orchestration.landing.contracts import EventContract
from orchestration.settings import Settings


def remove(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    contract: EventContract,
    gone: Collection[int],
    shrunk: Mapping[int, str],
) -> None:
    """Remove accepted rows. They are remembered until a refresh has finished without them.

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
    engine_of(settings).delete_events(connection, contract, leaves, bound)


def remember_contents(
    connection: duckdb.DuckDBPyConnection, file_ids: Collection[int], intended: Collection[int]
) -> None:
    """Remember contents whose rows are about to leave, as long as their rows are remembered.

    Args:
        connection: a connection with an open transaction.
        file_ids: the ids of the contents, which are in the record still.
        intended: those of them whose rows somebody wants gone: retracted, or declared to be replaced.
    """
    connection.execute(
        """
        insert into raw.removed_contents by name
        select file_id, entity, path, content_hash, list_contains($intended, file_id) as is_intended
        from raw.contents
        where file_id in (select unnest($file_ids))
        """,
        {"file_ids": list(file_ids), "intended": list(intended)},
    )


def count(connection: duckdb.DuckDBPyConnection, contract: EventContract, file_ids: Sequence[int]) -> None:
    """Count how many rows of kept contents are in the warehouse; skipped ones are not kept."""
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
        "update raw.contents set rows_landed = rows_accepted + rows_rejected, rows_skipped = 0 "
        "where file_id in (select unnest(?))",
        [list(file_ids)],
    )
