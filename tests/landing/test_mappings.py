"""Exports of other systems: what a ``[[landing]]`` table makes of a file, and what stays as for any file.

Belongs here: mappings from hub.toml to the rows of the warehouse. Does not belong here: what hub.toml refuses
(test_hub.py), values that the contract alone reads (test_casting.py).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from support.landing import Content, Loaded, land, load
from support.mapping_tables import EXPORTS, documented_mappings, order, table, with_tables

from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.landing.notices import notices
from orchestration.settings import Settings


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "UTC", date(2026, 11, 30), "USD")


def load_one(hub: Settings, tables: str, content: Content, name: str = "a.csv") -> Loaded:
    return load(with_tables(hub, tables), ORDERS, {name: content})


# The exports.


EXPECTED: dict[str, tuple[int, list[tuple[Any, ...]]]] = {
    "orders/shopify_orders_export.csv": (
        1,
        [
            ("5550000001", "ada@example.com", "2026-11-20 15:00:00", "140.40", "0.00", "online", "placed"),
            ("5550000002", None, "2026-11-21 21:30:00", "64.80", "32.40", "in_store", "placed"),
            ("5550000003", "cy@example.com", "2026-11-22 17:00:00", "16.00", "0.00", "online", "cancelled"),
            ("5550000004", "ada@example.com", "2026-11-23 13:00:00", "24.00", "24.00", "online", "placed"),
        ],
    ),
    "orders/shopify_bulk.jsonl": (
        3,
        [
            (
                *("gid://shopify/Order/5550000001", "gid://shopify/Customer/71", "2026-11-20 15:00:00"),
                *("140.40", "0.00", "online", "placed"),
            ),
            (
                *("gid://shopify/Order/5550000002", None, "2026-11-21 21:30:00"),
                *("64.80", "32.40", "in_store", "placed"),
            ),
            (
                *("gid://shopify/Order/5550000003", "gid://shopify/Customer/73", "2026-11-22 17:00:00"),
                *("16.00", "0.00", "online", "cancelled"),
            ),
        ],
    ),
    "orders/woocommerce_orders.json": (
        0,
        [
            ("727", "26", "2026-11-20 15:00:00", "29.35", "0.00", "online", "placed"),
            ("728", None, "2026-11-21 15:00:00", "40.00", "15.50", "online", "placed"),
            ("729", "26", "2026-11-22 15:00:00", "12.00", "0.00", "online", "cancelled"),
            ("732", "27", "2026-11-22 15:00:00", "99.00", "0.00", "online", "cancelled"),
        ],
    ),
    "orders/magento_export.csv": (
        0,
        [
            ("000000101", "ada@example.com", "2026-11-20 15:00:00", "140.40", "0.00", "online", "placed"),
            ("000000102", "bo@example.com", "2026-11-21 21:30:00", "1064.80", "32.40", "online", "placed"),
            ("000000103", "cy@example.com", "2026-11-22 17:00:00", "16.00", "0.00", "online", "cancelled"),
        ],
    ),
    "orders/cents_epoch.jsonl": (
        0,
        [
            ("pi_1", "cus_1", "2026-11-20 15:00:00", "140.40", "0.00", "online", "placed"),
            ("pi_2", None, "2026-11-21 16:00:00", "64.80", "32.40", "online", "placed"),
            ("pi_3", "cus_1", "2026-11-21 16:01:40", "5.00", "0.00", "online", "cancelled"),
        ],
    ),
    "messages/twilio_log.csv": (
        1,
        [
            ("SM1", "+16175550171", "unassigned", "+16175550100", "sent", "2026-11-19 15:00:00"),
            ("SM3", "+16175550173", "unassigned", "+16175550100", "sent", "2026-11-19 15:05:00"),
        ],
    ),
    "messages/klaviyo_events.jsonl": (
        1,
        [("4vRpBT", "01GDDK", "unassigned", "kim", "sent", "2026-11-19 15:00:00")],
    ),
    "messages/segment_tracks.csv": (
        1,
        [
            ("ajs-1", "71", "vip", "kim", "sent", "2026-11-19 15:00:00.100000"),
            ("ajs-2", "73", "vip", "kim", "skipped", "2026-11-19 15:02:00.100000"),
        ],
    ),
    "messages/excel_unicode.csv": (
        0,
        [
            ("m1", "71", "vip", "Zoë", "sent", "2026-11-19 20:00:00"),
            ("m2", "73", "vip", "Zoë", "skipped", "2026-11-19 20:05:00"),
        ],
    ),
}

SHOWN = {
    "orders": (
        *("order_id", "customer_id", "ordered_at", "order_value", "refunded_value"),
        *("sales_channel", "status"),
    ),
    "messages": ("message_id", "customer_id", "queue_id", "user_id", "status", "occurred_at"),
}


@pytest.mark.parametrize("path", EXPECTED)
def test_an_export_loads_by_the_mapping_that_the_documents_list(hub: Settings, path: str) -> None:
    skipped, expected = EXPECTED[path]
    entity, _, name = path.partition("/")
    contract = ORDERS if entity == "orders" else MESSAGES

    loaded = load(with_tables(hub, documented_mappings()), contract, {name: (EXPORTS / path).read_bytes()})

    rows = [
        tuple(None if event[name] is None else str(event[name]) for name in SHOWN[entity])
        for event in loaded.events
    ]
    assert sorted(rows, key=itemgetter(0)) == expected
    record = loaded.files[name]
    assert (record.rows_skipped, record.rows_landed) == (skipped, skipped + len(expected))


def test_the_nine_mappings_are_those_that_have_an_export(hub: Settings) -> None:
    tables = with_tables(hub, documented_mappings()).hub.landing

    assert [sum(one.matches(path) for one in tables) for path in EXPECTED] == [1] * 9
    assert len(tables) == 9


def test_versions_of_an_export_are_landed(hub: Settings) -> None:
    path = EXPORTS / "orders" / "shopify_bulk.jsonl"

    loaded = load(with_tables(hub, documented_mappings()), ORDERS, {path.name: path.read_bytes()})

    assert {(event["updated_at"], event["has_version"]) for event in loaded.events} == {
        (datetime(2026, 11, 20, 15, 5), True),
        (datetime(2026, 11, 25, 9, 0), True),
        (datetime(2026, 11, 22, 18, 0), True),
    }


def test_totals_that_stand_as_line_items_are_said_to_be_outside(hub: Settings) -> None:
    path = EXPORTS / "orders" / "till_latin1.csv"

    loaded = load(with_tables(hub, documented_mappings()), ORDERS, {path.name: path.read_bytes()})

    reason = loaded.failed[path.name] or ""
    assert "divided by semicolons and not in UTF-8 (windows-1252, perhaps)" in reason
    assert "Beleg-Nr, Datum, Uhrzeit, Kunden-Nr, Artikel, Betrag, Währung, Vorgang" in reason
    assert "adds nothing up across rows" in reason
    assert reason in " ".join(notices(loaded.report))


# Values.


@pytest.mark.parametrize(
    ("notation", "written", "value"),
    [
        ("1,234.50", "1,064.8000", "1064.80"),
        ("1,234.50", "12,345,678.9", "12345678.90"),
        ("1,234.50", "1064.80", "1064.80"),
        ("1,234.50", ".5", "0.50"),
        ("1,234.50", "7.", "7.00"),
        ("$1,234.50", "$1,234.50", "1234.50"),
        ("$1,234.50", "$ 12", "12.00"),
        ("1.234,50 €", "1.029,90 €", "1029.90"),
        ("1.234,50 €", "80,00€", "80.00"),
        ("1 234,50", "1\u202f234,5", "1234.50"),
        ("1 234,50", "1\u00a0234 567", "1234567.00"),
        ("CHF 1'234.50", "CHF 1'000'000.05", "1000000.05"),
        ("1234,50", "1064,8", "1064.80"),
        ("cents", "14040", "140.40"),
        ("cents", "5", "0.05"),
        ("cents", "+007", "0.07"),
    ],
)
def test_an_amount_in_the_declared_notation_is_exact(
    hub: Settings, notation: str, written: str, value: str
) -> None:
    loaded = load_one(hub, table(f'amount_format = "{notation}"'), [order(order_value=written)])

    assert loaded.column("order_value") == [Decimal(value)]


@pytest.mark.parametrize(
    ("notation", "written", "reason"),
    [
        ("1,234.50", "1,06,4.80", "malformed_order_value"),
        ("1,234.50", "1,0648", "malformed_order_value"),
        ("1,234.50", "1064,80", "malformed_order_value"),
        ("1,234.50", ",064", "malformed_order_value"),
        ("1,234.50", "1e3", "malformed_order_value"),
        ("1,234.50", "--5", "malformed_order_value"),
        ("1,234.50", "-5", "negative_order_value"),
        ("1,234.50", "1.005", "more_than_two_decimals_in_order_value"),
        ("1,234.50", "99,999,999,999,999", "order_value_out_of_range"),
        ("$1,234.50", "1,234.50", "malformed_order_value"),
        ("$1,234.50", "€5", "malformed_order_value"),
        ("$1,234.50", "-$5.00", "negative_order_value"),
        ("$1,234.50", "$-5.00", "negative_order_value"),
        ("1,234.50", "\u22125", "negative_order_value"),
        ("1.234,50 €", "12.5", "malformed_order_value"),
        ("1.234,50 €", "1.234 €", None),
        ("1234,50", "1.064,80", "malformed_order_value"),
        ("cents", "140.40", "malformed_order_value"),
        ("cents", "-1", "negative_order_value"),
        ("cents", "123456789012345678901", "malformed_order_value"),
        ("cents", "", "missing_order_value"),
    ],
)
def test_an_amount_in_another_notation_has_the_reason_of_the_contract(
    hub: Settings, notation: str, written: str, reason: str | None
) -> None:
    loaded = load_one(hub, table(f'amount_format = "{notation}"'), [order(order_value=written)])

    assert [row.reasons for row in loaded.rejected] == ([[reason]] if reason else [])
    assert [row.raw["order_value"] for row in loaded.rejected] == ([written] if reason else [])


@pytest.mark.parametrize(
    ("keys", "written", "instant"),
    [
        ('timestamp_format = "%d.%m.%Y %H:%M"', "20.11.2026 10:05", "2026-11-20 10:05:00"),
        (
            'timestamp_format = "%b %d, %Y %I:%M:%S %p"\ntimezone = "America/New_York"',
            *("Nov 21, 2026 4:30:00 PM", "2026-11-21 21:30:00"),
        ),
        (
            'timestamp_format = "%Y-%m-%d %H:%M:%S %z"\ntimezone = "America/New_York"',
            *("2026-11-20 10:00:00 +0100", "2026-11-20 09:00:00"),
        ),
        ('timezone = "America/New_York"', "2026-11-20 10:00:00", "2026-11-20 15:00:00"),
        ('timezone = "America/New_York"', "2026-07-20", "2026-07-20 04:00:00"),
        ('timezone = "America/New_York"', "2026-11-20T10:00:00+01:00", "2026-11-20 09:00:00"),
        ('timezone = "America/New_York"', "20261120T100000Z", "2026-11-20 10:00:00"),
        # Of an hour that comes twice the later one, of one that is left out what the clocks showed instead.
        ('timezone = "America/New_York"', "2026-11-01T01:30:00", "2026-11-01 06:30:00"),
        ('timezone = "America/New_York"', "2026-03-08T02:30:00", "2026-03-08 07:30:00"),
        ('timestamp_format = "epoch seconds"', "1795186800", "2026-11-20 15:00:00"),
        ('timestamp_format = "epoch seconds"', "1795186800.25", "2026-11-20 15:00:00.250000"),
        ('timestamp_format = "epoch milliseconds"', "1795186800250", "2026-11-20 15:00:00.250000"),
    ],
)
def test_a_timestamp_in_the_declared_notation_is_an_instant(
    hub: Settings, keys: str, written: str, instant: str
) -> None:
    loaded = load_one(hub, table(keys), [order(ordered_at=written)])

    assert [str(event["ordered_at"]) for event in loaded.events] == [instant]


@pytest.mark.parametrize(
    ("keys", "written", "reason"),
    [
        ('timestamp_format = "%b %d, %Y"', "Nov 31, 2026", "malformed_ordered_at"),
        ('timestamp_format = "%d.%m.%Y"', "2026-11-20", "malformed_ordered_at"),
        ('timestamp_format = "%d.%m.%Y"', "20.11.2026 10:00", "malformed_ordered_at"),
        ('timestamp_format = "%d.%m.%Y"', "20.11.1999", "ordered_at_out_of_range"),
        ('timestamp_format = "%d.%m.%Y"', " ", "missing_ordered_at"),
        ('timezone = "America/New_York"', "now", "malformed_ordered_at"),
        ('timestamp_format = "epoch seconds"', "1795186800250", "malformed_ordered_at"),
        ('timestamp_format = "epoch seconds"', "2026-11-20", "malformed_ordered_at"),
        ('timestamp_format = "epoch seconds"', "9" * 18, "malformed_ordered_at"),
        ('timestamp_format = "epoch seconds"', "12", "ordered_at_out_of_range"),
    ],
)
def test_a_timestamp_in_another_notation_has_the_reason_of_the_contract(
    hub: Settings, keys: str, written: str, reason: str
) -> None:
    loaded = load_one(hub, table(keys), [order(ordered_at=written)])

    assert [row.reasons for row in loaded.rejected] == [[reason]]


@pytest.mark.parametrize(
    ("source", "columns", "status"),
    [
        ('{ from = "S", map = { Paid = "placed" } }', {"S": " PAID "}, "placed"),
        ('{ from = "S", map = { void = "cancelled" } }', {"S": "placed"}, "placed"),
        ('{ from = "S", map = { none = "" } }', {"S": "none"}, "placed"),
        ('{ from = "S", blank = "cancelled" }', {"S": ""}, "cancelled"),
        ('{ from = "S" }', {"S": ""}, "placed"),
        ('{ from = "S", blank = "placed", else = "cancelled" }', {"S": "2026-11-20"}, "cancelled"),
        ('{ from = "S", map = { a = "placed" }, else = "cancelled" }', {"S": "b"}, "cancelled"),
        ('{ from = "S", map = { a = "placed" }, else = "cancelled" }', {"S": ""}, "placed"),
        ('{ from = ["S", "T"], map = { "a b" = "cancelled" } }', {"S": "a", "T": " b"}, "cancelled"),
        ('{ from = ["S", "T"], map = { a = "cancelled" } }', {"S": "a", "T": ""}, "cancelled"),
        ('{ value = "cancelled" }', {}, "cancelled"),
        ('"Status of it"', {" STATUS OF IT ": "cancelled"}, "cancelled"),
        ('"a.b"', {"a.b": "cancelled"}, "cancelled"),
    ],
)
def test_a_field_has_the_value_that_its_table_says(
    hub: Settings, source: str, columns: Mapping[str, str], status: str
) -> None:
    loaded = load_one(hub, table(f"status = {source}"), [order(**columns)])

    assert loaded.column("status") == [status]


def test_what_a_map_lacks_is_handed_on(hub: Settings) -> None:
    mapped = table('status = { from = "State", map = { paid = "placed" } }')

    loaded = load_one(hub, mapped, [order(State="on hold")])

    assert [(row.reasons, row.raw["State"]) for row in loaded.rejected] == [(["unknown_status"], "on hold")]


def test_a_field_that_a_table_does_not_name_is_absent(hub: Settings) -> None:
    loaded = load_one(hub, table(""), [order(status="cancelled", refunded_value="5")])

    assert loaded.column("status") == ["placed"]
    assert loaded.column("refunded_value") == [Decimal(0)]


def test_a_table_without_fields_changes_only_how_a_file_is_read(hub: Settings) -> None:
    lines = "order_id|ordered_at|order_value|sales_channel|status\no1|20.11.2026|1.000,50|online|cancelled\n"
    keys = 'delimiter = "|"\ntimestamp_format = "%d.%m.%Y"\namount_format = "1.234,50"'

    loaded = load_one(hub, f'[[landing]]\nfiles = "orders/*.txt"\n{keys}', lines, "a.txt")

    assert [(one["order_value"], one["status"]) for one in loaded.events] == [
        (Decimal("1000.50"), "cancelled")
    ]


@pytest.mark.parametrize("encoding", ["windows-1252", "utf-16", "utf-16-le", "utf-8"])
def test_text_is_read_in_its_encoding(hub: Settings, encoding: str) -> None:
    text = "order_id;ordered_at;order_value;sales_channel;Kund\u00e9\no\u00e9;2026-11-20;1;online;Zo\u00eb\n"
    keys = f'encoding = "{encoding}"\ndelimiter = ";"\ncustomer_id = "Kund\u00e9"'

    loaded = load_one(hub, table(keys), text.encode(encoding))

    assert [(one["order_id"], one["customer_id"]) for one in loaded.events] == [("o\u00e9", "Zo\u00eb")]


def test_bytes_that_are_not_of_the_encoding_are_a_rejected_row(hub: Settings) -> None:
    content = (
        b"order_id,ordered_at,order_value,sales_channel\no1\x81,2026-11-20,1,online\no2,2026-11-20,1,online\n"
    )

    loaded = load_one(hub, table('encoding = "windows-1252"'), content)

    assert loaded.column("order_id") == ["o2"]
    assert loaded.reasons == {("a.csv", 1): ["invalid_utf8"]}


def test_an_instant_may_come_from_the_name_of_the_file(hub: Settings) -> None:
    keys = 'updated_at = { file_name = "orders_%Y-%m-%d.csv" }\ntimezone = "America/New_York"'
    tables = table(keys, "orders/orders_*")
    names = ("orders_2026-11-21.csv", "orders_2026-07-22.csv", "orders_2026-13-01.csv")

    loaded = load(with_tables(hub, tables), ORDERS, {name: [order()] for name in names})

    assert {name: str(rows[0]["updated_at"]) for name, rows in loaded.by_file.items()} == {
        names[0]: "2026-11-21 05:00:00",
        names[1]: "2026-07-22 04:00:00",
    }
    assert "its name does not match 'orders_%Y-%m-%d.csv'" in (loaded.failed[names[2]] or "")


def test_the_same_bytes_under_another_date_in_the_name_are_rows_of_their_own(hub: Settings) -> None:
    tables = table('updated_at = { file_name = "%Y-%m-%d.csv" }')
    hub = with_tables(hub, tables)
    load(hub, ORDERS, {"2026-11-21.csv": [order()]})
    shutil.move(hub.landing / "orders" / "2026-11-21.csv", hub.landing / "orders" / "2026-11-22.csv")

    loaded = load(hub, ORDERS)

    assert {name: str(rows[0]["updated_at"]) for name, rows in loaded.by_file.items()} == {
        "2026-11-21.csv": "2026-11-21 00:00:00",
        "2026-11-22.csv": "2026-11-22 00:00:00",
    }


# Typed columns.


def test_numbers_and_instants_of_parquet_mean_what_they_mean(hub: Settings) -> None:
    rows = pa.table(
        {
            "Id": pa.array([1.0, 2.0], pa.float64()),
            "Cents": pa.array([14040, 5], pa.int64()),
            "Refund": pa.array([-1.25, 0.0], pa.float64()),
            "At": pa.array([datetime(2026, 11, 20, 10)] * 2, pa.timestamp("us")),
            "Changed": pa.array([datetime(2026, 11, 21, 10)] * 2, pa.timestamp("us", "UTC")),
        }
    )
    fields = """
