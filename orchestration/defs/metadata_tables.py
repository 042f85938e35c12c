"""Rows as Dagster shows them.

Belongs here: how a value becomes a cell. Does not belong here: which rows are shown (assets.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
import duckdb

from orchestration.printable import shown

CELL_CHARACTERS = 300


def table(relation: duckdb.DuckDBPyRelation) -> dg.TableMetadataValue:
    """Rows of a relation as records; see :func:`orchestration.defs.metadata_tables.table_of`."""
    return table_of(relation.columns, relation.fetchall())


def table_of(names: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.TableMetadataValue:
    """Rows as records, each value as text.

    Not as Markdown: a landed value would be markup there, and its pictures would be fetched by the browser of
    whoever looks. Apart from the relation, because Dagster keeps the variables of the function that makes the
    first record.
    """
    records = [
        dg.TableRecord(
            {
                name: "" if value is None else shown(value, CELL_CHARACTERS)
                for name, value in zip(names, row, strict=True)
            }
        )
        for row in rows
    ]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(name) for name in names]))
