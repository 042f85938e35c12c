"""Landed values -> typed ones: the notations of timestamps, amounts, ids and choices, in each format.

That one value means the same in all of them is the matter of test_one_meaning.py.

Each table of notations is landed as one file per format and loaded as any file is; a value's outcome is what
the warehouse holds of it, or the reasons why its row was refused.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from support.landing import Content, Loaded, json_lines_text, load, parquet_bytes

from orchestration.landing import casting
from orchestration.landing.contracts import MESSAGES, ORDERS, EventContract, Kind
from orchestration.settings import Settings

TEXT_ENDINGS = (".csv", ".jsonl", ".parquet")

MESSAGE = {"message_id": "m", "customer_id": "c", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}
ORDER = {
    "order_id": "o",
    "ordered_at": "2026-01-10T10:00:00Z",
    "order_value": "10",
    "sales_channel": "online",
}
GOOD_ROW: Mapping[str, dict[str, str]] = {"messages": MESSAGE, "orders": ORDER}

Outcome = Any
"""A value of the warehouse, or the list of the reasons why the row was refused."""


def hub_in(folder: Path) -> Settings:
    return Settings(folder, "UTC", date(2026, 1, 31), "USD")


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return hub_in(tmp_path)


def outcomes_in(loaded: Loaded, name: str, field: str, count: int) -> list[Outcome]:
    """The outcomes of the rows of a file, in their order; each row's number stands in another text field."""
    marker = "user_id" if "user_id" in loaded.by_file.get(name, [{"user_id": 0}])[0] else "customer_id"
    accepted = {int(event[marker]): event[field] for event in loaded.by_file.get(name, [])}
    refused = {row.row_number - 1: row.reasons for row in loaded.rejected if row.path == name}
    assert accepted.keys() | refused.keys() == set(range(count))
    return [accepted[number] if number in accepted else refused[number] for number in range(count)]


def table(contract: EventContract, field: str, values: pa.Array) -> pa.Table:
    """Good rows with a column of the given values, each row with its number in a text field."""
    count = len(values)
    columns: dict[str, Any] = {name: [value] * count for name, value in GOOD_ROW[contract.entity].items()}
    marker = "user_id" if contract is MESSAGES else "customer_id"
    columns[marker] = [str(number) for number in range(count)]
    columns[field] = values
    return pa.table(columns)


def outcomes_of_column(
    settings: Settings, contract: EventContract, field: str, values: pa.Array
) -> list[Outcome]:
    """What becomes of a Parquet column."""
    loaded = load(settings, contract, {"a.parquet": table(contract, field, values)})
    return outcomes_in(loaded, "a.parquet", field, len(values))


def outcomes(
    settings: Settings, contract: EventContract, ending: str, field: str, values: Sequence[object]
) -> list[Outcome]:
    """What becomes of values, each in a row of its own, in a file of the format."""
    if ending == ".parquet":
        return outcomes_of_column(settings, contract, field, pa.array(values))
    marker = "user_id" if contract is MESSAGES else "customer_id"
    rows = [
        {**GOOD_ROW[contract.entity], marker: str(number), field: value}
        for number, value in enumerate(values)
    ]
    loaded = load(settings, contract, {f"a{ending}": rows})
    return outcomes_in(loaded, f"a{ending}", field, len(values))


# Timestamps.

