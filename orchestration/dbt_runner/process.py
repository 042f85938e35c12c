"""dbt in a process of its own, for Dagster: it says what Dagster reads, and nothing more.

Run as a script with the arguments of dbt. Its own command writes each of its thousands of debug events twice,
on the way to where they are thrown away and in a log that nobody opens: a fifth of the time of a refresh with
nothing new. That log is written where DBT_LOG_LEVEL_FILE asks for it.
"""

import gc
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from types import CodeType
from typing import Any, cast

from mashumaro.config import BaseConfig

if __name__ == "__main__":
    # The process ends in seconds and leaves little behind; looking for it costs a tenth of its time.
    gc.disable()
    # Of the classes of a JSON schema, which dbt checks its own files by, only some are used.
    BaseConfig.lazy_compilation = True

import duckdb
import jinja2
from dbt import compilation
from dbt.adapters.factory import FACTORY
from dbt.artifacts.resources.base import FileHash
from dbt.artifacts.schemas.results import NodeStatus
from dbt.cli.main import dbtRunner
from dbt.clients.jinja import MacroGenerator
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt.contracts.graph.manifest import ManifestStateCheck
from dbt.contracts.graph.nodes import Macro
from dbt.parser import manifest
from dbt.task import runnable
from dbt_common.clients import agate_helper
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.dataclass_schema import dbtClassMixin
from dbt_common.events.base_types import BaseEvent, EventLevel, EventMsg
from dbt_common.events.event_manager import EventManager
from dbt_common.events.functions import msg_to_json
from jinja2.bccache import Bucket, FileSystemBytecodeCache

# What dbt makes a table of.
TABLES = ("table", "incremental", "seed", "change_set")

# Where compiled templates and JSON schemas are kept: beside dbt's parse of the project.
TEMPLATES = Path(__file__).parents[2] / "dbt_project" / "target" / "templates"

# dbt's own.
MAKE_EVENT, FIRE_EVENT = BaseEvent.__init__, EventManager.fire_event
BUILD_SCHEMA = vars(dbtClassMixin)["json_schema"].__func__
CHECK_STATE = cast("Any", manifest.ManifestLoader.build_manifest_state_check)
BUILD_NAMESPACE, INIT_MACRO_GENERATOR = MacroNamespaceBuilder.build_namespace, MacroGenerator.__init__

# How a query begins that has common table expressions of its own.
WITH = re.compile(r"\s*with\s+(?!\s|recursive\b)", re.IGNORECASE)


def spare_overhead(templates: Path = TEMPLATES) -> None:
    """Have dbt leave out what takes a third of a build and changes nothing of it.

    Args:
        templates: the folder where compiled templates and JSON schemas are kept.
    """
    note, message_of, fire = without_debug_events()
    for place, name, instead in (
        (MacroFuzzEnvironment, "compile", compiling_once(templates)),
        (BaseEvent, "__init__", note),
        (BaseEvent, "pb_msg", message_of),
        (EventManager, "fire_event", fire),
        (compilation, "inject_ctes_into_sql", inject_ctes),
        (agate_helper, "build_type_tester", build_type_tester_once),
        (MacroGenerator, "__init__", init_macro_generator),
        (MacroNamespaceBuilder, "build_namespace", build_namespace),
        (dbtClassMixin, "json_schema", building_schemas_once(templates)),
        (manifest.ManifestLoader, "build_manifest_state_check", check_state),
    ):
        setattr(place, name, instead)


def compiling_once(
    folder: Path, compile_template: Callable[..., CodeType] = MacroFuzzEnvironment.compile
) -> Callable[..., CodeType]:
    """What compiles a template of Jinja and keeps its bytecode, so that no later process compiles it again.

    Args:
        folder: where the bytecode is kept. A template whose text differs is another one.
        compile_template: what compiles one.
    """
    cache = FileSystemBytecodeCache(str(folder), f"{jinja2.__version__}-{version('dbt-common')}-%s")
    # Where nobody may write, nothing is kept.
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)

    def compile_once(self: MacroFuzzEnvironment, source: str, *others: Any, **named: Any) -> CodeType:
        if others or named:
            return compile_template(self, source, *others, **named)
        # Environments of one class compile alike.
        name = f"{type(self).__name__} {sha256(source.encode()).hexdigest()}"
        try:
            bucket = cache.get_bucket(self, name, None, source)
        except Exception:  # Whatever a damaged file raises, the template is compiled as if there were none.
            bucket = Bucket(self, cache.get_cache_key(name), cache.get_source_checksum(source))
        if bucket.code is None:
            bucket.code = compile_template(self, source)
            with suppress(OSError):
                cache.set_bucket(bucket)
        return bucket.code

    return compile_once


