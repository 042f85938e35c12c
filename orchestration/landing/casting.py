"""How a landed value becomes a typed one, as SQL.

One statement checks and casts all rows of many files, another says what is wrong with the rejected ones.

Belongs here: the notations that are read (timestamps, amounts, ids) and the reasons why a value is rejected.
Does not belong here: which fields there are (contracts.py), and anything about files.

A landed value has the type that its file gives it: text in CSV, JSON in JSON lines, whatever the column is
in Parquet. Two meanings cover all of them. Text, a JSON string too, is taken as it stands; an amount in text
is never read through a float. Numbers mean the same in every type, as far as the type can hold them: a float
that could be two ids, or two amounts, is rejected, because nobody can tell which one was meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestration.landing.contracts import BLANKS, FIRST_YEAR, LAST_YEAR, EventContract, Field, Kind
from orchestration.sql import literal

# The greatest amount, in whole units: with its cents it has 15 digits, the most that survive a reader
# which takes numbers through a float, as JSON readers do.
MAX_WHOLE_DIGITS = 13

TIME_OF_DAY = r"([01][0-9]|2[0-4]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?"
OFFSET = r"([Zz]|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
EXTENDED_ISO = rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}([Tt ]{TIME_OF_DAY}( ?{OFFSET})?)?"
# What most files write, which the database casts as it stands: one look at a value tells.
PLAIN_ISO = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z?"
BASIC_ISO = (
    r"([0-9]{4})([0-9]{2})([0-9]{2})"
    rf"(?:[Tt]([0-9]{{2}})([0-9]{{2}})([0-9]{{2}}(?:[.,][0-9]+)?)?({OFFSET})?)?"
)
BASIC_DATE = r"[0-9]{8}"

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)"
EXPONENT = r"([eE][+-]?[0-9]+)?"
# Amounts that are cast without a further look.
PLAIN_MONEY = rf"[0-9]{{1,{MAX_WHOLE_DIGITS}}}(\.[0-9]{{1,2}})?"
AT_MOST_TWO_PLACES = r"[+-]?[0-9]*(\.[0-9]{0,2}0*)?"
IN_RANGE = rf"[+-]?0*[0-9]{{0,{MAX_WHOLE_DIGITS}}}(\..*)?"

# Small functions, so that the statement that loads a file stays readable. A connection has them once it has
# executed this.
MACROS = f"""
create or replace temp macro trim_blanks(value) as trim(value, {literal(BLANKS)});

-- Most text begins and ends with a visible character, which costs a tenth of trimming to see.
create or replace temp macro clean_text(value) as
    case
        when ord(value) between ord('!') and ord('~') and value[-1] between '!' and '~' then value
        else nullif(trim_blanks(value), '')
    end;

-- The content of a JSON string; NULL for any other JSON.
create or replace temp macro text_of_json(value) as
    case when ord(value) = ord('"') then clean_text(value ->> '$') end;

-- Libraries write NaN, in any letter case, for "no value".
create or replace temp macro is_present_in_json(value) as
    coalesce(
        case
            when ord(value) = ord('"') then text_of_json(value) is not null
            else lower(cast(value as varchar)) not in ('null', 'nan', '-nan')
        end,
        false
    );

-- ISO 8601 in extended notation, rewritten to the one that the database casts; no offset means UTC.
create or replace temp macro extended_iso(value) as
    case
        when regexp_full_match(value, {literal(EXTENDED_ISO)})
            then regexp_replace(replace(upper(value), ',', '.'), ' ([-+Z])', '\\1')
        when regexp_full_match(value, {literal(BASIC_DATE)})
            then regexp_replace(value, '(....)(..)(..)', '\\1-\\2-\\3')
        when regexp_full_match(value, {literal(BASIC_ISO)})
            then replace(replace(
                regexp_replace(upper(value), {literal("^" + BASIC_ISO + "$")}, '\\1-\\2-\\3 \\4:\\5:\\6\\7'),
                ',', '.'
            ), ':Z', ':00Z')
    end;

create or replace temp macro instant_of_text(value) as
    case
        when regexp_full_match(value, {literal(PLAIN_ISO)}) then try_cast(value as timestamp)
        else timezone('UTC', try_cast(extended_iso(value) as timestamptz))
    end;

