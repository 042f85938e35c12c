"""What dlt copies from the shop into a bucket is reported as pandas computes it from the shop's own data."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from examples.dlt import shop
from examples.dlt.run import BUCKET, client_of, extract, refresh, serving_bucket

WINDOW = pd.Timedelta(days=7)


def frame(name: str, instant: datetime) -> pd.DataFrame:
    """What the shop has at an instant, in its own words; customers and agents by their ids."""
    found = pd.json_normalize(shop.as_of(shop.records()[name], instant), sep="__")
    found["created_at"] = pd.to_datetime(found["created_at"])
    return found


def expected(instant: datetime) -> dict[str, tuple[Any, ...]]:
    """The figures over all time, in all and by list. Money is in cents."""
    messages, orders = frame("messages", instant), frame("orders", instant)
    sent = messages[messages["state"] == "delivered"]
    orders = orders[(orders["state"] == "paid") & orders["customer__id"].notna()]
    touches = sent.merge(orders, on="customer__id", suffixes=("", "_of_order"))
    after = touches["created_at_of_order"] - touches["created_at"]
    touches = touches[(after >= pd.Timedelta(0)) & (after < WINDOW)]

    def figures(messages: pd.DataFrame, touches: pd.DataFrame) -> tuple[Any, ...]:
        generated = touches.drop_duplicates("id_of_order")
        return (
            len(messages),
            messages["customer__id"].nunique(),
            touches["customer__id"].nunique(),
            len(generated),
            int(generated["total_cents"].sum()),
            int(generated["refunded_cents"].sum()),
        )

    return {"": figures(sent, touches)} | {
        queue: figures(of_queue, touches[touches["list"] == queue])
        for queue, of_queue in sent.groupby("list")
    }


def reported(file: Path) -> dict[str, tuple[Any, ...]]:
    """The same of a published file."""
    figures = """
        messages_sent, customers_messaged, customers_converted, orders_generated,
        (100 * revenue_generated)::bigint, (100 * revenue_refunded)::bigint
    """
    with duckdb.connect(str(file), read_only=True) as connection:
        rows = connection.execute(
            f"select '', {figures} from mart_overview where period = 'all_time' "
            f"union all select queue_id, {figures} from mart_queue_breakdown where period = 'all_time'"
        ).fetchall()
    return {queue: tuple(row) for queue, *row in rows}


def test_the_reports_equal_the_shops_own_data_with_late_and_corrected_orders(tmp_path: Path) -> None:
    first, second = expected(shop.FIRST_LOOK), expected(shop.SECOND_LOOK)
    # Else the second look would show nothing new.
    assert first[""][4] != second[""][4]
    assert second[""][5] > first[""][5] == 0

    with serving_bucket(tmp_path) as environment:
        published = tmp_path / "hub" / "published" / "contact_reports.duckdb"
        extract(environment, shop.FIRST_LOOK)
        refresh(environment)
        assert reported(published) == first
        extract(environment, shop.SECOND_LOOK)
        refresh(environment)
        assert reported(published) == second

        client = client_of(environment)
        latest = json.load(client.get_object(Bucket=BUCKET, Key="reports/latest.json")["Body"])
        copied = tmp_path / "copied.duckdb"
        client.download_file(BUCKET, f"reports/{latest['version']}/contact_reports.duckdb", str(copied))
        assert reported(copied) == second
