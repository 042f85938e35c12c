"""Landed files as relations: one reader for each format, each reading many files in one statement.

Belongs here: what a file looks like: endings, headers, columns, rows that do not divide into fields.
Does not belong here: what a good value is (casting.py), what is done with the rows (ingest.py).
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import duckdb

from orchestration.contracts import EventContract
from orchestration.sql import identifier, literal, one_row

# What the reader of Parquet adds to the columns of a file.
READERS_OWN_COLUMNS = ("file_row_number", "landed_from")

# A header must end within the first bytes of its file.
HEADER_BYTES = 1 << 20

# What DuckDB calls a row that does not divide into fields, and what the quarantine calls it.
FAULTS = {
    "MISSING COLUMNS": "too_few_fields",
    "TOO MANY COLUMNS": "too_many_fields",
    "UNQUOTED VALUE": "malformed_quotes",
    "INVALID ENCODING": "invalid_utf8",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
}


class Format(Enum):
    CSV = "CSV"
    GZIPPED_CSV = "gzipped CSV"
    JSON_LINES = "JSON lines"
    PARQUET = "Parquet"


ENDINGS = {
    ".csv": Format.CSV,
    ".csv.gz": Format.GZIPPED_CSV,
    ".jsonl": Format.JSON_LINES,
    ".ndjson": Format.JSON_LINES,
    ".parquet": Format.PARQUET,
}


# With more than twice as many files as threads, the database reads text files in another way, in which it
# passes over a last row whose quotes do not end. So few text files are read at once, with many threads: as
# many as it takes for what each statement and transaction costs to be spread over enough rows.
TEXT_THREADS = 64
MOST_FILES_AT_ONCE = {
    Format.CSV: 2 * TEXT_THREADS,
    Format.GZIPPED_CSV: 2 * TEXT_THREADS,
    Format.JSON_LINES: 2 * TEXT_THREADS,
    Format.PARQUET: 500,
}

# Lines of blanks are no rows.
IS_JSON_ROW = "clean_text(line) is not null"


class UnreadableFileError(Exception):
    """A file that cannot be loaded at all; the message says why."""


@dataclass(frozen=True)
class LandedFile:
    """A file in the landing folder.

    Attributes:
        path: where it lies, relative to the data directory; its name in every record.
        location: where it can be opened.
    """

    path: str
    location: Path

    @property
    def format(self) -> Format:
        return next(kind for ending, kind in ENDINGS.items() if self.path.endswith(ending))


@dataclass(frozen=True)
class Shape:
    """What files must share to be read by one statement: format, and name and type of each column.

    JSON lines have no columns in common; any of them share a shape.
    """

    format: Format
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LandedRows:
    """The rows of some files, not yet judged.

    Attributes:
        query: SQL with a row for each landed row: ``file_id, row_number, fault`` and ``landed_<field>``
            for each field that the files carry. ``fault`` is why a row does not divide into fields, or NULL.
        types: the DuckDB type of each field that the files carry.
        counts: SQL with ``file_id, rows``: how many rows the files have, counted apart from the query, so
            that a row which gets lost on the way is noticed.
    """

    query: str
    types: Mapping[str, str]
    counts: str


def prepare(connection: duckdb.DuckDBPyConnection, file_format: Format) -> None:
    """Set the connection up for reading files of a format."""
    if file_format is Format.PARQUET:
        # A row of Parquet knows its number, so rows may be stored as they come.
        connection.execute("reset threads; set preserve_insertion_order = false")
    else:
        connection.execute(f"set threads = {TEXT_THREADS}; set preserve_insertion_order = true")


def shape_of(connection: duckdb.DuckDBPyConnection, file: LandedFile, contract: EventContract) -> Shape:
    """The shape of a file.

    Raises:
        UnreadableFileError: when it cannot be opened, is not of its format, or lacks a required column.
    """
    try:
        file.path.encode()
        match file.format:
            case Format.CSV | Format.GZIPPED_CSV:
                columns = tuple((name, "VARCHAR") for name in _csv_header(file))
                if columns:
                    _columns_by_field(contract, columns)
            case Format.JSON_LINES:
                file.location.open("rb").close()
                columns = ()
            case Format.PARQUET:
                described = connection.execute(
                    "describe from read_parquet(?, hive_partitioning = false, binary_as_string = true)",
                    [[_exactly(file)]],
                ).fetchall()
                columns = tuple((row[0], row[1]) for row in described)
                _refuse_hidden_columns(connection, file, columns, contract)
                _columns_by_field(contract, columns)
    except (OSError, EOFError, zlib.error, UnicodeEncodeError, csv.Error, duckdb.Error) as error:
        raise UnreadableFileError(why_unreadable(error, file)) from error
    return Shape(file.format, columns)


def read(
    connection: duckdb.DuckDBPyConnection,
    shape: Shape,
    files: Mapping[int, LandedFile],
    contract: EventContract,
) -> LandedRows:
    """Read files of one shape; what has to be kept for the query stands in temporary tables.

    Args:
        connection: a connection with an open transaction.
        shape: the shape of the files.
        files: the files by their id.
        contract: the contract of the entity.

    Raises:
        duckdb.Error: when one of the files cannot be read.
        UnreadableFileError: when it cannot be told where the rows of one of the files end.
    """
    connection.execute("create or replace temp table files_at_hand (file_id integer, location varchar)")
    connection.execute(
        "insert into files_at_hand select unnest(?), unnest(?)",
        [list(files), [str(file.location) for file in files.values()]],
    )
    locations = [_exactly(file) for file in files.values()]
    match shape.format:
        case Format.CSV | Format.GZIPPED_CSV:
            return _read_csv(connection, shape, locations, contract)
        case Format.JSON_LINES:
            return _read_json_lines(connection, locations, contract)
        case Format.PARQUET:
            return _read_parquet(shape, locations, contract)


def why_unreadable(error: Exception, file: LandedFile) -> str:
    """An error as one line that names the file as its record does."""
    if isinstance(error, UnreadableFileError):
        return str(error)
    if isinstance(error, UnicodeEncodeError):
        return "its name is not UTF-8; land it under another name"
    message = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    first_line = message.strip().splitlines()[0] if message.strip() else type(error).__name__
    first_line = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", first_line)
    if "state machine reached an invalid state" in first_line:
        first_line = "its lines end in different ways (\\n and \\r\\n)"
    return first_line.replace(str(file.location), file.path)


def _exactly(file: LandedFile) -> str:
    """The file's location as a pattern that matches it alone, whatever characters its name has."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(file.location))