create or replace temp macro money_of_text(value) as
    case
        when regexp_full_match(value, {literal(PLAIN_MONEY)}) then try_cast(value as decimal(18, 2))
        when
            regexp_full_match(value, {literal(NUMBER)})
            and regexp_full_match(value, {literal(AT_MOST_TWO_PLACES)})
            and regexp_full_match(value, {literal(IN_RANGE)})
            then try_cast(value as decimal(18, 2))
    end;

-- Of a number of at most two places.
create or replace temp macro money_of_exact(value) as
    case when abs(try_cast(value as decimal(18, 2))) < 1e{MAX_WHOLE_DIGITS}
        then try_cast(value as decimal(18, 2))
    end;

-- A number stands for a whole number of cents if it misses one by no more than a double of its size can.
create or replace temp macro is_noise(distance, value) as
    distance <= least(0.0005, greatest(abs(cast(value as double)), 1) * 1e-12);

create or replace temp macro money_of_double(value) as
    case
        when
            isfinite(value)
            and abs(value) < 1e{MAX_WHOLE_DIGITS}
            and is_noise(abs(value - round(value, 2)), value)
            then cast(round(value, 2) as decimal(18, 2))
    end;

-- Of a decimal of more places.
create or replace temp macro money_of_decimal(value) as
    case
        when is_noise(least(abs(value % 0.01), 0.01 - abs(value % 0.01)), value) then money_of_exact(value)
    end;

-- Of a float of fewer bits: it also stands for the cents that it is the nearest float to, as long as
-- neighbouring floats are less than a cent apart.
create or replace temp macro money_of_short_float(value, bits) as
    case
        when
            abs(value) < pow(2, bits - 7)
            and (
                is_noise(abs(value - round(value, 2)), value)
                or abs(value - round(value, 2)) <= pow(2, floor(log2(greatest(abs(value), 1e-12))) - bits)
            )
            then cast(round(value, 2) as decimal(18, 2))
    end;

-- Of a JSON value: a string is read as text. A number is a double; one of so few digits has the text of its
-- amount, so it is cast from that.
create or replace temp macro money_of_json(value) as
    case
        when ord(value) = ord('"') then money_of_text(text_of_json(value))
        when regexp_full_match(value, {literal(PLAIN_MONEY)}) then try_cast(value as decimal(18, 2))
        else money_of_double(try_cast(cast(value as varchar) as double))
    end;

-- Libraries turn whole numbers into floats where a column has gaps: 1234.0 is the id 1234. From two to the
-- power of the bits on, two ids would be one float.
create or replace temp macro id_of_float(value, bits) as
    case when isfinite(value) and value = trunc(value) and abs(value) < pow(2, bits)
        then cast(cast(value as bigint) as varchar)
    end;

create or replace temp macro id_of_decimal(value) as
    case when regexp_full_match(cast(value as varchar), '-?[0-9]+(\\.0*)?')
        then split_part(cast(value as varchar), '.', 1)
    end;

create or replace temp macro id_of_json(value) as
    case
        when ord(value) = ord('"') then text_of_json(value)
        when regexp_full_match(value, '-?[0-9]+') then cast(value as varchar)
        when json_type(value) = 'DOUBLE' then id_of_float(try_cast(cast(value as varchar) as double), 53)
    end;
