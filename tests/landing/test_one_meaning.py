"""One value has one meaning: as text, as a number, as an instant, in every format and type that carries it.

Each value of a table is landed in every carrier (a format, and a type of it) that can hold it, once as an id,
an amount, an instant and a choice. What has to become of it follows from what the carrier holds: texts and
instants have their outcomes written down, numbers have them from a model in exact fractions.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.landing import Content, Loaded, load

from orchestration.landing.contracts import ORDERS
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

ORDER = {
    "order_id": "o",
    "ordered_at": "2026-01-10T10:00:00Z",
    "order_value": "10",
    "sales_channel": "online",
    "status": "placed",
}
FIELDS = {"id": "order_id", "amount": "order_value", "instant": "ordered_at", "choice": "sales_channel"}

Outcome = Any
"""A value of the warehouse, or the list of the reasons why the row was refused."""


# Carriers: a file of rows, each with one value in one field, and the number of the row as its customer.


def csv_of(field: str, values: list[str]) -> Content:
    """Rows with all their fields in quotes, in which a field may hold line ends of any kind."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*ORDER, "customer_id"], quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows({**ORDER, "customer_id": str(row), field: value} for row, value in enumerate(values))
    return text.getvalue()


def json_lines_of(field: str, written: list[str]) -> Content:
    """Lines with the values as they are written in JSON."""
    rows = ({**ORDER, "customer_id": str(row), field: "\x00"} for row, _ in enumerate(written))
    lines = (json.dumps(row).replace('"\\u0000"', text) for row, text in zip(rows, written, strict=True))
    return "".join(line + "\n" for line in lines)


def parquet_of(field: str, values: pa.Array) -> Content:
    columns: dict[str, Any] = {name: [value] * len(values) for name, value in ORDER.items()}
    columns["customer_id"] = [str(row) for row in range(len(values))]
    return pa.table({**columns, field: values})


@dataclass(frozen=True)
class Landed:
    """Files of one carrier by the meaning that their values are landed in, and what has to become of each."""

    ending: str
    content: Callable[[str], Content]
    expected: Mapping[str, list[Outcome]]
    labels: list[str]


def missing(kind: str) -> Outcome:
    return [f"missing_{FIELDS[kind]}"]


def malformed(kind: str) -> Outcome:
    return [f"{'unknown' if kind == 'choice' else 'malformed'}_{FIELDS[kind]}"]


# Text.

BLANKS = (
    *(0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004, 0x2005),
    *(0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF, 0x200B),
)

TOO_MANY_PLACES = ["more_than_two_decimals_in_order_value"]
TOO_GREAT = ["order_value_out_of_range"]

# Text to its id, its amount and its instant; None for none. A text is taken as it stands.
TEXTS: dict[str, tuple[str, Outcome, Outcome]] = {
    "17": ("17", Decimal("17.00"), None),
    "0017": ("0017", Decimal("17.00"), None),
    "17.0": ("17.0", Decimal("17.00"), None),
    "-0": ("-0", Decimal("0.00"), None),
    "10.50": ("10.50", Decimal("10.50"), None),
    "0.30000000000000004": ("0.30000000000000004", TOO_MANY_PLACES, None),
    "12.345": ("12.345", TOO_MANY_PLACES, None),
    "1e2": ("1e2", None, None),
    "NaN": ("NaN", None, None),
    "nan": ("nan", None, None),
    "Infinity": ("Infinity", None, None),
    "null": ("null", None, None),
    "true": ("true", None, None),
    "200000.01": ("200000.01", Decimal("200000.01"), None),
    "9999999999999.99": ("9999999999999.99", Decimal("9999999999999.99"), None),
    "9007199254740993": ("9007199254740993", TOO_GREAT, None),
    "20260131": ("20260131", Decimal("20260131.00"), datetime(2026, 1, 31)),
    "2026-01-31": ("2026-01-31", None, datetime(2026, 1, 31)),
    "2026-01-31T23:30:00.1234567-05:00": (
        "2026-01-31T23:30:00.1234567-05:00",
        None,
        datetime(2026, 2, 1, 4, 30, 0, 123_456),
    ),
    "1970-01-01T00:00:00Z": ("1970-01-01T00:00:00Z", None, ["ordered_at_out_of_range"]),
    "2100-01-01": ("2100-01-01", None, ["ordered_at_out_of_range"]),
    'say "hi", \\ or \u00fc\u0301 \U0001f600\nbye': (
        'say "hi", \\ or \u00fc\u0301 \U0001f600\nbye',
        None,
        None,
    ),
    "a\u3000\u200bb": ("a\u3000\u200bb", None, None),
    # White_Space of Unicode's earlier versions, and characters that Python strips: no blanks.
    "\u180e\x1c": ("\u180e\x1c", None, None),
    **{f"{chr(blank)}5{chr(blank)} ": ("5", Decimal("5.00"), None) for blank in BLANKS},
    **{f"\ufeff{chr(blank)}\u200b\u00fc{chr(blank)}": ("\u00fc", None, None) for blank in BLANKS},
}
NO_TEXTS = ("", "".join(map(chr, BLANKS)), *map(chr, BLANKS))