TIMESTAMPS: dict[str, datetime] = {
    # Offsets; none means UTC.
    "2026-01-31T10:15:30": datetime(2026, 1, 31, 10, 15, 30),
    "2026-01-31T10:15:30Z": datetime(2026, 1, 31, 10, 15, 30),
    "2026-01-31T10:15:30+00:00": datetime(2026, 1, 31, 10, 15, 30),
    "2026-01-31T10:15:30-00:00": datetime(2026, 1, 31, 10, 15, 30),
    "2026-01-31T10:15:30+02": datetime(2026, 1, 31, 8, 15, 30),
    "2026-01-31T10:15:30+0200": datetime(2026, 1, 31, 8, 15, 30),
    "2026-01-31T10:15:30+02:00": datetime(2026, 1, 31, 8, 15, 30),
    "2026-01-31T10:15:30-05": datetime(2026, 1, 31, 15, 15, 30),
    "2026-01-31T10:15:30-0530": datetime(2026, 1, 31, 15, 45, 30),
    "2026-01-31T10:15:30-05:30": datetime(2026, 1, 31, 15, 45, 30),
    "2026-01-31T10:15:30+05:45": datetime(2026, 1, 31, 4, 30, 30),
    "2026-01-31T10:15:30+14:00": datetime(2026, 1, 30, 20, 15, 30),
    "2026-01-31T10:15:30-12:00": datetime(2026, 1, 31, 22, 15, 30),
    # Letters and blanks.
    "2026-01-31t10:15:30z": datetime(2026, 1, 31, 10, 15, 30),
    "2026-01-31 10:15:30": datetime(2026, 1, 31, 10, 15, 30),
    "2026-01-31 10:15:30Z": datetime(2026, 1, 31, 10, 15, 30),
    "2026-01-31 10:15:30+02": datetime(2026, 1, 31, 8, 15, 30),
    "2026-01-31 10:15:30 +02:00": datetime(2026, 1, 31, 8, 15, 30),
    "2026-01-31 10:15:30 -0500": datetime(2026, 1, 31, 15, 15, 30),
    "2026-01-31 10:15:30 Z": datetime(2026, 1, 31, 10, 15, 30),
    " \t2026-01-31T10:15:30Z\u00a0\n": datetime(2026, 1, 31, 10, 15, 30),
    # Fractions of a second, cut off behind the microsecond.
    "2026-01-31T10:15:30.5Z": datetime(2026, 1, 31, 10, 15, 30, 500_000),
    "2026-01-31T10:15:30,5Z": datetime(2026, 1, 31, 10, 15, 30, 500_000),
    "2026-01-31T10:15:30.123456": datetime(2026, 1, 31, 10, 15, 30, 123_456),
    "2026-01-31T10:15:30.123456789Z": datetime(2026, 1, 31, 10, 15, 30, 123_456),
    "2026-01-31T10:15:30.9999999+02:00": datetime(2026, 1, 31, 8, 15, 30, 999_999),
    "2026-01-31T23:59:59.99999999999999999999": datetime(2026, 1, 31, 23, 59, 59, 999_999),
    # Less than seconds.
    "2026-01-31": datetime(2026, 1, 31),
    "2026-01-31T10:15": datetime(2026, 1, 31, 10, 15),
    "2026-01-31T10:15Z": datetime(2026, 1, 31, 10, 15),
    "2026-01-31 10:15-05:00": datetime(2026, 1, 31, 15, 15),
    # The basic notation.
    "20260131": datetime(2026, 1, 31),
    "20260131T1015": datetime(2026, 1, 31, 10, 15),
    "20260131T1015Z": datetime(2026, 1, 31, 10, 15),
    "20260131T1015+02": datetime(2026, 1, 31, 8, 15),
    "20260131T101530": datetime(2026, 1, 31, 10, 15, 30),
    "20260131T101530Z": datetime(2026, 1, 31, 10, 15, 30),
    "20260131t101530z": datetime(2026, 1, 31, 10, 15, 30),
    "20260131T101530+0200": datetime(2026, 1, 31, 8, 15, 30),
    "20260131T101530,25-05:00": datetime(2026, 1, 31, 15, 15, 30, 250_000),
    # The end of a day, leap days, the turn of a year.
    "2026-01-31T24:00:00": datetime(2026, 2, 1),
    "2026-01-31T24:00": datetime(2026, 2, 1),
    "2026-01-31T24:00:00+02:00": datetime(2026, 1, 31, 22),
    "20260131T240000Z": datetime(2026, 2, 1),
    "2024-02-29": datetime(2024, 2, 29),
    "2000-02-29T12:00:00Z": datetime(2000, 2, 29, 12),
    "2025-12-31T23:30:00-05:00": datetime(2026, 1, 1, 4, 30),
    # The boundaries of what is believed, taken in UTC.
    "2000-01-01T00:00:00Z": datetime(2000, 1, 1),
    "1999-12-31T23:00:00-01:00": datetime(2000, 1, 1),
    "2099-12-31T23:59:59.999999Z": datetime(2099, 12, 31, 23, 59, 59, 999_999),
    "2099-12-31T23:59:59.9999999Z": datetime(2099, 12, 31, 23, 59, 59, 999_999),
    "2100-01-01T00:30:00+01:00": datetime(2099, 12, 31, 23, 30),
}

OUT_OF_RANGE = (
    "1970-01-01",
    "1970-01-01T00:00:00Z",
    "1999-12-31T23:59:59.999999Z",
    "1999-12-31T23:59:59.9999999Z",
    "2000-01-01T00:30:00+01:00",
    "2099-12-31T23:30:00-01:00",
    "2099-12-31T24:00:00Z",
    "2100-01-01",
    "2199-06-15T12:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01",
    "19700101",
)

NO_TIMESTAMPS = (
    "2026-02-30",
    "2026-02-29",
    "2026-13-01",
    "2026-00-10",
    "2026-01-00",
    "2026-01-32T10:00:00Z",
    "20260230",
    "2026-1-1",
    "2026-01-31T1:00:00",
    "26-01-31",
    "99999-01-01",
    "-2026-01-31",
    "2026-01-31T23:59:60",
    "2026-01-31T23:60:00",
    "2026-01-31T24:00:01",
    "2026-01-31T24:00:00.5",
    "2026-01-31T25:00:00",
    "20260131T235960",
    "20260131T250000",
    "2026-01-31T10:15:30+25:00",
    "2026-01-31T10:15:30+02:60",
    "2026-01-31T10:15:30+2",
    "2026-01-31T10:15:30Z+02:00",
    "2026-01-31T10:15:30.",
    "2026-01-31T",
    "2026-01-31  10:15:30",
    "2026-01-31 10:15:30 UTC",
    "2026-01-31 10:15:30 Europe/Paris",
    "2026-01-31T10:15:30[Europe/Paris]",
    "2026-01-31 (BC)",
    "infinity",
    "-infinity",
    "epoch",
    "now",
    "today",
    "yesterday",
    "NaN",
    "0",
    "1769853600",
    "1769853600000",
    "31.01.2026",
    "01/31/2026",
    "2026/01/31",
    "2026-W05-6",
    "2026-031",
    "10:15:30",
    "last Friday",
    "\u0662\u0660\u0662\u0666-01-31",
    "2026\u201301\u201331",
)


@pytest.fixture(scope="module", params=TEXT_ENDINGS)
def timestamps(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome]:
    """What becomes of each notation in a format."""
    texts = [*TIMESTAMPS, *OUT_OF_RANGE, *NO_TIMESTAMPS]
    hub = hub_in(tmp_path_factory.mktemp("hub"))
    return dict(zip(texts, outcomes(hub, MESSAGES, request.param, "occurred_at", texts), strict=True))


