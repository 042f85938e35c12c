"""What a refresh has to compute: in part from what landed, or anew, and why.

Each model, seed and check is made of parts: its own text, the macros it uses, the variables and settings that
those read, and all that lies to its left. What the stored tables were made of is kept in the warehouse; where
a part differs today, the model and all to its right are rebuilt, and a check looks at everything again.

Belongs here: the decision. Does not belong here: how a model is refreshed in part
(dbt_project/macros/refresh_in_part.sql).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from orchestration.engines import spark
from orchestration.engines.tables import Tables, tables_of
from orchestration.landing.contracts import CONTRACTS
from orchestration.settings import REPOSITORY, Engine, Settings
from orchestration.sql import one_row
from orchestration.warehouse import run_log, stamps

BUILT_MODELS = """
create table if not exists raw.built_models (
    name varchar not null,
    parts varchar not null,
    is_published boolean not null
);
"""

REFRESHING_IN_PART = tuple(
    f"macros/{name}.sql"
    for name in (
        *("refresh_in_part", "concerned", "versions", "last_days_before", "counts_by_day"),
        "spark/incremental",
    )
)

# What of a node's configuration decides what it makes.
SHAPING_CONFIG = (
    *("materialized", "incremental_strategy", "unique_key", "partition_by", "concerned", "contract"),
    *("severity", "where", "warn_if", "error_if"),
)

DBT_PROJECT = REPOSITORY / "dbt_project"

# The model whose rows are the days.
DAYS = "counts_by_day"

DIGEST = "sha256:"

VARIABLE = re.compile(r"""\bvar\(\s*["'](\w+)["']""")

Manifest = Mapping[str, Any]
Parts = dict[str, str]


@dataclass(frozen=True)
class Plan:
    """What one refresh computes.

    Attributes:
        refresh_number: the number of the refresh.
        loaded_through: the number of the last file that the last finished refresh took in.
        computed_whole: names of the models, seeds and checks that are computed over everything.
        reasons: why, for people; empty when all is refreshed in part.
    """

    refresh_number: int
    loaded_through: int
    computed_whole: frozenset[str]
    reasons: list[str]

    def as_environment(self) -> dict[str, str]:
        """The plan as dbt reads it: see dbt_project/macros/refresh_in_part.sql."""
        return {
            "CONTACT_REFRESH_NUMBER": str(self.refresh_number),
            "CONTACT_REBUILD": ",".join(sorted(self.computed_whole)),
            "CONTACT_LOADED_THROUGH": str(self.loaded_through),
        }


def make_plan(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, settings: Settings, number: int
) -> Plan:
    """Decide what a refresh computes, and prepare the tables for it.

    Afterwards what is rebuilt counts as not built until the refresh is published, and each model that is
    refreshed in part has its table of changes since the last finished refresh: an empty one, unless refreshes
    after it were killed.

    Args:
        connection: a connection to the warehouse.
        manifest: dbt's manifest.
        settings: the settings of the hub.
        number: the number of the refresh, from :func:`orchestration.warehouse.run_log.begin`.
    """
    nodes = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed", "test")
    }
    variables = project_variables()
    parts = {name: parts_of(node, manifest, settings, variables) for name, node in nodes.items()}
    tables = tables_of(settings)
    connection.execute(BUILT_MODELS)
    last_finished = one_row(
        connection,
        "select max(refresh_number) from raw.refreshes where finished_at is not null",
    )[0]
    if last_finished is None:
        differences = {name: ["nothing has been published yet"] for name in nodes}
        loaded_through = 0
    else:
        differences = {
            **_differences(connection, nodes, parts, tables),
            **tables.why_rebuilt(connection, last_finished, nodes.values()),
        }
        loaded_through = one_row(
            connection, "select loaded_through from raw.refreshes where refresh_number = ?", [last_finished]
        )[0]
    computed_whole = _with_all_to_the_right(manifest, nodes, differences)
    reasons = _reasons(nodes, differences)
    tables.prepare(
        connection,
        last_finished or 0,
        [node for name, node in nodes.items() if name in computed_whole and node["resource_type"] != "test"],
        [node for name, node in nodes.items() if name not in computed_whole and _is_refreshed_in_part(node)],
    )
    tables.stamp(connection, stamps.stamp_of(connection, number, is_complete=False))
    connection.execute("begin")
    connection.execute(
        "delete from raw.built_models "
        "where name in (select unnest($rebuilt)) or name not in (select unnest($known))",
        {"rebuilt": list(computed_whole), "known": list(nodes)},
    )
    connection.execute(
        "insert into raw.built_models select unnest($names), unnest($parts), false",
        {
            "names": list(computed_whole),
            "parts": [json.dumps(parts[name], sort_keys=True) for name in computed_whole],
        },
    )
    taken_in = one_row(connection, "select coalesce(max(file_id), 0) from raw.contents")[0]
    run_log.record_plan(connection, number, taken_in, reasons)
    connection.execute("commit")
    return Plan(number, loaded_through, computed_whole, reasons)


def finish(
    connection: duckdb.DuckDBPyConnection, settings: Settings, run_id: str, version: str, seconds: float
) -> None:
    """Close a refresh: what it built is checked and published, and the next one may go on from it.

    Args:
        connection: a connection to the warehouse.
        settings: the settings of the hub.
        run_id: the run of the refresh.
        version: the name of the published version.
        seconds: how long publishing took.
    """
    tables_of(settings).stamp(connection, stamps.stamp_of_run(connection, run_id, is_complete=True))
    connection.execute("begin")
    connection.execute("update raw.built_models set is_published = true")
    run_log.finish(connection, run_id, version, seconds)
    # What is published is without the rows that were removed, so nobody has to be told of them any more.
    for contract in CONTRACTS:
        connection.execute(f"delete from raw.removed_{contract.table}")
    connection.execute("commit")


def rows_replaced(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, plan: Plan, tables: Tables
) -> dict[str, int]:
    """How many rows of each table are new or other than after the last finished refresh."""
    counts = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or node["config"]["materialized"] not in ("incremental", "table"):
            continue
        counts[node["name"]] = (
            tables.count_changes(connection, node, "case when is_added then 1 end")
            if _is_refreshed_in_part(node) and node["name"] not in plan.computed_whole
            else tables.count(connection, node)
        )
    return counts


def days_recomputed(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, plan: Plan, tables: Tables
) -> int:
    """How many days have other figures than after the last finished refresh."""
    (node,) = [node for node in manifest["nodes"].values() if node["name"] == DAYS]
    count = tables.count if DAYS in plan.computed_whole else tables.count_changes
    return count(connection, node, "distinct message_date")


def parts_of(
    node: Mapping[str, Any], manifest: Manifest, settings: Settings, variables: Mapping[str, Any]
) -> Parts:
    """What a model, seed or check is made of, leaving out what lies to its left.

    Returns:
        Each part's name for people, and its value or a digest of it.
    """
    config = node["config"]
    columns = {
        name: (column.get("data_type"), column.get("constraints")) for name, column in node["columns"].items()
    }
    parts = {
        "its text": _digest(node["raw_code"], node["checksum"], node.get("test_metadata"), _names_in(node)),
        "its settings in dbt": _digest(
            columns,
            *(config.get(name) for name in SHAPING_CONFIG),
        ),
        **engine_version(settings),
        "dbt": manifest["metadata"]["dbt_version"],
    }
    if _is_refreshed_in_part(node):
        # dbt does not see which macros the branch for refreshes in part uses.
        parts["the way of refreshing in part"] = _digest(
            sorted(
                macro["macro_sql"]
                for macro in manifest["macros"].values()
                if macro["original_file_path"] in REFRESHING_IN_PART
            )
        )
    macros = _macros_of(node, manifest)
    texts = [node["raw_code"], *(macro["macro_sql"] for macro in macros.values())]
    for name, macro in macros.items():
        parts[f"the macro {name}"] = _digest(macro["macro_sql"])
    for name in sorted({name for text in texts for name in VARIABLE.findall(text)}):
        parts[f"the variable {name}"] = str(variables.get(name))
    if "reporting_timezone" in macros:
        parts["the reporting time zone"] = settings.timezone
    # Whether an order is accepted depends on the currency.
    if "reporting_currency" in macros or any(
        source.endswith(".order_events") for source in node["depends_on"].get("nodes", [])
    ):
        parts["the reporting currency"] = settings.currency
    return parts


def _names_in(node: Mapping[str, Any]) -> str | None:
    """A hash of the content of a seed, since dbt's checksum of a large one is of its path alone."""
    if node["resource_type"] != "seed":
        return None
    return hashlib.sha256((DBT_PROJECT / node["original_file_path"]).read_bytes()).hexdigest()


def engine_version(settings: Settings) -> Parts:
    """What the models run on."""
    if settings.engine is Engine.SPARK:
        return {"Spark": spark.version()}
    return {"DuckDB": duckdb.__version__}


def project_variables(project: Path = DBT_PROJECT / "dbt_project.yml") -> Mapping[str, Any]:
    """The variables of the dbt project."""
    return yaml.safe_load(project.read_text(encoding="utf-8"))["vars"]


def _macros_of(node: Mapping[str, Any], manifest: Manifest) -> dict[str, Mapping[str, Any]]:
    """The macros of this project that a node uses, directly or not, by name."""
    found: dict[str, Mapping[str, Any]] = {}
    to_visit = [*node["depends_on"]["macros"]]
    while to_visit:
        unique_id = to_visit.pop()
        macro = manifest["macros"][unique_id]
        if macro["package_name"] == manifest["metadata"]["project_name"] and macro["name"] not in found:
            found[macro["name"]] = macro
            to_visit += macro["depends_on"]["macros"]
    return dict(sorted(found.items()))


def _differences(
    connection: duckdb.DuckDBPyConnection,
    nodes: Mapping[str, Mapping[str, Any]],
    parts: Mapping[str, Parts],
    tables: Tables,
) -> dict[str, list[str]]:
    """What of each node differs from what the warehouse was built from; others are left out."""
    built = {
        name: json.loads(stored)
        for name, stored in connection.execute(
            "select name, parts from raw.built_models where is_published"
        ).fetchall()
    }
    missing = tables.missing(connection, filter(_is_refreshed_in_part, nodes.values()))
    differences = {}
    for name in nodes:
        today = parts[name]
        if name not in built:
            differences[name] = ["it is not built, or was not published"]
        elif built[name] != today:
            before = built[name]
            changed = [part for part in before if before[part] != today.get(part, before[part])]
            # A part that came or went did so because one that stayed changed.
            differences[name] = [_change(part, before[part], today[part]) for part in changed]
        elif name in missing:
            differences[name] = ["its table is missing"]
    return differences


def _change(part: str, before: str, today: str) -> str:
    digests = before.startswith(DIGEST)
    return f"{part} changed" if digests else f"{part} changed from {before} to {today}"


def _with_all_to_the_right(
    manifest: Manifest, nodes: Mapping[str, Mapping[str, Any]], roots: Iterable[str]
) -> frozenset[str]:
    known = {node["unique_id"]: name for name, node in nodes.items()}
    reached: set[str] = set()
    to_visit = [nodes[name]["unique_id"] for name in roots]
    while to_visit:
        unique_id = to_visit.pop()
        if unique_id in known and known[unique_id] not in reached:
            reached.add(known[unique_id])
            to_visit += manifest["child_map"][unique_id]
    return frozenset(reached)


def _reasons(nodes: Mapping[str, Mapping[str, Any]], differences: Mapping[str, list[str]]) -> list[str]:
    """One line for each thing that changed, with the models that it rebuilds first."""
    named: dict[str, list[str]] = {}
    for name, changes in differences.items():
        if nodes[name]["resource_type"] != "test":
            for change in changes:
                named.setdefault(change, []).append(name)
    return [
        f"{change}: {', '.join(names) if len(names) <= 5 else f'{len(names)} models and seeds'}"
        for change, names in named.items()
    ]


def _is_refreshed_in_part(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"


def _digest(*values: Any) -> str:
    return DIGEST + hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
