"""Files of different days or hubs are noticed: what is derived is rebuilt, and the figures are right."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from support import pipeline
from support.landing import land_csv
from support.pipeline import build, load_and_build, manifest, publish, reading, refresh
from support.small_hub import ORDER, copied

from orchestration.engines import spark
from orchestration.engines.tables import tables_of
from orchestration.incremental import plan
from orchestration.incremental.plan import Plan
from orchestration.publishing.publish import PublishError
from orchestration.settings import Engine, Settings
from orchestration.warehouse import databases, run_log, stamps
from orchestration.warehouse.errors import WarehouseError


def land_order(hub: Settings, name: str, value: str) -> None:
    order = {**ORDER, "order_id": name, "order_value": value}
    land_csv(hub.landing / "orders" / f"{name}.csv", [order])


@pytest.fixture(scope="module")
def days(refreshed_hub: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Settings]:
    """A hub as it was after its first day, and after its second; the first order is of 50.00, then 89.00."""
    later = copied(refreshed_hub, tmp_path_factory.mktemp("days") / "second")
    land_order(later, "o2", "89.00")
    refresh(later)
    return refreshed_hub, later


@pytest.fixture(scope="module")
def third_day(days: tuple[Settings, Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The hub with an order of 1.00 that the run "third" has built and checked, and not published."""
    hub = copied(days[1], tmp_path_factory.mktemp("days") / "third")
    land_order(hub, "o3", "1.00")
    load_and_build(hub, "third")
    return hub


@pytest.fixture
def first(days: tuple[Settings, Settings]) -> Settings:
    return days[0]


@pytest.fixture
def hub(days: tuple[Settings, Settings], tmp_path: Path) -> Settings:
    """The hub after its second day."""
    return copied(days[1], tmp_path / "hub")


@pytest.fixture
def unpublished(third_day: Settings, tmp_path: Path) -> Settings:
    """The hub on its third day, which is not published."""
    return copied(third_day, tmp_path / "unpublished")


def planned(hub: Settings, said: list[str] | None = None, run_id: str = "next") -> Plan:
    return pipeline.plan(hub, run_id, log=(said if said is not None else []).append)


def revenue(hub: Settings) -> Decimal:
    with reading(hub.published) as connection:
        return connection.sql(
            "select revenue_generated from mart_overview where period = 'all_time'"
        ).fetchall()[0][0]


def test_files_of_one_day_are_built_on(hub: Settings) -> None:
    require_nothing_rebuilt(hub)


def test_a_copy_of_a_hub_loads_and_rebuilds_nothing_again(hub: Settings) -> None:
    refresh(hub)

    with reading(hub.published) as connection:
        newest = connection.sql(
            "select refresh_number, files_loaded, rows_replaced, rebuilt_because from refreshes "
            "order by refresh_number desc limit 1"
        ).fetchall()
    assert newest == [(3, 0, 0, [])]
    assert revenue(hub) == Decimal("139.00")


def test_older_reports_beside_a_newer_warehouse_are_rebuilt(hub: Settings, first: Settings) -> None:
    shutil.copyfile(first.reports, hub.reports)
    land_order(hub, "o3", "0.00")

    refresh(hub)

    assert revenue(hub) == Decimal("139.00")


def test_newer_reports_beside_an_older_warehouse_are_rebuilt(hub: Settings, first: Settings) -> None:
    shutil.copyfile(first.warehouse, hub.warehouse)
    # Which the newer reports have, and the warehouse never sees.
    (hub.landing / "orders" / "o2.csv").unlink()

    refresh(hub)

    assert revenue(hub) == Decimal("50.00")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            lambda hub, first: shutil.copyfile(first.reports, hub.reports),
            "reports.duckdb is of refresh 1 and the warehouse of refresh 2",
        ),
        (
            lambda hub, first: shutil.copyfile(first.warehouse, hub.warehouse),
            "reports.duckdb was written by a refresh that the warehouse does not know",
        ),
        (lambda hub, first: unstamp(hub), "reports.duckdb does not say which refresh wrote it"),
        (
            lambda hub, first: another_second_day(hub, first),
            "reports.duckdb was written by a refresh that the warehouse does not know",
        ),
        (
            lambda hub, first: as_copied_in_the_middle(hub),
            "reports.duckdb was copied before refresh 2 had ended",
        ),
    ],
    ids=["older", "newer", "unstamped", "of another hub", "in the middle"],
)
def test_reports_of_another_day_are_named_and_only_what_they_hold_is_rebuilt(
    hub: Settings, first: Settings, spoil: Callable[[Settings, Settings], None], reason: str
) -> None:
    spoil(hub, first)

    of_mismatch = planned(hub)

    assert [known.partition(":")[0] for known in of_mismatch.reasons] == [reason]
    assert {"fct_messages", "fct_orders", "counts_by_day"} <= of_mismatch.full_refresh
    assert {"superseded_orders", "stg_orders", "queue_names"}.isdisjoint(of_mismatch.full_refresh)


def unstamp(hub: Settings) -> None:
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute("drop schema stamps cascade")


def another_second_day(hub: Settings, first: Settings) -> None:
    """The reports of a copy of the hub whose second day was another one."""
    other = copied(first, hub.data_dir.with_name("other"))
    build(other)
    shutil.copyfile(other.reports, hub.reports)


