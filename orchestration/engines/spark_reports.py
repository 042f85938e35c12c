"""Spark's tables -> the database of the reports: all behind it is the same whichever engine computed.

Belongs here: copying what Spark computed and checked, with the words of the docs, and the table functions
over it. Does not belong here: what readers get to see of it, and when (publishing/publish.py).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import duckdb

from orchestration.dbt_runner.integration import DagsterDbtCliRuntimeError
from orchestration.dbt_runner.project import (
    ModelsError,
    dbt_of,
    environment_of,
    prepared_project,
    take_over_parse,
)
from orchestration.engines import spark
from orchestration.publishing.publish import PUBLISHED_LAYERS
from orchestration.settings import Engine, Settings
from orchestration.sql import identifier, literal
from orchestration.warehouse import databases

Model = Mapping[str, Any]

FUNCTIONS = "config.materialized:table_function"


def collect(settings: Settings) -> None:
    """Make the database of the reports anew from the tables of Spark.

    Raises:
        duckdb.ConstraintException: when a table has NULL where its model allows none; Spark does not look.
        ModelsError: when the table functions cannot be made.
    """
    with databases.connect(settings) as connection:
        databases.begin_reports_anew(connection, settings)
        connection.execute("set preserve_insertion_order = false")
        for model in collected_models(settings):
            _copy(connection, settings, model)
    # The functions are models too, which only DuckDB can hold.
    target = settings.data_dir / "dbt-functions"
    take_over_parse(target, Engine.DUCKDB)
    with environment_of(replace(settings, engine=Engine.DUCKDB)):
        os.environ["CONTACT_REBUILD"] = ""
        run = dbt_of(prepared_project()).cli(["run", "--select", FUNCTIONS], target_path=target)
    try:
        run.wait()
    except DagsterDbtCliRuntimeError as error:
        raise ModelsError(
            f"The table functions could not be made, so nothing was published. {error}"
        ) from None


def collected_models(settings: Settings) -> Iterator[Model]:
    """The models whose tables readers need, as dbt's last build describes them."""
    manifest = json.loads((settings.dbt_target / "manifest.json").read_text(encoding="utf-8"))
    for node in manifest["nodes"].values():
        if (
            node["resource_type"] == "model"
            and node["fqn"][1] in PUBLISHED_LAYERS
            and node["config"]["materialized"] in ("incremental", "table")
        ):
            yield node


def _copy(connection: duckdb.DuckDBPyConnection, settings: Settings, model: Model) -> None:
    table = f"reports.main.{identifier(model['name'])}"
    declared = ", ".join(
        f"{identifier(name)} {column['data_type']}{_not_null(column)}"
        for name, column in model["columns"].items()
    )
    connection.execute(f"create table {table} ({declared})")
    rows = spark.rows_of(settings, model["schema"], model["name"])
    if rows:
        columns = ", ".join(identifier(name) for name in model["columns"])
        cluster_by = model["config"].get("cluster_by")
        order = f"order by {', '.join(cluster_by)}" if cluster_by else ""
        connection.execute(f"insert into {table} select {columns} from {rows} {order}")
    connection.execute(f"comment on table {table} is {literal(model['description'])}")
    for name, column in model["columns"].items():
        connection.execute(
            f"comment on column {table}.{identifier(name)} is {literal(column['description'])}"
        )


def _not_null(column: Mapping[str, Any]) -> str:
    return " not null" if any(kept["type"] == "not_null" for kept in column["constraints"]) else ""