@pytest.mark.parametrize("text", TIMESTAMPS)
def test_a_timestamp_in_iso_8601_is_read_as_its_instant_in_utc(
    timestamps: dict[str, Outcome], text: str
) -> None:
    assert timestamps[text] == TIMESTAMPS[text]


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_a_timestamp_before_2000_or_after_2099_in_utc_is_refused(
    timestamps: dict[str, Outcome], text: str
) -> None:
    assert timestamps[text] == ["occurred_at_out_of_range"]


@pytest.mark.parametrize("text", NO_TIMESTAMPS)
def test_what_is_no_timestamp_is_refused(timestamps: dict[str, Outcome], text: str) -> None:
    assert timestamps[text] == ["malformed_occurred_at"]


@pytest.mark.parametrize(
    ("contract", "field"),
    [(MESSAGES, "updated_at"), (ORDERS, "ordered_at"), (ORDERS, "updated_at")],
    ids=["messages_updated_at", "orders_ordered_at", "orders_updated_at"],
)
def test_every_timestamp_is_read_alike(hub: Settings, contract: EventContract, field: str) -> None:
    values = ["2026-01-31T10:15:30,5+02", "20260131", "2199-01-01", "soon"]

    assert outcomes(hub, contract, ".csv", field, values) == [
        datetime(2026, 1, 31, 8, 15, 30, 500_000),
        datetime(2026, 1, 31),
        [f"{field}_out_of_range"],
        [f"malformed_{field}"],
    ]


NOTATIONS: tuple[Callable[[datetime], str], ...] = (
    lambda instant: instant.isoformat(),
    lambda instant: instant.isoformat(sep=" "),
    lambda instant: instant.isoformat(timespec="microseconds").replace(".", ","),
    lambda instant: instant.strftime("%Y-%m-%dT%H:%M:%S.%f%z"),
    lambda instant: instant.strftime("%Y%m%dT%H%M%S.%f%z"),
    lambda instant: instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
    lambda instant: instant.astimezone(UTC).strftime("%Y-%m-%dt%H:%M:%S.%fz"),
    lambda instant: instant.astimezone(UTC).strftime("%Y%m%dT%H%M%S,%f999Z"),
)


@hypothesis_settings(max_examples=10, deadline=None, derandomize=True)
@given(
    drawn=st.lists(
        st.tuples(
            st.datetimes(datetime(2000, 1, 2), datetime(2099, 12, 30)),
            st.integers(-14 * 60, 14 * 60),
            st.sampled_from(NOTATIONS),
        ),
        min_size=1,
        max_size=60,
    ),
    ending=st.sampled_from(TEXT_ENDINGS),
)
def test_any_instant_in_any_zone_and_notation_is_read_to_the_microsecond(
    tmp_path_factory: pytest.TempPathFactory,
    drawn: list[tuple[datetime, int, Callable[[datetime], str]]],
    ending: str,
) -> None:
    hub = hub_in(tmp_path_factory.mktemp("hub"))
    instants = [instant.replace(tzinfo=UTC) for instant, _, _ in drawn]
    texts = [
        notation(instant.astimezone(timezone(timedelta(minutes=offset))))
        for instant, (_, offset, notation) in zip(instants, drawn, strict=True)
    ]

    read = outcomes(hub, MESSAGES, ending, "occurred_at", texts)

    assert read == [instant.replace(tzinfo=None) for instant in instants]


TENTH = datetime(2026, 1, 10, 10, 15, 30)
OF_UNIT = {
    "s": TENTH,
    "ms": TENTH.replace(microsecond=123_000),
    "us": TENTH.replace(microsecond=123_456),
    "ns": TENTH.replace(microsecond=123_456),
}


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Paris"])
@pytest.mark.parametrize("unit", OF_UNIT)
def test_native_parquet_timestamps_are_read(hub: Settings, unit: str, zone: str | None) -> None:
    """Without a zone they are in UTC; with one they are instants, whatever the zone is called."""
    values = pa.array([OF_UNIT[unit], datetime(1970, 1, 1), None], pa.timestamp(unit)).cast(
        pa.timestamp(unit, zone)
    )

    assert outcomes_of_column(hub, MESSAGES, "occurred_at", values) == [
        OF_UNIT[unit],
        ["occurred_at_out_of_range"],
        ["missing_occurred_at"],
    ]


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_nanoseconds_are_cut_off_as_those_of_text_are(hub: Settings, zone: str | None) -> None:
    """Else the same event lands in one day as text and in the next as Parquet."""
    texts = [
        "1999-12-31T23:59:59.999999999",
        "2026-01-31T23:59:59.999999999",
        "2099-12-31T23:59:59.999999999",
    ]
    values = pa.array(np.array(texts, "datetime64[ns]")).cast(pa.timestamp("ns", zone))

    assert outcomes_of_column(hub, MESSAGES, "occurred_at", values) == [
        ["occurred_at_out_of_range"],
        datetime(2026, 1, 31, 23, 59, 59, 999_999),
        datetime(2099, 12, 31, 23, 59, 59, 999_999),
    ]


@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_parquet_timestamps_beyond_any_calendar_are_refused_row_by_row(
    hub: Settings, unit: str, zone: str | None
) -> None:
    greatest, second = {
        "s": (2**40, 1),
        "ms": (2**63 - 1, 10**3),
        "us": (2**63 - 1, 10**6),
        "ns": (2**63 - 1, 10**9),
    }[unit]
    values = pa.array([greatest, -greatest, 1_769_853_600 * second], pa.int64())

    assert outcomes_of_column(hub, MESSAGES, "occurred_at", values.cast(pa.timestamp(unit, zone))) == [
        ["occurred_at_out_of_range"],
        ["occurred_at_out_of_range"],
        datetime(2026, 1, 31, 10),
    ]