timezone = "America/New_York"
order_id = "Id"
ordered_at = "At"
updated_at = "Changed"
order_value = "Cents"
amount_format = "cents"
sales_channel = { value = "online" }
"""

    loaded = load_one(hub, table(fields), rows, "a.parquet")

    assert [
        (one["order_id"], one["order_value"], str(one["ordered_at"]), str(one["updated_at"]))
        for one in loaded.events
    ] == [
        ("1", Decimal("140.40"), "2026-11-20 15:00:00", "2026-11-21 10:00:00"),
        ("2", Decimal("0.05"), "2026-11-20 15:00:00", "2026-11-21 10:00:00"),
    ]


def test_a_factor_takes_numbers_and_text_of_every_format(hub: Settings) -> None:
    fields = 'order_value = "Total"\nrefunded_value = { from = "Refund", times = -1 }'
    parquet = pa.table(
        {
            **{name: [value] for name, value in order(order_id="p").items() if name != "order_value"},
            "Total": pa.array([10.5]),
            "Refund": pa.array([-1.25]),
        }
    )
    files: dict[str, Content] = {
        "a.csv": [order(order_id="c", Total="10.50", Refund="-1.25")],
        "a.jsonl": [order(order_id="j", Total=10.5, Refund=-1.25)],
        "b.jsonl": [order(order_id="k", Total="10.50", Refund="-1.25")],
        "a.parquet": parquet,
    }

    loaded = load(with_tables(hub, table(fields)), ORDERS, files)

    assert loaded.rejected == []
    assert loaded.column("refunded_value") == [Decimal("1.25")] * 4


# JSON.


def nested(**values: Any) -> str:
    return json.dumps(order(**values)) + "\n"


@pytest.mark.parametrize(
    ("customer", "expected"),
    [
        ({"id": 7}, "7"),
        ({"ID ": " c7 "}, "c7"),
        ({"id": None}, None),
        ({}, None),
        (None, None),
        ("c7", None),
        ([{"id": "c7"}], None),
    ],
)
def test_a_path_leads_through_objects(hub: Settings, customer: Any, expected: str | None) -> None:
    loaded = load_one(hub, table('customer_id = "Customer.id"'), nested(customer=customer), "a.jsonl")

    assert [one["customer_id"] for one in loaded.events] == [expected]


@pytest.mark.parametrize(
    ("to", "customer", "reasons"),
    [
        ([{"id": "c1"}], "c1", []),
        ([], None, []),
        ([{"id": "c1"}, {"id": "c2"}], None, [["malformed_customer_id"]]),
        ({"id": "c1"}, "c1", []),
    ],
)
def test_brackets_take_an_array_of_just_one(
    hub: Settings, to: Any, customer: str | None, reasons: list[list[str]]
) -> None:
    loaded = load_one(hub, table('customer_id = "to[].id"'), nested(to=to), "a.jsonl")

    assert [one["customer_id"] for one in loaded.events] == ([] if reasons else [customer])
    assert [row.reasons for row in loaded.rejected] == reasons


@pytest.mark.parametrize(
    ("refunds", "refunded"),
    [
        ([], "0.00"),
        ([{"total": "-1.10"}, {"total": -2.2}], "3.30"),
        ([{"total": None}, {}], "0.00"),
        (None, "0.00"),
        ([{"total": "x"}], None),
    ],
)
def test_a_sum_adds_up_within_a_record(hub: Settings, refunds: Any, refunded: str | None) -> None:
    fields = 'refunded_value = { sum = "refunds[].total", times = -1 }'

    loaded = load_one(hub, table(fields), nested(refunds=refunds), "a.jsonl")

    assert [str(one["refunded_value"]) for one in loaded.events] == ([refunded] if refunded else [])
    assert [row.reasons for row in loaded.rejected] == ([] if refunded else [["malformed_refunded_value"]])


def test_a_sum_of_a_file_that_is_no_json_fails_it(hub: Settings) -> None:
    fields = 'refunded_value = { sum = "refunds[].total" }'

    loaded = load_one(hub, table(fields), [order(**{"refunds[].total": "1"})])

    assert "has a sum, which takes an array within JSON" in (loaded.failed["a.csv"] or "")


@pytest.mark.parametrize(
    "line",
    [
        '{"order_id": "o1", "ORDER_ID": "o2"}',
        '{"order_id": "o1", "customer": {"id": "a", "Id": "b"}}',
        '{"order_id": "o1", "customer": {"id": "a"}, "customer": {"id": "b"}}',
    ],
)
def test_a_key_that_a_path_leads_through_twice_rejects_the_row(hub: Settings, line: str) -> None:
    loaded = load_one(hub, table('customer_id = "customer.id"'), line + "\n", "a.jsonl")

    assert loaded.reasons == {("a.jsonl", 1): ["duplicate_key"]}


def test_a_key_twice_that_no_path_leads_through_does_no_harm(hub: Settings) -> None:
    line = nested()[:-2] + ', "note": 1, "note": 2, "refund": {"a": 1, "a": 2}}\n'

    assert load_one(hub, table(""), line, "a.jsonl").column("order_id") == ["o1"]


@pytest.mark.parametrize("bad", ["{", "[1]", '"x"', "{'a': 1}", '{"order_id": "\\ud800"}', "[" * 100_000])
def test_a_line_that_is_no_object_is_a_rejected_row(hub: Settings, bad: str) -> None:
    loaded = load_one(hub, table(""), nested() + bad + "\n" + nested(order_id="o3"), "a.jsonl")

    assert loaded.column("order_id") == ["o1", "o3"]
    assert loaded.reasons == {("a.jsonl", 2): ["malformed_json"]}


def test_nan_is_no_value_and_whole_numbers_are_exact(hub: Settings) -> None:
    line = nested(order_id=9007199254740993, customer_id=float("nan"), order_value=0.1 + 0.2)

    loaded = load_one(hub, table('customer_id = "customer_id"'), line, "a.jsonl")

    assert [(one["order_id"], one["customer_id"], one["order_value"]) for one in loaded.events] == [
        ("9007199254740993", None, Decimal("0.30"))
    ]


@pytest.mark.parametrize(
    ("records", "name", "content"),
    [
        ("", "a.json", "[{0},\n {1}]"),
        ("data.Items", "a.json", '{{"data": {{"items": [{0}, {1}], "n": 2}}}}'),
        ("data", "a.jsonl", '{{"data": [{0}]}}\n{{"data": [{1}]}}\n'),
        ("data", "a.jsonl", '{{"data": [{0}, {1}]}}\n{{"data": []}}\n'),
        ("", "a.jsonl", "[{0}, {1}]\n"),
        ("a/b", "a.json", '{{"a/b": [{0}, {1}]}}'),
    ],
)
def test_records_are_the_array_that_the_table_names(
    hub: Settings, records: str, name: str, content: str
) -> None:
    text = content.format(json.dumps(order()), json.dumps(order(order_id="o2")))

    loaded = load_one(hub, f'[[landing]]\nfiles = "orders/*"\nrecords = "{records}"', text, name)

    assert loaded.column("order_id") == ["o1", "o2"]
    assert loaded.files[name].rows_landed == 2


def test_lines_without_records_are_rejected_rows_among_the_others(hub: Settings) -> None:
    lines = ['{"data": [1, {0}]}'.replace("{0}", json.dumps(order())), '{"dat": []}', "{", '{"data": {}}']

    loaded = load_one(
        hub, '[[landing]]\nfiles = "orders/*"\nrecords = "data"', "\n".join(lines) + "\n", "a.jsonl"
    )

    assert loaded.column("order_id") == ["o1"]
    assert loaded.reasons == {
        ("a.jsonl", 1): ["malformed_json"],
        ("a.jsonl", 3): ["no_records"],
        ("a.jsonl", 4): ["malformed_json"],
        ("a.jsonl", 5): ["no_records"],
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"orders": []}', "it has no array of records at 'data', .* It is an object with the keys orders"),
        ("[1] x", "it is not one whole JSON document"),
        (b"\xff[]", "it is not in utf-8"),
        ("", None),
    ],
)
def test_a_document_without_its_records_fails(
    hub: Settings, content: str | bytes, reason: str | None
) -> None:
    loaded = load_one(hub, '[[landing]]\nfiles = "orders/*.json"\nrecords = "data"', content, "a.json")

    assert re.search(reason or "it is not one whole JSON document", loaded.failed["a.json"] or "")


def test_a_document_whose_table_does_not_say_where_its_records_are_fails(hub: Settings) -> None:
    loaded = load_one(hub, '[[landing]]\nfiles = "orders/*.json"\ntimezone = "UTC"', "[]", "a.json")

    assert "add records with their path" in (loaded.failed["a.json"] or "")


def test_a_gzipped_document_is_read(hub: Settings) -> None:
    content = gzip.compress(json.dumps([order()]).encode(), mtime=0)

    loaded = load_one(hub, '[[landing]]\nfiles = "orders/*"\nrecords = ""', content, "a.json.gz")

    assert loaded.column("order_id") == ["o1"]


# Rows that are skipped.


def test_skipped_rows_are_counted_and_never_silent(hub: Settings) -> None:
    tables = table('skip_blank = "Total"\nonly = { Kind = ["Sale", "return "] }\norder_value = "Total"')
    rows = [
        order(order_id="o1", Total="1", Kind=" SALE"),
        order(order_id="o2", Total=" ", Kind="sale"),
        order(order_id="o3", Total="x", Kind="return"),
        order(order_id="o4", Total="1", Kind="other"),
        order(order_id="o5", Total="1", Kind=""),
    ]

    loaded = load_one(hub, tables, rows)

    assert loaded.column("order_id") == ["o1"]
    assert loaded.reasons == {("a.csv", 3): ["malformed_order_value"]}
    assert (loaded.files["a.csv"].rows_landed, loaded.files["a.csv"].rows_skipped) == (5, 3)


def test_a_row_that_does_not_divide_is_rejected_and_not_skipped(hub: Settings) -> None:
    text = "order_id,ordered_at,order_value,sales_channel\no1,2026-11-20\no2,2026-11-20,,online\n"

    loaded = load_one(hub, table('skip_blank = "order_value"'), text)

    assert loaded.reasons == {("a.csv", 1): ["too_few_fields"]}
    assert loaded.files["a.csv"].rows_skipped == 1


def test_a_file_of_which_every_row_is_skipped_is_named(hub: Settings) -> None:
    loaded = load_one(hub, table('only = { status = ["x"] }'), [order(status="placed")] * 2)

    assert loaded.files["a.csv"].rows_skipped == 2
    assert any("Every row was skipped" in said and "a.csv" in said for said in notices(loaded.report))


def test_a_file_of_which_no_row_is_accepted_is_named(hub: Settings) -> None:
    loaded = load(hub, ORDERS, {"a.jsonl": '{"id": 1}\n{"id": 2}\n'})

    assert any("not one row was accepted" in said and "a.jsonl" in said for said in notices(loaded.report))


# What holds for any file.


def test_a_column_that_a_table_names_and_the_header_lacks_fails_the_file(hub: Settings) -> None:
    files: dict[str, Content] = {"a.csv": [order()], "a.parquet": [order()], "a.jsonl": [order()]}

    loaded = load(with_tables(hub, table('customer_id = "Email"')), ORDERS, files)

    assert set(loaded.failed) == {"a.csv", "a.parquet"}
    for reason in loaded.failed.values():
        assert "it lacks the column Email of its [[landing]] table" in (reason or "")
    assert [one["customer_id"] for one in loaded.events] == [None]


def test_the_first_table_that_matches_counts(hub: Settings) -> None:
    tables = table('status = { value = "cancelled" }', "orders/a*") + "\n" + table("", "orders/**")

    loaded = load(with_tables(hub, tables), ORDERS, {"a.csv": [order()], "b.csv": [order(order_id="o2")]})

    assert {name: rows[0]["status"] for name, rows in loaded.by_file.items()} == {
        "a.csv": "cancelled",
        "b.csv": "placed",
    }


def test_a_file_is_validated_again_when_its_table_changes(hub: Settings) -> None:
    content: dict[str, Content] = {"a.csv": [order(State="void")], "b.csv": [order(order_id="o2", State="")]}
    first = load(with_tables(hub, table('status = { value = "placed" }', "orders/a*")), ORDERS, content)
    second = load(
        with_tables(hub, table('status = { from = "State", map = { void = "cancelled" } }', "orders/a*")),
        ORDERS,
    )
    third = load(
        with_tables(hub, table('status = { from = "State", map = { void = "cancelled" } }', "orders/a*")),
        ORDERS,
    )
    fourth = load(hub, ORDERS)

    assert [loaded.column("status") for loaded in (first, second, third, fourth)] == [
        ["placed", "placed"],
        ["cancelled", "placed"],
        ["cancelled", "placed"],
        ["placed", "placed"],
    ]
    assert [loaded.report.files_loaded for loaded in (first, second, third, fourth)] == [2, 1, 0, 1]
    assert all(record.rows_kept == 0 for record in fourth.files.values())


def test_rows_of_a_mapped_file_that_left_stay_as_text_of_the_contract(hub: Settings) -> None:
    fields = 'amount_format = "1,234.50"\norder_value = "Total"\ncurrency = "Cur"'
    hub = with_tables(hub, table(fields))
    rows = [
        order(order_id="o1", Total="1,064.80", Cur="USD"),
        order(order_id="o2", Total="1,06,4.80", Cur="USD"),
        order(order_id="o3", Total="2,000.00", Cur="EUR"),
    ]
    load(hub, ORDERS, {"a.csv": rows})
    (hub.landing / "orders" / "a.csv").unlink()

    left = load(hub, ORDERS)
    hub.warehouse.unlink()
    rebuilt = load(hub, ORDERS)
    in_euros = load(replace(hub, currency="EUR"), ORDERS)

    for loaded in (left, rebuilt):
        assert loaded.column("order_value") == [Decimal("1064.80")]
        assert loaded.reasons == {
            ("a.csv", 2): ["malformed_order_value"],
            ("a.csv", 3): ["foreign_currency"],
        }
        assert loaded.rejected[0].raw["Total"] == "1,06,4.80"
    assert in_euros.column("order_value") == [Decimal("2000.00")]


def test_an_email_that_is_hashed_is_nowhere_as_it_was(hub: Settings) -> None:
    hub = with_tables(hub, table('customer_id = { from = "Email", normalize = "email_sha256" }'))
    rows = [
        order(Email=" Ada@Example.com "),
        order(order_id="o2", Email="Ada@Example.com", order_value="x"),
    ]

    loaded = load(hub, ORDERS, {"a.csv": rows})
    (hub.landing / "orders" / "a.csv").unlink()
    load(hub, ORDERS)

    hashed = hashlib.sha256(b"ada@example.com").hexdigest()
    assert loaded.column("customer_id") == [hashed]
    assert [row.raw["Email"] for row in loaded.rejected] == [hashed]
    for file in hub.data_dir.rglob("*"):
        if file.is_file():
            assert b"xample.com" not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.json", "is read only where a [[landing]] table of hub.toml names it"),
        ("a.TSV", "is read only where a [[landing]] table of hub.toml names it"),
        ("a.xlsx", "is a workbook: save its sheet as CSV"),
        ("a.zip", "is an archive: unpack it first"),
        ("a.pdf", "has none of the extensions .csv, "),
    ],
)
def test_what_no_table_names_is_left_alone_with_words_that_help(hub: Settings, name: str, words: str) -> None:
    loaded = load(with_tables(hub, table("", "orders/b*")), ORDERS, {name: "x"})

    assert words in loaded.report.left_alone[f"landing/orders/{name}"]


def test_half_a_document_is_still_being_written(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = with_tables(hub, '[[landing]]\nfiles = "orders/*.json"\nrecords = ""')
    location = land(hub.landing / "orders" / "a.json", '[{"order_id": "o1"}, ')

    def write_on(_: float) -> None:
        land(location, json.dumps([order()]))

    monkeypatch.setattr("orchestration.landing.load.time.sleep", write_on)
    loaded = load(hub, ORDERS)

    assert loaded.report.arriving == ["landing/orders/a.json"]
    assert load(hub, ORDERS).column("order_id") == ["o1"]


def test_a_line_end_is_one_of_the_encoding(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("orchestration.landing.load.time.sleep", waited.append)
    text = "order_id,ordered_at,order_value,sales_channel\no1,2026-11-20,1,online\n"

    whole = load_one(hub, table('encoding = "utf-16"'), text.encode("utf-16"))
    assert (whole.column("order_id"), waited) == (["o1"], [])

    load_one(hub, table('encoding = "utf-16"'), text[:-1].encode("utf-16"))
    assert len(waited) == 1


def test_a_document_behind_which_something_follows_fails_alone(hub: Settings) -> None:
    hub = with_tables(hub, '[[landing]]\nfiles = "orders/*.json.gz"\nrecords = ""')
    content = gzip.compress(json.dumps([order()]).encode(), mtime=0) + b"no gzip"

    loaded = load(hub, ORDERS, {"a.json.gz": content, "b.csv": [order(order_id="o2")]})

    assert "something that is no gzip follows" in (loaded.failed["a.json.gz"] or "")
    assert loaded.column("order_id") == ["o2"]


def test_a_mapped_file_that_is_moved_counts_once(hub: Settings) -> None:
    hub = with_tables(hub, table('order_value = "Total"'))
    load(hub, ORDERS, {"a.csv": [order(Total="5")]})
    shutil.move(hub.landing / "orders" / "a.csv", hub.landing / "orders" / "b.csv")

    assert load(hub, ORDERS).by_file.keys() == {"b.csv"}


def test_bytes_under_a_name_that_is_read_otherwise_keep_their_rows(hub: Settings) -> None:
    hub = with_tables(hub, table('order_value = "Total"', "orders/a*"))
    load(hub, ORDERS, {"a.csv": [order(Total="5")]})
    shutil.move(hub.landing / "orders" / "a.csv", hub.landing / "orders" / "b.csv")

    loaded = load(hub, ORDERS)

    assert {name: rows[0]["order_value"] for name, rows in loaded.by_file.items()} == {
        "a.csv": Decimal(5),
        "b.csv": Decimal(10),
    }


def test_records_that_two_ways_to_count_them_find_otherwise_fail_the_file(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.landing.formats.json_documents._count", lambda *_: 3)

    loaded = load_one(hub, '[[landing]]\nfiles = "orders/*"\nrecords = ""', json.dumps([order()]), "a.json")

    assert loaded.failed == {"a.json": "two ways to read its records differ: they found 1 and 3"}


# What a stranger found.


def test_cents_are_multiplied_and_added_up(hub: Settings) -> None:
    fields = """
