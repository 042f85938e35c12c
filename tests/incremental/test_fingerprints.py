"""What differs is rebuilt: a changed macro recomputes the models, seeds and checks that use it, and no other.

Who uses a macro is found here by Jinja's syntax tree of every text; the plan derives it from dbt's manifest
(orchestration/incremental/fingerprints.py).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import duckdb
import jinja2.nodes
import pytest
from dbt_common.clients.jinja import get_environment
from support import pipeline
from support.landing import land_csv
from support.pipeline import build, load, manifest, run_dbt

from orchestration.dbt_runner.project import BUILD
from orchestration.incremental.fingerprints import without_comments
from orchestration.incremental.plan import decide, finish
from orchestration.settings import REPOSITORY, Settings
from orchestration.warehouse import databases

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}
ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": "2026-01-11T10:00:00Z",
    "order_value": "5.00",
    "sales_channel": "online",
}

PROJECT = "contact_reporting"

# dbt calls it for each model while it parses; what it gives is in the manifest.
CALLED_BY_THE_PARSER = {"generate_schema_name", "postgres__generate_database_name"}

Manifest = dict[str, Any]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub whose last refresh finished."""
    settings = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    land_csv(settings.landing / "messages" / "a.csv", [MESSAGE])
    land_csv(settings.landing / "orders" / "a.csv", [ORDER])
    build(settings)
    return settings


def test_a_changed_macro_recomputes_exactly_what_uses_it(hub: Settings) -> None:
    uses = Uses(manifest(), "duckdb")
    names = {macro["name"]: unique_id for unique_id, macro in macros_of_project(manifest())}

    assert len(names) > 80
    with databases.connect(hub) as connection:
        for name, unique_id in names.items():
            changed = {**manifest(), "macros": dict(manifest()["macros"])}
            changed["macros"][unique_id] = {**changed["macros"][unique_id], "macro_sql": "{{ 'changed' }}"}
            plan = decide(connection, changed, hub, number=2).plan

            assert plan.full_refresh == uses.downstream_of(uses.nodes_that_use(name)), name


def test_every_macro_is_used() -> None:
    of_all = [Uses(manifest(), adapter) for adapter in ("duckdb", "spark", "postgres")]
    unused = {
        macro["name"]
        for _, macro in macros_of_project(manifest())
        if not any(uses.nodes_that_use(macro["name"]) or macro["name"] in uses.of_runs for uses in of_all)
    }

    assert unused == CALLED_BY_THE_PARSER


def test_comments_and_white_space_recompute_nothing(hub: Settings) -> None:
    changed = copy.deepcopy(manifest())
    for _, macro in macros_of_project(changed):
        macro["macro_sql"] = commented(macro["macro_sql"])
    for node in changed["nodes"].values():
        if node["resource_type"] == "model":
            node["raw_code"] = commented(node["raw_code"])
            node["description"] += " In other words."
            node["checksum"] = {"name": "sha256", "checksum": "other"}

    with databases.connect(hub) as connection:
        assert decide(connection, changed, hub, number=2).plan.reasons == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("select '--a'", "select '--b'"),
        ("select '{#a#}'", "select '{#b#}'"),
        ("select 'a  b'", "select 'a b'"),
        ('select "--a"', 'select "--b"'),
        ("-- {{ a() }}\nselect 1", "-- {{ b() }}\nselect 1"),
        ("{{ f('it\\'s --a') }}", "{{ f('it\\'s --b') }}"),
        ("-- it's\nselect '--a'", "-- it's\nselect '--b'"),
        ("select 1 -- a\n, 2", "select 1 -- a , 2"),
    ],
)
def test_what_is_no_comment_counts(one: str, other: str) -> None:
    assert without_comments(one) != without_comments(other)


@pytest.mark.parametrize(
    ("macro", "table", "column"),
    [
        ("instant_found_by", "fct_message_orders", "order_value"),
        ("last_known_before", "fct_messages", "revenue_in_window"),
        ("duckdb__create_table_as", "messages_by_day", "touched_value"),
    ],
)
def test_rows_of_an_older_macro_are_replaced_by_the_next_refresh(
    hub: Settings, macro: str, table: str, column: str
) -> None:
    with duckdb.connect(str(hub.reports)) as connection:
        connection.execute(f"update {table} set {column} = {column} + 1")
    changed = copy.deepcopy(manifest())
    changed["macros"][f"macro.{PROJECT}.{macro}"]["macro_sql"] += "{{ 'changed' }}"
    load(hub)
    plan = pipeline.plan(hub, macro, changed)
    run_dbt(hub, *BUILD, plan=plan)
    with databases.connect(hub) as connection:
        finish(connection, hub, macro, version="none", seconds=0)

    assert any(f"the macro {macro} changed" in reason for reason in plan.reasons)
    with duckdb.connect(str(hub.reports)) as connection:
        assert {float(value) for (value,) in connection.sql(f"select {column} from {table}").fetchall()} == {
            5
        }