def test_parquet_dates_beyond_any_calendar_are_refused_row_by_row(hub: Settings) -> None:
    values = pa.array([2**31 - 1, -(2**31), 2**31 - 2, 20_484], pa.int32()).cast(pa.date32())

    assert outcomes_of_column(hub, MESSAGES, "occurred_at", values) == [
        *[["occurred_at_out_of_range"]] * 3,
        datetime(2026, 1, 31),
    ]


# Versions.


@pytest.mark.parametrize("ending", TEXT_ENDINGS)
def test_a_row_tells_whether_its_version_was_landed_or_is_the_default(hub: Settings, ending: str) -> None:
    rows = [
        {**MESSAGE, "message_id": "own version", "updated_at": "2026-01-10T10:00:00Z"},
        {**MESSAGE, "message_id": "blank", "updated_at": "\u00a0"},
        {**MESSAGE, "message_id": "none", "updated_at": None},
    ]

    loaded = load(hub, MESSAGES, {f"a{ending}": rows, f"without_the_field{ending}": [MESSAGE]})

    assert {event["message_id"]: event["has_version"] for event in loaded.events} == {
        "own version": True,
        "blank": False,
        "none": False,
        "m": False,
    }
    assert {event["updated_at"] for event in loaded.events} == {datetime(2026, 1, 10, 10)}


# Money.

AMOUNTS: dict[str, Decimal] = {
    "0": Decimal("0.00"),
    "0.1": Decimal("0.10"),
    "0.01": Decimal("0.01"),
    "12.5": Decimal("12.50"),
    "12.50": Decimal("12.50"),
    "12.500": Decimal("12.50"),
    "12.34000000000000000000000000000000000000000000": Decimal("12.34"),
    ".5": Decimal("0.50"),
    "5.": Decimal("5.00"),
    "-0": Decimal("0.00"),
    "-0.00": Decimal("0.00"),
    "+3": Decimal("3.00"),
    "007": Decimal("7.00"),
    "0" * 40 + "1.25": Decimal("1.25"),
    " 19.99\t": Decimal("19.99"),
    "\u00a019.99\u00a0": Decimal("19.99"),
    "0.07": Decimal("0.07"),
    "1.15": Decimal("1.15"),
    "4.35": Decimal("4.35"),
    "1234567890123": Decimal("1234567890123.00"),
    "9999999999999": Decimal("9999999999999.00"),
    "9999999999999.99": Decimal("9999999999999.99"),
    "9007199254740.93": Decimal("9007199254740.93"),
}

NO_AMOUNTS: dict[str, str] = {
    "": "missing",
    "  ": "missing",
    "1e2": "malformed",
    "1E2": "malformed",
    "1,5": "malformed",
    "1,234.50": "malformed",
    "1 000": "malformed",
    "1_000": "malformed",
    "0x10": "malformed",
    "NaN": "malformed",
    "inf": "malformed",
    "Infinity": "malformed",
    "null": "malformed",
    "$5": "malformed",
    "5 USD": "malformed",
    "1.2.3": "malformed",
    "--5": "malformed",
    "5-": "malformed",
    "(5)": "malformed",
    ".": "malformed",
    "-": "malformed",
    "\u0665": "malformed",
    "\uff15": "malformed",
    "12.345": "more_than_two_decimals_in",
    "0.001": "more_than_two_decimals_in",
    "12.340000000000000000000000000000000000001": "more_than_two_decimals_in",
    "-0.01": "negative",
    "-5": "negative",
    "-9999999999999.99": "negative",
    "10000000000000": "out_of_range",
    "99999999999999": "out_of_range",
    "1" + "0" * 40: "out_of_range",
}


def reasons_of(kind: str, field: str) -> list[str]:
    return [f"{field}_out_of_range" if kind == "out_of_range" else f"{kind}_{field}"]


