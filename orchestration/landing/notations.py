"""How timestamps and amounts are written, told from values.

Belongs here: trying the notations that a ``[[landing]]`` table can declare. Does not belong here: how rows
are read by one (mapped_rows.py), which columns hold such values (proposals.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from orchestration.landing.casting import AT_MOST_TWO_PLACES, BASIC_ISO, EXTENDED_ISO, NUMBER
from orchestration.landing.mapped_rows import pattern_of
from orchestration.landing.mappings import EPOCH_MILLISECONDS, EPOCH_SECONDS, AmountNotation

# So many values tell a notation.
MOST_VALUES = 200

# Of the years 2001 to 2099.
EPOCHS = {
    EPOCH_SECONDS: re.compile(r"(9[0-9]{8}|[1-4][0-9]{9})(\.[0-9]+)?"),
    EPOCH_MILLISECONDS: re.compile(r"(9[0-9]{11}|[1-4][0-9]{12})"),
}

DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%b %d, %Y", "%d %b %Y", "%m/%d/%y")
TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %z", ", %H:%M", ", %H:%M:%S")
STRPTIME = (
    *(day + time for day in DAYS for time in TIMES),
    *("%Y-%m-%d %I:%M:%S %p", "%a, %d %b %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %z %Y"),
)

# An amount with a symbol before or behind it.
WITH_SYMBOL = re.compile(
    r"[-+\u2212]?([^\d.,+\u2212-]*?)(\s?)[-+\u2212]?[.,]?\d[\d.,'\u2019\s]*?(\s?)([^\d.,\s]*)"
)

BODIES = ("1,234.50", "1.234,50", "1 234,50", "1'234.50", "1\u2019234.50", "1 234.50", "1234,50", "1234.50")

OFFSET = re.compile(r".{10,}(Z|z|[+-][0-9]{2}:?([0-9]{2})?)")


def timestamp_format_of(values: Sequence[str]) -> str | None:
    """The format of most timestamps: empty for the contract's own, None for one that is not known."""
    known: list[tuple[str, Callable[[str], object]]] = [("", _is_iso)]
    known += [(name, pattern.fullmatch) for name, pattern in EPOCHS.items()]
    known += [(written, partial(_is_written, written)) for written in STRPTIME]
    return _best(values, known)


def amount_format_of(values: Sequence[str]) -> str | None:
    """The notation of most amounts by its example: empty for the contract's own, None for none."""
    known: list[tuple[str, Callable[[str], object]]] = [("", _is_plain)]
    for example in _examples(values):
        notation = AmountNotation.of(example)
        if notation:
            known.append((example, re.compile(pattern_of(notation)).fullmatch))
    return _best(values, known)


def are_whole(values: Sequence[str]) -> bool:
    """Whether all amounts are whole numbers, and one of them is more than a unit in cents."""
    return all(re.fullmatch("[0-9]+", value) for value in values) and any(len(value) > 2 for value in values)


def has_offset(timestamp_format: str, values: Sequence[str]) -> bool:
    """Whether timestamps say in which zone they are."""
    if timestamp_format:
        return timestamp_format in EPOCHS or "%z" in timestamp_format
    return any(map(OFFSET.fullmatch, values))


def _best(values: Sequence[str], known: Sequence[tuple[str, Callable[[str], object]]]) -> str | None:
    """The first of the notations that most values have, at least half of them."""
    tried = values[:MOST_VALUES]
    counts = {name: sum(bool(has(value)) for value in tried) for name, has in known}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] * 2 >= len(tried) and counts[best] else None


def _examples(values: Sequence[str]) -> list[str]:
    """Examples of notations with the symbol that the first value has, if it has one."""
    found = next(filter(None, map(WITH_SYMBOL.fullmatch, values)), None)
    prefix, before, behind, suffix = found.groups() if found else ("", "", "", "")
    prefix = f"{prefix.strip()}{' ' if before else ''}" if prefix.strip() else ""
    suffix = f"{' ' if behind else ''}{suffix}" if suffix else ""
    return [f"{prefix}{body}{suffix}" for body in BODIES]


def _is_iso(value: str) -> bool:
    return bool(re.fullmatch(EXTENDED_ISO, value) or re.fullmatch(BASIC_ISO, value))


def _is_written(written: str, value: str) -> bool:
    try:
        return 2000 <= datetime.strptime(value, written).year < 2100
    except ValueError:
        return False


def _is_plain(value: str) -> bool:
    number = value.removeprefix("-")
    return bool(re.fullmatch(NUMBER, number) and re.fullmatch(AT_MOST_TWO_PLACES, number))
