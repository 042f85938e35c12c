"""The dbt project itself: its unit tests pass, and its documentation is complete."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from typing import Any

import duckdb
import pytest
from support.pipeline import DBT_TARGET, load, run_dbt

from orchestration.dbt_runner.docs_site import without_tests
from orchestration.dbt_runner.project import BUILD
from orchestration.settings import REPOSITORY, Settings


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub in which nothing has landed, with all relations in place."""
    settings = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    load(settings)
    run_dbt(settings, *BUILD)
    return settings


@pytest.fixture(scope="module")
def manifest(hub: Settings) -> dict[str, Any]:
    return json.loads((DBT_TARGET / "manifest.json").read_text())


def nodes(manifest: dict[str, Any], *layers: str) -> Iterator[dict[str, Any]]:
    for node in manifest["nodes"].values():
        if node["resource_type"] == "model" and node["fqn"][1] in layers:
            yield node


def test_every_unit_test_passes(hub: Settings) -> None:
    run_dbt(hub, "test", "--select", "resource_type:unit_test")


def test_every_boundary_of_the_rule_has_a_unit_test(manifest: dict[str, Any]) -> None:
    claims = {test["name"] for test in manifest["unit_tests"].values()}

    assert claims >= {
        "order_at_the_instant_of_the_message_is_attributed",
        "order_one_microsecond_before_the_message_is_not_attributed",
        "order_one_microsecond_before_the_window_closes_is_attributed",
        "order_exactly_at_day_seven_is_not_attributed",
        "messages_of_one_instant_are_told_apart_by_message_id",
        "order_of_another_customer_is_not_attributed",
        "skipped_message_opens_no_window",
        "cancelled_order_is_not_attributed",
        "guest_order_is_not_attributed",
        "zero_value_order_is_attributed",
        "message_before_local_midnight_belongs_to_the_ending_day",
        "message_at_local_midnight_belongs_to_the_new_day",
        "window_is_168_hours_when_the_clock_goes_forward",
        "window_is_168_hours_when_the_clock_goes_back",
    }


def test_every_incremental_model_has_a_unit_test_of_its_incremental_branch(manifest: dict[str, Any]) -> None:
    models = {
        node["name"] for node in manifest["nodes"].values() if node["config"]["materialized"] == "incremental"
    }
    tested = {
        test["model"]
        for test in manifest["unit_tests"].values()
        if (test["overrides"] or {}).get("macros", {}).get("is_incremental") is True
    }

    assert len(models) > 5
    assert tested == models


def test_every_change_set_has_a_unit_test(manifest: dict[str, Any]) -> None:
    models = {
        node["name"] for node in manifest["nodes"].values() if node["config"]["materialized"] == "change_set"
    }

    assert len(models) > 5
    assert models <= {test["model"] for test in manifest["unit_tests"].values()}


@contextmanager
def other_messages(hub: Settings, messages: str | None) -> Iterator[None]:
    """Within it, the facts of messages are what a query gives, or are not there."""
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute("alter table fct_messages rename to set_aside")
        if messages:
            connection.execute(f"create table fct_messages as {messages}")
    try:
        yield
    finally:
        with duckdb.connect(str(hub.reports)) as connection:
            connection.execute("drop table if exists fct_messages")
            connection.execute("alter table set_aside rename to fct_messages")


def test_a_table_that_cannot_be_computed_stays_as_it_was(hub: Settings) -> None:
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute("insert into dim_queues values ('q1', 'as it was')")
    with other_messages(hub, None), pytest.raises(AssertionError, match="fct_messages does not exist"):
        run_dbt(hub, "run", "--select", "dim_queues")

    with duckdb.connect(str(hub.reports)) as connection:
        assert connection.execute("delete from dim_queues returning *").fetchall() == [("q1", "as it was")]