@pytest.fixture(scope="module", params=TEXT_ENDINGS)
def amounts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What becomes of each amount as text in a format."""
    texts = [*AMOUNTS, *NO_AMOUNTS]
    hub = hub_in(tmp_path_factory.mktemp("hub"))
    return dict(zip(texts, outcomes(hub, ORDERS, request.param, "order_value", texts), strict=True))


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_as_text_is_exact(amounts: dict[str, Outcome], text: str) -> None:
    assert amounts[text] == AMOUNTS[text]


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_no_amount_of_cents_is_refused(amounts: dict[str, Outcome], text: str) -> None:
    assert amounts[text] == reasons_of(NO_AMOUNTS[text], "order_value")


@pytest.mark.parametrize("ending", TEXT_ENDINGS)
def test_refunds_are_read_as_order_values_are(hub: Settings, ending: str) -> None:
    values = ["9.99", "", "10.000", "x", "1.005", "-1", "99999999999999", "10.01"]

    assert outcomes(hub, ORDERS, ending, "refunded_value", values) == [
        Decimal("9.99"),
        Decimal("0.00"),
        Decimal("10.00"),
        ["malformed_refunded_value"],
        ["more_than_two_decimals_in_refunded_value"],
        ["negative_refunded_value"],
        ["refunded_value_out_of_range"],
        ["refunded_value_exceeds_order_value"],
    ]


def test_doubles_stand_for_the_cents_that_they_miss_by_noise(hub: Settings) -> None:
    sums_of_cents = [sum([0.1] * count) for count in (3, 10, 1000, 10_000)]
    column = pa.array(
        [0.1 + 0.2, 1.1 * 3, 4.35 * 100, *sums_of_cents, -0.0, 9999999999999.99, 1234567890123.45]
    )

    assert outcomes_of_column(hub, ORDERS, "order_value", column) == [
        Decimal(text)
        for text in (
            "0.30", "3.30", "435.00", "0.30", "1.00", "100.00", "1000.00", "0.00",
            "9999999999999.99", "1234567890123.45",
        )
    ]  # fmt: skip


CENTS = st.integers(0, 10**15 - 1)


@hypothesis_settings(max_examples=10, deadline=None, derandomize=True)
@given(cents=st.lists(CENTS | st.integers(0, 10**7), min_size=1, max_size=100))
@example(cents=[0, 1, 10**15 - 1, 10**15 - 99])
def test_any_amount_of_cents_is_exact_in_every_format(
    tmp_path_factory: pytest.TempPathFactory, cents: list[int]
) -> None:
    hub = hub_in(tmp_path_factory.mktemp("hub"))
    exact = [Decimal(number).scaleb(-2) for number in cents]
    texts = [f"{amount:.2f}" for amount in exact]
    files: dict[str, Content] = {
        "a.csv": [
            {**ORDER, "customer_id": str(number), "order_value": text} for number, text in enumerate(texts)
        ],
        "a.jsonl": "".join(
            json_lines_text([{**ORDER, "customer_id": str(number), "order_value": 0.5}]).replace("0.5", text)
            for number, text in enumerate(texts)
        ),
        "double.parquet": table(ORDERS, "order_value", pa.array([float(text) for text in texts])),
        "decimal.parquet": table(ORDERS, "order_value", pa.array(exact, pa.decimal128(18, 2))),
    }

    loaded = load(hub, ORDERS, files)

    assert {name: outcomes_in(loaded, name, "order_value", len(exact)) for name in files} == dict.fromkeys(
        files, exact
    )


def test_numbers_within_a_column_beyond_the_contract_say_nothing_of_those_of_its_name(hub: Settings) -> None:
    within = pa.struct([("order_value", pa.float16()), ("refunded_value", pa.decimal256(50, 2))])
    columns = {
        "note": pa.array([{"order_value": np.float16(1), "refunded_value": Decimal(1)}], within),
        **{name: [value] for name, value in ORDER.items()},
        "order_value": pa.array([200.5], pa.float32()),
        "refunded_value": pa.array([100.25], pa.float64()),
    }

    loaded = load(hub, ORDERS, {"a.parquet": pa.table(columns)})

    assert [(event["order_value"], event["refunded_value"]) for event in loaded.events] == [
        (Decimal("200.50"), Decimal("100.25"))
    ]


# What libraries write for "no value".


@pytest.mark.parametrize(
    "others",
    [
        pytest.param([], id="alone"),
        pytest.param([1.0], id="beside_one_number"),
        pytest.param([1.0, 2.0], id="beside_several_numbers"),
        pytest.param([1.0, None, 2.0], id="beside_numbers_and_null"),
    ],
)
@pytest.mark.parametrize("width", [pa.float64(), pa.float32()], ids=["double", "float"])
def test_nan_in_an_optional_parquet_column_is_no_value(
    hub: Settings, width: pa.DataType, others: list[float | None]
) -> None:
    """Beside others, since readers look at the statistics of a column, which leave NaN out."""
    column = pa.array([*others, float("nan")], width)
    expected = [Decimal("0.00") if number is None else Decimal(number) for number in [*others, None]]

    assert outcomes_of_column(hub, ORDERS, "refunded_value", column) == expected


@pytest.mark.parametrize("numbers", [[1.0], [1.0, 2.0]], ids=["one_number", "several_numbers"])
def test_nan_in_a_required_parquet_column_is_a_missing_value(hub: Settings, numbers: list[float]) -> None:
    column = pa.array([*numbers, float("nan")])

    values = outcomes_of_column(hub, ORDERS, "order_value", column)
    ids = outcomes_of_column(hub_in(hub.data_dir / "ids"), MESSAGES, "message_id", column)

    assert values == [*map(Decimal, numbers), ["missing_order_value"]]
    assert ids == [*(str(int(number)) for number in numbers), ["missing_message_id"]]


def test_optional_parquet_columns_may_be_all_null_whatever_their_type(hub: Settings) -> None:
    for number, kind in enumerate([pa.null(), pa.string(), pa.float64(), pa.int64(), pa.timestamp("us")]):
        column = pa.array([None], kind)
        fresh = hub_in(hub.data_dir / str(number))

        assert outcomes_of_column(fresh, MESSAGES, "queue_id", column) == ["unassigned"]
        assert outcomes_of_column(fresh, ORDERS, "refunded_value", column) == [Decimal("0.00")]


# Ids.

IDS: dict[str, str] = {
    "m1": "m1",
    " \t blanks around\n\r": "blanks around",
    "\u00a0no-break space\u00a0": "no-break space",
    "\x0bvertical tab\x0c": "vertical tab",
    "two  blanks within": "two  blanks within",
    "ABC": "ABC",
    "abc": "abc",
    "0012": "0012",
    "12": "12",
    "12.0": "12.0",
    "1e3": "1e3",
    "-7": "-7",
    "true": "true",
    "null": "null",
    "NULL": "NULL",
    "None": "None",
    "nan": "nan",
    "N/A": "N/A",
    "\\N": "\\N",
    "a,b": "a,b",
    'say "hi"': 'say "hi"',
    '"quoted"': '"quoted"',
    "it's": "it's",
    "two\nlines": "two\nlines",
    "x\r\ny": "x\r\ny",
    "a;b|c\td": "a;b|c\td",
    "{}": "{}",
    "[1]": "[1]",
    "=1+1": "=1+1",
    "#comment": "#comment",
    "--": "--",
    "\\": "\\",
    "\U0001f600": "\U0001f600",
    "\U0001f469\u200d\U0001f4bb": "\U0001f469\u200d\U0001f4bb",
    "u\u0308": "u\u0308",
    "\u00fc": "\u00fc",
    "\u0130\u0131\u00df": "\u0130\u0131\u00df",
    "\u05d0\u05d1\u0661": "\u05d0\u05d1\u0661",
    "x" * 1000: "x" * 1000,
    "\U0001f600" * 1000: "\U0001f600" * 1000,
}
NO_IDS = ("", " ", "\t\n", "\u00a0")


@pytest.fixture(scope="module", params=TEXT_ENDINGS)
def ids(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What becomes of each text as an id in a format."""
    texts = [*IDS, *NO_IDS]
    hub = hub_in(tmp_path_factory.mktemp("hub"))
    return dict(zip(texts, outcomes(hub, MESSAGES, request.param, "message_id", texts), strict=True))


