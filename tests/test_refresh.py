"""A whole refresh through Dagster, as the schedule and `make run` start it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from support.landing import land_csv
from support.lock_holder import hold
from support.pipeline import models_and_seeds, reading
from support.pipeline import refresh as refresh_in_process

from orchestration.dbt_runner.project import prepared_project
from orchestration.dbt_runner.sources import is_parsed
from orchestration.definitions import defs
from orchestration.operations import runs
from orchestration.settings import REPOSITORY, Settings

Command = Callable[..., subprocess.CompletedProcess[str]]

MESSAGE = {
    "message_id": "m1",
    "customer_id": "c1",
    "queue_id": "q1",
    "status": "sent",
    "occurred_at": "2026-01-10T10:00:00Z",
}
ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": "2026-01-12T10:00:00Z",
    "order_value": "19.99",
    "sales_channel": "online",
}


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")


def test_the_demo_lands_a_sample_once_and_prints_both_reports(hub: Settings, command: Command) -> None:
    first = command(hub, "demo")
    with reading(hub.published) as connection:
        (figures,) = connection.sql(
            "select messages_sent, revenue_generated, active_users from mart_overview "
            "where period = 'last_30_days'"
        ).fetchall()
        ((base_start, base_end, fewer),) = connection.sql(
            "select base_start, base_end, 1 - messages_sent::double / messages_sent_base "
            "from mart_overview_compared where period = 'last_30_days'"
        ).fetchall()
        ((share,),) = connection.sql(
            "select sum(revenue_attributed) / sum(revenue_placed) "
            "from sales((select as_of - 29 from report_info), (select as_of from report_info))"
        ).fetchall()
        content = connection.sql("from fct_messages order by message_id").fetchall()
    second = command(hub, "demo")

    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stderr == ""
    assert "Overview" in first.stdout
    assert "Team engagement" in first.stdout
    assert f"{figures[0]:,}" in first.stdout
    assert f"{figures[1]:,} USD" in first.stdout
    assert f"▼ {fewer:.1%} less" in first.stdout
    assert f"▲▼ against the 30 days before, {base_start} to {base_end}" in first.stdout
    assert "Share of all revenue" in first.stdout
    assert f" {share:.1%} " in first.stdout
    assert f"Published: {hub.published}" in first.stdout
    assert second.returncode == 0, second.stdout + second.stderr
    assert "no sample is added" in second.stdout
    assert "0 new files" in second.stdout
    with reading(hub.published) as connection:
        assert connection.sql("from fct_messages order by message_id").fetchall() == content


def test_an_empty_hub_is_refreshed_and_published(hub: Settings, command: Command) -> None:
    before = command(hub, "files")
    finished = command(hub, "run")
    after = command(hub, "files")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert before.stdout == "No load has looked into the landing folder yet: `make run`.\n"
    assert " ".join(after.stdout.split()) == f"The last load found no file in {hub.landing}."
    with reading(hub.published) as connection:
        assert connection.sql(
            "select messages_sent, revenue_generated, conversion_rate, revenue_per_message "
            "from overview('2026-01-01', '2026-01-31')"
        ).fetchall() == [(0, 0, None, None)]
        assert len(connection.sql("from mart_overview").fetchall()) == 5


def test_a_failed_check_leaves_the_old_file_and_says_what_it_found(hub: Settings, command: Command) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    land_csv(hub.landing / "orders" / "a.csv", [ORDER])
    assert command(hub, "run").returncode == 0
    published = hub.published.resolve()
    with duckdb.connect(str(hub.warehouse)) as warehouse:
        warehouse.execute("delete from raw.message_events")

    finished = command(hub, "run")

    assert finished.returncode == 1
    assert "assert_landed_rows_are_accepted_or_rejected failed" in finished.stdout
    assert "landing/messages/a.csv" in finished.stdout
    assert "The published file was left as it is" in finished.stdout
    assert hub.published.resolve() == published
    # What the sensor goes by, however a refresh was started: these files are published, then held back.
    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
        held_back, successful = runs.latest_attempts(instance)
    assert successful.is_published
    assert (held_back.is_published, held_back.is_held_back) == (False, True)
    assert held_back.landed == successful.landed == runs.landing_fingerprint(hub)
    assert held_back.settings == runs.settings_fingerprint(hub)


def test_a_run_of_the_last_step_alone_publishes_nothing_and_says_what_to_run(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    published = refresh_in_process(hub).resolve()
    for name, value in hub.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("orchestration.refresh.results.require_checked", lambda target: None)

    with dg.DagsterInstance.ephemeral() as instance:
        finished = defs.resolve_job_def("refresh").execute_in_process(
            asset_selection=[dg.AssetKey(["published", "contact_reports"])],
            instance=instance,
            raise_on_error=False,
        )
        attempts = runs.latest_attempts(instance)

    assert not finished.success
    (failure,) = [event for event in finished.all_events if event.is_step_failure]
    assert "Run the job refresh as a whole" in failure.step_failure_data.error_display_string
    assert hub.published.resolve() == published
    assert attempts == []


def test_bad_input_never_stops_good_input(hub: Settings, command: Command) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE, {**MESSAGE, "message_id": "m2", "status": "lost"}])
    land_csv(hub.landing / "orders" / "a.csv", [ORDER])
    (hub.landing / "orders" / "b.csv.gz").write_bytes(b"no gzip")

    finished = command(hub, "run")

    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "landing/orders/b.csv.gz was not loaded" in finished.stdout
    assert "1 new files, 2 rows landed, 1 accepted, 1 rejected" in finished.stdout
    with reading(hub.published) as connection:
        assert connection.sql(
            "select messages_sent, orders_generated from mart_overview_daily"
        ).fetchall() == [(1, 1)]
    with duckdb.connect(str(hub.warehouse), read_only=True) as warehouse:
        assert warehouse.sql("select path, reasons from quarantine.rejected_events").fetchall() == [
            ("landing/messages/a.csv", ["unknown_status"])
        ]
        assert warehouse.sql("select path from raw.landed_files where status = 'failed'").fetchall() == [
            ("landing/orders/b.csv.gz",)
        ]


def test_a_setting_that_cannot_be_used_ends_with_a_message(hub: Settings, command: Command) -> None:
    finished = command(Settings(hub.data_dir, "Mars/Olympus", hub.as_of, "USD"), "run")

    assert finished.returncode == 2
    assert "CONTACT_TIMEZONE is 'Mars/Olympus'" in finished.stdout
    assert finished.stderr == ""


def test_a_second_refresh_waits_and_says_for_whom(hub: Settings) -> None:
    with hold(hub.lock) as holder:
        waiting = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "run"],
            cwd=REPOSITORY,
            env={**os.environ, **hub.as_environment()},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert waiting.stdout is not None
        said = next(line for line in waiting.stdout if "Another refresh" in line)
        holder.kill()
        waiting.communicate()

    assert f"process {holder.pid}" in said
    assert waiting.returncode == 0


def test_each_refresh_leaves_a_row_that_readers_and_dagster_show(hub: Settings, command: Command) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    land_csv(hub.landing / "orders" / "a.csv", [ORDER, {**ORDER, "order_id": ""}])
    manifests = set()
    for _ in range(2):
        finished = command(hub, "run")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert is_parsed(hub.dbt_target, hub.engine)
        manifests.add((hub.dbt_target / "manifest.json").stat().st_mtime_ns)
        land_csv(
            hub.landing / "orders" / "b.csv",
            [{**ORDER, "refunded_value": "5.00", "updated_at": "2026-01-20"}],
        )

    # dbt has parsed the project once for all hubs, and writes its manifest where sources are others only.
    assert len(manifests) == 1
    prepared = prepared_project(hub.engine).manifest_path
    assert (hub.dbt_target / "manifest.json").read_bytes() == prepared.read_bytes()
    with reading(hub.published) as connection:
        first, second = (
            dict(zip(names, row, strict=True))
            for names in [[column[0] for column in connection.sql("from refreshes").description]]
            for row in connection.sql("from refreshes order by refresh_number").fetchall()
        )
    assert (first["files_loaded"], first["messages_accepted"], first["orders_rejected"]) == (2, 1, 1)
    assert first["rebuilt_because"] == [
        f"nothing has been published yet: {models_and_seeds()} models and seeds"
    ]
    assert set(first["seconds_by_step"]) == {
        *("loading messages", "loading orders", "models", "checks", "publishing")
    }
    assert (second["files_loaded"], second["orders_accepted"], second["days_recomputed"]) == (1, 1, 1)
    assert second["rebuilt_because"] == []
    assert second["rows_replaced_by_model"]["fct_message_orders"] == 1
    assert second["rows_replaced_by_model"]["fct_messages"] == 1
    assert second["rows_replaced_by_model"]["superseded_messages"] == 0
    assert second["rows_replaced_by_model"]["mart_overview_daily"] == 1
    assert second["rows_replaced_by_model"]["dim_users"] == 0
    assert second["version_published"] == hub.published.resolve().parent.name
    assert second["finished_at"] > second["started_at"] > first["finished_at"]

    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
        orders = instance.get_latest_materialization_event(dg.AssetKey(["facts", "fct_orders"]))
        event = instance.get_latest_materialization_event(dg.AssetKey(["published", "contact_reports"]))
        assert event
        assert event.asset_materialization
        shown = event.asset_materialization.metadata
    assert orders
    assert orders.asset_materialization
    assert orders.asset_materialization.metadata["dagster/row_count"].value == 1
    assert shown["days_recomputed"].value == 1
    assert second["version_published"] in str(shown["refreshes"].value)