def outcomes_of_text(kind: str) -> list[Outcome]:
    position = list(FIELDS).index(kind)
    of_texts = [
        malformed(kind) if kind == "choice" or outcomes[position] is None else outcomes[position]
        for outcomes in TEXTS.values()
    ]
    return [*of_texts, *(missing(kind) for _ in NO_TEXTS)]


def carriers_of_text() -> dict[str, Landed]:
    texts = [*TEXTS, *NO_TEXTS]
    expected = {kind: outcomes_of_text(kind) for kind in FIELDS}
    arrays = {
        "string": pa.array(texts),
        "large string": pa.array(texts, pa.large_string()),
        "string view": pa.array(texts, pa.string_view()),
        "binary": pa.array([text.encode() for text in texts]),
        "dictionary": pa.array(texts).dictionary_encode(),
    }
    labels = [ascii(text) for text in texts]
    return {
        "CSV text": Landed(".csv", lambda field: csv_of(field, texts), expected, labels),
        "JSON string": Landed(
            ".jsonl",
            lambda field: json_lines_of(field, [json.dumps(text) for text in texts]),
            expected,
            labels,
        ),
        "escaped JSON string": Landed(
            ".jsonl",
            lambda field: json_lines_of(field, [f'"{escaped(text)}"' for text in texts]),
            expected,
            labels,
        ),
        **{
            f"Parquet {name}": Landed(".parquet", partial(parquet_of, values=array), expected, labels)
            for name, array in arrays.items()
        },
    }


def escaped(text: str) -> str:
    """Each UTF-16 unit of the text as JSON may escape it."""
    units = memoryview(text.encode("utf-16-be")).cast("B").tolist()
    return "".join(f"\\u{high:02x}{low:02X}" for high, low in zip(units[::2], units[1::2], strict=True))


# Numbers.

NUMBERS = (
    "0", "1", "17", "-7", "127", "-128", "128", "255", "256", "1000", "2047", "2048", "2049", "32767",
    "-32768", "65504", "65535", "131071", "131072", "200000", "16777215", "16777216", "16777217",
    "-16777216", "20260131", "2147483647", "-2147483648", "4294967295", "1769853600", "1769853600000",
    "9999999999999", "10000000000000", "-10000000000000", "9007199254740991", "9007199254740992",
    "9007199254740993", "-9007199254740993", "9223372036854775807", "-9223372036854775808",
    "18446744073709551615", "18446744073709551616", "123456789012345678901234567890",
    "-99999999999999999999999999999999999999", "1" + "0" * 60, "1" + "0" * 300, "0.1", "0.01", "0.07",
    "0.3", "0.30000000000000004", "-0.01", "1.1", "1.5", "3.3000000000000003", "10.5", "12.1", "12.34",
    "12.345", "12.3400000000001", "12.34000001", "15.99", "16.01", "100.25", "0.5", "0.005", "0.001",
    "0.0000001", "0.0000000000001", "-0.0000000000001", "12345.67", "65536.01", "131071.99", "131072.01",
    "200000.01", "1234567.89", "1234567890123.45", "9999999999999.99", "-9999999999999.99",
    "9999999999999.994", "10000000000000.01", "99.999", "999999.999", "0.29999999999999999",
    "7.105427357601002e-15",
)  # fmt: skip

INTEGERS = {
    f"{'u' if unsigned else ''}int{bits}": (
        -(2 ** (bits - 1)) * (not unsigned),
        2 ** (bits - (not unsigned)) - 1,
    )
    for bits in (8, 16, 32, 64)
    for unsigned in (False, True)
}
DECIMALS = {
    "decimal(5,0)": pa.decimal128(5, 0),
    "decimal(9,2)": pa.decimal32(9, 2),
    "decimal(18,2)": pa.decimal64(18, 2),
    "decimal(18,4)": pa.decimal128(18, 4),
    "decimal(38,0)": pa.decimal128(38, 0),
    "decimal(38,2)": pa.decimal128(38, 2),
    "decimal(38,10)": pa.decimal128(38, 10),
    "decimal(38,17)": pa.decimal128(38, 17),
    "decimal(38,30)": pa.decimal128(38, 30),
    "decimal(38,37)": pa.decimal128(38, 37),
    "decimal(50,0)": pa.decimal256(50, 0),
    "decimal(76,17)": pa.decimal256(76, 17),
    "decimal(76,40)": pa.decimal256(76, 40),
}
# Binary digits that a float holds.
FLOATS: dict[str, tuple[type[np.floating[Any]], int]] = {
    "float16": (np.float16, 11),
    "float32": (np.float32, 24),
    "float64": (np.float64, 53),
}


