"""The ``[[landing]]`` tables of ``hub.toml``: what holds for the files that a pattern names.

"Exports of other systems" in docs/data-contract.md has their keys.

Belongs here: parsing and checking a table. Does not belong here: what a mapping is (landing/mappings.py),
what is done with rows (landing/mapped_rows.py), the rest of the file (hub_toml.py).
"""

from __future__ import annotations

import codecs
import difflib
import json
import math
import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any

from orchestration.hub.zones import is_zone
from orchestration.landing.contracts import BLANKS, CONTRACTS, EventContract, Field, Kind
from orchestration.landing.mappings import (
    EMAIL,
    EMAIL_SHA256,
    EPOCH_MILLISECONDS,
    EPOCH_SECONDS,
    PLAIN,
    AmountNotation,
    Dialect,
    Mapping,
    Reading,
    Source,
    comparable,
)

TABLE_KEYS = (
    *("files", "overwritten", "encoding", "delimiter", "records", "skip_blank", "only"),
    *("timestamp_format", "timezone", "amount_format"),
)

SOURCE_KEYS = ("from", "map", "blank", "else", "normalize", "times", "sum", "value", "file_name")

# What Python calls encodings but is none of text, or none that can be read block by block.
NO_ENCODINGS = {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7"}

# The directives of strptime that Python and the database read alike.
DIRECTIVES = ("a", "A", "b", "B", "d", "f", "H", "I", "j", "m", "M", "p", "S", "y", "Y", "z", "Z", "%")
DIRECTIVE = re.compile(r"%(.|$)", re.DOTALL)
DATES = [{year, *day} for year in "yY" for day in ("j", "md", "bd", "Bd")]

LONGEST_SHOWN = 100


class UnusableKeyError(ValueError):
    """A table that cannot be used.

    Attributes:
        key: where in the table.
        what: what is wrong with it, to be followed by where.
        advice: what to do, as a sentence.
    """

    def __init__(self, key: str, what: str, advice: str) -> None:
        super().__init__(f"{what}. {advice}")
        self.key, self.what, self.advice = key, what, advice


class Overwritten(Enum):
    """What it means when a landed file is overwritten: its old rows stay beside the new ones, or give way."""

    ADDS = "adds"
    REPLACES = "replaces"


@dataclass(frozen=True)
class LandingTable:
    """One ``[[landing]]`` table: what holds for the files whose paths match its pattern.

    Attributes:
        files: pattern of paths below ``landing/``, such as ``orders/shopify*.csv``.
        overwritten: what overwriting such a file means; None when nothing is declared.
        reading: how such a file is read.
    """

    files: str
    overwritten: Overwritten | None = None
    reading: Reading = PLAIN

    def matches(self, path: str) -> bool:
        """Whether a path below ``landing/``, such as ``orders/a.csv``, matches the pattern as a whole."""
        return _compiled(self.files).fullmatch(path) is not None


def parse(table: Dict[str, Any]) -> LandingTable:
    """The table as it stands in the file.

    Raises:
        UnusableKeyError: when it has a key or value that cannot be used.
    """
    files = table.get("files")
    if not isinstance(files, str) or not files.strip() or files.startswith("/"):
        what = f"says files = {shown(files)}" if "files" in table else "lacks `files`"
        raise UnusableKeyError(
            "files", what, 'It takes a pattern of paths below landing/, such as "orders/shopify*.csv".'
        )
    overwritten = table.get("overwritten")
    if "overwritten" in table and overwritten not in [known.value for known in Overwritten]:
        raise _refused("overwritten", overwritten, 'It takes "adds" or "replaces".')
    contract = next((one for one in CONTRACTS if files.startswith(f"{one.entity}/")), None)
    _require_known_keys(table, contract)
    return LandingTable(
        files,
        Overwritten(overwritten) if "overwritten" in table else None,
        Reading(_dialect(table), _text(table, "records"), _mapping(table, contract)),
    )


def shown(value: object) -> str:
    """A value as the file would have it, in one line that is not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}…"


def _require_known_keys(table: Dict[str, Any], contract: EventContract | None) -> None:
    fields = {field.name for one in CONTRACTS for field in one.fields}
    of_entity = contract.field_names if contract else ()
    for key in table:
        if key in TABLE_KEYS or key in of_entity:
            continue
        if key in fields and contract is None:
            raise UnusableKeyError(
                key,
                f"has the field {key!r}",
                'Fields take a pattern that begins with "messages/" or "orders/", which says whose they are.',
            )
        if key in fields and contract:
            advice = f"It is no field of {contract.entity}: {', '.join(contract.field_names)}."
        else:
            near = difflib.get_close_matches(key, (*TABLE_KEYS, *of_entity), 1)
            known = f"It takes {', '.join(f'`{one}`' for one in TABLE_KEYS)} and the fields of the contract."
            advice = f"Did you mean {near[0]}?" if near else known
        raise UnusableKeyError(key, f"has the unknown key {key!r}", advice)
    missing = [name for name in contract.required_columns if name not in table] if contract else []
    if missing and any(name in table for name in of_entity):
        raise UnusableKeyError(
            "files",
            f"lacks {', '.join(missing)}",
            "A table with fields names all that are required, since a field that it does not name is absent.",
        )


def _dialect(table: Dict[str, Any]) -> Dialect:
    encoding, delimiter = table.get("encoding", "utf-8"), table.get("delimiter", ",")
    try:
        codec = codecs.lookup(encoding)
        known = codec._is_text_encoding and codec.name.replace("-", "_") not in NO_ENCODINGS
    except (LookupError, TypeError, ValueError):
        known = False
    if not known:
        raise _refused(
            "encoding", encoding, 'It takes an encoding such as "utf-8", "utf-16" or "windows-1252".'
        )
    if not isinstance(delimiter, str) or not re.fullmatch(r"[\t -~]", delimiter) or delimiter in ' "':
        raise _refused("delimiter", delimiter, r'It takes one character such as ",", ";" or "\t".')
    return Dialect(delimiter, codec.name)


def _mapping(table: Dict[str, Any], contract: EventContract | None) -> Mapping | None:
    sources = tuple(
        (field.name, _source(field, table[field.name]))
        for field in (contract.fields if contract else ())
        if field.name in table
    )
    mapping = Mapping(
        sources,
        _skip_blank(table),
        _only(table),
        _timestamp_format(table),
        _timezone(table),
        _amounts(table),
    )
    return None if mapping == Mapping() else mapping


def _skip_blank(table: Dict[str, Any]) -> str | None:
    column = _text(table, "skip_blank")
    if column is not None and not _is_text(column):
        raise _refused("skip_blank", column, "It takes the name of a column.")
    return column


def _only(table: Dict[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if "only" not in table:
        return ()
    value = table["only"]
    if (
        not isinstance(value, dict)
        or not value
        or not all(
            column.strip(BLANKS) and isinstance(listed, list) and listed and all(map(_is_text, listed))
            for column, listed in value.items()
        )
    ):
        advice = 'It takes columns, each with a list of values, such as { Direction = ["outbound"] }.'
        raise _refused("only", value, advice)
    columns = [comparable(column) for column in value]
    if len(set(columns)) != len(columns):
        raise _refused("only", value, "It has one column twice, letter case aside.")
    return tuple((column, tuple(one.strip(BLANKS) for one in listed)) for column, listed in value.items())


def _timestamp_format(table: Dict[str, Any]) -> str | None:
    written = _text(table, "timestamp_format")
    if written is None or written in (EPOCH_SECONDS, EPOCH_MILLISECONDS):
        return written
    _require_strptime("timestamp_format", written)
    return written


def _timezone(table: Dict[str, Any]) -> str | None:
    zone = table.get("timezone")
    if zone is not None and not is_zone(zone):
        raise _refused("timezone", zone, "It takes an IANA time zone such as 'America/New_York'.")
    return zone


def _amounts(table: Dict[str, Any]) -> AmountNotation | None:
    example = _text(table, "amount_format")
    amounts = AmountNotation.of(example) if example is not None else None
    if example is not None and amounts is None:
        advice = (
            'It takes "cents" or the amount 1234.50 as it is written, such as "1,234.50" or "1.234,50 €".'
        )
        raise _refused("amount_format", example, advice)
    return amounts


def _source(field: Field, value: Any) -> Source:
    match value:
        case str():
            return Source((_column(field, value),))
        case list():
            return Source(_columns(field, value))
        case dict():
            return _source_of_table(field, value)
    raise _refused(
        field.name, value, 'It takes "Column", a list of columns, or a table such as { from = "Column" }.'
    )


def _source_of_table(field: Field, table: Dict[str, Any]) -> Source:
    for key in table:
        if key not in SOURCE_KEYS:
            raise UnusableKeyError(
                field.name,
                f"has the unknown key {key!r} of {field.name}",
                f"It takes {', '.join(f'`{known}`' for known in SOURCE_KEYS)}.",
            )
    origins = [key for key in ("from", "sum", "value", "file_name") if key in table]
    if len(origins) != 1:
        advice = "It takes just one of `from`, `sum`, `value` and `file_name`."
        raise UnusableKeyError(field.name, f"says {field.name} = {shown(table)}", advice)
    allowed = {
        "from": ("map", "blank", "else", "normalize", "times"),
        "sum": ("times", "blank"),
        "value": (),
        "file_name": (),
    }[origins[0]]
    for key in table:
        if key != origins[0] and key not in allowed:
            what = f"has {key!r} beside {origins[0]!r} of {field.name}"
            raise UnusableKeyError(field.name, what, "Take one of them away.")
    origin = table[origins[0]]
    return Source(
        columns=_columns(field, origin) if origins[0] == "from" else (),
        replaced=_replaced(field, table.get("map", {})),
        blank=_standing_for(field, "blank", table),
        otherwise=_standing_for(field, "else", table),
        normalize=_normalize(field, table),
        times=_times(field, table),
        sum_of=_of_kind(field, "sum", origin, Kind.MONEY) if origins[0] == "sum" else None,
        value=_standing_for(field, "value", table),
        file_name=_file_name(field, origin) if origins[0] == "file_name" else None,
    )


def _column(field: Field, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _refused(field.name, value, "It takes the name of a column, or a path in JSON.")
    return value


def _columns(field: Field, value: Any) -> tuple[str, ...]:
    if isinstance(value, list) and value:
        return tuple(_column(field, one) for one in value)
    return (_column(field, value),)


def _replaced(field: Field, value: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        advice = (
            f'`map` of {field.name} takes values and what stands for each, such as {{ paid = "placed" }}.'
        )
        raise _refused(field.name, value, advice)
    if not all(map(_is_text, value)):
        raise _refused(field.name, value, "What stands for no value is said by `blank`, not in `map`.")
    for other in value.values():
        _require_choice(field, "map", other)
    if len({one.strip(BLANKS).casefold() for one in value}) != len(value):
        raise _refused(field.name, value, "`map` has one value twice, letter case aside.")
    return tuple((one.strip(BLANKS), other) for one, other in value.items())


def _standing_for(field: Field, key: str, table: Dict[str, Any]) -> str | None:
    if key not in table:
        return None
    if not isinstance(table[key], str):
        raise _refused(field.name, table, f"`{key}` takes text.")
    _require_choice(field, key, table[key])
    return str(table[key])


def _require_choice(field: Field, key: str, value: str) -> None:
    if field.kind is Kind.CHOICE and value not in ("", *field.choices):
        what = f"says {shown(value)} in `{key}` of {field.name}"
        raise UnusableKeyError(field.name, what, f"It takes {' or '.join(field.choices)}.")


def _normalize(field: Field, table: Dict[str, Any]) -> str | None:
    value = table.get("normalize")
    if value is None:
        return None
    if value not in (EMAIL, EMAIL_SHA256):
        raise _refused(field.name, table, f'`normalize` takes "{EMAIL}" or "{EMAIL_SHA256}".')
    return str(_of_kind(field, "normalize", value, Kind.ID))


def _times(field: Field, table: Dict[str, Any]) -> Decimal | None:
    value = table.get("times")
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    factor = Decimal(str(value)) if is_number else Decimal(0)
    if not 0 < abs(factor) < 100_000 or factor != round(factor, 4):
        advice = "`times` takes a number below 100000 of at most 4 decimals, such as -1, and not 0."
        raise _refused(field.name, table, advice)
    _of_kind(field, "times", "", Kind.MONEY)
    return factor


def _file_name(field: Field, value: Any) -> str:
    name_format = _of_kind(field, "file_name", value, Kind.INSTANT)
    _require_strptime(field.name, name_format)
    return name_format


def _of_kind(field: Field, key: str, value: Any, kind: Kind) -> str:
    """The value of a key that takes text, and is there for fields of one kind alone."""
    words = {Kind.MONEY: "amounts", Kind.ID: "ids", Kind.INSTANT: "timestamps"}
    if field.kind is not kind:
        raise UnusableKeyError(field.name, f"has {key!r} of {field.name}", f"`{key}` is for {words[kind]}.")
    if not isinstance(value, str):
        raise _refused(field.name, value, f"`{key}` takes text.")
    return value


def _require_strptime(key: str, written: str) -> None:
    """Require a format of a date that Python and the database read alike."""
    directives = DIRECTIVE.findall(written)
    unknown = [directive for directive in directives if directive not in DIRECTIVES]
    if unknown:
        advice = f"%{unknown[0]} is not among the directives that are read: {', '.join(DIRECTIVES)}."
        raise _refused(key, written, advice)
    named = set(directives) - {"%"}
    if len(named) != len([one for one in directives if one != "%"]):
        raise _refused(key, written, "It has one directive twice.")
    if not any(named >= date for date in DATES):
        advice = 'It takes a strptime format with year, month and day, such as "%d.%m.%Y %H:%M".'
        raise _refused(key, written, advice)


def _text(table: Dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise _refused(key, value, "It takes text.")
    return value


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip(BLANKS))


def _refused(key: str, value: object, advice: str) -> UnusableKeyError:
    return UnusableKeyError(key, f"says {key} = {shown(value)}", advice)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern of paths: `*` is any characters but `/`, `**` also `/`, all else literal."""
    wild = {"**": ".*", "*": "[^/]*"}
    return re.compile(
        "".join(wild.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*|\*)", pattern)), re.DOTALL
    )