"""

# What the types of landed columns have in common, by their names in DuckDB.
FAMILIES = {
    "VARCHAR": "text",
    "JSON": "json",
    "UUID": "uuid",
    "DECIMAL": "decimal",
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "integer"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "integer"),
    **dict.fromkeys(("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), "timestamp"),
    "TIMESTAMP WITH TIME ZONE": "zoned timestamp",
    **dict.fromkeys(("TIMESTAMP_NS", "TIMESTAMPTZ_NS"), "nanosecond timestamp"),
    **dict.fromkeys(("FLOAT16", "FLOAT", "DOUBLE"), "float"),
}
# How many binary digits of a number a float holds. FLOAT16 is a FLOAT whose file held only half of it.
FLOAT_BITS = {"FLOAT16": 11, "FLOAT": 24, "DOUBLE": 53}


@dataclass(frozen=True)
class CheckedRows:
    """Landed rows, checked and cast: two queries over the same rows, each of which is in one of them.

    Attributes:
        accepted: SQL with a row for each good row: ``file_id, row_number``, the kept fields, and
            ``has_version``: whether the version was landed, and is not the default; never NULL.
        rejected: SQL with a row for each other row: ``file_id, row_number``, ``reasons`` (codes),
            ``raw_text`` (the fields as they were landed, a JSON object) and ``mapped_text`` (the same after a
            mapping, NULL without one).
    """

    accepted: str
    rejected: str


def check(
    contract: EventContract,
    landed_types: Mapping[str, str],
    currency: str,
    landed_rows: str,
    *,
    is_mapped: bool = False,
) -> CheckedRows:
    """The queries that check and cast landed rows.

    Args:
        contract: the contract of the entity.
        landed_types: the type of each field that the files carry: that of DuckDB, or FLOAT16.
        currency: the reporting currency, the only one that orders may be in.
        landed_rows: a query with the columns ``file_id, row_number, fault`` and ``landed_<field>`` for
            each field in ``landed_types``; ``fault`` is the code of a reason why a row could not be
            divided into fields, or NULL.
        is_mapped: whether the fields are those after a mapping; then the query has ``raw_text`` too.
    """
    fields = [
        _CheckedField(field, landed_types[field.name], currency)
        for field in contract.fields
        if field.name in landed_types
    ]
    checked = _with_checked(contract, fields, landed_rows)
    kept = ", ".join(field.name for field in contract.kept_fields)
    has_version = next((field.present for field in fields if field.field.name == contract.version), "false")
    shown = ", ".join(f"{field.field.name} := {field.shown}" for field in fields)
    as_landed = f"cast(to_json(struct_pack({shown})) as varchar)"
    raw_text, mapped_text = ("raw_text", as_landed) if is_mapped else (as_landed, "cast(null as varchar)")
    return CheckedRows(
        accepted=f"""
            {checked}
            select file_id, row_number, {kept}, {has_version} as has_version
            from checked
            where not is_rejected
        """,
        rejected=f"""
            {checked}
            select
                file_id,
                row_number,
                {_reasons(contract, fields)} as reasons,
                {raw_text} as raw_text,
                {mapped_text} as mapped_text
            from checked
            where is_rejected
        """,
    )


def _reasons(contract: EventContract, fields: Sequence[_CheckedField]) -> str:
    """The codes of the reasons why a row of ``checked`` is rejected."""
    reasons = [reason for field in fields for reason in field.reasons]
    reasons += [(rule.broken_when, rule.code) for rule in contract.rules]
    codes = ", ".join(f"case when {condition} then {literal(code)} end" for condition, code in reasons)
    return f"""
        case
            when fault is not null then [fault]
            else list_filter([{codes}], lambda code: code is not null)
        end
    """


def _with_checked(contract: EventContract, fields: Sequence[_CheckedField], landed_rows: str) -> str:
    """The CTEs that end in ``checked``: landed rows with their values, and whether they are rejected."""
    typed = [f"{field.typed} as typed_{field.field.name}" for field in fields]
    values = {field.field.name: field.value for field in fields}
    valued = [
        f"{values.get(field.name, field.default or 'null')} as {field.name}" for field in contract.fields
    ]
    rejections = [field.rejects for field in fields]
    rejections += [f"coalesce({rule.broken_when}, false)" for rule in contract.rules]
    return f"""
        with landed as ({landed_rows}),
        typed as (select *, {", ".join(typed)} from landed),
        valued as (select *, {", ".join(valued)} from typed),
        checked as (select *, fault is not null or {" or ".join(rejections)} as is_rejected from valued)
    """


def family_of(landed_type: str) -> str:
    """What a type has in common with others."""
    return FAMILIES.get(landed_type.partition("(")[0], "other")


def text_of(key: str, landed_type: str) -> str:
    """The SQL of a landed value as text, of a whole number its digits; NULL where there is no value."""
    value = _CheckedField(Field(key, Kind.ID), landed_type, "")
    if family_of(landed_type) == "text":
        return value.typed
    return f"case when {value.present} then coalesce({value.typed}, cast(landed_{key} as varchar)) end"


def amount_of(key: str, landed_type: str) -> str:
    """The SQL of the amount of a landed value; NULL where it is none."""
    return _CheckedField(Field(key, Kind.MONEY), landed_type, "").typed


def as_text(contract: EventContract, rows: str) -> str:
    """The select list that renders checked rows as text, from which :func:`check` makes the same values.

    It has each kept field under its own name. A version that was not landed is NULL again, so that it stays
    the default.

    Args:
        contract: the contract of the entity.
        rows: a relation with the kept fields and ``has_version``, such as a table of raw.
    """
    columns = []
    for field in contract.kept_fields:
        text = f"cast({rows}.{field.name} as varchar)"
        if field.kind is Kind.INSTANT:
            text = f"strftime({rows}.{field.name}, '%Y-%m-%dT%H:%M:%S.%fZ')"
        if field.name == contract.version:
            text = f"case when {rows}.has_version then {text} end"
        columns.append(f"{text} as {field.name}")
    return ", ".join(columns)


@dataclass(frozen=True)
class _CheckedField:
    """The SQL of one field, over the columns ``landed_<field>`` and ``typed_<field>``."""

    field: Field
    landed_type: str
    currency: str

    @property
    def landed(self) -> str:
        return f"landed_{self.field.name}"

    @property
    def landed_text(self) -> str:
        return f"({self.landed} ->> '$')" if self.landed_type == "JSON" else f"cast({self.landed} as varchar)"

    @property
    def shown(self) -> str:
        """The value as text that means the same: of a number that is an id, its digits."""
        digits = f"coalesce(typed_{self.field.name}, {self.landed_text})"
        match self.field.kind, self._family:
            case Kind.ID, "float" | "decimal":
                return digits
            case Kind.ID, "json":
                return f"case when ord({self.landed}) = ord('\"') then {self.landed_text} else {digits} end"
        return self.landed_text

    @property
    def present(self) -> str:
        """Whether the row has a value at all."""
        match self._family:
            case "float":
                return f"({self.landed} is not null and not isnan({self.landed}))"
            case "json":
                return f"is_present_in_json({self.landed})"
            case "text" if self.field.kind in (Kind.ID, Kind.CHOICE, Kind.CURRENCY):
                # The typed value is the text itself.
                return f"(typed_{self.field.name} is not null)"
            case "text":
                return f"(clean_text({self.landed}) is not null)"
        return f"({self.landed} is not null)"

    @property
    def typed(self) -> str:
        """The value in its type; NULL where there is none or it cannot be read as one."""
        match self.field.kind:
            case Kind.ID:
                typed = self._id
            case Kind.INSTANT:
                typed = self._instant
            case Kind.MONEY:
                typed = self._money
            case _:
                typed = self._text
        return typed or f"cast(null as {self.field.kind.column_type})"

    @property
    def _text(self) -> str | None:
        match self._family:
            case "text":
                return f"clean_text({self.landed})"
            case "json":
                return f"text_of_json({self.landed})"
        return None

    @property
    def _id(self) -> str | None:
        match self._family:
            case "json":
                return f"id_of_json({self.landed})"
            case "float":
                return f"id_of_float({self.landed}, {self._bits})"
            case "decimal":
                return f"id_of_decimal({self.landed})"
            case "integer" | "uuid":
                return f"cast({self.landed} as varchar)"
        return self._text

    @property
    def _instant(self) -> str | None:
        match self._family:
            case "timestamp":
                instant = f"try_cast({self.landed} as timestamp)"
            case "zoned timestamp":
                instant = f"timezone('UTC', try_cast({self.landed} as timestamptz))"
            case "nanosecond timestamp":
                # Cut off like those of text; a cast would round up, at worst into the next day.
                instant = f"make_timestamp(epoch_ns({self.landed}) // 1000)"
            case _:
                return f"instant_of_text({self._text})" if self._text else None
        # What no timestamp can hold is in a year that is rejected, as the infinities are.
        return f"case when {self.landed} is not null then coalesce({instant}, timestamp 'infinity') end"

    @property
    def _money(self) -> str | None:
        match self._family:
            case "text":
                return f"money_of_text({self._text})"
            case "json":
                return f"money_of_json({self.landed})"
            case "integer" | "decimal" if self._scale <= 2:
                return f"money_of_exact({self.landed})"
            case "decimal":
                return f"money_of_decimal({self.landed})"
            case "float" if self.landed_type == "DOUBLE":
                return f"money_of_double({self.landed})"
            case "float":
                return f"money_of_short_float(cast({self.landed} as double), {self._bits})"
        return None

    @property
    def _family(self) -> str:
        return family_of(self.landed_type)

    @property
    def _scale(self) -> int:
        """How many places a number of this type has behind the point, such as 2 in DECIMAL(18,2)."""
        return int(self.landed_type.partition(",")[2].rstrip(")") or 0)

    @property
    def _bits(self) -> int:
        return FLOAT_BITS[self.landed_type]

    @property
    def _accepted(self) -> str:
        """Whether the typed value is one that the contract allows; never NULL."""
        typed = f"typed_{self.field.name}"
        match self.field.kind:
            case Kind.INSTANT:
                allowed = f"isfinite({typed}) and year({typed}) between {FIRST_YEAR} and {LAST_YEAR}"
            case Kind.MONEY:
                allowed = f"{typed} >= 0"
            case Kind.CHOICE:
                allowed = f"{typed} in ({', '.join(literal(choice) for choice in self.field.choices)})"
            case Kind.CURRENCY:
                allowed = f"{typed} = {literal(self.currency)}"
            case _:
                allowed = f"{typed} is not null"
        return f"coalesce({allowed}, false)"

    @property
    def rejects(self) -> str:
        """Whether the row is rejected for this field, for one of its reasons; never NULL."""
        if self.field.required:
            return f"not {self._accepted}"
        return f"({self.present} and not {self._accepted})"

    @property
    def value(self) -> str:
        """The value of a good row, its default applied."""
        typed = f"typed_{self.field.name}"
        accepted = f"case when {self._accepted} then {typed} end"
        if self.field.default is None:
            return accepted
        return f"case when {self.present} then {accepted} else {self.field.default} end"

    @property
    def reasons(self) -> list[tuple[str, str]]:
        """Condition and code of each reason why a row is rejected for this field."""
        name, typed = self.field.name, f"typed_{self.field.name}"
        reasons = [(f"not {self.present}", f"missing_{name}")] if self.field.required else []
        if self.field.kind is Kind.CHOICE:
            return [*reasons, (f"{self.present} and not {self._accepted}", f"unknown_{name}")]

        unread = f"{self.present} and {typed} is null"
        rejected = f"{typed} is not null and not {self._accepted}"
        match self.field.kind:
            case Kind.INSTANT:
                return [*reasons, (unread, f"malformed_{name}"), (rejected, f"{name}_out_of_range")]
            case Kind.CURRENCY:
                return [*reasons, (unread, f"malformed_{name}"), (rejected, f"foreign_{name}")]
            case Kind.MONEY:
                return [*reasons, *self._reasons_of_money(unread), (rejected, f"negative_{name}")]
        return [*reasons, (unread, f"malformed_{name}")]

    def _reasons_of_money(self, unread: str) -> list[tuple[str, str]]:
        name = self.field.name
        if self._money is None:
            return [(unread, f"malformed_{name}")]
        number = f"clean_text({self.landed_text})"
        is_float = self._family == "float"
        size = f"abs({f'cast({self.landed} as double)' if is_float else f'try_cast({number} as double)'})"
        in_range = f"{size} < 1e{MAX_WHOLE_DIGITS}"
        is_inexact = f"{size} >= pow(2, {self._bits - 7})" if is_float else "false"
        is_number = f"regexp_full_match({number}, {literal(NUMBER)})"
        if self._family in ("float", "json"):
            # A number may be written with an exponent, text that says one may not.
            is_text = f"ord({self.landed}) = ord('\"')" if self._family == "json" else "false"
            has_exponent = f"regexp_full_match({number}, {literal(NUMBER + EXPONENT)})"
            is_number = f"case when {is_text} then {is_number} else {has_exponent} end"
        return [
            (f"{unread} and not {is_number}", f"malformed_{name}"),
            (f"{unread} and {is_number} and not {in_range}", f"{name}_out_of_range"),
            (f"{unread} and {is_number} and {in_range} and {is_inexact}", f"inexact_{name}"),
            (
                f"{unread} and {is_number} and {in_range} and not {is_inexact}",
                f"more_than_two_decimals_in_{name}",
            ),
        ]