def id_of(number: Fraction, bits: int | None) -> Outcome:
    """Its digits, if it is whole, and if no other whole number has the same float."""
    if number.denominator != 1 or (bits is not None and abs(number) >= 2**bits):
        return malformed("id")
    return str(number.numerator)


def amount_of(number: Fraction, float_type: type[np.floating[Any]] | None, bits: int | None) -> Outcome:
    """The cents that it stands for: what it misses them by is what a double of its size misses, or less than
    what its own type can tell apart."""
    if abs(number) >= 10**13:
        return TOO_GREAT
    if bits is not None and bits < 53 and abs(number) >= 2 ** (bits - 7):
        return ["inexact_order_value"]
    cents = math.floor(abs(number) * 100 + Fraction(1, 2)) * (1 if number >= 0 else -1)
    noise = min(Fraction(1, 2000), max(abs(number), Fraction(1)) / 10**12)
    stands_for_cents = abs(number - Fraction(cents, 100)) <= noise
    if float_type is not None:
        stands_for_cents |= Fraction(float(float_type(cents / 100))) == number
    if not stands_for_cents:
        return TOO_MANY_PLACES
    return Decimal(cents).scaleb(-2) if cents >= 0 else ["negative_order_value"]


def outcomes_of_numbers(
    held: list[Fraction], float_type: type[np.floating[Any]] | None = None, bits: int | None = None
) -> dict[str, list[Outcome]]:
    return {
        "id": [id_of(number, bits) for number in held],
        "amount": [amount_of(number, float_type, bits) for number in held],
        "instant": [malformed("instant")] * len(held),
        "choice": [malformed("choice")] * len(held),
    }


def carriers_of_numbers() -> dict[str, Landed]:
    return {**json_numbers(), **parquet_integers(), **parquet_decimals(), **parquet_floats()}


def json_numbers() -> dict[str, Landed]:
    """Integers are exact at any size; what has a point or an exponent is a double."""
    whole = [text for text in (*NUMBERS, "-0") if text.lstrip("-").isdigit()]
    doubles = [text for text in NUMBERS if not text.lstrip("-").isdigit()]
    doubles += [f"{text}.0" for text in whole]
    doubles += [f"{text}e0" for text in whole] + ["1e2", "1.5E+1", "250e-1", "-0.0", "1e22", "1e-400"]
    expected = {
        "JSON integer": (whole, outcomes_of_numbers([Fraction(text) for text in whole])),
        "JSON double": (
            doubles,
            outcomes_of_numbers([Fraction(float(text)) for text in doubles], np.float64, 53),
        ),
    }
    return {
        name: Landed(".jsonl", partial(json_lines_of, written=texts), outcomes, texts)
        for name, (texts, outcomes) in expected.items()
    }


def parquet_integers() -> dict[str, Landed]:
    carriers = {}
    for name, (least, greatest) in INTEGERS.items():
        held = [
            int(text) for text in NUMBERS if text.lstrip("-").isdigit() and least <= int(text) <= greatest
        ]
        carriers[f"Parquet {name}"] = landed_array(
            pa.array(held, name), outcomes_of_numbers([Fraction(number) for number in held])
        )
    return carriers


def parquet_decimals() -> dict[str, Landed]:
    carriers = {}
    for name, kind in DECIMALS.items():
        held = [number for number in map(Decimal, NUMBERS) if fits(number, kind)]
        carriers[f"Parquet {name}"] = landed_array(
            pa.array(held, kind), outcomes_of_numbers([Fraction(number) for number in held])
        )
    return carriers


def fits(number: Decimal, kind: pa.DataType) -> bool:
    with localcontext(prec=400):
        scaled = number.scaleb(kind.scale)
        return scaled == int(scaled) and abs(scaled) < 10**kind.precision


def parquet_floats() -> dict[str, Landed]:
    carriers = {}
    for name, (float_type, bits) in FLOATS.items():
        with np.errstate(over="ignore"):
            rounded = [float_type(float(text)) for text in (*NUMBERS, "-0.0")]
        held = [number for number in rounded if np.isfinite(number)]
        expected = outcomes_of_numbers([Fraction(float(number)) for number in held], float_type, bits)
        for kind, outcomes in expected.items():
            outcomes += [missing(kind), malformed(kind), malformed(kind)]
        array = pa.array(np.array([*held, math.nan, math.inf, -math.inf], float_type))
        carriers[f"Parquet {name}"] = landed_array(array, expected)
    return carriers


