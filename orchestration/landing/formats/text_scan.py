"""Text files as rows of text, by the database's own scan.

Belongs here: what the readers of text share. Does not belong here: what the fields of a row are.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from orchestration.landing.formats.common import Format, UnreadableFileError
from orchestration.sql import literal, one_row

# With more than twice as many files as threads, the database reads text files in another way, in which it
# passes over a last row whose quotes do not end. So few text files are read at once, with many threads: as
# many as it takes for what each statement and transaction costs to be spread over enough rows.
TEXT_THREADS = 64

# What DuckDB calls a row that does not divide into fields, and what the quarantine calls it.
FAULTS = {
    "MISSING COLUMNS": "too_few_fields",
    "TOO MANY COLUMNS": "too_many_fields",
    "UNQUOTED VALUE": "malformed_quotes",
    "INVALID ENCODING": "invalid_utf8",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Set the connection up for scans of text."""
    connection.execute(f"set threads = {TEXT_THREADS}; set preserve_insertion_order = true")


def scan_text(
    connection: duckdb.DuckDBPyConnection,
    locations: list[str],
    selected: str,
    columns: Mapping[str, str],
    file_format: Format,
    *,
    strict: bool,
    header: bool,
    delimiter: str,
    quote: str,
) -> None:
    """Read text files into ``scanned_rows`` (in the files' order) and ``faulty_rows``."""
    for table in ("scanned_rows", "faulty_rows", "rejects", "reject_scans"):
        connection.execute(f"drop table if exists temp.{table}")
    declared = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    connection.execute(
        f"""
        create temp table scanned_rows as
        select filename, row_number() over () as place, {selected}
        from read_csv(
            ?,
            columns = {{{declared}}},
            auto_detect = false,
            header = {header},
            delim = {literal(delimiter)},
            quote = {literal(quote)},
            escape = {literal(quote)},
            -- No field of a text file is NULL: what is blank is for the contract to say.
            nullstr = {literal(chr(0x1F))},
            compression = {literal("none")},
            strict_mode = {strict},
            null_padding = {not strict},
            parallel = {strict},
            store_rejects = true,
            rejects_table = 'rejects',
            rejects_scan = 'reject_scans',
            hive_partitioning = false,
            filename = true
        )
        """,
        [locations],
    )
    faults = " ".join(f"when {literal(kind)} then {literal(code)}" for kind, code in FAULTS.items())
    connection.execute(
        f"""
        create temp table faulty_rows as
        select
            files.file_id,
            rejects.line - {int(header)} as row_number,
            min(case cast(rejects.error_type as varchar) {faults} else 'malformed_line' end) as fault,
            any_value(rejects.csv_line) as text
        from rejects
        inner join reject_scans using (scan_id, file_id)
        inner join files_at_hand as files on reject_scans.file_path = files.location
        group by files.file_id, rejects.line
        """
    )


def refuse_rows_over_lines(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse a file in which quotes that do not match swallow line ends: other rows would go with them."""
    swallowing = connection.execute(
        """
        select min(row_number)
        from faulty_rows
        where
            fault in ('malformed_quotes', 'line_too_long')
            and contains(trim(text, chr(10) || chr(13)), chr(10))
        having count(*) > 0
        """
    ).fetchall()
    if swallowing:
        raise UnreadableFileError(
            f"the quotes of row {swallowing[0][0]} do not match, so it cannot be told where the row ends"
        )


def number_rows(connection: duckdb.DuckDBPyConnection) -> str:
    """The scanned rows with their numbers in their files, faulty rows counted.

    A scan gives the rows that divide, in order, and the numbers of those that do not. So the number of a row
    is its place among the former plus how many of the latter stand before it.
    """
    in_file = """
        select files.file_id, rows.*, rows.place - starts.place + 1 as place_in_file
        from scanned_rows as rows
        inner join files_at_hand as files on rows.filename = files.location
        inner join (select filename, min(place) as place from scanned_rows group by filename) as starts
            on rows.filename = starts.filename
    """
    if one_row(connection, "select count(*) from faulty_rows") == (0,):
        return f"select *, place_in_file as row_number from ({in_file})"
    return f"""
        select rows.*, rows.place_in_file + coalesce(shifts.faulty_rows_before, 0) as row_number
        from ({in_file}) as rows
        asof left join (
            select file_id, row_number - nth as rows_before, max(nth) as faulty_rows_before
            from (
                select
                    file_id,
                    row_number,
                    row_number() over (partition by file_id order by row_number) as nth
                from faulty_rows
            )
            group by file_id, rows_before
        ) as shifts
            on rows.file_id = shifts.file_id and rows.place_in_file > shifts.rows_before
    """


def count_scanned(is_row: str) -> str:
    return f"""
        select file_id, count(*) as rows
        from (
            select files.file_id
            from scanned_rows as rows
            inner join files_at_hand as files on rows.filename = files.location
            where {is_row}
            union all
            select file_id from faulty_rows
        )
        group by file_id
    """