@pytest.mark.parametrize("text", IDS, ids=lambda text: ascii(text)[:40])
def test_an_id_is_kept_as_it_is_but_for_the_blanks_around_it(ids: dict[str, Outcome], text: str) -> None:
    assert ids[text] == IDS[text]


@pytest.mark.parametrize("text", NO_IDS, ids=ascii)
def test_a_required_id_of_blanks_is_missing(ids: dict[str, Outcome], text: str) -> None:
    assert ids[text] == ["missing_message_id"]


@pytest.mark.parametrize("field", ["queue_id", "user_id"])
@pytest.mark.parametrize("ending", TEXT_ENDINGS)
def test_a_message_without_a_queue_or_a_user_is_unassigned(hub: Settings, ending: str, field: str) -> None:
    rows = [{**MESSAGE, field: value} for value in ["", "  ", "\u00a0\t", " q1 ", "Unassigned", None]]

    loaded = load(hub, MESSAGES, {f"a{ending}": rows})

    assert loaded.column(field) == ["Unassigned", "q1", *["unassigned"] * 4]


UUID_TEXT = "123e4567-e89b-12d3-a456-426614174000"

PARQUET_IDS: dict[str, tuple[pa.Array, list[Outcome]]] = {
    "fixed binary": (pa.array([b"ab"], pa.binary(2)), ["ab"]),
    "uuid": (pa.array([UUID(UUID_TEXT).bytes], pa.uuid()), [UUID_TEXT]),
    "uuid as text": (pa.array([UUID_TEXT.upper()]), [UUID_TEXT.upper()]),
}


@pytest.mark.parametrize("kind", PARQUET_IDS)
def test_parquet_ids_of_further_types_are_compared_as_text(hub: Settings, kind: str) -> None:
    column, expected = PARQUET_IDS[kind]

    assert outcomes_of_column(hub, MESSAGES, "message_id", column) == expected


@pytest.mark.parametrize("field", ["customer_id", "queue_id"])
def test_parquet_numbers_are_also_the_other_ids(hub: Settings, field: str) -> None:
    values = pa.array([17.0, 1.5])

    assert outcomes_of_column(hub, MESSAGES, field, values) == ["17", [f"malformed_{field}"]]


# Text that is no UTF-8, or no JSON.

NO_UTF8 = b"caf\xe9"


def unchecked_strings(values: list[bytes | None], kind: pa.DataType) -> pa.Array:
    """An array of strings whose bytes nobody has looked at, as careless writers write."""
    binary = pa.array(values, pa.binary())
    return pa.StringArray.from_buffers(len(values), *binary.buffers()[1:], binary.buffers()[0]).cast(kind)


@pytest.mark.parametrize(
    "kind",
    [pa.binary(), pa.binary(4), pa.large_binary(), pa.string(), pa.large_string()],
    ids=str,
)
def test_a_parquet_row_with_text_that_is_no_utf8_is_refused_and_the_others_load(
    hub: Settings, kind: pa.DataType
) -> None:
    values = [b"c001", NO_UTF8, "\u00fc01".encode(), None]
    is_string = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    column = unchecked_strings(values, kind) if is_string else pa.array(values, kind)
    others = pa.table({name: [value] for name, value in MESSAGE.items()})

    loaded = load(hub, MESSAGES, {"a.parquet": table(MESSAGES, "customer_id", column), "b.parquet": others})

    assert [event["customer_id"] for event in loaded.by_file["a.parquet"]] == ["c001", "\u00fc01"]
    assert len(loaded.by_file["b.parquet"]) == 1
    assert loaded.reasons == {("a.parquet", 2): ["invalid_utf8"], ("a.parquet", 4): ["missing_customer_id"]}
    assert loaded.rejected[0].raw["customer_id"] == "caf\\xe9"
    assert loaded.rejected[0].raw["message_id"] == MESSAGE["message_id"]


