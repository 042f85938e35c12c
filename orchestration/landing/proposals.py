"""A ``[[landing]]`` table for a file that none names, proposed from its header and its first rows.

Belongs here: which column is which field, which notations the values have, and the lines of the table. Does
not belong here: how the first rows are found (first_rows.py), the names that systems export (known_names.py),
what a table means (hub/landing_tables.py).
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from orchestration.hub.landing_tables import LandingTable
from orchestration.landing.contracts import CONTRACTS, EventContract, Field, Kind
from orchestration.landing.first_rows import FirstRows
from orchestration.landing.formats import ENDINGS, ENDINGS_OF_TABLES, Format
from orchestration.landing.known_names import (
    CANCELLED_AT,
    CENTS_NAMES,
    DIRECTION,
    GENERAL_NAMES,
    IN_STORE_WORDS,
    KNOWN_NAMES,
    ONLINE_WORDS,
    OUTBOUND,
    STATUS_WORDS,
    TIME_NAMES,
    WRAPPERS,
    plain,
    words_of,
)
from orchestration.landing.mappings import CENTS, Dialect
from orchestration.landing.notations import (
    amount_format_of,
    are_whole,
    has_offset,
    timestamp_format_of,
)
from orchestration.printable import quoted

# How alike a name must be to one that is known, from 0 to 1, and how long.
NEAR = 0.85
SHORTEST_NEAR = 5

# Stands in place of a column that was not found.
NOT_FOUND = "?"

GUESS = "# a guess"

# Values that a status is shown to have, and its table to map.
MOST_VALUES = 20

LOWER_CASE_CURRENCY = re.compile("[a-z]{3}")

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")

DAY_ALONE = re.compile(r"[^:]+")
TIME_OF_DAY = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?( ?[AaPp][Mm])?")


@dataclass(frozen=True)
class Proposal:
    """A proposed table.

    Attributes:
        lines: its lines as TOML, which are printable as they stand.
        columns: the columns of each field that were found; a constant has none.
        missing: the required fields of which no column was found; ``?`` stands in place of theirs.
        repeated_id: the id column and the amount column, when ids repeat with different amounts.
    """

    lines: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]
    repeated_id: tuple[str, str] | None

    @property
    def toml(self) -> str:
        """The table as it is copied into ``hub.toml``."""
        return "\n".join(self.lines) + "\n"


def propose(contract: EventContract, files: str, first: FirstRows, former: LandingTable | None) -> Proposal:
    """The table for a file.

    Args:
        contract: the contract of the file's entity.
        files: the pattern that the table takes.
        first: the first rows of the file.
        former: the table that the proposed one takes the place of, if there is one.
    """
    return _Proposing(contract, first).propose(files, former)


def suits(contract: EventContract, first: FirstRows) -> int:
    """How many of the fields that no other contract has are among the columns."""
    others = {field.name for one in CONTRACTS if one is not contract for field in one.fields}
    return sum(name not in others for name in _Proposing(contract, first).chosen)


def pattern_for(path: str) -> str:
    """The pattern of files like one, given its path below ``landing/``: any digits at the end of its name."""
    folder, _, name = path.rpartition("/")
    endings = (ending for ending in (*ENDINGS, *ENDINGS_OF_TABLES) if name.lower().endswith(ending))
    stem = name[: len(name) - max(map(len, endings))]
    kept = re.sub(r"[-_. ]*[0-9][-_. 0-9]*$", "", stem)
    # Of a name that is all digits nothing is left that tells its files from others.
    return f"{folder}/{kept}*{name[len(stem) :]}" if kept.strip("*") else path


class _Proposing:
    """A proposal at work: the columns that were chosen, and what follows from them."""

    def __init__(self, contract: EventContract, first: FirstRows) -> None:
        self.contract = contract
        self.first = first
        self.names = KNOWN_NAMES[contract.entity]
        (self.status,) = (field for field in contract.fields if field.name == "status")
        self.chosen: dict[str, str] = {}
        # What is required first: a column is one field at most.
        for field in sorted(contract.fields, key=lambda field: not field.required):
            column = self._column_for(field)
            if column:
                self.chosen[field.name] = column
        version = self.chosen.get(contract.version)
        if version and self._values(contract.version) and self._format_of(version) != self.timestamp_format:
            del self.chosen[contract.version]

    def propose(self, files: str, former: LandingTable | None) -> Proposal:
        """The table of a pattern."""
        missing = tuple(
            field.name
            for field in self.contract.fields
            if field.required and field.kind is not Kind.CHOICE and field.name not in self.chosen
        )
        fields = [line for field in self.contract.fields if (line := self._line_of(field))]
        columns: dict[str, tuple[str, ...]] = {name: (column,) for name, column in self.chosen.items()}
        if self.when:
            columns[self.contract.happened_at] = self.when
        lines = ("[[landing]]", f"files = {quoted(files)}", *self._head(former), *fields)
        return Proposal(lines, columns, missing, self._repeated_id())

    # Which column is which field.

    def _column_for(self, field: Field) -> str | None:
        plausible = (one for one in self._candidates(field) if self._is_plausible(field, one))
        # A name that is known says more than values that are wrong.
        named = (one for one in self._candidates(field) if _whole(one) in self._known(field))
        return next(plausible, None) or next(named, None)

    def _candidates(self, field: Field) -> Iterator[str]:
        """Columns for a field, the likeliest first: by the whole name, the end of a path, a near name."""
        free = [
            one for one in self.first.columns if one not in self.chosen.values() and self._is_open(field, one)
        ]
        known = self._known(field)
        for name in known:
            yield from (one for one in free if _whole(one) == name)
        for name in known:
            if name not in GENERAL_NAMES:
                yield from (one for one in free if name in _ends(one))
        long = [name for name in known if len(name) >= SHORTEST_NEAR]
        yield from (one for one in free if difflib.get_close_matches(_whole(one), long, 1, NEAR))

    def _known(self, field: Field) -> tuple[str, ...]:
        return (plain(field.name), *self.names[field.name])

    def _is_open(self, field: Field, column: str) -> bool:
        """Whether a field takes what a path leads to: of an array only a sum."""
        return "[]" not in column or field.name == "refunded_value"

    def _is_plausible(self, field: Field, column: str) -> bool:
        values = self.first.values_of(column)
        if not values:
            return not self.first.rows or _whole(column) in CANCELLED_AT or not field.required
        match field.kind:
            case Kind.INSTANT:
                return timestamp_format_of(values) is not None
            case Kind.MONEY:
                return amount_format_of(values) is not None
            case Kind.CURRENCY:
                return all(re.fullmatch("[A-Za-z]{3}", value) for value in values)
            case Kind.CHOICE if field is self.status and _whole(column) not in CANCELLED_AT:
                return any(map(self._status_of, values))
        return True

    def _values(self, field: str) -> list[str]:
        return self.first.values_of(self.chosen[field]) if field in self.chosen else []

    # Notations.

    @cached_property
    def when(self) -> tuple[str, ...]:
        """The columns of the instant, a second one for the time of day; none when they are not known."""
        column = self.chosen.get(self.contract.happened_at)
        if column is None:
            return ()
        values = self.first.values_of(column)
        if values and all(map(DAY_ALONE.fullmatch, values)):
            for other in self.first.columns:
                times = self.first.values_of(other)
                if _whole(other) in TIME_NAMES and times and all(map(TIME_OF_DAY.fullmatch, times)):
                    return column, other
        return (column,)

    @cached_property
    def instants(self) -> list[str]:
        """The values of the instant."""
        if not self.when:
            return []
        return [
            " ".join(row[column] for column in self.when)
            for row in self.first.rows
            if all(column in row for column in self.when)
        ]

    @cached_property
    def timestamp_format(self) -> str:
        """The declared format of timestamps; empty when they are the contract's own."""
        return timestamp_format_of(self.instants) or ""

    @cached_property
    def amount_format(self) -> str:
        """The declared format of amounts; empty when they are the contract's own."""
        fields = [field.name for field in self.contract.fields if field.kind is Kind.MONEY]
        values = [value for field in fields for value in self._values(field)]
        is_json = self.first.format in (Format.JSON_LINES, Format.JSON_DOCUMENT)
        named = _whole(self.chosen.get("order_value", ""))
        is_named = "cents" in named or "minor" in named or (is_json and named in CENTS_NAMES)
        if is_named and are_whole(values):
            return CENTS
        return amount_format_of(values) or ""

    def _format_of(self, column: str) -> str | None:
        return timestamp_format_of(self.first.values_of(column))

    # The lines of the table.

    def _head(self, former: LandingTable | None) -> Iterator[str]:
        if former and former.overwritten:
            yield f'overwritten = "{former.overwritten.value}"'
        if self.first.dialect.encoding != Dialect().encoding:
            yield f"encoding = {quoted(self.first.dialect.encoding)}"
        if self.first.dialect.delimiter != Dialect().delimiter:
            yield f"delimiter = {quoted(self.first.dialect.delimiter)}"
        if self.first.records is not None:
            yield f"records = {quoted(self.first.records)}"
        if self._has_rows_of_other_things():
            yield f"skip_blank = {quoted(self.chosen['order_value'])}  {GUESS}: rows without it are no orders"
        yield from self._only()
        if self.timestamp_format:
            yield f"timestamp_format = {quoted(self.timestamp_format)}"
        if self._lacks_zone():
            yield '# timezone = "America/New_York"  # timestamps have no offset, so UTC is assumed: decide'
        if self.amount_format:
            comment = f"  {GUESS}: the amounts are whole numbers" if self.amount_format == CENTS else ""
            yield f"amount_format = {quoted(self.amount_format)}{comment}"

    def _has_rows_of_other_things(self) -> bool:
        """Whether some rows lack the amount together with the id or the instant, as further line items do."""
        amount = self.chosen.get("order_value")
        others = [self.chosen.get(self.contract.event_id), self.chosen.get(self.contract.happened_at)]
        if amount is None or None in others:
            return False
        without = [row for row in self.first.rows if amount not in row]
        return bool(without) and all(any(one not in row for one in others) for row in without)

    def _only(self) -> Iterator[str]:
        """Which rows are messages of the team, where some are not."""
        if self.contract.entity != "messages":
            return
        for column in self.first.columns:
            values = _distinct(self.first.values_of(column))
            sent = [value for value in values if value.lower().startswith(OUTBOUND)]
            if _whole(column) == DIRECTION and 0 < len(sent) < len(values):
                yield f"only = {{ {_key(column)} = [{', '.join(map(quoted, sent))}] }}  {GUESS}"
                return
        status = self.chosen.get("status", "")
        known, unknown = self._mapped_statuses()
        if known and unknown and _whole(status) in ("event", "eventname", "action"):
            yield f"only = {{ {_key(status)} = [{', '.join(map(quoted, known))}] }}  {GUESS}"

    def _lacks_zone(self) -> bool:
        if not self.instants or has_offset(self.timestamp_format, self.instants):
            return False
        return not any(plain(column).endswith(("gmt", "utc")) for column in self.when)

    def _line_of(self, field: Field) -> str | None:
        column = self.chosen.get(field.name)
        if column is None:
            return self._line_without_column(field)
        value, comment = self._source_of(field, column)
        return f"{field.name} = {value}{f'  {comment}' if comment else ''}"

    def _line_without_column(self, field: Field) -> str | None:
        if not field.required:
            return None
        if field.kind is Kind.CHOICE:
            return f'{field.name} = {{ value = "{field.choices[0]}" }}  {GUESS}'
        return f'{field.name} = "{NOT_FOUND}"  # required, but no column looks like it'

    def _source_of(self, field: Field, column: str) -> tuple[str, str]:
        """The value of a field as TOML, and a comment."""
        name, values = quoted(column), self.first.values_of(column)
        match field.name:
            case "status":
                return self._status_source(column)
            case "sales_channel":
                return self._channel_source(field, column)
            case "customer_id" if values and all("@" in value for value in values):
                return f'{{ from = {name}, normalize = "email" }}', ""
            case "customer_id" if "0" in values and not field.required:
                return f'{{ from = {name}, map = {{ "0" = "" }} }}', f"{GUESS}: 0 is a guest"
            case "refunded_value" if "[]" in column:
                times = ", times = -1" if any(value.startswith("-") for value in values) else ""
                return f"{{ sum = {name}{times} }}", ""
            case "currency" if any(map(LOWER_CASE_CURRENCY.fullmatch, values)):
                return (
                    f"{{ from = {name}, map = {_map({one: one.upper() for one in _distinct(values)})} }}",
                    "",
                )
            case self.contract.happened_at if len(self.when) > 1:
                return f"[{', '.join(map(quoted, self.when))}]", ""
        return name, ""

    def _status_source(self, column: str) -> tuple[str, str]:
        if _whole(column) in CANCELLED_AT:
            return f'{{ from = {quoted(column)}, blank = "placed", else = "cancelled" }}', ""
        known, unknown = self._mapped_statuses()
        if set(known) <= set(self.status.choices) and not unknown:
            return quoted(column), ""
        rest = f"; unknown: {', '.join(map(quoted, unknown[:3]))}" if unknown else ""
        if not known:
            return quoted(column), f"{GUESS}{rest}"
        return f"{{ from = {quoted(column)}, map = {_map(known)} }}", f"{GUESS}{rest}"

    def _mapped_statuses(self) -> tuple[dict[str, str], list[str]]:
        """The values of the status with what stands for each, and those that nothing is known of."""
        values = _distinct(self._values(self.status.name))[:MOST_VALUES]
        known = {value: choice for value in values if (choice := self._status_of(value))}
        return known, [value for value in values if value not in known]

    def _status_of(self, value: str) -> str | None:
        words = STATUS_WORDS[self.contract.entity]
        found = {words[word] for word in words_of(value) if word in words}
        return found.pop() if len(found) == 1 else None

    def _channel_source(self, field: Field, column: str) -> tuple[str, str]:
        values = _distinct(self.first.values_of(column))
        if set(values) <= set(field.choices) and values:
            return quoted(column), ""
        in_store = [
            value
            for value in values
            if words_of(value) & IN_STORE_WORDS and not words_of(value) & ONLINE_WORDS
        ]
        replaced = dict.fromkeys(in_store[:MOST_VALUES] or ["pos"], "in_store")
        return f'{{ from = {quoted(column)}, map = {_map(replaced)}, else = "online" }}', GUESS

    def _repeated_id(self) -> tuple[str, str] | None:
        """The columns of id and amount, when ids repeat with different amounts: line items, perhaps."""
        event_id, amount = self.chosen.get(self.contract.event_id), self.chosen.get("order_value")
        if not event_id or not amount or self.contract.version in self.chosen:
            return None
        amounts: dict[str, set[str]] = defaultdict(set)
        for row in self.first.rows:
            if event_id in row and amount in row:
                amounts[row[event_id]].add(row[amount])
        return (event_id, amount) if any(len(different) > 1 for different in amounts.values()) else None


@cache
def _whole(column: str) -> str:
    """The whole name of a column as tables of names have it, without what an event is wrapped in."""
    steps = [plain(step) for step in column.split(".")]
    while len(steps) > 1 and steps[0] in WRAPPERS:
        del steps[0]
    return "".join(steps)


@cache
def _ends(column: str) -> set[str]:
    """The ends of a path, as tables of names have them."""
    steps = [plain(step) for step in column.split(".")]
    return {"".join(steps[start:]) for start in range(1, len(steps))}


def _distinct(values: Sequence[str]) -> list[str]:
    """Values in their order, those that a table takes for one once."""
    return list({value.strip().lower(): value for value in reversed(values)}.values())[::-1]


def _map(replaced: Mapping[str, str]) -> str:
    return f"{{ {', '.join(f'{_key(one)} = {quoted(other)}' for one, other in replaced.items())} }}"


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else quoted(name)
