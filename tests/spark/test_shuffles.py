"""What the attribution costs on a cluster: one shuffle, by customer and 7-day time bucket."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from orchestration.dbt_runner.project import PROJECT_DIR, environment_of
from orchestration.settings import Engine, Settings

ATTRIBUTION = "fct_message_orders"

STAGED = {
    "stg_messages": "message_id string, customer_id string, queue_id string, user_id string, status string, "
    "occurred_at timestamp_ntz, message_date date",
    "stg_orders": "order_id string, customer_id string, ordered_at timestamp_ntz, sales_channel string, "
    "status string, order_value decimal(18, 2), refunded_value decimal(18, 2)",
}


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The attribution as dbt compiles it for Spark."""
    folder = tmp_path_factory.mktemp("compiled")
    hub = Settings(folder, "UTC", date(2026, 1, 31), "USD", engine=Engine.SPARK)
    with environment_of(hub):
        subprocess.run(
            [
                *(str(Path(sys.executable).with_name("dbt")), "compile", "--quiet", "--select", ATTRIBUTION),
                *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)),
                *("--target-path", str(folder), "--no-populate-cache"),
            ],
            check=True,
        )
    manifest = json.loads((folder / "manifest.json").read_text())
    return manifest["nodes"][f"model.contact_reporting.{ATTRIBUTION}"]["compiled_code"]


def test_the_attribution_is_one_shuffle_by_customer_and_time_bucket(rule: str, tmp_path: Path) -> None:
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(tmp_path))
        # As with tables that are too large to be sent to every worker.
        .config("spark.sql.autoBroadcastJoinThreshold", "-1")
        .getOrCreate()
    )
    with session:
        session.sql("create schema staging")
        for name, columns in STAGED.items():
            session.sql(f"create table staging.{name} ({columns}) using parquet")
        # As it is written, by whole days.
        written = f"select /*+ rebalance(message_date) */ * from ({rule})"
        plan = session.sql(f"explain formatted {written}").collect()[0][0]

    shuffles = [
        re.sub(r"#\d+L?", "", f"{why}: {by}")
        for by, why in re.findall(r"Arguments: (\w+partitioning\(.*), \d+\), (\w+)", plan)
    ]
    assert sorted(shuffles) == [
        "ENSURE_REQUIREMENTS: hashpartitioning(customer_id, reached_time_bucket",
        "ENSURE_REQUIREMENTS: hashpartitioning(customer_id, time_bucket",
        "REBALANCE_PARTITIONS_BY_COL: hashpartitioning(message_date",
    ], plan
