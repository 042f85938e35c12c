"""A mapping as SQL: columns of a source -> the contract's fields, in the contract's own notations.

What a declared notation does not match is handed on in a form that the contract calls malformed, and what a
mapping does not touch as it stands, so that the contract's rules alone validate every row (casting.py).

Belongs here: how values are joined, replaced, normalized and rewritten, and which rows are skipped. Does not
belong here: what a mapping is (mappings.py), what a good value is (casting.py, contracts.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from orchestration.landing.casting import FLOAT_BITS, amount_of, family_of, text_of
from orchestration.landing.contracts import EventContract, Field, Kind
from orchestration.landing.formats import LandedRows, Shape
from orchestration.landing.formats.common import UnreadableFileError
from orchestration.landing.mappings import (
    EMAIL_SHA256,
    EPOCH_MILLISECONDS,
    EPOCH_SECONDS,
    AmountNotation,
    Columns,
    Mapping,
    Source,
    comparable,
)
from orchestration.sql import literal

# What a declared notation does not match. No number and no timestamp begins so.
UNREADABLE = "not in the declared notation: "

ISO = "%Y-%m-%dT%H:%M:%S.%fZ"

# What divides the groups of a number, where that is a blank.
BLANKS_WITHIN = " \u00a0\u202f"

INSTANTS = ("timestamp", "zoned timestamp", "nanosecond timestamp")

# The sign that typesetters use.
MINUS = "\u2212"

# What an amount is held in while it is multiplied or summed.
EXACT = "decimal(28, 8)"
FITS_EXACT = r"[+-]?([0-9]{1,20}\.?[0-9]{0,8}|\.[0-9]{1,8})"

# Small functions, as those of casting.py are, which they call.
MACROS = f"""
create or replace temp macro iso_of_instant(value) as cast(value as varchar);

-- By the microseconds, in a third of the time that another zone takes.
create or replace temp macro iso_of_local(value, zone) as
    iso_of_instant(make_timestamp(epoch_us(timezone(zone, value))));

create or replace temp macro iso_in_zone(value, zone) as
    case
        when
            extended_iso(value) is null
            or regexp_matches(extended_iso(value)[11:], '(Z|[+-][0-9:]+)$')
            then value
        else coalesce(
            iso_of_local(try_cast(extended_iso(value) as timestamp), zone), {literal(UNREADABLE)} || value
        )
    end;

create or replace temp macro iso_of_epoch(value, number, per_second) as
    case
        when regexp_full_match(value, number)
            then iso_of_instant(make_timestamp(
                cast(floor(cast(value as decimal(28, 9)) * per_second) as bigint)
            ))
        else {literal(UNREADABLE)} || value
    end;

create or replace temp macro amount_of_cents(value) as
    case
        when regexp_full_match(value, '[+-]?[0-9]{{1,20}}')
            then cast(cast(cast(value as {EXACT}) * 0.01 as {EXACT}) as varchar)
        else {literal(UNREADABLE)} || value
    end;

create or replace temp macro amount_times(value, factor) as
    case
        when regexp_full_match(value, {literal(FITS_EXACT)})
            then cast(cast(value as {EXACT}) * cast(factor as decimal(9, 4)) as varchar)
        else value
    end;

create or replace temp macro text_of_json_value(value) as
    case when ord(value) = ord('"') then text_of_json(value) else nullif(cast(value as varchar), 'null') end;

-- Nothing adds up to nothing; one amount that is none, and the sum is none.
create or replace temp macro sum_of_amounts(amounts) as
    case
        when len(list_filter(amounts, lambda one: not regexp_full_match(one, {literal(FITS_EXACT)}))) > 0
            then {literal(UNREADABLE)} || cast(amounts as varchar)
        else cast(coalesce(list_sum(list_transform(
            list_filter(amounts, lambda one: one is not null), lambda one: cast(one as {EXACT})
        )), 0) as varchar)
    end;
