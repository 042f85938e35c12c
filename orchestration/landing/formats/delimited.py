"""CSV, plain or gzipped.

Belongs here: headers, and rows that do not divide into fields. Does not belong here: what a good value is
(casting.py).
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping

import duckdb

from orchestration.contracts import EventContract
from orchestration.landing.formats.common import (
    Format,
    LandedFile,
    LandedRows,
    Shape,
    UnreadableFileError,
    columns_by_field,
    match_exactly,
)
from orchestration.landing.formats.text_scan import (
    count_scanned,
    number_rows,
    prepare,
    refuse_rows_over_lines,
    scan_text,
)
from orchestration.sql import literal

__all__ = ["columns_of", "prepare", "read"]

# A header must end within the first bytes of its file.
HEADER_BYTES = 1 << 20


def columns_of(
    connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract
) -> tuple[tuple[str, str], ...]:
    """The columns that the first line names; none for a file without any but blank lines."""
    columns = tuple((name, "VARCHAR") for name in _csv_header(file))
    if columns:
        columns_by_field(contract, columns)
    return columns


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    contract: EventContract,
) -> LandedRows:
    locations = [match_exactly(file) for file in files.values()]
    if not shape.columns:
        fields = ", ".join(f"null as landed_{field.name}" for field in contract.fields)
        return LandedRows(
            f"select 0 as file_id, 0 as row_number, null as fault, {fields} where false",
            {field.name: "VARCHAR" for field in contract.fields},
            "select 0 as file_id, 0 as rows where false",
        )
    by_field = columns_by_field(contract, shape.columns)
    names = {f"column_{position}": "VARCHAR" for position in range(len(shape.columns))}
    landed = ", ".join(f"column_{position} as landed_{field}" for field, (position, _, _) in by_field.items())
    scan_text(
        connection, locations, landed, names, shape.format, strict=True, header=True, delimiter=",", quote='"'
    )
    refuse_rows_over_lines(connection)
    # The fields of a row that does not divide are shown up to the first column that is not of the contract:
    # behind it, and in a row with too few cells before it too, its text might be taken for a field.
    of_contract = {position for position, _, _ in by_field.values()}
    told_apart = next(position for position in range(len(of_contract) + 1) if position not in of_contract)
    row = "ltrim(text, chr(10) || chr(13))"
    cell = """("(?:[^"]|"")*"|[^,]*)"""
    cells = f"regexp_extract_all({row}, {literal(cell + '(?:,|$)')}, 1)"
    missing_cells = (
        f"greatest(0, {len(shape.columns) - 1} - len(regexp_extract_all({row}, {literal(cell + ',')})))"
    )
    if told_apart == len(shape.columns):
        missing_cells = "0"
    guessed = ", ".join(
        f"case when {position} + {missing_cells} < {told_apart} "
        f"then trim({cells}[{position + 1}], '\"') end as landed_{field}"
        for field, (position, _, _) in by_field.items()
    )
    columns = ", ".join(f"landed_{field}" for field in by_field)
    query = f"""
        select file_id, row_number, null as fault, {columns} from ({number_rows(connection)})
        union all
        select file_id, row_number, fault, {guessed} from faulty_rows
    """
    return LandedRows(query, dict.fromkeys(by_field, "VARCHAR"), count_scanned("true"))


def _csv_header(file: LandedFile) -> list[str]:
    """The names in the first line; none for a file without any but blank lines."""
    if file.format is Format.GZIPPED_CSV:
        if file.location.stat().st_size == 0:
            raise UnreadableFileError("it is empty, which no gzip file is")
        with gzip.open(file.location, "rb") as stream:
            start = stream.read(HEADER_BYTES)
            # Reading to the end compares the checksum, which the database does not.
            while stream.read(HEADER_BYTES):
                pass
    else:
        with file.location.open("rb") as stream:
            start = stream.read(HEADER_BYTES)
    text = start.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    if text.strip() and not text.partition("\n")[0].strip():
        raise UnreadableFileError("its first line is blank, where the names of the columns should be")
    return next(csv.reader(io.StringIO(text), strict=True), []) if text.strip() else []
