"""JSON lines: a JSON object in each line.

Belongs here: how a file divides into lines. Does not belong here: how a line becomes fields
(json_objects.py).
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from orchestration.contracts import EventContract
from orchestration.landing.formats import json_objects
from orchestration.landing.formats.common import Format, LandedFile, LandedRows, Shape, match_exactly
from orchestration.landing.formats.text_scan import count_scanned, number_rows, prepare, scan_text

__all__ = ["columns_of", "prepare", "read"]

# Lines of blanks are no rows.
IS_JSON_ROW = "clean_text(line) is not null"


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract
) -> tuple[tuple[str, str], ...]:
    """None: each line has keys of its own."""
    file.location.open("rb").close()
    return ()


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    contract: EventContract,
) -> LandedRows:
    # A line is one field, whatever is in it. A character that JSON allows nowhere divides it for the reader;
    # put together again, such a line is no JSON.
    scan_text(
        connection,
        [match_exactly(file) for file in files.values()],
        "concat(coalesce(start, chr(31)), chr(30) || behind) as line",
        {"start": "VARCHAR", "behind": "VARCHAR"},
        Format.JSON_LINES,
        strict=False,
        header=False,
        delimiter="\x1e",
        quote="",
    )
    connection.execute(
        f"""
        create or replace temp view landed_lines as
        select file_id, row_number, null as fault, line from ({number_rows(connection)}) where {IS_JSON_ROW}
        union all
        select file_id, row_number, fault, text from faulty_rows
        """
    )
    query = json_objects.query_fields(connection, "landed_lines", contract)
    types = {field.name: "JSON" for field in contract.fields}
    return LandedRows(query, types, count_scanned(IS_JSON_ROW))
