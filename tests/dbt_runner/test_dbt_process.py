"""dbt as Dagster calls it: it says what Dagster reads, and nothing else is started or prepared for it."""

from __future__ import annotations

import inspect
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from types import CodeType
from typing import Any, cast

import dagster as dg
import pytest
from dagster_dbt import DbtCliInvocation, DbtProject
from dagster_dbt.core import resource
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.events.types import SQLQuery
from dbt.artifacts.resources.types import NodeType
from dbt.artifacts.resources.v1.components import InjectedCTE
from dbt.clients.jinja import MacroGenerator, MacroStack
from dbt.context.macros import MacroNamespaceBuilder
from dbt.contracts.graph.nodes import Macro
from dbt.contracts.project import ProfileConfig, Project
from dbt.events.types import LogDbtProjectError
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.dataclass_schema import dbtClassMixin

from orchestration.dbt_runner import process, project
from orchestration.dbt_runner.project import dbt_of, prepared_project
from orchestration.dbt_runner.sources import PARSED
from orchestration.defs.dbt_models import with_row_counts
from orchestration.settings import REPOSITORY


def called(target: Path, *arguments: str) -> DbtCliInvocation:
    prepared = prepared_project()
    # So that dbt has parsed the project already.
    shutil.copy(prepared.manifest_path.with_name("partial_parse.msgpack"), target)
    return dbt_of(prepared).cli(arguments, target_path=target, raise_on_error=False)


def said(invocation: DbtCliInvocation) -> list[tuple[str, str]]:
    """The level and the words of each event."""
    return [
        (event.raw_event["info"]["level"], event.raw_event["info"]["msg"])
        for event in invocation.stream_raw_events()
    ]


def test_debug_events_are_neither_said_nor_logged(tmp_path: Path) -> None:
    events = said(called(tmp_path, "parse"))

    assert {level for level, _ in events} == {"info"}
    assert not (tmp_path / "dbt.log").exists()


def test_a_log_is_written_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_LOG_LEVEL_FILE", "debug")

    assert called(tmp_path, "parse").is_successful()
    assert '"level": "debug"' in (tmp_path / "dbt.log").read_text()


def test_nothing_is_said_when_it_is_to_be_quiet(tmp_path: Path) -> None:
    assert said(called(tmp_path, "parse", "--quiet")) == []


def test_what_went_wrong_is_said(tmp_path: Path) -> None:
    invocation = called(tmp_path, "parse", "--quiet", "--profile", "of_nobody")

    assert "of_nobody" in str(invocation.get_error())
    assert invocation.process.returncode == 1


def test_the_parse_beside_the_project_serves_each_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = prepared_project().manifest_path.with_name("partial_parse.msgpack").read_bytes()
    for variable, value in (
        ("CONTACT_DATA_DIR", str(tmp_path / "of a hub")),
        ("CONTACT_MEMORY_LIMIT", "1GB"),
        ("CONTACT_TIMEZONE", "Asia/Kathmandu"),
        ("CONTACT_CURRENCY", "NPR"),
        ("CONTACT_AS_OF", "2026-01-31"),
    ):
        monkeypatch.setenv(variable, value)

    assert called(tmp_path, "parse").is_successful()

    # dbt writes it again whenever it has parsed anything.
    assert (tmp_path / "partial_parse.msgpack").read_bytes() == parsed


def test_nothing_else_is_started_or_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(command: list[str]) -> bytes:
        raise AssertionError(f"{command} was started")

    assert resource.check_output is subprocess.check_output
    monkeypatch.setattr(resource, "check_output", refused)
    invocation = called(tmp_path, "parse")

    assert invocation.is_successful()
    assert invocation.adapter is None


def test_of_those_that_begin_at_one_moment_one_parses_and_the_others_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beginners, parsed = 4, []
    together, parsing = threading.Barrier(beginners), threading.Barrier(2)

    def parse(project: DbtProject) -> None:
        parsed.append(project)
        # Would another one parse too, it had the time to come.
        with suppress(threading.BrokenBarrierError):
            parsing.wait(timeout=0.5)
        for name in PARSED:
            project.manifest_path.with_name(name).write_text("{}")

    def prepared() -> str:
        together.wait()
        return prepared_project().manifest_path.read_text()

    monkeypatch.setattr(project, "_parse", parse)
    monkeypatch.setattr(project, "PROJECT_DIR", tmp_path)
    (tmp_path / "dbt_project.yml").write_text("name: fresh")
    with ThreadPoolExecutor(beginners) as pool:
        manifests = list(pool.map(lambda _: prepared(), range(beginners)))

    assert manifests == ["{}"] * beginners
    assert len(parsed) == 1


CTES = [
    InjectedCTE("one", " __dbt__cte__one as (\nselect 1\n)"),
    InjectedCTE("two", " __dbt__cte__two as (select 2)"),
]


@pytest.mark.parametrize(
    "sql",
    [
        "\n\nwith\n\na as (\n\n    select ';' as b -- with\n\n)\n\nselect * from a",
        "WITH a as (with b as (select 1) select * from b) select * from a",
        "with recursive a as (select 1 union all select 2 from a) select * from a",
        "select * from (with a as (select 1) select * from a)",
        "-- with\nwith a as (select 1) select * from a",
        "select 1 as within",
        "within",
    ],
)
@pytest.mark.parametrize("ctes", [CTES, CTES[:1], []])
def test_ephemeral_models_come_where_dbt_puts_them(sql: str, ctes: list[InjectedCTE]) -> None:
    by_dbt = inspect.signature(process.inject_ctes).parameters["by_parsing"].default

    assert process.inject_ctes(sql, ctes) == by_dbt(sql, ctes)


