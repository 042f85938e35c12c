"""The header and the first rows of a file that nothing says how to read.

Belongs here: looking at the beginning of a file: its encoding, delimiter, names and values. Does not belong
here: what its columns mean (proposals.py), reading all its rows (formats).
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow.parquet as pq

from orchestration.landing.contracts import BLANKS, EventContract
from orchestration.landing.formats import Format, LandedFile
from orchestration.landing.formats.byte_streams import read_blocks
from orchestration.landing.formats.headers import OTHER_ENCODING, delimiter_of
from orchestration.landing.formats.json_documents import MAX_DOCUMENT_BYTES
from orchestration.landing.mappings import PLAIN, UTF8_WITH_COMMAS, Dialect, comparable

MOST_ROWS = 1_000
MOST_COLUMNS = 2_000

# How deep values lie in records of JSON, and where the array of records may lie in a document.
DEEPEST_VALUE = 6
DEEPEST_RECORDS = 3

# How many elements of an array within a record are looked at.
MOST_ELEMENTS = 10

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class FirstRows:
    """The first rows of a file.

    Attributes:
        columns: the names that a ``[[landing]]`` table can name; in JSON paths, through arrays with ``[]``.
        rows: the values of each row as text, by column; a column without a value is left out.
        format: the format of the file.
        dialect: how it is written, as far as its beginning shows.
        records: the path of the array of records; None when each line is a record.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    format: Format
    dialect: Dialect = UTF8_WITH_COMMAS
    records: str | None = None

    def values_of(self, column: str) -> list[str]:
        """The values of a column in the order of the rows."""
        return [row[column] for row in self.rows if column in row]


def read_first_rows(file: LandedFile, contract: EventContract) -> FirstRows | None:
    """The first rows of a file, whatever its columns are; None when nothing can be made of it.

    Args:
        file: the file; a dialect that its reading names is kept.
        contract: the contract whose columns tell delimiters apart.
    """
    try:
        match file.format:
            case Format.PARQUET:
                return _of_parquet(file)
            case Format.CSV:
                return _of_text(file, contract)
            case Format.JSON_LINES | Format.JSON_DOCUMENT:
                return _of_json(file)
    # What is wrong with a file is said by who loads it; a damaged one raises whatever it leads to.
    except Exception:
        return None


def _of_parquet(file: LandedFile) -> FirstRows | None:
    with pq.ParquetFile(file.location) as parquet:
        names = parquet.schema_arrow.names
        batch = next(parquet.iter_batches(MOST_ROWS), None)
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True) if batch else ()
        return _first_rows(names, rows, file.format, UTF8_WITH_COMMAS)


def _of_text(file: LandedFile, contract: EventContract) -> FirstRows | None:
    is_declared = file.reading.dialect != UTF8_WITH_COMMAS
    file = _in_its_encoding(file)
    text, dialect = _beginning(file), file.reading.dialect
    if not is_declared:
        usual = "\t" if ".tsv" in file.path.lower() else dialect.delimiter
        delimiter = delimiter_of(text.splitlines()[0], usual, PLAIN.columns(contract))
        dialect = Dialect(delimiter, dialect.encoding)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=dialect.delimiter)
    names, *rows = itertools.islice(lines, 1 + MOST_ROWS)
    return _first_rows(names, rows, file.format, dialect)


def _first_rows(
    names: Sequence[str], rows: Iterable[Sequence[Any]], kind: Format, dialect: Dialect
) -> FirstRows | None:
    """Rows with one list of columns. A name that is there twice cannot be named."""
    compared = [comparable(name) for name in names]
    usable = [
        name
        for name, other in zip(names, compared, strict=True)
        if other and compared.count(other) == 1 and _is_text(name)
    ]
    cells = (dict(zip(names, row, strict=False)) for row in rows)
    values = tuple(
        {name: text for name in usable if (text := _text_of(row.get(name)))} for row in cells if any(row)
    )
    return FirstRows(tuple(usable), values, kind, dialect) if usable else None


def _in_its_encoding(file: LandedFile) -> LandedFile:
    """The file, read in the encoding that its first bytes show where none is declared.

    UTF-16 has its mark. What else is not UTF-8 is in what most other files are in.
    """
    if file.reading.dialect != UTF8_WITH_COMMAS:
        return file
    block, encoding = next(read_blocks(file), b""), UTF8_WITH_COMMAS.encoding
    if block.startswith(UTF16_MARKS):
        encoding = "utf-16"
    else:
        try:
            codecs.getincrementaldecoder(encoding)().decode(block)
        except UnicodeDecodeError:
            encoding = OTHER_ENCODING
    return replace(file, reading=replace(file.reading, dialect=Dialect(encoding=encoding)))