@pytest.mark.parametrize(("rebuilt", "is_refused"), [("dim_queues", True), ("", False)])
def test_a_full_refresh_compares_the_columns_of_a_model_with_its_contract(
    hub: Settings, monkeypatch: pytest.MonkeyPatch, rebuilt: str, is_refused: bool
) -> None:
    monkeypatch.setenv("CONTACT_REBUILD", rebuilt)
    refused = pytest.raises(AssertionError, match="enforced contract")
    with other_messages(hub, "select 'q1'::enum('q1') as queue_id"), refused if is_refused else nullcontext():
        run_dbt(hub, "run", "--select", "dim_queues")


@pytest.mark.parametrize("entity", ["messages", "orders"])
def test_the_changes_of_events_have_what_staging_says_of_them(hub: Settings, entity: str) -> None:
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        changed, staged = (
            {(name, kind) for name, kind, *_ in connection.sql(f"describe {relation}").fetchall()}
            for relation in (f"changes.changed_{entity}", f"staging.stg_{entity}")
        )

    assert changed - staged == {("change", "VARCHAR")}
    # A newer version that says the same has not changed.
    assert {name for name, _ in staged - changed} == {"updated_at"}


def test_every_model_file_is_in_the_manifest(manifest: dict[str, Any]) -> None:
    known = {node["name"] for node in manifest["nodes"].values()}
    files = {path.stem for path in (REPOSITORY / "models").rglob("*.sql")}

    assert len(files) > 15
    assert files <= known


def test_every_model_and_every_column_is_described(manifest: dict[str, Any], hub: Settings) -> None:
    described = list(nodes(manifest, "staging", "attribution", "facts", "marts"))

    assert len(described) > 15
    for node in described:
        assert node["description"].strip(), node["name"]
        assert node["columns"], node["name"]
        for name, column in node["columns"].items():
            assert column["description"].strip(), f"{node['name']}.{name}"


def test_the_contracts_of_facts_and_marts_are_enforced(manifest: dict[str, Any]) -> None:
    stored = [
        node
        for node in nodes(manifest, "facts", "marts")
        if node["config"]["materialized"] in ("table", "incremental")
    ]

    assert len(stored) > 10
    assert [node["name"] for node in stored if not node["contract"]["enforced"]] == []


def test_descriptions_of_models_open_with_the_grain(manifest: dict[str, Any]) -> None:
    for node in nodes(manifest, "staging", "attribution", "facts", "marts"):
        assert node["description"].strip().removeprefix("Table function. ").startswith("One row "), node[
            "name"
        ]


def test_each_tab_of_the_dashboard_is_an_exposure_of_the_marts(manifest: dict[str, Any]) -> None:
    exposures = {
        exposure["label"]: exposure["depends_on"]["nodes"] for exposure in manifest["exposures"].values()
    }

    assert set(exposures) == {"Overview", "Team engagement", "What changed"}
    assert "model.contact_reporting.mart_queue_breakdown" in exposures["Overview"]
    assert "model.contact_reporting.mart_user_breakdown" in exposures["Team engagement"]
    assert "model.contact_reporting.why" in exposures["What changed"]


def test_the_docs_open_with_every_figure(manifest: dict[str, Any]) -> None:
    overview = manifest["docs"]["doc.contact_reporting.__overview__"]["block_contents"]
    figures = list(manifest["nodes"]["model.contact_reporting.overview"]["columns"])

    assert len(figures) > 10
    assert [name for name in figures if f"`{name}`" not in overview] == []


def test_the_graph_of_the_docs_has_no_tests(manifest: dict[str, Any]) -> None:
    shown = without_tests(manifest)
    kinds = {node["resource_type"] for node in shown["nodes"].values() if "test_metadata" not in node}

    assert "model" in kinds
    assert "test" not in kinds
    assert shown["unit_tests"] == {}
    listed = {name for way in ("parent_map", "child_map") for name in shown[way]}
    listed |= {name for way in ("parent_map", "child_map") for names in shown[way].values() for name in names}
    known = {*shown["nodes"], *shown["sources"], *shown["exposures"]}
    assert listed == known
    assert all(name in shown["nodes"] for name in manifest["nodes"] if name.startswith("model."))
