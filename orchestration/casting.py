"""How a landed value becomes a typed one, as SQL: one statement checks and casts all rows of many files,
another says what is wrong with those that are refused.

Belongs here: the notations that are read (timestamps, amounts, ids) and the reasons why a value is refused.
Does not belong here: which fields there are (contracts.py), and anything about files.

A landed value has the type that its file gives it: text in CSV, JSON in JSON lines, whatever the column is
in Parquet. Money that a file carries as text is never read through a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.contracts import EventContract, Field, Kind
from orchestration.settings import FIRST_YEAR, LAST_YEAR
from orchestration.sql import literal

# Space, tab, line ends, form feeds and the no-break space that spreadsheets like to leave.
BLANKS = "' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13) || chr(160)"

# The greatest amount, in whole units: with its cents it has 15 digits, the most that survive a reader
# which takes numbers through a float, as JSON readers do.
MAX_WHOLE_DIGITS = 13

MOST_MONEY = "9" * MAX_WHOLE_DIGITS + ".99"

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
# The same of amounts.
PLAIN_MONEY = rf"[0-9]{{1,{MAX_WHOLE_DIGITS}}}(\.[0-9]{{1,2}})?"
AT_MOST_TWO_PLACES = r"[+-]?[0-9]*(\.[0-9]{0,2}0*)?"
IN_RANGE = rf"[+-]?0*[0-9]{{0,{MAX_WHOLE_DIGITS}}}(\..*)?"

# Small functions of the connection, so that the statement that loads a file stays readable.
MACROS = f"""
-- Most text begins and ends with a visible character, which costs a tenth of trimming to see.
create or replace temp macro clean_text(value) as
    case
        when ord(value) between ord('!') and ord('~') and value[-1] between '!' and '~' then value
        else nullif(trim(value, {BLANKS}), '')
    end;

-- ISO 8601 in extended notation, rewritten to the one that the database casts; no offset means UTC.
create or replace temp macro extended_iso(value) as
    case
        when regexp_full_match(value, {literal(PLAIN_ISO)}) then value
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
    timezone('UTC', try_cast(extended_iso(value) as timestamptz));

create or replace temp macro money_of_text(value) as
    case
        when regexp_full_match(value, {literal(PLAIN_MONEY)}) then try_cast(value as decimal(18, 2))
        when
            regexp_full_match(value, {literal(NUMBER)})
            and regexp_full_match(value, {literal(AT_MOST_TWO_PLACES)})
            and regexp_full_match(value, {literal(IN_RANGE)})
            then try_cast(value as decimal(18, 2))
    end;

create or replace temp macro money_of_number(value) as
    case
        when value between -{MOST_MONEY} and {MOST_MONEY} and value = round(value, 2)
            then cast(value as decimal(18, 2))
    end;

-- A float stands for a whole number of cents if it misses one by no more than a float of its size can.
create or replace temp macro money_of_float(value) as
    case
        when
            isfinite(value)
            and abs(value) < 1e{MAX_WHOLE_DIGITS}
            and abs(value - round(value, 2)) <= least(0.0005, greatest(abs(value), 1) * 1e-12)
            then cast(round(value, 2) as decimal(18, 2))
    end;

-- Libraries turn whole numbers into floats where a column has gaps: 1234.0 is the id 1234.
create or replace temp macro id_of_float(value) as
    case when isfinite(value) and value = trunc(value) and abs(value) < 9007199254740992
        then cast(cast(value as bigint) as varchar)
    end;

create or replace temp macro id_of_json(value) as
    case json_type(value)
        when 'VARCHAR' then clean_text(value ->> '$')
        when 'BIGINT' then value ->> '$'
        when 'UBIGINT' then value ->> '$'
        when 'DOUBLE' then
            case when regexp_full_match(value ->> '$', '-?[0-9]+') then value ->> '$'
                else id_of_float(try_cast(value ->> '$' as double))
            end
    end;