def _beginning(file: LandedFile) -> str:
    """The first block of a text file, up to the end of its last whole line."""
    blocks = read_blocks(file)
    text = next(blocks, b"").decode(errors="replace")
    return text[: text.rfind("\n") + 1] if next(blocks, b"") else text


def _of_json(file: LandedFile) -> FirstRows | None:
    file = _in_its_encoding(file)
    documents = _documents_of(file)
    path = file.reading.records
    if path is None:
        path = next((found for one in documents if (found := _path_to_records(one)) is not None), None)
    if path is not None:
        documents = [record for one in documents for record in _records_at(one, path)]
    elif file.format is Format.JSON_DOCUMENT:
        return None
    rows: list[Mapping[str, str]] = []
    columns: dict[str, None] = {}
    for record in documents[:MOST_ROWS]:
        values: dict[str, str | None] = {}
        _flatten(record, "", values, DEEPEST_VALUE)
        columns |= dict.fromkeys(values)
        rows.append({name: text for name, text in values.items() if text})
    named = tuple(columns)[:MOST_COLUMNS]
    return FirstRows(named, tuple(rows), file.format, file.reading.dialect, path) if named else None


def _documents_of(file: LandedFile) -> list[Any]:
    """The document of a file, or those of its first lines."""
    if file.format is Format.JSON_DOCUMENT:
        if file.location.stat().st_size > MAX_DOCUMENT_BYTES:
            return []
        return list(_parsed([b"".join(read_blocks(file)).decode()]))
    lines = (line for line in _beginning(file).splitlines() if line.strip())
    return list(_parsed(itertools.islice(lines, MOST_ROWS)))


def _parsed(lines: Iterable[str]) -> Iterator[Any]:
    """The documents of texts, numbers as they are written; a text that is none is passed over."""
    for line in lines:
        try:
            yield json.loads(line, parse_int=str, parse_float=str)
        except (ValueError, RecursionError):
            continue


def _path_to_records(document: Any) -> str | None:
    """Where the array of records of a document lies; None when it is a record itself."""
    if isinstance(document, list):
        return "" if _is_array_of_objects(document) else None
    level = {"": document} if isinstance(document, dict) and not _has_id(document) else {}
    for _ in range(DEEPEST_RECORDS):
        below = {
            f"{path}.{key}" if path else key: member
            for path, value in level.items()
            for key, member in value.items()
            if _is_step(key)
        }
        records = next((path for path, member in below.items() if _is_array_of_objects(member)), None)
        if records is not None:
            return records
        level = {path: member for path, member in below.items() if isinstance(member, dict)}
    return None


def _has_id(document: Mapping[str, Any]) -> bool:
    """Whether an object is an event itself, which has an id or a name, and no envelope of several."""
    return any(key.strip().lower().endswith(("id", "number", "name")) for key in document)


def _is_array_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _records_at(document: Any, path: str) -> list[Any]:
    for key in path.split(".") if path else ():
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, list) else []


def _flatten(value: Any, path: str, found: dict[str, str | None], depth: int) -> None:
    """Add the values below a path, the first of each path through an array."""
    if isinstance(value, dict):
        for key, member in value.items() if depth else ():
            if _is_step(key):
                _flatten(member, f"{path}.{key}" if path else key, found, depth - 1)
    elif isinstance(value, list):
        for element in value[:MOST_ELEMENTS] if path else ():
            if isinstance(element, dict):
                _flatten(element, f"{path}[]", found, depth)
    elif path:
        found[path] = found.get(path) or _text_of(value)


def _is_step(key: str) -> bool:
    """Whether a path can lead through a key."""
    return bool(key.strip(BLANKS)) and "." not in key and not key.endswith("[]") and _is_text(key)


def _is_text(name: str) -> bool:
    """Whether something is text: no half of a character, no stand-in for bytes that are none."""
    return name.isascii() or not any(char == "\ufffd" or "\ud800" <= char <= "\udfff" for char in name)


def _text_of(value: Any) -> str | None:
    """A single value as text; None where there is none."""
    if value is None or isinstance(value, dict | list):
        return None
    text = str(value).strip(BLANKS)
    return text if text and _is_text(text) else None
