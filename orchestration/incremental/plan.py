"""What a refresh has to compute: which models by an incremental refresh, which by a full refresh, and why.

Each model, seed and check has a fingerprint (fingerprints.py). Those that the stored tables were built with
are kept in the warehouse; where one differs today, the model and all downstream are rebuilt, and a check
looks at everything again.

Belongs here: the decision, what the warehouse records of it until the refresh is finished, and what came of
it. Does not belong here: how a model is refreshed (dbt_project/macros/incremental/replace_changed.sql).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.engines.tables import Tables, count_inserted, count_rows, days_of, tables_of
from orchestration.incremental.fingerprints import Fingerprint, Fingerprints, difference, project_variables
from orchestration.landing.contracts import CONTRACTS
from orchestration.settings import Settings
from orchestration.sql import one_row
from orchestration.warehouse import run_log, stamps

# Version 0.3.0 kept them in raw.built_models.
MODEL_STATES = """
drop table if exists raw.built_models;
create table if not exists raw.model_states (
    name varchar not null,
    fingerprint varchar not null,
    is_published boolean not null
);
"""

# The models that the figures of a day come from: its messages and touches, and which of them repeat: in all,
# in a queue, and by a user.
MODELS_OF_DAYS = ("messages_by_day", "counts_by_day", "counts_by_day_and_queue", "counts_by_day_and_user")

# The model whose row is about the refresh itself, so that it is another one each time.
REPORT_INFO = "report_info"

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """What one refresh computes.

    Attributes:
        refresh_number: the number of the refresh.
        high_water_mark: the number of the last file that the last finished refresh has loaded.
        full_refresh: names of the models, seeds and checks that are computed over everything.
        reasons: why, for people; empty when every model is incremental.
    """

    refresh_number: int
    high_water_mark: int
    full_refresh: frozenset[str]
    reasons: list[str]

    def as_environment(self) -> dict[str, str]:
        """The plan as dbt reads it: see dbt_project/macros/incremental/refresh.sql."""
        return {
            "CONTACT_REFRESH_NUMBER": str(self.refresh_number),
            "CONTACT_REBUILD": ",".join(sorted(self.full_refresh)),
            "CONTACT_HIGH_WATER_MARK": str(self.high_water_mark),
        }


@dataclass(frozen=True)
class Decision:
    """A plan, and what it was decided by.

    Attributes:
        plan: what the refresh computes.
        nodes: the models, seeds and checks, by name.
        fingerprints: of each of them, by name.
        last_finished: the number of the last finished refresh, 0 when there is none.
    """

    plan: Plan
    nodes: Mapping[str, Mapping[str, Any]]
    fingerprints: Mapping[str, Fingerprint]
    last_finished: int


def make_plan(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, settings: Settings, number: int
) -> Plan:
    """Decide what a refresh computes, and prepare the tables for it.

    Afterwards what is rebuilt counts as not built until the refresh is published, and each model with an
    incremental refresh has its change feed since the last finished refresh: an empty one, unless
    refreshes after it were killed.

    Args:
        connection: a connection to the warehouse.
        manifest: dbt's manifest.
        settings: the settings of the hub.
        number: the number of the refresh, from :func:`orchestration.warehouse.run_log.begin`.
    """
    decision = decide(connection, manifest, settings, number)
    plan, nodes = decision.plan, decision.nodes
    tables = tables_of(settings)
    tables.prepare(
        connection,
        decision.last_finished,
        [
            node
            for name, node in nodes.items()
            if name in plan.full_refresh and node["resource_type"] != "test"
        ],
        [node for name, node in nodes.items() if name not in plan.full_refresh and _is_incremental(node)],
    )
    tables.stamp(connection, stamps.stamp_of(connection, number, is_complete=False))
    _record(connection, decision)
    return plan


def _record(connection: duckdb.DuckDBPyConnection, decision: Decision) -> None:
    """Write down what the refresh computes and by which fingerprints; what is rebuilt counts as not built."""
    plan = decision.plan
    connection.execute("begin")
    connection.execute(
        "delete from raw.model_states "
        "where name in (select unnest($rebuilt)) or name not in (select unnest($known))",
        {"rebuilt": list(plan.full_refresh), "known": list(decision.nodes)},
    )
    connection.execute(
        "insert into raw.model_states select unnest($names), unnest($fingerprints), false",
        {
            "names": list(plan.full_refresh),
            "fingerprints": [
                json.dumps(decision.fingerprints[name], sort_keys=True) for name in plan.full_refresh
            ],
        },
    )
    taken_in = one_row(connection, "select coalesce(max(file_id), 0) from raw.contents")[0]
    run_log.record_plan(connection, plan.refresh_number, taken_in, plan.reasons)
    connection.execute("commit")


def decide(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, settings: Settings, number: int
) -> Decision:
    """Decide what a refresh computes, and change nothing; see :func:`make_plan` for the arguments."""
    nodes = {
        node["name"]: node
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "seed", "test")
    }
    project = Fingerprints(manifest, settings, project_variables())
    fingerprints = {name: project.of(node) for name, node in nodes.items()}
    tables = tables_of(settings)
    connection.execute(MODEL_STATES)
    last_finished = one_row(
        connection,
        "select max(refresh_number) from raw.refreshes where finished_at is not null",
    )[0]
    if last_finished is None:
        differences = {name: ["nothing has been published yet"] for name in nodes}
        high_water_mark = 0
    else:
        differences = {
            **_differences(connection, nodes, fingerprints, tables),
            **tables.why_rebuilt(connection, last_finished, nodes.values()),
        }
        high_water_mark = one_row(
            connection, "select loaded_through from raw.refreshes where refresh_number = ?", [last_finished]
        )[0]
    full_refresh = _with_all_downstream(manifest, nodes, differences)
    plan = Plan(number, high_water_mark, full_refresh, _reasons(nodes, differences))
    return Decision(plan, nodes, fingerprints, last_finished or 0)


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
    connection.execute("update raw.model_states set is_published = true")
    run_log.finish(connection, run_id, version, seconds)
    # What is published is without the rows that were removed, so nobody has to be told of them any more.
    for contract in CONTRACTS:
        connection.execute(f"delete from raw.removed_{contract.table}")
    connection.execute("delete from raw.removed_contents")
    connection.execute("commit")
    shutil.rmtree(settings.dropped, ignore_errors=True)


def rows_replaced(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, plan: Plan, tables: Tables
) -> dict[str, int]:
    """How many rows of each table are new or other than after the last finished refresh.

    A model with a full refresh has all its rows replaced. One that is a table by itself is computed in each
    refresh, so its rows are compared with the published ones.
    """
    counts: dict[str, int] = {}
    compared = []
    for node in manifest["nodes"].values():
        if node["resource_type"] != "model" or node["name"] == REPORT_INFO:
            continue
        if node["name"] in plan.full_refresh and node["config"]["materialized"] in ("incremental", "table"):
            counts[node["name"]] = count_rows(connection, tables.rows_of(node))
        elif _is_incremental(node):
            counts[node["name"]] = count_inserted(connection, tables.changes_of(node))
        elif node["config"]["materialized"] == "table":
            compared.append(node)
    return counts | tables.count_unpublished(connection, compared)


def days_recomputed(
    connection: duckdb.DuckDBPyConnection, manifest: Manifest, plan: Plan, tables: Tables
) -> int:
    """How many days have other figures than after the last finished refresh."""
    days: set[date] = set()
    for node in manifest["nodes"].values():
        if node["name"] in MODELS_OF_DAYS:
            is_full = node["name"] in plan.full_refresh
            days |= days_of(connection, tables.rows_of(node) if is_full else tables.changes_of(node))
    return len(days)


def _differences(
    connection: duckdb.DuckDBPyConnection,
    nodes: Mapping[str, Mapping[str, Any]],
    fingerprints: Mapping[str, Fingerprint],
    tables: Tables,
) -> dict[str, list[str]]:
    """What of each node differs from what the warehouse was built from; others are left out."""
    built = {
        name: json.loads(stored)
        for name, stored in connection.execute(
            "select name, fingerprint from raw.model_states where is_published"
        ).fetchall()
    }
    missing = tables.missing(connection, filter(_is_incremental, nodes.values()))
    differences = {}
    for name in nodes:
        today = fingerprints[name]
        if name not in built:
            differences[name] = ["it is not built, or was not published"]
        elif built[name] != today:
            before = built[name]
            changed = [part for part in before if before[part] != today.get(part, before[part])]
            # A part that came or went did so because one that stayed changed.
            differences[name] = [difference(part, before[part], today[part]) for part in changed]
        elif name in missing:
            differences[name] = ["its table is missing"]
    return differences


def _with_all_downstream(
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


def _is_incremental(node: Mapping[str, Any]) -> bool:
    return node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"