create or replace temp macro text_of_json(value) as
    case when json_type(value) not in ('NULL', 'OBJECT', 'ARRAY', 'BOOLEAN')
        then clean_text(value ->> '$')
    end;
"""

INTEGERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
}  # fmt: skip
TEXTS = {"VARCHAR", "JSON"}
FLOATS = {"FLOAT", "DOUBLE"}
NAIVE_TIMESTAMPS = {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"}
ZONED_TIMESTAMPS = {"TIMESTAMP WITH TIME ZONE"}
NANOSECOND_TIMESTAMPS = {"TIMESTAMP_NS", "TIMESTAMPTZ_NS"}


@dataclass(frozen=True)
class CheckedRows:
    """Landed rows, checked and cast: two queries over the same rows, each of which is in one of them.

    Attributes:
        accepted: SQL with a row for each good row: ``file_id, row_number``, the kept fields, and
            ``has_version``: whether the version was landed, and is not the default; never NULL.
        rejected: SQL with a row for each other row: ``file_id, row_number``, ``reasons`` (codes) and
            ``raw_text`` (the fields as they were landed, a JSON object).
    """

    accepted: str
    rejected: str


def check(
    contract: EventContract, landed_types: Mapping[str, str], currency: str, landed_rows: str
) -> CheckedRows:
    """The queries that check and cast landed rows.

    Args:
        contract: the contract of the entity.
        landed_types: the DuckDB type of each field that the files carry.
        currency: the reporting currency, the only one that orders may be in.
        landed_rows: a query with the columns ``file_id, row_number, fault`` and ``landed_<field>`` for
            each field in ``landed_types``; ``fault`` is the code of a reason why a row could not be
            divided into fields, or NULL.
    """
    fields = [
        _CheckedField(field, landed_types[field.name], currency)
        for field in contract.fields
        if field.name in landed_types
    ]
    typed = [f"{field.typed} as typed_{field.field.name}" for field in fields]
    values = {field.field.name: field.value for field in fields}
    valued = [
        f"{values.get(field.name, field.default or 'null')} as {field.name}" for field in contract.fields
    ]
    reasons = [reason for field in fields for reason in field.reasons]
    reasons += [(rule.broken_when, rule.code) for rule in contract.rules]
    refusals = [field.refuses for field in fields]
    refusals += [f"coalesce({rule.broken_when}, false)" for rule in contract.rules]
    is_refused = " or ".join(refusals)
    codes = ", ".join(f"case when {condition} then {literal(code)} end" for condition, code in reasons)
    raw = ", ".join(f"{field.field.name} := {field.landed_text}" for field in fields)
    kept = ", ".join(field.name for field in contract.kept_fields)
    has_version = next((field.present for field in fields if field.field.name == contract.version), "false")
    judged = f"""
        with landed as ({landed_rows}),
        typed as (select *, {", ".join(typed)} from landed),
        valued as (select *, {", ".join(valued)} from typed),
        judged as (select *, fault is not null or {is_refused} as is_refused from valued)
    """
    return CheckedRows(
        accepted=f"""
            {judged}
            select file_id, row_number, {kept}, {has_version} as has_version from judged where not is_refused
        """,
        rejected=f"""
            {judged}
            select
                file_id,
                row_number,
                case
                    when fault is not null then [fault]
                    else list_filter([{codes}], lambda code: code is not null)
                end as reasons,
                cast(to_json(struct_pack({raw})) as varchar) as raw_text
            from judged
            where is_refused
        """,
    )


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
    def present(self) -> str:
        """Whether the row has a value at all."""
        if self.landed_type in FLOATS:
            # Libraries write NaN for "no value".
            return f"({self.landed} is not null and not isnan({self.landed}))"
        if self.landed_type == "VARCHAR" and self.field.kind in (Kind.ID, Kind.CHOICE, Kind.CURRENCY):
            # The typed value is the text itself.
            return f"(typed_{self.field.name} is not null)"
        if self.landed_type in TEXTS:
            return f"(clean_text({self.landed_text}) is not null)"
        return f"({self.landed} is not null)"

    @property
    def typed(self) -> str:
        """The value in its type; NULL where there is none or it cannot be read as one."""
        landed = self.landed
        text = f"text_of_json({landed})" if self.landed_type == "JSON" else f"clean_text({landed})"
        match self.field.kind, self._type_family:
            case Kind.ID, "json":
                return f"id_of_json({landed})"
            case Kind.ID | Kind.CHOICE | Kind.CURRENCY, "text" | "json":
                return text
            case Kind.ID, "float":
                return f"id_of_float({landed})"
            case Kind.ID, "number" | "uuid":
                return f"cast({landed} as varchar)"
            case Kind.INSTANT, "text" | "json":
                return f"instant_of_text({text})"
            case Kind.INSTANT, "timestamp":
                return f"cast({landed} as timestamp)"
            case Kind.INSTANT, "zoned timestamp":
                return f"timezone('UTC', cast({landed} as timestamptz))"
            case Kind.INSTANT, "nanosecond timestamp":
                # Cut off like those of text; a cast would round up, at worst into the next day.
                return f"make_timestamp(epoch_ns({landed}) // 1000)"
            case Kind.MONEY, "text" | "json":
                return f"money_of_text({text})"
            case Kind.MONEY, "number":
                return f"money_of_number({landed})"
            case Kind.MONEY, "float":
                # A FLOAT is taken at the decimal that it prints as, which is the one that was meant.
                return f"money_of_float(cast(cast({landed} as varchar) as double))"
        return f"cast(null as {self.field.kind.column_type})"

    @property
    def _type_family(self) -> str:
        kinds = {"JSON": "json", "VARCHAR": "text", "UUID": "uuid"}
        kinds |= dict.fromkeys(FLOATS, "float") | dict.fromkeys(INTEGERS, "number")
        kinds |= dict.fromkeys(NAIVE_TIMESTAMPS, "timestamp")
        kinds |= dict.fromkeys(ZONED_TIMESTAMPS, "zoned timestamp")
        kinds |= dict.fromkeys(NANOSECOND_TIMESTAMPS, "nanosecond timestamp")
        return "number" if self.landed_type.startswith("DECIMAL") else kinds.get(self.landed_type, "other")

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
    def refuses(self) -> str:
        """Whether this field refuses the row, for one of its reasons; never NULL."""
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
        """Condition and code of each reason why this field refuses a row."""
        name, typed = self.field.name, f"typed_{self.field.name}"
        reasons = [(f"not {self.present}", f"missing_{name}")] if self.field.required else []
        if self.field.kind is Kind.CHOICE:
            return [*reasons, (f"{self.present} and not {self._accepted}", f"unknown_{name}")]

        unread = f"{self.present} and {typed} is null"
        refused = f"{typed} is not null and not {self._accepted}"
        match self.field.kind:
            case Kind.INSTANT:
                return [*reasons, (unread, f"malformed_{name}"), (refused, f"{name}_out_of_range")]
            case Kind.CURRENCY:
                return [*reasons, (unread, f"malformed_{name}"), (refused, f"foreign_{name}")]
            case Kind.MONEY:
                exponent = "([eE][+-]?[0-9]+)?" if self._type_family == "float" else ""
                is_number = f"regexp_full_match(clean_text({self.landed_text}), {literal(NUMBER + exponent)})"
                in_range = f"abs(try_cast({self.landed_text} as double)) < 1e{MAX_WHOLE_DIGITS}"
                return [
                    *reasons,
                    (f"{unread} and not {is_number}", f"malformed_{name}"),
                    (f"{unread} and {is_number} and not {in_range}", f"{name}_out_of_range"),
                    (f"{unread} and {is_number} and {in_range}", f"more_than_two_decimals_in_{name}"),
                    (refused, f"negative_{name}"),
                ]
        return [*reasons, (unread, f"malformed_{name}")]