"""


@dataclass(frozen=True)
class MappedRows:
    """Rows whose columns were made into fields, not yet validated.

    Attributes:
        query: SQL with ``file_id, row_number, fault``, ``landed_<field>`` for each field that is not absent,
            and ``raw_text``: the columns that the mapping names, as they were landed, as a JSON object.
        types: the DuckDB type of each field that is not absent.
        skipped: SQL with ``file_id, rows``: how many rows are not in the query, because they are skipped.
    """

    query: str
    types: Dict[str, str]
    skipped: str


def map_rows(contract: EventContract, shape: Shape, rows: LandedRows) -> MappedRows:
    """The rows of files of one shape, which has a mapping, as fields of the contract.

    Raises:
        UnreadableFileError: when the mapping needs what only JSON has.
    """
    mapping = shape.reading.mapping
    assert mapping is not None
    mapped = _Mapped(mapping, shape.reading.columns(contract), rows.types, shape.named_at)
    fields = {
        field.name: mapped.field(field, source)
        for field in contract.fields
        if (source := mapping.source_of(field)) and mapped.is_there(source)
    }
    values = ", ".join(f"{value} as landed_{name}" for name, (value, _) in fields.items())
    is_skipped = mapped.is_skipped()
    return MappedRows(
        f"select file_id, row_number, fault, {values}, {mapped.raw_text()} as raw_text "
        f"from ({rows.query}) where not {is_skipped}",
        {name: value_type for name, (_, value_type) in fields.items()},
        f"select file_id, count(*) as rows from ({rows.query}) where {is_skipped} group by file_id",
    )


@dataclass(frozen=True)
class _Mapped:
    """The SQL of a mapping over the columns ``landed_<key>``."""

    mapping: Mapping
    columns: Columns
    types: Dict[str, str]
    named_at: datetime | None

    def is_there(self, source: Source) -> bool:
        """Whether the files have the columns of a source; the contract's own may be absent."""
        return all(self._key(column) in self.types for column in source.columns)

    def field(self, field: Field, source: Source) -> tuple[str, str]:
        """The value of a field and its type."""
        if source.value is not None:
            return literal(source.value), "VARCHAR"
        if source.file_name is not None:
            assert self.named_at is not None
            return literal(_in_zone(self.named_at, self.mapping.timezone)), "VARCHAR"
        if source.sum_of is not None:
            return self._sum(source), "VARCHAR"
        if source.is_as_it_stands and not self._has_notation(field, source.columns[0]):
            key = self._key(source.columns[0])
            return f"landed_{key}", self.types[key]
        return self._replaced(source, self._rewritten(field, source)), "VARCHAR"

    def is_skipped(self) -> str:
        """Whether a row is skipped; never NULL. A row that does not divide into fields is not."""
        reasons = []
        if self.mapping.skip_blank:
            reasons.append(f"{self._text(self.mapping.skip_blank)} is null")
        for column, values in self.mapping.only:
            # By one hand on both sides: Python writes some letters in another lower case.
            listed = ", ".join(f"lower({literal(value)})" for value in values)
            reasons.append(f"coalesce(lower({self._text(column)}) not in ({listed}), true)")
        return f"(fault is null and ({' or '.join(reasons)}))" if reasons else "false"

    def raw_text(self) -> str:
        """The columns as they were landed, those that are hashed as a hash, as a JSON object."""
        named = []
        for column in self.columns.columns:
            if column.key in self.types:
                text = self._text(column.name)
                shown, hashed = self._shown(column.key), f"sha256(lower({text}))"
                if self.mapping.is_hashed(column.name):
                    shown = hashed
                elif self.mapping.hashes:
                    # Of a row that does not divide, nobody knows which column a value is of.
                    is_moved = f"fault is not null and contains({shown}, '@')"
                    shown = f"case when {is_moved} then {hashed} else {shown} end"
                named.append(f"{literal(column.name)}, {shown}")
        return f"cast(json_object({', '.join(named)}) as varchar)"

    def _key(self, column: str) -> str:
        return self.columns.by_name[comparable(column)].key

    def _family(self, column: str) -> str:
        return family_of(self.types[self._key(column)])

    def _text(self, column: str) -> str:
        """The value of a column as text; NULL where there is none."""
        key = self._key(column)
        return text_of(key, self.types[key])

    def _shown(self, key: str) -> str:
        return f"(landed_{key} ->> '$')" if self.types[key] == "JSON" else f"cast(landed_{key} as varchar)"

    def _has_notation(self, field: Field, column: str) -> bool:
        """Whether the values of a column are in a declared notation of the field."""
        if field.kind is Kind.INSTANT:
            return bool(self.mapping.timestamp_format or self.mapping.timezone)
        if field.kind is not Kind.MONEY or self.mapping.amounts is None:
            return False
        # A number of a type is a number, however amounts are written as text; but cents are cents.
        return self._family(column) in ("text", "json") or not self.mapping.amounts.point

    def _joined(self, source: Source) -> str:
        texts = [self._text(column) for column in source.columns]
        return texts[0] if len(texts) == 1 else f"nullif(concat_ws(' ', {', '.join(texts)}), '')"

    def _replaced(self, source: Source, kept: str) -> str:
        """The value with what stands for it; what is kept is in the contract's notation."""
        text = self._joined(source)
        cases = [f"when {text} is null then {literal(source.blank) if source.blank is not None else 'null'}"]
        cases += [
            f"when lower({text}) = lower({literal(value)}) then {literal(other) if other else 'null'}"
            for value, other in source.replaced
        ]
        other = kept if source.otherwise is None else literal(source.otherwise)
        return f"case {' '.join(cases)} else {other} end"

    def _rewritten(self, field: Field, source: Source) -> str:
        """A value that nothing stands for, in the contract's notation."""
        text = self._joined(source)
        if source.normalize:
            return f"sha256(lower({text}))" if source.normalize == EMAIL_SHA256 else f"lower({text})"
        if field.kind is Kind.INSTANT:
            return self._instant(source, text)
        if field.kind is Kind.MONEY:
            return _times(self._amount(source, text), source)
        return text

    def _instant(self, source: Source, text: str) -> str:
        zone, written = self.mapping.timezone or "UTC", self.mapping.timestamp_format
        column = source.columns[0]
        landed, family = f"landed_{self._key(column)}", self._family(column)
        if len(source.columns) == 1 and family in INSTANTS:
            # What no timestamp can hold is in a year that is rejected.
            read = {
                "timestamp": f"try_cast({landed} as timestamp)",
                "zoned timestamp": f"timezone('UTC', try_cast({landed} as timestamptz))",
                "nanosecond timestamp": f"make_timestamp(epoch_ns({landed}) // 1000)",
            }[family]
            has_zone = family == "zoned timestamp" or self.types[self._key(column)] == "TIMESTAMPTZ_NS"
            iso = f"iso_of_instant({read})" if has_zone else f"iso_of_local({read}, {literal(zone)})"
            return f"coalesce({iso}, {_unreadable(text)})"
        if written is None:
            return f"iso_in_zone({text}, {literal(zone)})"
        if written in (EPOCH_SECONDS, EPOCH_MILLISECONDS):
            per_second, digits = (1_000_000, 12) if written == EPOCH_SECONDS else (1_000, 15)
            number = literal(rf"-?[0-9]{{1,{digits}}}(\.[0-9]{{1,9}})?")
            return f"iso_of_epoch({text}, {number}, {per_second})"
        if written.endswith("%z"):
            # The database does not know Z for UTC, and takes offsets of more than an hour of minutes.
            text = f"regexp_replace({text}, '([0-9])[Zz]$', '\\1+0000')"
            text = f"case when not regexp_matches({text}, '[+-][0-9]{{2}}:?[6-9][0-9]$') then {text} end"
        parsed = f"try_strptime({text}, {literal(written)})"
        text = self._joined(source)
        if "%z" in written or "%Z" in written:
            return f"coalesce(iso_of_instant(timezone('UTC', {parsed})), {_unreadable(text)})"
        return f"coalesce(iso_of_local({parsed}, {literal(zone)}), {_unreadable(text)})"

    def _amount(self, source: Source, text: str) -> str:
        """An amount as a number in the contract's notation."""
        key = self._key(source.columns[0])
        if len(source.columns) > 1 or family_of(self.types[key]) == "text":
            return self._of_notation(text)
        number = amount_of(key, self.types[key])
        # What a short float cannot hold to the cent has no text that says which amount was meant.
        is_short = FLOAT_BITS.get(self.types[key], 53) < FLOAT_BITS["DOUBLE"]
        digits = f"coalesce(cast({number} as varchar), {_unreadable(text) if is_short else text})"
        if self.mapping.amounts and not self.mapping.amounts.point:
            return self._of_notation(text)
        if self.types[key] == "JSON":
            # A number is a number, however amounts are written as text.
            return f"case when ord(landed_{key}) = ord('\"') then {self._of_notation(text)} else {digits} end"
        return digits

    def _sum(self, source: Source) -> str:
        key = self._key(source.sum_of or "")
        if self.types.get(key) != "JSON":
            raise UnreadableFileError("its [[landing]] table has a sum, which takes an array within JSON")
        text = "text_of_json_value(element)"
        amount = self._of_notation(text)
        if self.mapping.amounts and self.mapping.amounts.point:
            amount = f"case when ord(element) = ord('\"') then {amount} else {text} end"
        amounts = f"list_transform(cast(landed_{key} as json[]), lambda element: {amount})"
        total = _times(f"sum_of_amounts({amounts})", source)
        blank = "null" if source.blank is None else literal(source.blank)
        return f"case when landed_{key} is null then {blank} else {total} end"

    def _of_notation(self, text: str) -> str:
        amounts = self.mapping.amounts
        if amounts is None:
            return text
        if not amounts.point:
            return f"amount_of_cents({text})"
        # What matches has each symbol once, and digits, so that what is no part of the number can go.
        number = text
        for symbol in filter(None, (amounts.prefix, amounts.suffix)):
            number = f"replace({number}, {literal(symbol)}, '')"
        gone = amounts.group.strip() + BLANKS_WITHIN
        return f"""
            case
                when regexp_full_match({text}, {literal(pattern_of(amounts))})
                    then translate({number}, {literal(MINUS + amounts.point + gone)}, '-.')
                else {_unreadable(text)}
            end
        """


def pattern_of(amounts: AmountNotation) -> str:
    """The regular expression of an amount in a notation; its groups are the signs and the digits."""
    blank = f"[{BLANKS_WITHIN}]"
    group = blank if amounts.group.isspace() else re.escape(amounts.group)
    point = re.escape(amounts.point)
    whole = rf"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+" if group else "[0-9]+"
    number = rf"(?:(?:{whole})(?:{point}[0-9]*)?|{point}[0-9]+)"
    before = f"{re.escape(amounts.prefix)}{blank}?" if amounts.prefix else ""
    behind = f"{blank}?{re.escape(amounts.suffix)}" if amounts.suffix else ""
    return rf"(?:[-+{MINUS}]?{before}|{before}[-+{MINUS}]?){number}{behind}"


def _times(amount: str, source: Source) -> str:
    if source.times is None:
        return amount
    return f"amount_times({amount}, {source.times})"


def _unreadable(text: str) -> str:
    return f"{literal(UNREADABLE)} || {text}"


def _in_zone(named_at: datetime, zone: str | None) -> str:
    if named_at.tzinfo is None:
        named_at = named_at.replace(tzinfo=ZoneInfo(zone or "UTC"))
    return named_at.astimezone(UTC).strftime(ISO)
