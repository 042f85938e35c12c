"""Which key of a JSON object is which field: spellings, keys that are there twice or beyond the contract."""

from __future__ import annotations

import itertools
import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from support.landing import load

from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.settings import Settings

MESSAGE = {"message_id": "m", "customer_id": "c", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}
ORDER = {
    "order_id": "o",
    "customer_id": "c",
    "ordered_at": "2026-01-10T10:00:00Z",
    "order_value": "10.00",
    "sales_channel": "online",
}


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


def message_and(number: int, further: str) -> str:
    """A line with a good message, and further members of the object."""
    return json.dumps({**MESSAGE, "message_id": f"m{number}"})[:-1] + f", {further}}}\n"


@pytest.mark.parametrize(
    "further",
    [
        '"status": "skipped"',
        '"status": "sent"',
        '"status": null',
        '"Status": "skipped"',
        '" STATUS\\t": "skipped"',
        '"\\ufeffstatus\\u3000": "skipped"',
        '"\\u0073tatus": "skipped"',
        '"queue_id": "q1", "Queue_ID": "q2"',
    ],
)
def test_a_row_with_a_key_of_the_contract_twice_is_refused_and_the_others_load(
    hub: Settings, further: str
) -> None:
    lines = message_and(1, '"note": 1') + message_and(2, further) + message_and(3, '"queue_id": "q"')

    loaded = load(hub, MESSAGES, {"a.jsonl": lines})

    assert loaded.column("message_id") == ["m1", "m3"]
    assert loaded.reasons == {("a.jsonl", 2): ["duplicate_key"]}


def test_all_values_of_a_key_are_shown_where_an_object_has_it_twice(hub: Settings) -> None:
    line = json.dumps(ORDER)[:-1] + ', "order_value": 99.5, "note": "n", "note": "n", "Order_Value": null}\n'

    loaded = load(hub, ORDERS, {"a.jsonl": line})

    (rejected,) = loaded.rejected
    assert rejected.reasons == ["duplicate_key"]
    assert rejected.raw == {
        **dict.fromkeys(field.name for field in ORDERS.fields),
        **ORDER,
        "order_value": '["10.00",99.5,null]',
    }


def test_keys_beyond_the_contract_may_be_there_twice(hub: Settings) -> None:
    lines = message_and(1, '"note": 1, "note": 2') + message_and(2, '"": 1, "": 2, "~1/status": 3')

    loaded = load(hub, MESSAGES, {"a.jsonl": lines})

    assert loaded.column("message_id") == ["m1", "m2"]
    assert loaded.rejected == []


def test_objects_with_keys_of_their_own_each_have_their_fields(hub: Settings) -> None:
    """Each row has its fields in another order, spelling and company."""
    rows = [
        {**MESSAGE, "message_id": "m1"},
        {"note": 1, **dict(reversed({**MESSAGE, "message_id": "m2"}.items()))},
        {name.upper(): value for name, value in {**MESSAGE, "message_id": "m3", "queue_id": "q3"}.items()},
        {"message_id": "m4"},
        {},
        {f" {name}\t": value for name, value in {**MESSAGE, "message_id": "m6", "user_id": "u6"}.items()},
    ]

    loaded = load(hub, MESSAGES, {"a.jsonl": rows})

    assert [(event["message_id"], event["queue_id"], event["user_id"]) for event in loaded.events] == [
        ("m1", "unassigned", "unassigned"),
        ("m2", "unassigned", "unassigned"),
        ("m3", "q3", "unassigned"),
        ("m6", "unassigned", "u6"),
    ]
    assert {event["occurred_at"] for event in loaded.events} == {datetime(2026, 1, 10, 10)}
    absent = ["missing_customer_id", "missing_status", "missing_occurred_at"]
    assert loaded.reasons == {
        ("a.jsonl", 4): absent,
        ("a.jsonl", 5): ["missing_message_id", *absent],
    }


def test_thousands_of_spellings_of_a_key_load(hub: Settings) -> None:
    letters = itertools.product(*({letter, letter.upper()} for letter in "customer_id"), " ")
    spellings = ["".join(spelling) for spelling in itertools.islice(letters, 1000)]
    spellings += [blank + spelling for blank in ("\u00a0", "\t\n") for spelling in spellings]
    rows = [
        {
            **{name: value for name, value in MESSAGE.items() if name != "customer_id"},
            "message_id": f"m{number}",
            spelling: f"c{number}",
        }
        for number, spelling in enumerate(spellings)
    ]

    loaded = load(hub, MESSAGES, {"a.jsonl": rows})

    assert len(set(spellings)) == 3000
    assert loaded.failed == {}
    assert {event["message_id"][1:] for event in loaded.events} == set(map(str, range(3000)))
    assert all(event["message_id"][1:] == event["customer_id"][1:] for event in loaded.events)


def test_a_bare_nan_is_an_absent_value(hub: Settings) -> None:
    lines = "".join(
        json.dumps(row) + "\n"
        for row in (
            {**ORDER, "order_id": "o1", "customer_id": float("nan")},
            {**ORDER, "order_id": "o2", "refunded_value": float("nan"), "updated_at": float("nan")},
            {**ORDER, "order_id": "o3", "order_value": float("nan")},
            {**ORDER, "order_id": "o4", "refunded_value": float("inf")},
        )
    )
    assert lines.count("NaN") == 4

    loaded = load(hub, ORDERS, {"a.jsonl": lines})

    assert [
        (event["order_id"], event["customer_id"], event["refunded_value"], event["has_version"])
        for event in loaded.events
    ] == [("o1", None, Decimal("0.00"), False), ("o2", "c", Decimal("0.00"), False)]
    assert loaded.reasons == {
        ("a.jsonl", 3): ["missing_order_value"],
        ("a.jsonl", 4): ["malformed_refunded_value"],
    }