def landed_array(array: pa.Array, expected: Mapping[str, list[Outcome]]) -> Landed:
    labels = [str(value) for value in array]
    return Landed(".parquet", lambda field: parquet_of(field, array), expected, labels)


# Instants, and what is neither text nor number.

INSTANTS = (
    datetime(2000, 1, 1),
    datetime(2026, 1, 31, 23, 59, 59),
    datetime(2026, 3, 29, 1, 30),
    datetime(2099, 12, 31, 23, 59, 59),
)
OTHER_YEARS = (datetime(1970, 1, 1), datetime(1999, 12, 31, 23, 59, 59), datetime(2100, 1, 1))


def carriers_of_instants() -> dict[str, Landed]:
    instants = [*INSTANTS, *OTHER_YEARS, None]
    expected = {
        kind: [*[malformed(kind)] * (len(instants) - 1), missing(kind)] for kind in ("id", "amount", "choice")
    }
    out_of_range = [["ordered_at_out_of_range"]] * len(OTHER_YEARS)
    expected["instant"] = [*INSTANTS, *out_of_range, missing("instant")]
    carriers = {
        f"Parquet {kind}": landed_array(pa.array(instants, pa.timestamp(unit)).cast(kind), expected)
        for unit in ("s", "ms", "us", "ns")
        for zone in (None, "UTC", "Europe/Paris")
        for kind in (pa.timestamp(unit, zone),)
    }
    days = [date(2000, 1, 1), date(2026, 1, 31), date(1999, 12, 31), date(2100, 1, 1)]
    of_days = {kind: [malformed(kind)] * len(days) for kind in ("id", "amount", "choice")}
    of_days["instant"] = [datetime(2000, 1, 1), datetime(2026, 1, 31), *out_of_range[:2]]
    return {**carriers, "Parquet date": landed_array(pa.array(days), of_days)}


def carriers_of_other_values() -> dict[str, Landed]:
    """No value at all, and values that no field has, which are refused row by row."""
    nan = ["null", "NaN", "nan", "-NaN", "NAN"]
    others = ["Infinity", "-Infinity", "1e400", "true", "false", "[]", "[1]", "{}", '{"id": "o1"}']
    of_json = {kind: [missing(kind)] * len(nan) + [malformed(kind)] * len(others) for kind in FIELDS}
    of_json["amount"][len(nan) + 2] = TOO_GREAT
    arrays = {
        "boolean": pa.array([True, False, None]),
        "time": pa.array([datetime(2026, 1, 1, 10).time(), None]),
        "list": pa.array([["o1"], [], None]),
        "list of numbers": pa.array([[17], None]),
        "struct": pa.array([{"id": "o1"}, None]),
        "map": pa.array([[("id", 1)], None], pa.map_(pa.string(), pa.int64())),
        "null": pa.nulls(2),
    }
    carriers = {
        f"Parquet {name}": landed_array(
            array,
            {
                kind: [malformed(kind) if value.is_valid else missing(kind) for value in array]
                for kind in FIELDS
            },
        )
        for name, array in arrays.items()
    }
    texts = [*nan, *others]
    return {
        **carriers,
        "other JSON": Landed(".jsonl", lambda field: json_lines_of(field, texts), of_json, texts),
    }


CARRIERS = {
    **carriers_of_text(),
    **carriers_of_numbers(),
    **carriers_of_instants(),
    **carriers_of_other_values(),
}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """All of it, loaded at once."""
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    files = {
        f"{kind}/{name}{carrier.ending}": carrier.content(field)
        for name, carrier in CARRIERS.items()
        for kind, field in FIELDS.items()
    }
    return load(hub, ORDERS, files)


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("name", CARRIERS)
def test_a_value_has_one_meaning_whatever_carries_it(loaded: Loaded, name: str, kind: str) -> None:
    carrier, path = CARRIERS[name], f"{kind}/{name}{CARRIERS[name].ending}"
    outcomes: dict[int, Outcome] = {
        int(event["customer_id"]): event[FIELDS[kind]] for event in loaded.by_file.get(path, [])
    }
    outcomes |= {row.row_number - 1: row.reasons for row in loaded.rejected if row.path == path}

    assert loaded.files[path].error is None
    assert {label: outcomes.get(row) for row, label in enumerate(carrier.labels)} == dict(
        zip(carrier.labels, carrier.expected[kind], strict=True)
    )


def test_every_blank_is_one_of_unicode_or_of_the_two_without_width() -> None:
    assert {chr(code) for code in BLANKS} - {"\ufeff", "\u200b"} == {
        char for char in map(chr, range(0x110000)) if char.isspace() and char not in "\x1c\x1d\x1e\x1f"
    }