def test_each_macro_is_found_where_dbt_finds_it() -> None:
    packages = ("dbt", "dbt_duckdb", "ours", "theirs")
    # Names that one, several or all of the packages have.
    holders = {
        "_".join(("in", *some)): some for count in range(1, 5) for some in combinations(packages, count)
    }
    macros = {
        package: {
            name: Macro(name, NodeType.Macro, package, "", "", f"macro.{package}.{name}", "")
            for name, having in holders.items()
            if package in having
        }
        for package in packages
    }
    context, node, stack = {"some": "context"}, object(), MacroStack()
    for searched in packages:
        builders = [
            MacroNamespaceBuilder("ours", searched, stack, ["dbt_duckdb", "dbt"], node) for _ in range(2)
        ]
        found = process.build_namespace(builders[0], macros, context)
        expected = process.BUILD_NAMESPACE(builders[1], macros, context)

        assert sorted(found) == sorted(expected)
        assert len(found) == len(expected)
        for package in (None, *packages[:1], *packages[2:]):
            for name in holders:
                ours, theirs = (one.get_from_package(package, name) for one in (found, expected))
                assert (ours and vars(ours)) == (theirs and vars(theirs)), (searched, package, name)


@pytest.mark.parametrize("given", [("macro",), ("macro", {}), ("macro", {}, "node", MacroStack())])
def test_a_macro_is_called_with_what_dbt_gives_it(given: tuple[Any, ...]) -> None:
    ours, theirs = (MacroGenerator.__new__(MacroGenerator) for _ in range(2))
    process.init_macro_generator(ours, *given)
    process.INIT_MACRO_GENERATOR(theirs, *given)

    assert vars(ours) == vars(theirs)


def test_templates_are_removed_where_they_are_kept() -> None:
    assert project.TEMPLATES == process.TEMPLATES


def test_a_template_is_compiled_once_and_read_from_then_on(tmp_path: Path) -> None:
    compiled = []

    class Counting(MacroFuzzEnvironment):
        def _generate(self, *arguments: Any, **named: Any) -> str:
            compiled.append(arguments)
            return super()._generate(*arguments, **named)

    for _ in range(2):
        for text in ("{{ 1 + x }}", "{{ 2 + x }}"):
            # As in another process.
            code = process.compiling_once(tmp_path)(Counting(), text)
            template = Counting.template_class.from_code(Counting(), code, {})
            assert template.render({"x": 3}) == str(3 + int(text[3]))

    assert len(compiled) == 2


def test_a_template_whose_bytecode_is_damaged_is_compiled_again(tmp_path: Path) -> None:
    process.compiling_once(tmp_path)(MacroFuzzEnvironment(), "{{ 1 }}")
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for length in (0, 1, 20, 30, len(whole) // 2):
        file.write_bytes(whole[:length])

        process.compiling_once(tmp_path)(MacroFuzzEnvironment(), "{{ 1 }}")

        assert file.read_bytes() == whole, length


def test_templates_are_compiled_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")

    code = process.compiling_once(tmp_path / "in the way")(MacroFuzzEnvironment(), "{{ 1 }}")

    assert isinstance(code, CodeType)


def test_the_schema_of_a_class_is_built_once_and_is_that_of_dbt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes, built = [Project, ProfileConfig, DuckDBCredentials], []

    def build(cls: type[dbtClassMixin]) -> dict[str, Any]:
        built.append(cls)
        return cast("dict[str, Any]", process.BUILD_SCHEMA(cls))

    def count_built() -> int:
        """How many schemas another process builds."""
        built.clear()
        schema_of = process.building_schemas_once(tmp_path, build).__func__
        assert [schema_of(cls) for cls in classes] == [process.BUILD_SCHEMA(cls) for cls in classes]
        return len(built)

    assert [count_built(), count_built()] == [3, 0]
    first, second, _ = sorted(tmp_path.iterdir())
    first.write_text(first.read_text()[:-1])
    second.write_text("null")
    assert [count_built(), count_built()] == [2, 0]
    monkeypatch.setattr(process, "version", lambda package: f"another {package}")
    assert count_built() == 3
    assert len([*tmp_path.iterdir()]) == 6


def test_schemas_are_built_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")

    schema_of = process.building_schemas_once(tmp_path / "in the way").__func__

    assert schema_of(DuckDBCredentials)["title"] == "DuckDBCredentials"


def test_a_debug_event_is_made_when_somebody_looks_at_it() -> None:
    process.spare_overhead()
    event = SQLQuery(conn_name="one", sql="select 1", node_info={})
    assert "pb_msg" not in vars(event)

    assert (event.sql, event.conn_name) == ("select 1", "one")
    assert "pb_msg" in vars(LogDbtProjectError(exc="none of debug"))


def test_the_definitions_are_loaded_without_dbt_in_their_process() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, orchestration.definitions; print(*sys.modules)"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    assert "dagster_dbt" in loaded
    assert [module for module in loaded if module.startswith(("dbt.adapters", "dbt.contracts"))] == []


def test_each_table_has_its_number_of_rows() -> None:
    class Said:
        def __init__(self, node: dict[str, object]) -> None:
            self.raw_event = {"data": {"node_info": node}}

        def to_default_asset_events(self, **_: object) -> list[Any]:
            return [dg.Output(None, "facts__fct_orders", metadata={"status": "success"})]

    class Started:
        manifest = dagster_dbt_translator = context = target_path = project = None

        def stream_raw_events(self) -> list[Said]:
            return [Said({"row_count": 7}), Said({})]

    counted, other = with_row_counts(cast("DbtCliInvocation", Started()))

    assert {name: value.value for name, value in counted.metadata.items()} == {
        "status": "success",
        "dagster/row_count": 7,
    }
    assert "dagster/row_count" not in other.metadata