def test_a_parquet_file_with_text_that_is_no_utf8_keeps_the_meaning_of_its_other_columns(
    hub: Settings,
) -> None:
    rows = {
        "order_id": pa.array([b"o1", b"\xff", b"o3"]),
        "customer_id": pa.array([Decimal(17), Decimal(18), Decimal("19.5")], pa.decimal128(38, 10)),
        "ordered_at": pa.array([datetime(2026, 1, 10)] * 3, pa.timestamp("ns", "UTC")),
        "order_value": pa.array([10.5, 11.5, 12.5], pa.float32()),
        "refunded_value": pa.array([[1], None, None]),
        "sales_channel": pa.array([b"online"] * 3).dictionary_encode(),
        "note": pa.array([b"\xfe"] * 3),
    }

    loaded = load(hub, ORDERS, {"a.parquet": pa.table(rows), "b.parquet": pa.table(rows).slice(2)})

    assert loaded.reasons == {
        ("a.parquet", 1): ["malformed_refunded_value"],
        ("a.parquet", 2): ["invalid_utf8"],
        ("a.parquet", 3): ["malformed_customer_id"],
        ("b.parquet", 1): ["malformed_customer_id"],
    }


def test_timestamps_of_old_writers_keep_their_meaning_beside_text_that_is_no_utf8(hub: Settings) -> None:
    """In nanoseconds, 2611 would be in 2026."""
    content = io.BytesIO()
    instants = [datetime(2026, 1, 10, 10, 15, 30, 123_456), datetime(2611, 1, 10), datetime(2026, 1, 10)]
    rows = {name: [value] * 3 for name, value in MESSAGE.items()}
    rows |= {"occurred_at": pa.array(instants), "user_id": pa.array([b"u", b"u", NO_UTF8])}
    pq.write_table(pa.table(rows), content, use_deprecated_int96_timestamps=True)

    loaded = load(hub, MESSAGES, {"a.parquet": content.getvalue()})

    assert loaded.column("occurred_at") == instants[:1]
    assert loaded.reasons == {
        ("a.parquet", 2): ["occurred_at_out_of_range"],
        ("a.parquet", 3): ["invalid_utf8"],
    }


def test_text_that_is_no_utf8_in_a_list_is_a_malformed_value(hub: Settings) -> None:
    strings = unchecked_strings([b"c1", NO_UTF8], pa.string())
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2, 2]), strings)
    rows = {name: [value] * 3 for name, value in MESSAGE.items()}

    loaded = load(hub, MESSAGES, {"a.parquet": pa.table({**rows, "queue_id": lists})})

    assert loaded.reasons == {("a.parquet", row): ["malformed_queue_id"] for row in (1, 2, 3)}


def test_columns_beyond_the_contract_may_hold_any_bytes(hub: Settings) -> None:
    rows = {**{name: [value] for name, value in MESSAGE.items()}, "note": pa.array([NO_UTF8])}

    assert load(hub, MESSAGES, {"a.parquet": pa.table(rows)}).column("message_id") == ["m"]


def test_parquet_json_is_read_as_json_is_and_what_is_no_json_as_text(hub: Settings) -> None:
    texts = [' "m1" ', "17", " 17.0", '{"id" : 1}', "null", '"\\u00fc"', None, "m8", "1 2", ""]
    written = pa.array(texts[:7], pa.json_())

    assert outcomes_of_column(hub, MESSAGES, "message_id", written) == [
        *("m1", "17", "17", ["malformed_message_id"], ["missing_message_id"], "\u00fc"),
        ["missing_message_id"],
    ]
    assert outcomes_of_column(
        hub_in(hub.data_dir / "with no JSON"), MESSAGES, "message_id", pa.array(texts, pa.json_())
    ) == [
        *("m1", "17", "17", ["malformed_message_id"], ["missing_message_id"], "\u00fc"),
        *(["missing_message_id"], "m8", "1 2", ["missing_message_id"]),
    ]


# Choices and currencies.


@pytest.mark.parametrize("ending", TEXT_ENDINGS)
def test_choices_are_trimmed_and_otherwise_taken_to_the_letter(hub: Settings, ending: str) -> None:
    values = ["sent", " skipped\t", "Sent", "SKIPPED", "sent.", "delivered", "s\u0435nt"]

    assert outcomes(hub, MESSAGES, ending, "status", values) == [
        "sent",
        "skipped",
        *[["unknown_status"]] * 5,
    ]


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(pa.array(["sent", "skipped", None]).dictionary_encode(), id="dictionary"),
        pytest.param(pa.array([b"sent", b"skipped", None]), id="binary"),
        pytest.param(pa.array(["sent", "skipped", None], pa.large_string()), id="large_string"),
    ],
)
def test_parquet_choices_are_texts_of_any_encoding(hub: Settings, values: pa.Array) -> None:
    assert outcomes_of_column(hub, MESSAGES, "status", values) == ["sent", "skipped", ["missing_status"]]


def test_parquet_enums_are_texts(hub: Settings) -> None:
    """A type of Parquet that other writers use: here, the column's mark in the footer is changed to it."""
    content = parquet_bytes(table(MESSAGES, "status", pa.array(["sent", "skipped", "lost"])))
    string_column, enum_column = b"status\x25\x00\x4c\x1c\x00", b"status\x25\x08\x4c\x4c\x00"
    assert content.count(string_column) == 1
    content = content.replace(string_column, enum_column)
    assert "Enum" in str(pq.ParquetFile(io.BytesIO(content)).schema)

    loaded = load(hub, MESSAGES, {"a.parquet": content})

    assert loaded.column("status") == ["sent", "skipped"]
    assert loaded.reasons == {("a.parquet", 3): ["unknown_status"]}


