"""What is published, as files of other formats."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import refresh

from orchestration.publishing.export import ExportError, export
from orchestration.settings import Settings

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}


def test_each_published_table_is_exported_and_the_marts_and_on_request_facts_for_spreadsheets_too(
    tmp_path: Path,
) -> None:
    hub = Settings(tmp_path / "it's a hub", "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    refresh(hub)

    export(hub)
    folder, files = export(hub)  # in the place of the first

    with duckdb.connect(str(hub.published), read_only=True) as connection:
        tables = [name for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()]
        for table in tables:
            parquet = str(folder / f"{table}.parquet")
            ((differing,),) = connection.execute(
                f"select count(*) from (from {table} except all from read_parquet(?))", [parquet]
            ).fetchall()
            assert differing == 0, table
    assert len(tables) > 10
    with (folder / "mart_overview.csv").open() as file:
        rows = {row["period"]: row["messages_sent"] for row in csv.DictReader(file)}
    assert rows["last_30_days"] == "1"
    assert "fct_messages.csv" not in files

    folder, files = export(hub, with_facts=True)
    assert {"fct_messages.csv", "fct_message_orders.csv", "fct_orders.csv"} <= set(files)
    with (folder / "fct_messages.csv").open() as file:
        assert [row["message_id"] for row in csv.DictReader(file)] == ["m1"]


def test_without_published_data_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="make run"):
        export(Settings(tmp_path, "UTC", date(2026, 1, 31), "USD"))