def as_copied_in_the_middle(hub: Settings) -> None:
    with databases.connect(hub) as connection:
        stamp = stamps.of_reports(connection)
        assert stamp
        stamps.write_to_reports(connection, replace(stamp, is_complete=False))


@pytest.mark.parametrize("instant", ["planning", "before dbt"])
def test_a_refresh_that_was_killed_before_it_built_rebuilds_nothing(
    hub: Settings, instant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_order(hub, "o3", "1.00")
    if instant == "planning":
        monkeypatch.setattr(run_log, "record_plan", kill)
        with pytest.raises(KeyboardInterrupt):
            planned(hub, run_id="killed")
    else:
        planned(hub, run_id="killed")
    monkeypatch.undo()

    require_nothing_rebuilt(hub)


@pytest.mark.parametrize("instant", ["before publishing", "after publishing"])
def test_a_refresh_that_was_killed_once_it_had_built_rebuilds_nothing(
    unpublished: Settings, instant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if instant == "after publishing":
        monkeypatch.setattr(run_log, "finish", kill)
        with pytest.raises(KeyboardInterrupt):
            publish(unpublished, "third")
        assert revenue(unpublished) == Decimal("140.00")
    monkeypatch.undo()

    require_nothing_rebuilt(unpublished)


def require_nothing_rebuilt(hub: Settings) -> None:
    """The next refresh goes on from what is there, and has nothing to say of it."""
    said: list[str] = []
    assert planned(hub, said).reasons == []
    assert said == []


def kill(*_: object) -> None:
    raise KeyboardInterrupt


def test_reports_put_back_during_a_refresh_are_not_published(unpublished: Settings, first: Settings) -> None:
    shutil.copyfile(first.reports, unpublished.reports)

    with pytest.raises(PublishError, match=r"is not the one that this refresh has built.*left as it is"):
        publish(unpublished, "third")

    assert revenue(unpublished) == Decimal("139.00")


def test_a_published_file_that_was_put_back_is_named_and_published_again(
    hub: Settings, first: Settings
) -> None:
    (older,) = [path for path in hub.versions.iterdir() if path.name == first.published.resolve().parent.name]
    hub.published.unlink()
    hub.published.symlink_to(older / hub.published.name)
    assert revenue(hub) == Decimal("50.00")

    said: list[str] = []
    planned(hub, said)
    assert len(said) == 1
    assert "The published file is of refresh 1, and refresh 2 has published since" in said[0]

    refresh(hub)
    assert revenue(hub) == Decimal("139.00")


def test_a_published_file_that_the_warehouse_does_not_know_is_named(hub: Settings, first: Settings) -> None:
    for file, older in ((hub.warehouse, first.warehouse), (hub.reports, first.reports)):
        shutil.copyfile(older, file)

    said: list[str] = []
    assert planned(hub, said).reasons == []
    assert ["is of refresh 2, which the warehouse does not know" in one for one in said] == [True]


def record_a_loaded_file(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "insert into raw.landed_files (path, entity, status, loaded_at) "
        "values ('a', 'orders', 'loaded', now())"
    )


@pytest.fixture
def on_spark(tmp_path: Path) -> Settings:
    """A hub whose second refresh, by Spark, is finished."""
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD", engine=Engine.SPARK)
    with databases.connect(hub) as connection:
        record_a_loaded_file(connection)
        for run_id in ("first", "second"):
            number = run_log.begin(connection, run_id, hub)
            tables_of(hub).stamp(connection, stamps.stamp_of(connection, number, is_complete=False))
            run_log.record_plan(connection, number, 1, [])
            connection.execute(plan.MODEL_STATES)
            plan.finish(connection, hub, run_id, "none", 0)
    return hub


def test_events_of_spark_of_another_day_are_refused(on_spark: Settings) -> None:
    databases.connect(on_spark).close()
    of_events, _ = spark.stamps_of(on_spark)
    stamps.write_to_file(of_events, stamps.Stamp(1, "first", True))

    with pytest.raises(WarehouseError, match=r"landed is of refresh 1 and .* of refresh 2.*rebuild"):
        databases.connect(on_spark)

    of_events.unlink()
    with pytest.raises(WarehouseError, match="does not say which refresh wrote it"):
        databases.connect(on_spark)


def test_tables_of_spark_of_another_day_are_rebuilt(on_spark: Settings) -> None:
    _, of_tables = spark.stamps_of(on_spark)
    nodes = manifest()["nodes"].values()
    with databases.connect(on_spark) as connection:
        assert tables_of(on_spark).why_rebuilt(connection, 2, nodes) == {}

        stamps.write_to_file(of_tables, stamps.Stamp(1, "first", True))
        rebuilt = tables_of(on_spark).why_rebuilt(connection, 2, nodes)

    assert rebuilt.keys() == {node["name"] for node in nodes}
    assert "tables is of refresh 1 and the warehouse of refresh 2" in rebuilt["fct_orders"][0]


def test_a_first_load_of_spark_that_was_killed_is_gone_on_from(on_spark: Settings) -> None:
    with databases.connect(on_spark) as connection:
        connection.execute("delete from raw.landed_files")
    for file in spark.stamps_of(on_spark):
        file.unlink()
    with databases.connect(on_spark) as connection:
        record_a_loaded_file(connection)

    databases.connect(on_spark).close()