@pytest.mark.parametrize("reporting", ["USD", "EUR"])
def test_the_reporting_currency_is_the_default_and_the_only_one(tmp_path: Path, reporting: str) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), reporting)
    currencies = ["USD", "EUR", "", " EUR ", "GBP"]
    rows = [{**ORDER, "currency": currency} for currency in currencies]

    loaded = load(hub, ORDERS, {"a.csv": rows, "b.parquet": rows, "c.jsonl": rows})

    good = [number for number, currency in enumerate(currencies) if currency.strip() in ("", reporting)]
    assert len(loaded.events) == 3 * len(good)
    assert loaded.reasons == {
        (name, number + 1): ["foreign_currency"]
        for name in ("a.csv", "b.parquet", "c.jsonl")
        for number in range(len(currencies))
        if number not in good
    }


def test_a_currency_that_is_no_text_is_malformed(hub: Settings) -> None:
    loaded = load(
        hub, ORDERS, {"a.parquet": [{**ORDER, "currency": 840}], "b.jsonl": [{**ORDER, "currency": []}]}
    )

    assert [row.reasons for row in loaded.rejected] == [["malformed_currency"]] * 2


def test_a_rejected_row_shows_ids_as_text_that_is_the_same_id(hub: Settings) -> None:
    """Such a row is checked again from what is shown, once the hub reports in its currency."""
    foreign = {**ORDER, "currency": "EUR"}
    files: dict[str, Content] = {
        "a.jsonl": [{**foreign, "order_id": 17.0, "customer_id": " 18.0 "}],
        "b.parquet": [{**foreign, "order_id": 17.0, "customer_id": Decimal("18.0000")}],
        "c.parquet": [{**foreign, "order_id": 17, "customer_id": 18.5}],
    }

    loaded = load(hub, ORDERS, files)

    assert [(row.raw["order_id"], row.raw["customer_id"]) for row in loaded.rejected] == [
        ("17", " 18.0 "),
        ("17", "18"),
        ("17", "18.5"),
    ]


# Rows of raw as text.

EXTREME_IDS = (
    "o1",
    "0017",
    "-0",
    "12.0",
    "1e2",
    "NaN",
    "null",
    "unassigned",
    "it's",
    'say "hi"',
    '"',
    "a,b;c\td|e",
    "two\nlines\r\nand\rmore",
    "blanks \u3000 within",
    "\\N \\u0041 %s {{ x }} <b>",
    "\x00\x1f",
    "\U0001f600\u0301\u200d",
    "x" * 1000,
    "\U0001f600" * 1000,
)
EXTREME_INSTANTS = (
    datetime(2000, 1, 1),
    datetime(2026, 3, 29, 1, 30, 0, 1),
    datetime(2099, 12, 31, 23, 59, 59, 999_999),
)
EXTREME_AMOUNTS = tuple(map(Decimal, ("0.00", "0.01", "10.50", "9999999999999.99")))


def extreme_rows(contract: EventContract) -> list[dict[str, Any]]:
    """Typed rows, one after another with the next of the extreme values of each kind."""
    of_kind = {
        Kind.ID: EXTREME_IDS,
        Kind.INSTANT: EXTREME_INSTANTS,
        Kind.MONEY: EXTREME_AMOUNTS,
    }
    rows = []
    for number in range(len(EXTREME_IDS)):
        row: dict[str, Any] = {}
        for place, field in enumerate(contract.kept_fields):
            values = field.choices or of_kind[field.kind]
            row[field.name] = values[(number + place) % len(values)]
        row["has_version"] = number % 3 > 0
        if not row["has_version"]:
            row["updated_at"] = row[contract.happened_at]
        if contract is ORDERS:
            row["customer_id"] = None if number == 0 else row["customer_id"]
            row["refunded_value"] = min(row["refunded_value"], row["order_value"])
        rows.append(row)
    return rows


@pytest.mark.parametrize("contract", [MESSAGES, ORDERS], ids=lambda contract: contract.entity)
def test_rows_of_raw_as_text_are_checked_into_the_same_rows(contract: EventContract) -> None:
    expected = extreme_rows(contract)
    kept = [field.name for field in contract.kept_fields]
    landed = ", ".join(f"{name} as landed_{name}" for name in kept)
    with duckdb.connect() as connection:
        connection.execute(casting.MACROS)
        connection.execute(
            "create table checked ("
            + ", ".join(f"{field.name} {field.kind.column_type}" for field in contract.kept_fields)
            + ", has_version boolean, row_number bigint)"
        )
        connection.executemany(
            f"insert into checked values ({', '.join('?' * (len(kept) + 2))})",
            [[*row.values(), number] for number, row in enumerate(expected)],
        )
        connection.execute(
            f"create table as_text as select row_number, {casting.as_text(contract, 'checked')} from checked"
        )
        described = connection.execute("describe as_text").fetchall()
        checked = casting.check(
            contract,
            dict.fromkeys(kept, "VARCHAR"),
            "USD",
            f"select 1 as file_id, row_number, cast(null as varchar) as fault, {landed} from as_text",
        )
        again = connection.execute(f"select * from ({checked.accepted}) order by row_number").fetchall()
        rejected = connection.execute(checked.rejected).fetchall()

    assert [column[:2] for column in described] == [
        ("row_number", "BIGINT"),
        *((name, "VARCHAR") for name in kept),
    ]
    assert rejected == []
    assert again == [(1, number, *row.values()) for number, row in enumerate(expected)]
