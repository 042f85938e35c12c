"""Records of JSON whose values lie at paths, and records that are an array within a document.

Belongs here: paths, and how a document or a line becomes rows with the values at some paths. Does not belong
here: lines whose keys are the contract's (json_objects.py), what a good value is (casting.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.landing.formats.common import UnreadableFileError
from orchestration.landing.formats.headers import are_values
from orchestration.landing.mappings import Columns, comparable

DUPLICATE_KEY, MALFORMED = "duplicate_key", "malformed_json"

# A line whose document has no array where its records should be.
NO_RECORDS = "no_records"


class _Number(str):
    """A number as it is written, so that none passes through a float."""


class _Object:
    """An object with all its members, also those that have one key."""

    def __init__(self, members: list[tuple[str, Any]]) -> None:
        self.members = members

    def value_of(self, key: str) -> Any:
        """The value of a key, whatever its letter case and the blanks around it; None without one.

        Raises:
            _DuplicateKeyError: when the key is there twice.
        """
        values = [value for name, value in self.members if comparable(name) == key]
        if len(values) > 1:
            raise _DuplicateKeyError
        return values[0] if values else None


class _DuplicateKeyError(Exception):
    """An object has a key twice that a path leads through."""


@dataclass(frozen=True)
class Path:
    """A path through a record.

    Attributes:
        steps: keys from the outside in, each with whether its value is an array whose one element counts.
        is_sum: whether all elements of the arrays count, for a sum.
    """

    steps: tuple[tuple[str, bool], ...]
    is_sum: bool = False

    @classmethod
    def of(cls, text: str, is_sum: bool = False) -> Path:
        """The path of a text such as ``a.b`` or ``a.b[]``."""
        steps = tuple(
            (comparable(step.removesuffix("[]")), step.endswith("[]")) for step in text.split(".") if text
        )
        return cls(steps, is_sum)


@dataclass(frozen=True)
class Row:
    """A row of JSON.

    Attributes:
        fault: why it cannot be read, or None.
        values: the values at some paths as JSON text, None where there is none.
    """

    fault: str | None
    values: Sequence[str | None]


def paths_of(columns: Columns, sums: set[str]) -> tuple[Path, ...]:
    """The paths of columns, those of sums among them by their names."""
    return tuple(Path.of(column.name, column.name in sums) for column in columns.columns)


def parse(text: str) -> Any:
    """A document; numbers as they are written, and NaN as no value.

    Raises:
        ValueError: when it is no JSON.
    """
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def records_at(document: Any, path: str) -> tuple[list[Any], str] | None:
    """The array of records of a document, with the JSON pointer that leads there; None when there is none."""
    pointer = ""
    for key, _ in Path.of(path).steps:
        names = [name for name, _ in document.members if comparable(name) == key] if _is(document) else []
        if len(names) != 1:
            return None
        pointer += "/" + names[0].replace("~", "~0").replace("/", "~1")
        document = document.value_of(key)
    return (document, pointer or "$") if isinstance(document, list) else None


def row_of(record: Any, paths: Sequence[Path]) -> Row:
    """The row of a record."""
    if not _is(record):
        return Row(MALFORMED, [None] * len(paths))
    try:
        return Row(None, [_text_at(record, path) for path in paths])
    except _DuplicateKeyError:
        return Row(DUPLICATE_KEY, [_text_if_once(record, path) for path in paths])
    except UnicodeEncodeError:
        # Half of a pair of surrogates is no character.
        return Row(MALFORMED, [None] * len(paths))


def row_of_line(line: str, paths: Sequence[Path]) -> Row:
    """The row of a line that is one record."""
    try:
        return row_of(parse(line), paths)
    except ValueError:
        return Row(MALFORMED, [None] * len(paths))


def rows_of_line(line: str, paths: Sequence[Path], records: str) -> tuple[list[Row], str | None]:
    """The rows of a line that is a document, and where in it they lie; one row when there are none."""
    try:
        found = records_at(parse(line), records)
    except ValueError:
        return [Row(MALFORMED, [None] * len(paths))], None
    if found is None:
        return [Row(NO_RECORDS, [None] * len(paths))], None
    return [row_of(record, paths) for record in found[0]], found[1]


def records_of_document(text: str, records: str) -> tuple[list[Any], str]:
    """The records of a document, and the JSON pointer to them.

    Raises:
        UnreadableFileError: when it is no JSON, or has no array there.
    """
    try:
        document = parse(text)
    except ValueError as error:
        raise UnreadableFileError(f"it is not one whole JSON document: {error}") from None
    found = records_at(document, records)
    if found is None:
        keys = [name for name, _ in document.members] if _is(document) else []
        where = f"at {records!r}, where its [[landing]] table says" if records else "as the document itself"
        # What looks like values may be personal details.
        shown = "" if are_values(keys) else f" {', '.join(keys[:20])}"
        instead = f". It is an object with the keys{shown}" if keys and shown else ""
        raise UnreadableFileError(f"it has no array of records {where}{instead}")
    return found


def _is(value: Any) -> bool:
    return isinstance(value, _Object)


def _text_at(record: Any, path: Path) -> str | None:
    if path.is_sum:
        amounts = list(_all_at(record, path.steps))
        return None if amounts == [None] else _as_text(amounts)
    return _as_text(_value_at(record, path))


def _text_if_once(record: Any, path: Path) -> str | None:
    try:
        return _text_at(record, path)
    except (_DuplicateKeyError, UnicodeEncodeError):
        return None


def _value_at(value: Any, path: Path) -> Any:
    for key, is_array in path.steps:
        value = value.value_of(key) if _is(value) else None
        if is_array and isinstance(value, list):
            if len(value) > 1:
                # Not exactly one: no field takes an array.
                return value
            value = value[0] if value else None
    return value


def _all_at(value: Any, steps: Sequence[tuple[str, bool]]) -> Iterator[Any]:
    """All values at a path; only None where its first array is absent."""
    if not steps:
        yield value
        return
    (key, is_array), rest = steps[0], steps[1:]
    value = value.value_of(key) if _is(value) else None
    if is_array and isinstance(value, list):
        for element in value:
            yield from _all_at(element, rest)
    elif value is None:
        yield None
    else:
        yield from _all_at(value, rest)


def _as_text(value: Any) -> str | None:
    """A value as JSON text."""
    match value:
        case None:
            return None
        case _Number():
            return str(value)
        case _Object():
            return "{" + ", ".join(f"{json.dumps(key)}: {_as_text(one)}" for key, one in value.members) + "}"
        case list():
            return "[" + ", ".join(_as_text(one) or "null" for one in value) + "]"
    text = json.dumps(value, ensure_ascii=False)
    text.isascii() or text.encode()
    return text


def _constant(name: str) -> Any:
    """Libraries write NaN for "no value"; an infinity is none that a field takes."""
    return None if "NaN" in name else name


DECODER = json.JSONDecoder(
    object_pairs_hook=_Object, parse_float=_Number, parse_int=_Number, parse_constant=_constant
)
