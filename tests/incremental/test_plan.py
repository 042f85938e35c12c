"""What a refresh rebuilds follows from what the stored tables were made of."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support import pipeline
from support.landing import land_csv
from support.pipeline import build, load, manifest, models_and_seeds, run_dbt
from support.small_hub import copied

from orchestration.dbt_runner.project import BUILD
from orchestration.incremental import fingerprints
from orchestration.incremental import plan as planning
from orchestration.incremental.fingerprints import project_variables
from orchestration.incremental.plan import Plan
from orchestration.settings import REPOSITORY, Settings
from orchestration.sql import one_row

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    build(hub)
    return hub


@pytest.fixture
def hub(built: Settings, tmp_path: Path) -> Settings:
    """A hub whose last refresh finished, with a warehouse of its own."""
    return copied(built, tmp_path / "hub")


@pytest.fixture
def changed() -> Manifest:
    """A manifest to change."""
    return copy.deepcopy(manifest())


def plan(hub: Settings, of: Manifest | None = None, run_id: str = "next") -> Plan:
    return pipeline.plan(hub, run_id, of)


def models(of: Plan) -> set[str]:
    names = {node["name"] for node in manifest()["nodes"].values() if node["resource_type"] == "model"}
    return names & of.full_refresh


def node(of: Manifest, name: str) -> dict[str, Any]:
    (found,) = [node for node in of["nodes"].values() if node["name"] == name]
    return found


def test_nothing_is_rebuilt_when_nothing_changed(hub: Settings) -> None:
    assert plan(hub) == Plan(refresh_number=2, high_water_mark=1, full_refresh=frozenset(), reasons=[])


def test_everything_is_computed_at_first_and_the_reason_said(tmp_path: Path) -> None:
    first = plan(Settings(tmp_path, "UTC", date(2026, 1, 31), "USD"))

    assert first.full_refresh >= {
        "stg_orders",
        "mart_overview",
        "queue_names",
        "unique_fct_orders_order_id",
    }
    assert first.reasons == [f"nothing has been published yet: {models_and_seeds()} models and seeds"]


def test_another_zone_rebuilds_what_has_days(hub: Settings) -> None:
    of_zone = plan(replace(hub, timezone="Asia/Tokyo"))

    assert "the reporting time zone changed from UTC to Asia/Tokyo" in of_zone.reasons[0]
    assert models(of_zone) >= {"stg_messages", "fct_message_orders", "fct_messages", "mart_overview_daily"}
    assert "stg_orders" not in of_zone.full_refresh


def test_another_window_rebuilds_from_the_attribution_on(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {**project_variables(), "attribution_window_days": 14}
    monkeypatch.setattr(planning, "project_variables", lambda: variables)
    of_window = plan(hub)

    assert any("the variable attribution_window_days changed from 7 to 14" in r for r in of_window.reasons)
    assert models(of_window) >= {"fct_message_orders", "fct_messages", "fct_orders", "mart_user_breakdown"}
    assert {"stg_messages", "stg_orders"}.isdisjoint(of_window.full_refresh)


def test_another_currency_rebuilds_the_orders(hub: Settings) -> None:
    of_currency = plan(replace(hub, currency="EUR"))

    assert "the reporting currency changed from USD to EUR" in " ".join(of_currency.reasons)
    assert "stg_orders" in of_currency.full_refresh
    assert "stg_messages" not in of_currency.full_refresh


def test_another_seed_rebuilds_the_names_and_no_fact(hub: Settings, changed: Manifest) -> None:
    node(changed, "queue_names")["checksum"]["checksum"] = "other"
    of_seed = plan(hub, changed)

    assert of_seed.reasons == ["its text changed: queue_names"]
    assert models(of_seed) >= {"dim_queues", "mart_queue_daily"}
    assert {"fct_messages", "mart_overview_daily", "mart_user_daily"}.isdisjoint(of_seed.full_refresh)


def test_another_content_of_a_seed_that_dbt_knows_by_its_path_alone_rebuilds_the_names(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As dbt does where a seed is larger than a megabyte.
    shutil.copytree(REPOSITORY / "seeds", hub.data_dir / "seeds")
    (hub.data_dir / "dbt_project").mkdir()
    (hub.data_dir / "seeds" / "queue_names.csv").write_text("queue_id,queue_name\nq1,Other\n")
    monkeypatch.setattr(fingerprints, "DBT_PROJECT", hub.data_dir / "dbt_project")

    assert plan(hub).reasons == ["its text changed: queue_names"]


def test_another_model_is_rebuilt_with_all_downstream(hub: Settings, changed: Manifest) -> None:
    node(changed, "fct_orders")["raw_code"] += "\nwhere true"
    of_model = plan(hub, changed)

    assert of_model.reasons == ["its text changed: fct_orders"]
    assert "fct_orders" in models(of_model)
    assert "fct_message_orders" not in models(of_model)


def test_another_macro_rebuilds_the_models_that_use_it(hub: Settings, changed: Manifest) -> None:
    changed["macros"]["macro.contact_reporting.report_figures"]["macro_sql"] += "{{ 1 }}"
    of_macro = plan(hub, changed)

    assert "the macro report_figures changed" in of_macro.reasons[0]
    assert "mart_user_daily" in models(of_macro)
    assert "fct_messages" not in models(of_macro)


def test_a_changed_check_looks_at_everything_and_rebuilds_nothing(hub: Settings, changed: Manifest) -> None:
    node(changed, "assert_every_touch_obeys_the_rule")["raw_code"] += "\nlimit 1"
    of_check = plan(hub, changed)

    assert of_check.full_refresh == {"assert_every_touch_obeys_the_rule"}


def test_a_missing_table_is_rebuilt(hub: Settings) -> None:
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute("drop table fct_orders")

    assert plan(hub).reasons == ["its table is missing: fct_orders"]


def test_what_readers_need_is_rebuilt_when_its_database_is_missing(hub: Settings) -> None:
    hub.reports.unlink()

    of_missing = plan(hub)
    assert of_missing.reasons[0].startswith("its table is missing: ")
    assert {"fct_message_orders", "fct_messages", "mart_overview"} <= of_missing.full_refresh
    assert "superseded_orders" not in of_missing.full_refresh


def test_what_an_unfinished_refresh_rebuilt_is_rebuilt_again(hub: Settings) -> None:
    plan(replace(hub, timezone="Asia/Tokyo"), run_id="killed")
    back = plan(hub, run_id="next")

    assert "stg_messages" in back.full_refresh


def test_changes_of_an_unfinished_refresh_stay_for_the_next(hub: Settings) -> None:
    plan(hub, run_id="killed")
    with duckdb.connect(str(hub.warehouse)) as connection:
        connection.execute(
            "insert into changes.superseded_orders (order_id, change) values ('o1', 'inserted')"
        )
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute("insert into changes.fct_orders (order_id, change) values ('o1', 'inserted')")
    plan(hub, run_id="next")

    for database, changes in ((hub.warehouse, "superseded_orders"), (hub.reports, "fct_orders")):
        with duckdb.connect(str(database)) as connection:
            assert connection.sql(f"select order_id from changes.{changes}").fetchall() == [("o1",)]


def test_a_dbt_of_an_older_refresh_leaves_the_work_to_the_newer(hub: Settings) -> None:
    older = plan(hub, run_id="killed")
    plan(hub, run_id="next")

    with pytest.raises(AssertionError, match="refresh 3 has begun, which does its work"):
        run_dbt(hub, *BUILD, plan=older)


def test_models_built_by_hand_are_rebuilt_by_the_next_refresh(hub: Settings) -> None:
    load(hub)
    run_dbt(hub, *BUILD, "--select", "dim_users")

    assert "fct_messages" in plan(hub).full_refresh


def test_a_day_counts_as_recomputed_whichever_of_its_figures_changed(hub: Settings) -> None:
    second = {**MESSAGE, "message_id": "m2"}
    for number, (landed, days) in enumerate(
        (
            ([second], 1),
            # The same messages of two customers, in the place of one.
            ([{**second, "customer_id": "c2", "updated_at": "2026-01-11"}], 1),
            ([{**MESSAGE, "message_id": "m3", "status": "skipped", "occurred_at": "2026-01-12"}], 1),
            ([second], 0),
            # Two messages from one queue and one from another, whose customers then change places.
            ([{**MESSAGE, **place, "occurred_at": "2026-01-20"} for place in of_queues("c1", "c1", "c2")], 1),
            (
                [
                    {**MESSAGE, **place, "occurred_at": "2026-01-20", "updated_at": "2026-01-21"}
                    for place in of_queues("c1", "c2", "c1")
                ],
                1,
            ),
        )
    ):
        land_csv(hub.landing / "messages" / f"later-{number}.csv", landed)
        build(hub)

        assert days_recomputed(hub) == days, landed


def of_queues(*customers: str) -> list[dict[str, str]]:
    """A message to each customer, the last from a queue of its own."""
    queues = ("a", "a", "b")
    return [
        {"message_id": f"of-queue-{number}", "customer_id": customer, "queue_id": queue}
        for number, (customer, queue) in enumerate(zip(customers, queues, strict=True))
    ]


def days_recomputed(hub: Settings) -> int:
    """What the record of the last refresh says."""
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        (days,) = one_row(
            connection, "select days_recomputed from raw.refreshes order by refresh_number desc limit 1"
        )
    return days