def macros_of_project(of: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    for unique_id, macro in of["macros"].items():
        if macro["package_name"] == PROJECT:
            yield unique_id, macro


def commented(text: str) -> str:
    """A text with comments and other white space where it has white space already."""
    return (
        "{# One's reason. #}" + text.replace("\n\n", '\n\n\n    -- What "this" is: it\'s no code.\n') + "\n"
    )


class Uses:
    """Which nodes use which macros, by the syntax trees of their texts, on one engine."""

    def __init__(self, of: Manifest, adapter: str) -> None:
        self.manifest = of
        self.adapter = adapter
        # Later ones stand before earlier ones: those of the project before those of dbt.
        ours_last = sorted(of["macros"].values(), key=lambda macro: macro["package_name"] == PROJECT)
        self.texts = {macro["name"]: macro["macro_sql"] for macro in ours_last}
        self.calls = {name: set(self._calls_in(text)) for name, text in self.texts.items()}
        self.nodes = {
            node["name"]: self._closure(self._roots(node))
            for node in of["nodes"].values()
            if node["resource_type"] in ("model", "seed", "test")
        }
        hooks = [node for node in of["nodes"].values() if node["resource_type"] == "operation"]
        self.of_runs = self._closure({name for node in hooks for name in self._calls_in(node["raw_code"])})

    def nodes_that_use(self, macro: str) -> set[str]:
        return {name for name, used in self.nodes.items() if macro in used}

    def downstream_of(self, names: set[str]) -> set[str]:
        ids = {name: node["unique_id"] for name, node in self._by_name().items()}
        by_id = {unique_id: name for name, unique_id in ids.items()}
        reached, to_visit = set(), [ids[name] for name in names]
        while to_visit:
            unique_id = to_visit.pop()
            if unique_id in by_id and by_id[unique_id] not in reached:
                reached.add(by_id[unique_id])
                to_visit += self.manifest["child_map"][unique_id]
        return reached

    def _by_name(self) -> Mapping[str, Any]:
        return {node["name"]: node for node in self.manifest["nodes"].values() if node["name"] in self.nodes}

    def _roots(self, node: Mapping[str, Any]) -> set[str]:
        """What a node calls, and what dbt calls to store it."""
        file = REPOSITORY / "dbt_project" / node["original_file_path"]
        text = file.read_text() if file.suffix == ".sql" else node["raw_code"]
        roots = set(self._calls_in(text))
        for value in ((node.get("test_metadata") or {}).get("kwargs") or {}).values():
            roots |= set(self._calls_in(str(value)))
        kind = node["config"]["materialized"]
        of_adapter = f"materialization_{kind}_{self.adapter}"
        roots.add(of_adapter if of_adapter in self.texts else f"materialization_{kind}_default")
        if kind == "incremental":
            roots.add(f"get_incremental_{node['config']['incremental_strategy']}_sql")
        return roots

    def _calls_in(self, text: str) -> Iterator[str]:
        tree = get_environment(None, capture_macros=True).parse(text)
        for call in tree.find_all(jinja2.nodes.Call):
            match call.node:
                case jinja2.nodes.Name(name=name):
                    yield name
                case jinja2.nodes.Getattr(attr="dispatch"):
                    dispatched = call.args[0].as_const() if call.args else call.kwargs[0].value.as_const()
                    of_adapter = f"{self.adapter}__{dispatched}"
                    yield of_adapter if of_adapter in self.texts else f"default__{dispatched}"
        # Hooks are texts in a configuration.
        for constant in tree.find_all(jinja2.nodes.Const):
            if isinstance(constant.value, str) and "{{" in constant.value:
                yield from self._calls_in(constant.value)

    def _closure(self, roots: set[str]) -> set[str]:
        reached: set[str] = set()
        to_visit = list(roots)
        while to_visit:
            name = to_visit.pop()
            if name in self.texts and name not in reached:
                reached.add(name)
                to_visit += self.calls[name]
        return reached