def building_schemas_once(folder: Path, build_schema: Callable[..., dict[str, Any]] = BUILD_SCHEMA) -> Any:
    """A class method that builds the JSON schema of a class, and keeps it so that no later process builds it.

    dbt checks its own files by these schemas.

    Args:
        folder: where the schemas are kept.
        build_schema: what builds the schema of a class.
    """
    packages = ("dbt-core", "dbt-common", "dbt-adapters", "dbt-duckdb", "mashumaro")
    built_by = "-".join((*(version(package) for package in packages), str(sys.implementation.cache_tag)))

    def schema_of(cls: type[dbtClassMixin]) -> dict[str, Any]:
        kept = folder / f"{cls.__module__}.{cls.__qualname__}-{built_by}.json"
        # A damaged file is written again.
        with suppress(OSError, ValueError):
            schema = json.loads(kept.read_text(encoding="utf-8"))
            if isinstance(schema, dict):
                return schema
        schema = build_schema(cls)
        # Where nobody may write, nothing is kept.
        with suppress(OSError, TypeError):
            _write_whole(kept, json.dumps(schema))
        return schema

    return classmethod(cast("Any", lru_cache(schema_of)))


def _write_whole(file: Path, text: str) -> None:
    """Write a file by a rename, so that no process reads half of it."""
    written = file.with_suffix(f".{os.getpid()}")
    try:
        written.write_text(text, encoding="utf-8")
        written.replace(file)
    finally:
        written.unlink(missing_ok=True)


def without_debug_events() -> tuple[Callable[..., None], property, Callable[..., None]]:
    """What makes an event, what its message is, and what hands it on: not a debug event that no log takes.

    Such an event is made when somebody looks at it.
    """

    def note(self: BaseEvent, *arguments: Any, **fields: Any) -> None:
        if self.level_tag() == EventLevel.DEBUG:
            vars(self)["put_off"] = (arguments, fields)
        else:
            MAKE_EVENT(self, *arguments, **fields)

    def message_of(self: BaseEvent) -> Any:
        if "put_off" in vars(self):
            arguments, fields = vars(self).pop("put_off")
            MAKE_EVENT(self, *arguments, **fields)
        return vars(self)["pb_msg"]

    def fire(
        self: EventManager, e: BaseEvent, level: EventLevel | None = None, *more: Any, **named: Any
    ) -> None:
        is_debug = (level or e.level_tag()) == EventLevel.DEBUG
        if not is_debug or any(logger.level == EventLevel.DEBUG for logger in self.loggers):
            FIRE_EVENT(self, e, level, *more, **named)

    return note, property(message_of, lambda self, made: vars(self).update(pb_msg=made)), fire


def inject_ctes(
    sql: str, ctes: list[Any], by_parsing: Callable[..., str] = compilation.inject_ctes_into_sql
) -> str:
    """A query with the ephemeral models that it reads as its first common table expressions.

    dbt parses all of the query to find its first word, which takes a tenth of a build.

    Args:
        sql: the query.
        ctes: the ephemeral models, as dbt injects them.
        by_parsing: what does so for a query that begins in another way.
    """
    found = WITH.match(sql)
    if not ctes or not found:
        return by_parsing(sql, ctes)
    return f"{found[0]}{', '.join(cte.sql for cte in ctes)}, {sql[found.end() :]}"


def build_type_tester_once(
    text_columns: Iterable[str], string_null_values: Iterable[str] | None = ("null", "")
) -> Any:
    """What guesses the types of a result, built once for each set of text columns and not for each query."""
    return _type_tester(
        tuple(text_columns), None if string_null_values is None else tuple(string_null_values)
    )


