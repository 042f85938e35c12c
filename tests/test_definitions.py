"""What Dagster knows of the project: assets, checks, job, schedule, sensor."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from dagster._config import ConfigTypeKind
from dagster._core.workspace.load_target import WorkspaceFileTarget
from support.landing import land_csv, load

from orchestration.dbt_runner import results
from orchestration.dbt_runner.integration import DagsterDbtCliRuntimeError
from orchestration.dbt_runner.project import ModelsError
from orchestration.dbt_runner.results import require_checked
from orchestration.definitions import build_definitions, defs
from orchestration.defs import dbt_models, schedules
from orchestration.defs.assets import _load_metadata
from orchestration.defs.resources import LockedHub
from orchestration.landing.contracts import CONTRACTS, MESSAGES
from orchestration.operations import runs
from orchestration.refresh import Run
from orchestration.settings import REPOSITORY, Settings
from orchestration.warehouse import databases
from orchestration.warehouse.schema import columns_of_raw

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}

LAYERS = (
    "landing",
    "raw",
    "quarantine",
    "staging",
    "attribution",
    "facts",
    # Of the versions that were published before.
    "ledger",
    "marts",
    "published",
    "dashboards",
)

ALL_SPECS = list(defs.resolve_all_asset_specs())

# What has steps of its own. Around it lie the landing folders and the dashboard; loads report the quarantine,
# and publishing writes the ledger.
WITHOUT_STEPS = ("landing", "quarantine", "ledger", "dashboards")
SPECS = [spec for spec in ALL_SPECS if spec.group_name not in WITHOUT_STEPS]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    settings = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    return settings


def test_an_event_after_the_as_of_day_makes_no_load_look_fresh(hub: Settings) -> None:
    late = {**MESSAGE, "message_id": "m2", "occurred_at": "2026-03-10T10:00:00Z"}
    report = load(hub, MESSAGES, {"a.csv": [MESSAGE, late]}).report

    with databases.connect(hub) as connection:
        shown = _load_metadata(connection, hub, MESSAGES, report)

    assert shown["newest_event_at"].value == "2026-01-10 10:00:00"


def test_the_workspace_loads_the_definitions() -> None:
    target = WorkspaceFileTarget([str(REPOSITORY / "workspace.yaml")])

    (origin,) = target.create_origins()

    loaded = origin.loadable_target_origin
    # `dagster definitions validate -w workspace.yaml` looks for the module in no other folder.
    assert (loaded.module_name, loaded.working_directory) == ("orchestration.definitions", ".")


def test_every_model_and_seed_is_an_asset_of_its_layer() -> None:
    files = {
        path.stem: path.relative_to(REPOSITORY / "models").parts[0]
        for path in (REPOSITORY / "models").rglob("*.sql")
        if 'materialized="ephemeral"' not in path.read_text()
    } | {path.stem: "raw" for path in (REPOSITORY / "seeds").glob("*.csv")}
    assets = {spec.key.path[-1]: spec.group_name for spec in SPECS}

    assert len(files) > 20
    assert files.items() <= assets.items()


def test_the_sources_of_dbt_are_the_assets_that_load_them() -> None:
    upstream = {spec.key.path[-1]: {dep.asset_key.path[-1] for dep in spec.deps} for spec in SPECS}

    assert upstream["landed_messages"] == {"message_events"}
    assert upstream["stg_messages"] == {"message_events", "superseded_messages"}
    assert upstream["landed_orders"] == {"order_events"}
    assert upstream["stg_orders"] == {"order_events", "superseded_orders"}


def test_what_an_incremental_refresh_looks_at_is_upstream_of_what_it_refreshes() -> None:
    upstream = {spec.key.path[-1]: {dep.asset_key.path[-1] for dep in spec.deps} for spec in SPECS}

    assert upstream["superseded_orders"] == {"order_events", "landed_orders"}
    assert upstream["affected_orders"] == {"changed_messages", "changed_orders", "stg_orders"}
    assert upstream["fct_message_orders"] == {"affected_orders", "stg_messages", "stg_orders"}
    assert upstream["affected_customers"] == {"changed_messages", "fct_message_orders"}
    assert "affected_customers" in upstream["fct_messages"]
    assert "affected_days" in upstream["messages_by_day"]


def test_data_only_moves_downstream() -> None:
    order = {layer: place for place, layer in enumerate(LAYERS)}
    layer_of = {spec.key: spec.group_name or "" for spec in ALL_SPECS}
    backwards = [
        (dep.asset_key.to_user_string(), spec.key.to_user_string())
        for spec in ALL_SPECS
        for dep in spec.deps
        if order[layer_of[dep.asset_key]] > order[layer_of[spec.key]]
    ]

    assert set(layer_of.values()) == set(order)
    assert backwards == []


def test_every_asset_has_an_owner_a_kind_a_description_and_a_freshness_policy() -> None:
    for spec in SPECS:
        assert spec.owners == ["team:data-engineering"], spec.key
        assert spec.kinds, spec.key
        assert spec.description, spec.key
        assert spec.freshness_policy, spec.key


def test_the_lineage_begins_with_landing_folders_and_ends_with_the_dashboard() -> None:
    upstream = {
        spec.key.to_user_string(): {dep.asset_key.to_user_string() for dep in spec.deps} for spec in ALL_SPECS
    }

    assert upstream["raw/order_events"] == {"landing/orders"}
    assert upstream["quarantine/rejected_events"] == {"raw/message_events", "raw/order_events"}
    assert upstream["dashboards/overview_report"] == {"published/contact_reports"}
    assert not any(upstream[f"landing/{contract.entity}"] for contract in CONTRACTS)


def test_every_asset_check_sensor_and_schedule_is_described_without_sql() -> None:
    graph = defs.resolve_asset_graph()
    described = {
        **{spec.key.to_user_string(): spec.description for spec in ALL_SPECS},
        **{key.name: graph.get_check_spec(key).description for key in graph.asset_check_keys},
        **{sensor.name: sensor.description for sensor in defs.sensors or ()},
        "refresh_daily": defs.get_schedule_def("refresh_daily").description,
    }

    assert {"refresh_when_files_land", "alert_when_no_data_comes"} <= described.keys()
    assert [name for name, text in described.items() if not text or not text.strip(". ")] == []
    sql = re.compile(r"(?i)\bselect\b|\{\{|\{%|```")
    assert [name for name, text in described.items() if sql.search(text or "")] == []
    assert described["unique_fct_orders_order_id"] == "Each order_id comes once."
    text = described["assert_daily_marts_add_up_to_the_facts"] or ""
    assert text.startswith("What adds up over messages is")


def test_every_asset_leads_to_its_code_and_each_raw_column_is_described() -> None:
    for spec in SPECS:
        (reference, *_) = spec.metadata["dagster/code_references"].value.code_references
        assert Path(reference.file_path).is_file(), spec.key
    for contract in CONTRACTS:
        (raw,) = [spec for spec in SPECS if spec.key.path[-1] == contract.table]
        schema = raw.metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == [name for name, _ in columns_of_raw(contract)]
        assert all(column.type and column.description for column in schema.columns)


def test_nothing_is_published_before_all_facts_and_marts_are_there() -> None:
    (published,) = [spec for spec in SPECS if spec.group_name == "published"]
    stored = {spec.key for spec in SPECS if spec.group_name in ("attribution", "facts", "marts")}
    change_sets = {key for key in stored if key.path[0] == "changes"}

    assert len(change_sets) > 5
    assert {dep.asset_key for dep in published.deps} == stored - change_sets


def test_every_data_test_is_an_asset_check() -> None:
    checks = {check.name for check in defs.resolve_asset_graph().asset_check_keys}
    singular = {path.stem for path in (REPOSITORY / "tests" / "dbt").glob("*.sql")}

    assert len(singular) > 5
    assert singular <= checks
    assert {"unique_fct_messages_message_id", "every_landed_file_was_read", "no_row_was_rejected"} <= checks


def test_the_refresh_covers_every_asset() -> None:
    job = defs.resolve_job_def("refresh")

    assert job.asset_layer.executable_asset_keys == {spec.key for spec in SPECS}


def load_messages(
    definitions: dg.Definitions, instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    """What a run of the asset of messages did, whether it succeeded or not."""
    with nullcontext(instance) if instance else dg.DagsterInstance.ephemeral() as used:
        return definitions.resolve_job_def("refresh").execute_in_process(
            asset_selection=[dg.AssetKey(["raw", "message_events"])], instance=used, raise_on_error=False
        )


def test_a_run_of_one_asset_is_not_recorded_as_a_refresh(hub: Settings) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    with dg.DagsterInstance.ephemeral() as instance:
        loaded = load_messages(defs, instance)

        assert loaded.success
        assert runs.latest_attempts(instance) == []
    with duckdb.connect(str(hub.warehouse), read_only=True) as warehouse:
        assert warehouse.sql("select is_partial from raw.refreshes").fetchall() == [(True,)]


def test_rows_that_hold_publishing_back_are_shown_in_the_quarantine(hub: Settings) -> None:
    rejected = [{**MESSAGE, "message_id": f"m{number}", "status": "lost"} for number in range(101)]
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE, *rejected])
    with dg.DagsterInstance.ephemeral() as instance:
        loaded = load_messages(defs, instance)
        event = instance.get_latest_materialization_event(dg.AssetKey(["quarantine", "rejected_events"]))

    held_back = [check.check_name for check in loaded.get_asset_check_evaluations() if not check.passed]
    assert "few_new_rows_were_rejected" in held_back
    assert event
    assert event.asset_materialization
    shown = event.asset_materialization.metadata
    # The id m1 has a good row too.
    assert (shown["dagster/row_count"].value, shown["open_rows"].value) == (101, 100)
    assert shown["open_rows_of_orders"].value == 0
    assert "unknown_status" in str(shown["by_file_and_reason"].value)


def test_only_a_run_of_all_steps_is_a_refresh() -> None:
    job, one, everything = defs.resolve_job_def("refresh"), SPECS[-1].key, {spec.key for spec in SPECS}
    check = dg.DagsterRun(
        "refresh",
        step_keys_to_execute=["dbt_models"],
        asset_check_selection={dg.AssetCheckKey(one, "unique")},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        assert runs.is_refresh(instance.create_run_for_job(job))
        assert runs.is_refresh(instance.create_run_for_job(job, asset_selection=everything))
        assert not runs.is_refresh(instance.create_run_for_job(job, asset_selection={one}))
    assert not runs.is_refresh(check)


def test_a_selection_is_not_taken_for_definitions_that_are_out_of_date() -> None:
    job = defs.resolve_job_def("refresh")
    selected = job.get_subset(asset_selection={dg.AssetKey(["facts", "fct_orders"])})
    with dg.DagsterInstance.ephemeral() as instance:
        outputs, outputs_of_all = (
            dbt_models._outputs_when_loaded(instance, instance.create_run_for_job(each), "dbt_models")
            for each in (selected, job)
        )

    assert outputs_of_all
    assert len(outputs_of_all) > 50
    assert outputs == outputs_of_all


def test_a_run_of_definitions_that_are_out_of_date_says_to_reload_them(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs_when_loaded = dbt_models._outputs_when_loaded

    def loaded_before(instance: dg.DagsterInstance, run: dg.DagsterRun, op: str) -> set[str]:
        outputs = outputs_when_loaded(instance, run, op)
        assert outputs
        return outputs - {"facts__dim_users"} | {"marts__mart_of_before"}

    monkeypatch.setattr(dbt_models, "_outputs_when_loaded", loaded_before)
    with dg.DagsterInstance.ephemeral() as instance:
        finished = defs.resolve_job_def("refresh").execute_in_process(
            asset_selection=[dg.AssetKey(["facts", "fct_orders"])], instance=instance, raise_on_error=False
        )

    (failure,) = [event for event in finished.all_events if event.is_step_failure]
    said = failure.step_failure_data.error_display_string
    assert "(new: dim_users; gone: marts__mart_of_before)" in said
    assert "Reload definitions" in said
    # Nothing was planned either, after which models count as not built.
    assert not hub.warehouse.exists()


def test_definitions_may_be_of_other_settings_than_those_of_the_environment(
    hub: Settings, tmp_path: Path
) -> None:
    other = replace(hub, data_dir=tmp_path / "other", timezone="Asia/Kathmandu")
    land_csv(other.landing / "messages" / "a.csv", [MESSAGE])
    of_other = build_definitions(settings=other)

    assert of_other.resolve_schedule_def("refresh_daily").execution_timezone == "Asia/Kathmandu"
    assert load_messages(of_other).success
    with duckdb.connect(str(other.warehouse), read_only=True) as warehouse:
        assert warehouse.sql("select message_id from raw.message_events").fetchall() == [("m1",)]
    assert not hub.warehouse.exists()


def test_buckets_are_in_the_lineage_where_the_settings_name_them(hub: Settings) -> None:
    of_buckets = build_definitions(
        settings=replace(
            hub,
            landing_url="s3://bucket/landed",
            copies_url="gs://bucket/reports",
            postgres_url="postgresql:///x",
        )
    )
    graph = of_buckets.resolve_asset_graph()
    upstream = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    }

    assert upstream["landing/orders"] == upstream["landing/messages"] == {"object_storage/landed"}
    assert upstream["object_storage/published_versions"] == {"published/contact_reports"}
    assert upstream["postgres/contact_reports"] == {"published/contact_reports"}
    assert not any(spec.key.path[0] in ("object_storage", "postgres") for spec in ALL_SPECS)
    job = of_buckets.resolve_job_def("refresh")
    steps = {"landing_mirror", "object_storage__published_versions", "postgres__contact_reports"}
    assert steps <= {node.name for node in job.nodes}


def test_a_resource_of_the_definitions_may_be_replaced(hub: Settings, tmp_path: Path) -> None:
    other = replace(hub, data_dir=tmp_path / "other")
    land_csv(other.landing / "messages" / "a.csv", [MESSAGE])
    without_lock = build_definitions(resources={"lock": LockedHub(other)})

    assert load_messages(without_lock).success
    assert other.warehouse.exists()
    assert not other.lock.exists()


def configurable(kind: Any, path: str = "") -> Iterator[str]:
    """The values that the configuration of a run may set, as paths."""
    if ConfigTypeKind.has_fields(kind.kind):
        for name, field in kind.fields.items():
            yield from configurable(field.config_type, f"{path}/{name}")
    elif kind.kind in (ConfigTypeKind.NONEABLE, ConfigTypeKind.ARRAY):
        yield from configurable(kind.inner_type, path)
    else:
        yield path


def test_a_run_can_name_no_program_no_path_and_no_flag() -> None:
    jobs = {job.name: job for job in defs.resolve_all_job_defs()}

    # The job of the schedule, and those by which Dagster materializes assets alone.
    assert {"refresh", "__ASSET_JOB"} <= set(jobs)
    for job in jobs.values():
        # Of Dagster's executor: a marker that nothing of one process reads, and whether steps wait.
        assert set(configurable(job.run_config_schema.config_type)) == {
            "/execution/config/marker_to_close",
            "/execution/config/step_dependency_config/require_upstream_step_success",
        }, job.name


@pytest.mark.parametrize(
    "config",
    [
        {"resources": {"dbt": {"config": {"dbt_executable": "/bin/sh", "project_dir": "dbt_project"}}}},
        {"resources": {"io_manager": {"config": {"base_dir": "/"}}}},
        {"ops": {"dbt_models": {"config": {"select": "*"}}}},
        {"ops": {"raw__message_events": {"config": {"path": "/"}}}},
        {"loggers": {"console": {"config": {"file": "/"}}}},
    ],
)
def test_the_configuration_of_a_run_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(defs.resolve_job_def("refresh"), config)


def test_the_schedule_runs_daily_in_the_reporting_zone(hub: Settings) -> None:
    schedule = schedules.build_schedule(replace(hub, timezone="Asia/Kathmandu"))

    assert schedule.cron_schedule == "0 4 * * *"
    assert schedule.execution_timezone == "Asia/Kathmandu"


def sensed(instance: dg.DagsterInstance, cursor: str | None = None) -> tuple[object, str | None]:
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    return schedules.build_sensor()(context), context.cursor


def test_the_sensor_starts_one_refresh_for_what_has_landed(hub: Settings) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert isinstance(sensed(instance)[0], dg.SkipReason)

        land_csv(hub.landing / "messages" / "a.csv", [{"message_id": "m1"}])
        arriving, cursor = sensed(instance)
        assert isinstance(arriving, dg.SkipReason)
        first, cursor = sensed(instance, cursor)
        assert isinstance(first, dg.RunRequest)
        refreshed(instance, hub)
        assert isinstance(sensed(instance, cursor)[0], dg.SkipReason)

        land_csv(hub.landing / "messages" / "b.csv.part", [{"message_id": "m2"}])
        assert isinstance(sensed(instance, cursor)[0], dg.SkipReason)

        land_csv(hub.landing / "orders" / "deep" / "b.csv", [{"order_id": "o1"}])
        second, _ = sensed(instance, sensed(instance, cursor)[1])
        assert isinstance(second, dg.RunRequest)
        assert second.run_key != first.run_key


def refreshed(instance: dg.DagsterInstance, hub: Settings) -> None:
    """Record that a refresh, however it was started, published what has landed."""
    job = defs.resolve_job_def("refresh")
    run_id = instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS).run_id
    runs.record_taken_in(instance, hub, run_id, runs.landing_fingerprint(hub))
    runs.record_published(instance, run_id, "a version")
    hub.hub_file.write_text('timezone = "UTC"\ncurrency = "USD"\n')
    (hub.versions / "a version").mkdir(parents=True, exist_ok=True)
    (hub.versions / "a version" / hub.published.name).touch()
    hub.published.unlink(missing_ok=True)
    hub.published.symlink_to(hub.versions / "a version" / hub.published.name)


def test_the_sensor_does_not_wait_for_ever_while_files_keep_arriving(hub: Settings) -> None:
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:
        for number in range(schedules.MOST_TICKS_OF_CHANGE + 1):
            land_csv(hub.landing / "messages" / f"{number}.csv", [{"message_id": "m1"}])
            ticked, cursor = sensed(instance, cursor)
            assert isinstance(ticked, dg.RunRequest) == (number == schedules.MOST_TICKS_OF_CHANGE)


def test_the_sensor_waits_while_a_refresh_is_at_work(hub: Settings) -> None:
    land_csv(hub.landing / "messages" / "a.csv", [{"message_id": "m1"}])
    with dg.DagsterInstance.ephemeral() as instance:
        instance.create_run_for_job(defs.resolve_job_def("refresh"), status=dg.DagsterRunStatus.STARTED)
        _, cursor = sensed(instance)
        waiting, _ = sensed(instance, cursor)

        assert isinstance(waiting, dg.SkipReason)
        assert "A refresh is at work" in str(waiting.skip_message)


def recorded(folder: Path, *results: tuple[str, str]) -> Path:
    """dbt's records of a run of a model and a test, with the statuses that are told."""
    nodes = {
        name: {"unique_id": name, "resource_type": name.split(".")[0], "config": {"materialized": "table"}}
        for name in ("model.mart", "test.unique")
    }
    (folder / "manifest.json").write_text(json.dumps({"nodes": nodes}))
    (folder / "run_results.json").write_text(
        json.dumps({"results": [{"unique_id": name, "status": status} for name, status in results]})
    )
    return folder


