"""Refreshes whose files land in a bucket, and whose versions are copied to one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.buckets import SECRET, Bucket
from support.landing import csv_text
from support.pipeline import dbt_in_process, manifest, reading, run_of

from orchestration import refresh as steps
from orchestration.object_storage.version_copies import copy_published
from orchestration.settings import Settings

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}
ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": "2026-01-12T10:00:00Z",
    "order_value": "19.99",
    "sales_channel": "online",
}


def revenue(file: Path) -> str:
    with reading(file) as connection:
        ((total,),) = connection.sql(
            "select revenue_generated from mart_overview where period = 'all_time'"
        ).fetchall()
    return str(total)


def copied_revenue(bucket: Bucket, folder: Path) -> str:
    """What the version that latest.json names says, read as its readers do."""
    objects = bucket.objects()
    version = json.loads(objects["latest.json"])["version"]
    parquet = folder / "mart_overview.parquet"
    parquet.write_bytes(objects[f"{version}/parquet/mart_overview.parquet"])
    ((total,),) = duckdb.execute(
        f"select revenue_generated from '{parquet}' where period = 'all_time'"
    ).fetchall()
    return str(total)


def test_reports_follow_a_bucket_and_go_to_one_through_outages(
    tmp_path: Path,
    bucket: Bucket,
    command: Callable[..., subprocess.CompletedProcess[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports = replace(bucket, folder="reports")
    hub = Settings(
        *(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD"), landing_url=bucket.url, copies_url=reports.url
    )
    bucket.put("messages/2026/m.csv", csv_text([MESSAGE]))
    bucket.put("orders/o.csv", csv_text([ORDER]))
    finished = command(hub, "run")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "orders: 1 of 1 objects copied, 0 files deleted" in finished.stdout
    assert revenue(hub.published) == copied_revenue(reports, tmp_path) == "19.99"

    # A late order, and one that was corrected; the file of the first has gone.
    bucket.delete("orders/o.csv")
    corrected = {**ORDER, "order_value": "15.00", "updated_at": "2026-01-20"}
    late = {**ORDER, "order_id": "o2", "order_value": "5.00", "ordered_at": "2026-01-13"}
    bucket.put("orders/late.csv", csv_text([late, corrected]))
    with monkeypatch.context() as patched:
        # The same server, to which no way leads.
        patched.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        for name in ("NO_PROXY", "no_proxy"):
            patched.delenv(name, raising=False)
        failed = command(hub, "run")

    assert failed.returncode == 1
    assert "it cannot be reached" in failed.stdout
    assert "readers keep what was published" in " ".join(failed.stdout.split())
    assert not any(secret in failed.stdout + failed.stderr for secret in (SECRET, "key-of-the-bucket"))
    assert not any(SECRET.encode() in path.read_bytes() for path in hub.data_dir.rglob("*") if path.is_file())
    assert revenue(hub.published) == "19.99"

    # The bucket of the copies is out of reach only while publishing: the file is published all the same.
    said: list[str] = []
    out_of_reach = replace(hub, copies_url="s3://no-such-bucket/reports")
    steps.refresh(run_of(out_of_reach, "second", said.append), manifest(), dbt_in_process())
    assert "was not copied to s3://no-such-bucket/reports" in said[-1]
    assert revenue(hub.published) == "20.00"
    assert copied_revenue(reports, tmp_path) == "19.99"
    copy_published(hub)
    assert copied_revenue(reports, tmp_path) == "20.00"