class Namespace(MacroNamespace):
    """The macros that a node can call, by name. dbt searches five places for each of the names."""

    def __init__(self, *places: Any) -> None:
        super().__init__(*places)
        self.found: dict[str, Any] = {}
        for place in reversed([*self._search_order()]):
            self.found.update(place)

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, name: str) -> Any:
        return self.found[name]


def build_namespace(
    self: MacroNamespaceBuilder, macros_by_package: dict[str, dict[str, Macro]], ctx: dict[str, Any]
) -> MacroNamespace:
    """The same as dbt's own, which asks of each of 700 macros by itself where it belongs.

    Args:
        self: says whose macros come first.
        macros_by_package: the macros of the project, by their package and name.
        ctx: what the macros are rendered with.
    """
    packages = {
        package: {
            name: MacroGenerator(macro, ctx, self.node, self.thread_ctx) for name, macro in macros.items()
        }
        for package, macros in macros_by_package.items()
    }
    internal: dict[str, Any] = {}
    # The first one wins.
    for package in reversed(self.internal_package_names_order):
        internal.update(packages.pop(package, {}))
    own, others = (packages.get(package, {}) for package in (self.search_package, self.root_package))
    return Namespace(others, own, internal, packages)


def init_macro_generator(
    self: MacroGenerator, macro: Any, context: Any = None, node: Any = None, stack: Any = None
) -> None:
    """What the constructors of dbt's three classes do, in one call: there are 200,000 in a build."""
    self.macro, self.context, self.node, self.stack = macro, context, node, stack


def check_state(self: manifest.ManifestLoader) -> ManifestStateCheck:
    """What a parse depends on: dbt's own without the connection, since no model depends on where a hub is."""
    return replace(CHECK_STATE(self), profile_hash=FileHash(name="sha256", checksum=""))


_type_tester = lru_cache(agate_helper.build_type_tester)


def leave_manifest() -> None:
    """Have dbt not write its manifest, which it does before and after each build.

    It is there already (project.py). Writing it twice took a sixth of the time.
    """
    for module in (manifest, runnable):
        vars(module)["write_manifest"] = lambda *_: None


def in_json(event: EventMsg) -> str:
    """An event in JSON; one of a table that was made has the number of its rows too."""
    text = msg_to_json(event)
    if event.info.name in ("LogModelResult", "LogSeedResult"):
        rows = row_count_of(event.data.node_info)
        if rows is not None:
            said = json.loads(text)
            said["data"]["node_info"]["row_count"] = rows
            return json.dumps(said)
    return text


def row_count_of(node: Any) -> int | None:
    """How many rows a table has, which DuckDB knows without reading it; None of a view, or on another engine.

    It is asked here, because nobody else can open the databases while dbt builds.
    """
    # Its protocol declares less than it has.
    adapter: Any = next(iter(FACTORY.adapters.values()))
    is_table = node.node_status == NodeStatus.Success and node.materialized in TABLES
    if adapter.type() != "duckdb" or not is_table:
        return None
    # What is only shown ends no build. A connection of dbt would take ten times as long.
    with suppress(duckdb.Error), adapter.connections.env().conn.cursor() as cursor:
        (count,) = cursor.execute(f"select count(*) from {node.node_relation.relation_name}").fetchone()
        return int(count)
    return None


def main(arguments: list[str]) -> int:
    """Run dbt; the result is the exit status of the process."""
    left_out = ("debug", "info") if "--quiet" in arguments else ("debug",)

    def say(event: EventMsg) -> None:
        if event.info.level not in left_out:
            try:
                # In one piece, since threads of dbt say things at the same time.
                sys.stdout.write(f"{in_json(event)}\n")
                sys.stdout.flush()
            except BrokenPipeError:
                # The refresh that called this was killed; the next one does its work. Of dbt only this thread
                # would end, and the others wait for it for ever, with the databases open.
                os._exit(1)

    # What Dagster reads, whatever the terminal shows.
    cast("TextIOWrapper", sys.stdout).reconfigure(encoding="utf-8", errors="backslashreplace")
    os.environ.setdefault("DBT_LOG_LEVEL_FILE", "none")
    spare_overhead()
    if arguments[:1] == ["build"]:
        leave_manifest()
    result = dbtRunner(callbacks=[say]).invoke(arguments, log_level="none")
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
