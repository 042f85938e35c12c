"""A slip is not published: limits of hub.toml that hold a refresh back until somebody has looked.

Belongs here: max_rejected_share. Does not belong here: max_left_behind (test_arrivals_model.py).
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from landing import land_csv, load
from pipeline import build, reading

from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.landing.load_report import TooManyRejected
from orchestration.settings import Settings

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")


def orders(numbers: range, **values: Any) -> Sequence[dict[str, Any]]:
    given = {"ordered_at": "2026-01-10T10:00:00Z", "order_value": "1.00", "sales_channel": "online", **values}
    return [{"order_id": f"o{number}", **given} for number in numbers]


@pytest.mark.parametrize(
    ("good", "bad", "holds_back"),
    [(399, 101, True), (405, 101, False), (0, 101, True), (0, 100, False), (404, 101, False)],
)
def test_a_share_of_rejected_rows_holds_back_from_a_hundred_rows_on(
    hub: Settings, good: int, bad: int, holds_back: bool
) -> None:
    rows = [*orders(range(good)), *orders(range(good, good + bad), order_value="x")]

    found = load(hub, ORDERS, {"a.csv": rows}).report.too_many_rejected

    assert (found is not None) == holds_back
    if found:
        assert found == TooManyRejected(
            good + bad, bad, 0.2, {"landing/orders/a.csv": (bad, good + bad, "malformed_order_value")}
        )


def test_the_limit_is_that_of_the_hub_and_of_one_entity(hub: Settings) -> None:
    patient = replace(hub, hub=replace(hub.hub, max_rejected_share=0.6))
    rows = [*orders(range(100)), *orders(range(100, 250), order_value="x")]

    assert load(patient, ORDERS, {"a.csv": rows}).report.too_many_rejected is None
    assert load(hub, ORDERS).report.too_many_rejected is not None
    assert load(hub, MESSAGES, {}).report.too_many_rejected is None


def test_rows_that_were_published_are_new_no_longer(hub: Settings) -> None:
    patient = replace(hub, hub=replace(hub.hub, max_rejected_share=1.0))
    load(patient, ORDERS, {"a.csv": orders(range(150), order_value="x")})
    build(patient)

    assert load(hub, ORDERS, {"b.csv": orders(range(200, 300))}).report.too_many_rejected is None
    assert load(hub, ORDERS, {"c.csv": orders(range(300, 500), order_value="x")}).report.too_many_rejected


def test_a_slip_of_the_currency_is_held_back_until_the_limit_says_otherwise(
    hub: Settings, command: Command
) -> None:
    land_csv(hub.landing / "orders" / "a.csv", orders(range(150), currency="USD"))
    assert command(hub, "run").returncode == 0
    file = hub.data_dir / "hub.toml"
    right = file.read_text()
    file.write_text(right.replace('currency = "USD"', 'currency = "EUR"'))
    slip = replace(hub, currency="EUR")

    finished = command(slip, "run")

    assert finished.returncode == 1
    said = " ".join(finished.stdout.split())
    assert "150 of the 150 new rows of orders were rejected" in said
    assert "landing/orders/a.csv: 150 of 150, most often foreign_currency" in said
    assert published_orders(hub) == 150

    file.write_text(file.read_text().replace("max_rejected_share = 0.2", "max_rejected_share = 1.0"))
    assert command(slip, "run").returncode == 0
    assert published_orders(hub) == 0


def published_orders(hub: Settings) -> int:
    with reading(hub.published) as connection:
        return int(connection.sql("select count(*) from fct_orders").fetchall()[0][0])