amount_format = "cents"
order_value = { from = "T", times = 100 }
refunded_value = { sum = "refunds[].amount", times = -1 }
"""

    loaded = load_one(
        hub, table(fields), nested(T=1234, refunds=[{"amount": -700}, {"amount": "-5"}]), "a.jsonl"
    )

    assert (loaded.column("order_value"), loaded.column("refunded_value")) == (
        [Decimal("1234.00")],
        [Decimal("7.05")],
    )


@pytest.mark.parametrize("name", ["row_number", "file_id", "ROW_NUMBER"])
def test_a_column_of_parquet_may_have_a_name_that_the_reader_uses(hub: Settings, name: str) -> None:
    loaded = load_one(hub, table(f'customer_id = "{name}"'), [order(**{name: "c77"})], "a.parquet")

    assert [event["customer_id"] for event in loaded.events] == ["c77"]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ('amount_format = "1,234.50"', "inexact_order_value"),
        ('order_value = { from = "order_value", times = 1 }', "malformed_order_value"),
    ],
)
def test_a_short_float_that_cannot_hold_the_cent_is_refused(hub: Settings, keys: str, reason: str) -> None:
    rows = pa.table(
        {
            **{name: [value] for name, value in order().items() if name != "order_value"},
            "order_value": pa.array([200000.01], pa.float32()),
        }
    )

    loaded = load_one(hub, table(keys), rows, "a.parquet")

    assert [row.reasons for row in loaded.rejected] == [[reason]]


def test_nanoseconds_with_a_zone_need_no_other(hub: Settings) -> None:
    rows = pa.table(
        {
            **{name: [value] for name, value in order().items() if name != "ordered_at"},
            "ordered_at": pa.array([datetime(2026, 5, 4, 10)], pa.timestamp("ns", "UTC")),
        }
    )
    tables = '[[landing]]\nfiles = "orders/*"\ntimezone = "America/New_York"'

    assert [str(one["ordered_at"]) for one in load_one(hub, tables, rows, "a.parquet").events] == [
        "2026-05-04 10:00:00"
    ]


@pytest.mark.parametrize(
    ("written", "instant"),
    [("2026-11-20T10:00:00Z", "2026-11-20 10:00:00"), ("2026-11-20T10:00:00+0160", None)],
)
def test_an_offset_of_strptime_is_z_or_hours_and_minutes(
    hub: Settings, written: str, instant: str | None
) -> None:
    keys = 'timestamp_format = "%Y-%m-%dT%H:%M:%S%z"'

    loaded = load_one(hub, table(keys), [order(ordered_at=written)])

    assert [str(event["ordered_at"]) for event in loaded.events] == ([instant] if instant else [])


def test_an_offset_in_the_name_of_a_file_counts(hub: Settings) -> None:
    tables = table(
        'updated_at = { file_name = "%Y-%m-%dT%H%M%z.csv" }\ntimezone = "America/New_York"', "orders/**"
    )

    loaded = load_one(hub, tables, [order()], "2026-11-20T1000+0100.csv")

    assert [str(event["updated_at"]) for event in loaded.events] == ["2026-11-20 09:00:00"]


@pytest.mark.parametrize("word", ["İPTAL", "ΑΚΥΡΟΣ", "straße"])
def test_letters_whose_lower_case_is_disputed_are_compared_by_one_hand(hub: Settings, word: str) -> None:
    mapped = table(
        f'status = {{ from = "S", map = {{ "{word}" = "cancelled" }}, else = "placed" }}', "orders/a*"
    )
    only = table(f'only = {{ S = ["{word}"] }}', "orders/b*")
    files: dict[str, Content] = {"a.csv": [order(S=word)], "b.csv": [order(order_id="o2", S=word)]}

    loaded = load(with_tables(hub, f"{mapped}\n{only}"), ORDERS, files)

    assert loaded.column("status") == ["cancelled", "placed"]
    assert loaded.files["b.csv"].rows_skipped == 0


def test_half_a_character_in_a_document_is_one_rejected_row(hub: Settings) -> None:
    text = "[" + json.dumps(order()) + ', {"order_id": "\\\\ud800\\ud800"}, {"order_id": "\\ud83d\\ude00"}]'

    loaded = load_one(hub, table('records = ""'), text, "a.json")

    assert loaded.column("order_id") == ["o1"]
    assert loaded.reasons["a.json", 2] == ["malformed_json"]
    assert "missing_ordered_at" in loaded.reasons["a.json", 3]


ADDRESS = "ada@example.com"

HASHED = 'customer_id = { from = "Email", normalize = "email_sha256" }'


@pytest.mark.parametrize(
    ("tables", "name", "content"),
    [
        (
            table('skip_blank = "c"\ncustomer_id = { from = "c.email", normalize = "email_sha256" }'),
            *("a.jsonl", nested(c={"email": ADDRESS}, order_value="x")),
        ),
        (
            table(HASHED + '\nstatus = "Name"'),
            "a.csv",
            "order_id,Name,Email,ordered_at,order_value,sales_channel\n"
            f"o1,{ADDRESS},2026-11-20,1\no2,b,{ADDRESS},x,2026-11-20,1,online\n",
        ),
        (
            table(HASHED + '\nrecords = ""'),
            *("a.json", '[{"Email": "' + ADDRESS + '", "x": nul}]'),
        ),
        (
            table(HASHED + '\nrecords = "data"'),
            *("a.json", '{"' + ADDRESS + '": []}'),
        ),
    ],
    ids=["an object around it", "rows that do not divide", "what is no JSON", "a key"],
)
def test_an_address_that_is_hashed_is_in_no_message(
    hub: Settings, tables: str, name: str, content: str
) -> None:
    loaded = load_one(hub, tables, content, name)

    said = [*notices(loaded.report), str(loaded.failed), json.dumps([row.raw for row in loaded.rejected])]
    assert ADDRESS not in " ".join(said)
    assert loaded.events == []
