"""A slip is not published: limits of hub.toml that hold a refresh back until somebody has looked.

Belongs here: max_rejected_share, max_fall. Does not belong here: max_left_behind (test_arrivals_model.py).
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.landing import land_csv, load
from support.pipeline import build, edit_hub_file, reading, refresh
from support.pipeline import load as load_all
from support.small_hub import copied

from orchestration.cli import remove_warehouse
from orchestration.incremental.plan import MODEL_STATES, finish
from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.landing.fall import GONE, TooManyGone
from orchestration.landing.load_report import TooManyRejected
from orchestration.landing.retract import retract
from orchestration.settings import Settings
from orchestration.sql import one_row
from orchestration.warehouse import databases, run_log

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


def test_rows_that_were_published_are_new_no_longer(refreshed_hub: Settings, tmp_path: Path) -> None:
    hub = copied(refreshed_hub, tmp_path / "hub")
    patient = replace(hub, hub=replace(hub.hub, max_rejected_share=1.0))
    load(patient, ORDERS, {"bad.csv": orders(range(150), order_value="x")})
    build(patient)

    assert load(hub, ORDERS, {"b.csv": orders(range(200, 300))}).report.too_many_rejected is None
    assert load(hub, ORDERS, {"c.csv": orders(range(300, 500), order_value="x")}).report.too_many_rejected


def test_a_slip_of_the_currency_is_held_back_until_the_limit_says_otherwise(
    hub: Settings, command: Command
) -> None:
    land_csv(hub.landing / "orders" / "a.csv", orders(range(150), currency="USD"))
    refresh(hub)
    slip = edit_hub_file(hub, currency="EUR")

    finished = command(slip, "run")

    assert finished.returncode == 1
    said = " ".join(finished.stdout.split())
    assert "150 of the 150 new rows of orders were rejected" in said
    assert "landing/orders/a.csv: 150 of 150, most often foreign_currency" in said
    assert published_orders(hub) == 150

    finished = command(edit_hub_file(slip, max_rejected_share=1.0), "run")
    assert finished.returncode == 1
    said = " ".join(finished.stdout.split())
    assert "150 of the 150 published orders are in no accepted row any more" in said
    assert "max_fall = 0.1 in hub.toml" in said
    assert "landing/orders/a.csv: 150, most often rejected as foreign_currency" in said
    assert published_orders(hub) == 150

    let_through = edit_hub_file(slip, max_fall=1.0)
    for report in load_all(let_through):
        assert (report.too_many_rejected, report.too_many_gone, report.left_behind) == (None, None, {})
    refresh(let_through)
    assert published_orders(hub) == 0


SKIPPING = """
[[landing]]
files = "orders/**"
only = { sales_channel = ["in_store"] }
order_id = "order_id"
ordered_at = "ordered_at"
order_value = "order_value"
sales_channel = "sales_channel"
"""

REPLACING = '[[landing]]\nfiles = "orders/**"\noverwritten = "replaces"\n'


def with_hub_file(hub: Settings, text: str) -> Settings:
    hub.hub_file.write_text('timezone = "UTC"\ncurrency = "USD"\n' + text)
    return Settings.from_environment(hub.as_environment())


@pytest.mark.parametrize(
    ("stays", "gone", "holds_back"),
    [(908, 101, True), (909, 101, False), (0, 101, True), (0, 100, False)],
)
def test_a_share_of_published_events_that_a_mapping_skips_holds_back_from_a_hundred_on(
    hub: Settings, stays: int, gone: int, holds_back: bool
) -> None:
    lines = [*orders(range(stays), sales_channel="in_store"), *orders(range(stays, stays + gone))]
    load(hub, ORDERS, {"a.csv": lines})
    count_as_published(hub)

    found = load(with_hub_file(hub, SKIPPING), ORDERS).report.too_many_gone

    expected = {"landing/orders/a.csv": (gone, "skipped by the [[landing]] table")}
    assert found == (TooManyGone(stays + gone, gone, 0.1, expected) if holds_back else None)
    # Until it is published, or put right.
    assert (load(with_hub_file(hub, SKIPPING), ORDERS).report.too_many_gone is not None) == holds_back
    assert load(with_hub_file(hub, ""), ORDERS).report.too_many_gone is None


def test_the_limit_on_what_is_gone_is_that_of_the_hub_and_of_one_entity(hub: Settings) -> None:
    load(hub, ORDERS, {"a.csv": orders(range(200))})
    assert load(with_hub_file(hub, SKIPPING), ORDERS).report.too_many_gone is None, "nothing was published"
    load(with_hub_file(hub, ""), ORDERS)
    count_as_published(hub)

    assert load(with_hub_file(hub, "max_fall = 1.0\n" + SKIPPING), ORDERS).report.too_many_gone is None
    assert load(with_hub_file(hub, SKIPPING), ORDERS).report.too_many_gone is not None
    assert load(with_hub_file(hub, SKIPPING), MESSAGES, {}).report.too_many_gone is None


def test_events_that_somebody_wanted_gone_hold_nothing_back(hub: Settings) -> None:
    load(hub, ORDERS, {"a.csv": orders(range(200)), "b.csv": orders(range(200, 400))})
    count_as_published(hub)

    with databases.connect(hub) as connection:
        retract(connection, hub, "landing/orders/a.csv")
    assert load(hub, ORDERS).report.too_many_gone is None

    replacing = with_hub_file(hub, REPLACING)
    loaded = load(replacing, ORDERS, {"b.csv": orders(range(500, 510))})
    assert (loaded.report.dropped, len(loaded.events)) == ({"landing/orders/b.csv": 200}, 10)
    assert loaded.report.too_many_gone is None


def test_events_that_a_lost_file_of_kept_rows_held_hold_back(hub: Settings) -> None:
    load(hub, ORDERS, {"a.csv": orders(range(200)), "b.csv": orders(range(200, 300))})
    (hub.landing / "orders" / "a.csv").unlink()
    load(hub, ORDERS)
    count_as_published(hub)
    shutil.rmtree(hub.kept)

    found = load(hub, ORDERS).report.too_many_gone

    assert found == TooManyGone(300, 200, 0.1, {"landing/orders/a.csv": (200, GONE)})


def test_a_rebuild_knows_what_was_dropped_before_it(hub: Settings) -> None:
    load(hub, ORDERS, {"a.csv": orders(range(200)), "b.csv": orders(range(200, 400))})
    publish_orders(hub, 400)
    replacing = with_hub_file(hub, REPLACING)
    land_csv(hub.landing / "orders" / "b.csv", orders(range(500, 510)))
    (hub.landing / "messages").mkdir()
    # Twice, as when the first one was held back for another reason.
    for _ in range(2):
        assert remove_warehouse(replacing)
        assert load(replacing, ORDERS).report.too_many_gone is None

    count_as_published(hub)
    assert not hub.dropped.exists()


def test_after_a_rebuild_the_published_file_says_what_is_gone(hub: Settings) -> None:
    load(hub, ORDERS, {"a.csv": orders(range(200)), "b.csv": orders(range(200, 400))})
    publish_orders(hub, 400)
    with databases.connect(hub) as connection:
        retract(connection, hub, "landing/orders/a.csv")
    databases.remove_databases(hub)
    assert load(hub, ORDERS).report.too_many_gone is None

    databases.remove_databases(hub)
    skipping = with_hub_file(hub, SKIPPING)
    expected = {"landing/orders/b.csv": (200, "skipped by the [[landing]] table")}
    assert load(skipping, ORDERS).report.too_many_gone == TooManyGone(400, 200, 0.1, expected)
    # The next refresh goes on from that warehouse, which knows no more.
    assert load(skipping, ORDERS).report.too_many_gone == TooManyGone(400, 200, 0.1, expected)


def count_as_published(hub: Settings) -> None:
    """Let what is loaded count as published, as the end of a refresh does, without building models of it."""
    with databases.connect(hub) as connection:
        connection.execute(MODEL_STATES)
        number = run_log.begin(connection, "a run", hub)
        (newest,) = one_row(connection, "select max(file_id) from raw.contents")
        run_log.record_plan(connection, number, newest, [])
        finish(connection, hub, "a run", version="none", seconds=0)


def publish_orders(hub: Settings, count: int) -> None:
    """A published file with orders and the record of refreshes, and no messages."""
    count_as_published(hub)
    with databases.connect(hub) as connection:
        refreshes = connection.sql("from raw.refreshes").to_arrow_table()
    hub.published.parent.mkdir(parents=True)
    with duckdb.connect(str(hub.published)) as connection:
        connection.register("recorded", refreshes)
        connection.execute("create table refreshes as from recorded")
        connection.execute("create table fct_messages (message_id varchar)")
        connection.execute(f"create table fct_orders as select 'o' || range as order_id from range({count})")


def published_orders(hub: Settings) -> int:
    with reading(hub.published) as connection:
        return int(connection.sql("select count(*) from fct_orders").fetchall()[0][0])
