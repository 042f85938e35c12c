"""What stands in the header of a file that lacks columns, in words that lead on.

Belongs here: delimiter, encoding and names of a header as people are told of them. Does not belong here:
reading a header (delimited.py, parquet_files.py), what a column means (mappings.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestration.landing.formats.byte_streams import read_blocks
from orchestration.landing.formats.common import LandedFile
from orchestration.landing.mappings import Columns, comparable

# Names of delimiters in messages, and what else a file may be divided by.
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}

# What a file that is no UTF-8 is most often.
OTHER_ENCODING = "windows-1252"

HELP = (
    "A [[landing]] table of hub.toml maps other columns, but adds nothing up across rows: `make preview "
    'FILE=...` proposes one, "Exports of other systems" in docs/data-contract.md explains it'
)

LONGEST_LIST = 120

# Cells of a row with values, which no header has: numbers, dates, addresses.
VALUE = re.compile(r"[-+.,:/0-9 TZ]*[0-9][-+.,:/0-9 TZ]*|.*@.*|.{65,}")


def describe_text(names: Sequence[str], file: LandedFile, columns: Columns) -> str:
    """What the first line of a text file holds instead of the columns that it lacks.

    It names only names, never what may be the values of a row.
    """
    dialect = file.reading.dialect
    read_as = DELIMITERS.get(dialect.delimiter, repr(dialect.delimiter))
    if any("\0" in name for name in names):
        return (
            ". Its first line holds NULs, as in UTF-16: name its encoding in a [[landing]] table of hub.toml"
        )
    encoding = "" if dialect.encoding == "utf-8" else f" in {dialect.encoding}"
    if any("\ufffd" in name for name in names):
        line = next(read_blocks(file)).splitlines()[0].decode(OTHER_ENCODING, errors="replace")
        names = [cell.strip('"') for cell in line.split(dialect.delimiter)]
        encoding = f" and not in UTF-8 ({OTHER_ENCODING}, perhaps)"
    line = dialect.delimiter.join(names)
    divided_by = delimiter_of(line, dialect.delimiter, columns)
    if divided_by != dialect.delimiter:
        cells = [cell.strip('" ') for cell in line.split(divided_by)]
        return (
            f". Its first line is divided by {DELIMITERS[divided_by]}{encoding}, but it is read as divided "
            f"by {read_as}{_listed(cells)}. {HELP}"
        )
    where = f"its first line, divided by {read_as}{encoding},"
    if set(columns.by_name).intersection(map(comparable, names)):
        return f". I{where[1:]} has{_listed(names)}. {HELP}"
    if are_values(names):
        return (
            f". None of the {len(names)} names in {where} is a column of the contract: land it with the "
            "names of its columns as its first line"
        )
    return f". None of the {len(names)} names in {where} is a column that is read{_listed(names)}. {HELP}"


def describe_columns(names: Sequence[str]) -> str:
    """What a file with a schema holds instead of the columns that it lacks."""
    return f". It has{_listed(names)}. {HELP}"


def delimiter_of(line: str, read_as: str, columns: Columns) -> str:
    """What a header is divided by: what gives most of the columns that are read or, of none, most cells."""
    known = set(columns.by_name)

    def found(delimiter: str) -> tuple[int, int]:
        cells = [comparable(cell.strip().strip('"')) for cell in line.split(delimiter)]
        return len(known.intersection(cells)), len(cells)

    candidates = [read_as, *(delimiter for delimiter in DELIMITERS if delimiter != read_as)]
    best = max(candidates, key=lambda delimiter: found(delimiter)[0])
    if found(best)[0]:
        return best
    # Names hold a comma now and then, but hardly as many as delimiters.
    return max(candidates, key=lambda delimiter: found(delimiter)[1] if found(delimiter)[1] > 2 else 0)


def _listed(names: Sequence[str]) -> str:
    """The names of a header, unless they look like the values of a row."""
    if are_values(names):
        return ""
    shown = ", ".join("".join(char if char.isprintable() else "?" for char in name) for name in names)
    return f": {shown}" if len(shown) <= LONGEST_LIST else f": {shown[:LONGEST_LIST]}…"


def are_values(names: Sequence[str]) -> bool:
    """Whether names look like the values of a row, which no message quotes."""
    return any(map(VALUE.fullmatch, names))
