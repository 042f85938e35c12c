"""The seeds, which people write: what is wrong with one is said with its file, line and field.

Belongs here: checking what dbt would end on without a word that helps. Does not belong here: what the columns
mean (seeds/_seeds.yml).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestration.printable import shown
from orchestration.settings import REPOSITORY

# As in ids of landed files: what is no space to Python, but shows as little.
BLANKS = "\ufeff\u200b"

OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class SeedError(ValueError):
    """A seed that cannot be used; the message names the file, what was found and what to do."""


def require_usable(folder: Path = REPOSITORY / "seeds") -> None:
    """Check each seed of a folder against the columns that its yml files describe.

    Raises:
        SeedError: when one is not UTF-8, lacks a column, or has a row that is too short or long, a blank
            where there must be a value, or an id twice.
    """
    described = {
        seed["name"]: seed.get("columns", [])
        for file in sorted(folder.glob("*.yml"))
        for seed in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("seeds", [])
    }
    for file in sorted(folder.glob("*.csv")):
        _require_usable(file, described.get(file.stem, []))


def require_text(folder: Path = REPOSITORY / "seeds") -> None:
    """Check that each seed of a folder is UTF-8, without which dbt reads nothing of its project.

    Raises:
        SeedError: when one is not.
    """
    for file in sorted(folder.glob("*.csv")):
        _text_of(file)


def _text_of(file: Path) -> str:
    content = file.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SeedError(
            f"{file.parent.name}/{file.name} is not UTF-8 (line {line}: byte {content[error.start]:#04x}). "
            "Save it in that encoding."
        ) from None


def _require_usable(file: Path, columns: Sequence[Mapping[str, Any]]) -> None:
    name = f"{file.parent.name}/{file.name}"
    lines = csv.reader(_text_of(file).splitlines(keepends=True), strict=True)
    try:
        rows = [(lines.line_num, row) for row in lines if row]
    except csv.Error as error:
        raise SeedError(f"{name} is not CSV (line {lines.line_num}: {error}). Correct that line.") from None
    header = rows[0][1] if rows else []
    _require_columns(name, header, [column["name"] for column in columns])
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise SeedError(
                f"{name} has {len(row)} fields in line {line}, and {len(header)} in its header. Correct that "
                "line; a value with a comma in it stands between quotes."
            )
    for fault in _faults_of_values(header, rows[1:], columns):
        raise SeedError(f"{name} has {fault}")


def _require_columns(name: str, header: Sequence[str], columns: Sequence[str]) -> None:
    missing = [column for column in columns if column not in header]
    if not missing:
        return
    found = f"Its header is {shown(','.join(header))!r}." if header else "It is empty."
    for delimiter, in_words in OTHER_DELIMITERS.items():
        if any(delimiter in heading for heading in header):
            raise SeedError(f"{name} is separated by {in_words}. {found} Save it with commas.")
    raise SeedError(
        f"{name} lacks the column {' and '.join(missing)}. {found} Begin it with the line "
        f"{','.join(columns)!r}."
    )


def _faults_of_values(
    header: Sequence[str], rows: Sequence[tuple[int, list[str]]], columns: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    for column in columns:
        name, tests = column["name"], [str(test) for test in column.get("data_tests", [])]
        is_unique = any(test.startswith("unique") for test in tests)
        seen: dict[str, int] = {}
        for line, row in rows:
            value = row[header.index(name)].strip().strip(BLANKS).strip()
            if not value and "not_null" in tests:
                yield f"no {name} in line {line}. Write one, or remove the line."
            if value in seen and is_unique:
                yield f"the {name} {shown(value)!r} in lines {seen[value]} and {line}. Remove one of them."
            seen[value] = line