def _columns_by_field(
    contract: EventContract, columns: Sequence[tuple[str, str]]
) -> dict[str, tuple[int, str, str]]:
    """Position, name and type of each field's column, whatever its letter case and the blanks around it."""
    found: dict[str, tuple[int, str, str]] = {}
    names = {field.name for field in contract.fields}
    for position, (column, column_type) in enumerate(columns):
        field = column.strip().lower()
        if field not in names:
            continue
        if field in found:
            raise UnreadableFileError(f"it has the column {field} twice")
        found[field] = (position, column, column_type)
    missing = [name for name in contract.required_columns if name not in found]
    if missing:
        raise UnreadableFileError(
            f"it lacks the required column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        )
    return found


def _refuse_hidden_columns(
    connection: duckdb.DuckDBPyConnection,
    file: LandedFile,
    columns: Sequence[tuple[str, str]],
    contract: EventContract,
) -> None:
    """Refuse names that the reader would hide: of two columns with one name, it renames the second."""
    schema = connection.execute("select name from parquet_schema(?)", [[_exactly(file)]]).fetchall()
    names = {name for (name,) in schema}
    fields = {field.name for field in contract.fields}
    for column, _ in columns:
        if column.lower() in READERS_OWN_COLUMNS:
            raise UnreadableFileError(f"it has a column {column}, a name that its reader needs for itself")
        field = column.rpartition("_")[0].strip().lower()
        if column not in names and field in fields:
            raise UnreadableFileError(f"it has the column {field} twice")


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


def _read_csv(
    connection: duckdb.DuckDBPyConnection, shape: Shape, locations: list[str], contract: EventContract
) -> LandedRows:
    if not shape.columns:
        fields = ", ".join(f"null as landed_{field.name}" for field in contract.fields)
        return LandedRows(
            f"select 0 as file_id, 0 as row_number, null as fault, {fields} where false",
            {field.name: "VARCHAR" for field in contract.fields},
            "select 0 as file_id, 0 as rows where false",
        )
    by_field = _columns_by_field(contract, shape.columns)
    names = {f"column_{position}": "VARCHAR" for position in range(len(shape.columns))}
    landed = ", ".join(f"column_{position} as landed_{field}" for field, (position, _, _) in by_field.items())
    _scan_text(
        connection, locations, landed, names, shape.format, strict=True, header=True, delimiter=",", quote='"'
    )
    _refuse_rows_over_lines(connection)
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
        select file_id, row_number, null as fault, {columns} from ({_numbered(connection)})
        union all
        select file_id, row_number, fault, {guessed} from faulty_rows
    """
    return LandedRows(query, dict.fromkeys(by_field, "VARCHAR"), _count_scanned("true"))


def _read_json_lines(
    connection: duckdb.DuckDBPyConnection, locations: list[str], contract: EventContract
) -> LandedRows:
    # A line is one field, whatever is in it. A character that JSON allows nowhere divides it for the reader;
    # put together again, such a line is no JSON.
    _scan_text(
        connection,
        locations,
        """
        concat(coalesce(start, chr(31)), chr(30) || behind) as line,
        coalesce(case when json_valid(line) then json_type(line) end = 'OBJECT', false) as is_object
        """,
        {"start": "VARCHAR", "behind": "VARCHAR"},
        Format.JSON_LINES,
        strict=False,
        header=False,
        delimiter="\x1e",
        quote="",
    )
    keys = connection.execute(
        "select distinct unnest(json_keys(line)) as key from scanned_rows where is_object order by key"
    ).fetchall()
    extracts, guesses = [], []
    for field in contract.fields:
        spellings = [key for (key,) in keys if key.strip().lower() == field.name] or [field.name]
        pointers = [literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in spellings]
        found = ", ".join(f"json_extract(line, {pointer})" for pointer in pointers)
        extracts.append(f"case when is_object then coalesce({found}) end as landed_{field.name}")
        # What is left of a field in a line that is no JSON object, as JSON text.
        pattern = literal(rf'(?i)"\s*{field.name}\s*"\s*:\s*("(?:[^"\\]|\\.)*"|[-+.0-9a-z]+)')
        guess = f"nullif(regexp_extract(text, {pattern}, 1), '')"
        guesses.append(f"cast(case when json_valid({guess}) then {guess} end as json) as landed_{field.name}")
    columns = ", ".join(f"landed_{field.name}" for field in contract.fields)
    query = f"""
        with numbered as ({_numbered(connection)}),
        faulty as (
            select file_id, row_number, fault, text from faulty_rows
            union all
            select file_id, row_number, 'malformed_json', line
            from numbered
            where not is_object and {IS_JSON_ROW}
        )
        select file_id, row_number, null as fault, {columns}
        from (select file_id, row_number, {", ".join(extracts)} from numbered where is_object)
        union all
        select file_id, row_number, fault, {", ".join(guesses)} from faulty
    """
    types = {field.name: "JSON" for field in contract.fields}
    return LandedRows(query, types, _count_scanned(IS_JSON_ROW))


def _read_parquet(shape: Shape, locations: list[str], contract: EventContract) -> LandedRows:
    by_field = _columns_by_field(contract, shape.columns)
    landed, types = [], {}
    for field, (_, column, column_type) in by_field.items():
        landed.append(f"{identifier(column)} as landed_{field}")
        types[field] = column_type
    files = "[" + ", ".join(literal(location) for location in locations) + "]"
    query = f"""
        select
            files.file_id,
            rows.file_row_number + 1 as row_number,
            null as fault,
            rows.* exclude (landed_from, file_row_number)
        from (
            select landed_from, file_row_number, {", ".join(landed)}
            from read_parquet(
                {files},
                filename = 'landed_from',
                file_row_number = true,
                hive_partitioning = false,
                binary_as_string = true,
                -- The statistics of a file leave NaN out; trusted, they would hide it.
                can_have_nan = true
            )
        ) as rows
        inner join files_at_hand as files on rows.landed_from = files.location
    """
    counts = f"""
        select files.file_id, sum(metadata.num_rows) as rows
        from parquet_file_metadata({files}) as metadata
        inner join files_at_hand as files on metadata.file_name = files.location
        group by files.file_id
    """
    return LandedRows(query, types, counts)


def _count_scanned(is_row: str) -> str:
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


def _scan_text(
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
            compression = {literal("gzip" if file_format is Format.GZIPPED_CSV else "none")},
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


def _refuse_rows_over_lines(connection: duckdb.DuckDBPyConnection) -> None:
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


def _numbered(connection: duckdb.DuckDBPyConnection) -> str:
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