def test_what_dbt_built_and_checked_may_be_published(tmp_path: Path) -> None:
    require_checked(recorded(tmp_path, ("model.mart", "success"), ("test.unique", "pass")))
    require_checked(recorded(tmp_path, ("model.mart", "success"), ("test.unique", "warn")))


@pytest.mark.parametrize(
    "results",
    [
        [("model.mart", "success"), ("test.unique", "fail")],
        [("model.mart", "success"), ("test.unique", "skipped")],
        [("model.mart", "error"), ("test.unique", "skipped")],
        [("model.mart", "success")],
        [],
    ],
)
def test_what_failed_or_was_left_out_is_not_published(tmp_path: Path, results: list[tuple[str, str]]) -> None:
    with pytest.raises(ModelsError, match="readers keep what was published before"):
        require_checked(recorded(tmp_path, *results))


def test_nothing_is_published_without_a_record_of_dbt(tmp_path: Path) -> None:
    with pytest.raises(ModelsError):
        require_checked(tmp_path)


def test_a_check_that_did_not_pass_shows_the_first_rows_that_it_found(
    hub: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = dg.AssetKey(["facts", "fct_orders"])
    passed, failed = (
        dg.AssetCheckResult(
            passed=is_good, asset_key=key, check_name=name, metadata={"unique_id": f"test.{name}"}
        )
        for name, is_good in (("good", True), ("bad", False))
    )
    built = dg.Output(None, "facts__fct_orders")

    def events() -> Iterator[Any]:
        yield from (failed, passed, built)
        raise DagsterDbtCliRuntimeError("a check failed")

    found = {"test.bad": "order_id\n\x1b[31mo1"}
    monkeypatch.setattr(results, "rows_found", lambda target, settings: found)
    shown: list[Any] = []
    with pytest.raises(DagsterDbtCliRuntimeError):
        shown.extend(dbt_models.with_rows_found(events(), Run(hub, "a run", tmp_path, print)))

    # Once dbt has ended and the databases can be read.
    assert shown[:2] == [passed, built]
    assert len(shown) == 3
    assert shown[2].check_name == "bad"
    assert shown[2].metadata["first_rows"].value == "order_id\n\\x1b[31mo1"
