"""The table functions as PostgreSQL has them: what dbt compiles of their models for it.

Belongs here: the statements that make them. Does not belong here: their SQL (models/marts/functions), and
what PostgreSQL writes otherwise there (macros of dbt_project with the prefix ``postgres__``).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from orchestration.dbt_runner.project import environment_of, project_arguments
from orchestration.dbt_runner.sources import hash_of_sources
from orchestration.postgres.server import ServerError
from orchestration.postgres.table_shapes import SCHEMA, TYPES
from orchestration.settings import Settings
from orchestration.sql import identifier, literal

# The functions that take a filter and nothing else.
FUNCTIONS = (
    "overview",
    "messages_over_time",
    "queue_breakdown",
    "user_messages_over_time",
    "user_breakdown",
)

PARAMETERS = {"date_from": "date", "date_to": "date", "queues": "text[]", "users": "text[]"}


def hash_of_functions(settings: Settings) -> str:
    """What changes with the SQL of a function, and with what compiles it."""
    compilers = f"{hash_of_sources(settings.engine)} {version('dbt-postgres')} {Path(__file__).read_text()}"
    return hashlib.sha256(compilers.encode()).hexdigest()


def statements(
    published: duckdb.DuckDBPyConnection, settings: Settings, manifest: Mapping[str, Any], folder: Path
) -> list[str]:
    """The statements that make the functions.

    Args:
        published: a connection to the published file, whose functions tell the columns of the answers.
        settings: the settings of the hub.
        manifest: dbt's manifest, which tells the parameters.
        folder: where dbt may leave what it makes on the way.

    Raises:
        ServerError: when dbt cannot compile them.
    """
    bodies = _compiled(settings, folder)
    signatures = {
        node["name"]: node["config"]["parameters"]
        for node in manifest["nodes"].values()
        if node["config"]["materialized"] == "table_function"
    }
    comments = dict(
        published.execute(
            "select function_name, comment from duckdb_functions() where function_type = 'table_macro'"
        ).fetchall()
    )
    made = []
    for name in FUNCTIONS:
        function = f"{SCHEMA}.{identifier(name)}"
        signature = f"{function}({', '.join(PARAMETERS[_name_of(one)] for one in signatures[name])})"
        definition = (
            f"function {function}({_parameters(signatures[name])}) "
            f"returns table ({_columns(published, name)}) language sql stable parallel safe "
            f"as {literal(bodies[name])}"
        )
        # What depends on a function stays, unless the columns of its answer are others.
        replacing = (
            f"begin create or replace {definition}; exception when invalid_function_definition then "
            f"drop function {signature}; create {definition}; end"
        )
        made.append(f"do {literal(replacing)}")
        made.append(f"comment on function {signature} is {literal(comments[name] or '')}")
    return made


def _parameters(signature: Sequence[str]) -> str:
    return ", ".join(
        f"{_name_of(one)} {PARAMETERS[_name_of(one)]}{' default null' if ':=' in one else ''}"
        for one in signature
    )


def _name_of(parameter: str) -> str:
    return parameter.partition(":=")[0].strip()


def _columns(published: duckdb.DuckDBPyConnection, name: str) -> str:
    """The columns of a function's answer, with the types that the published file gives them."""
    described = published.execute(f"describe from {identifier(name)}(null, null)").fetchall()
    return ", ".join(f"{identifier(column)} {_type(kind)}" for column, kind, *_ in described)


def _type(duckdb_type: str) -> str:
    # Of a function, PostgreSQL keeps neither the length of a type nor its collation.
    return TYPES.get(duckdb_type, "numeric").partition(" collate ")[0]


def _compiled(settings: Settings, folder: Path) -> dict[str, str]:
    """The SQL of each function. dbt never connects for it.

    Raises:
        ServerError: when dbt cannot compile it.
    """
    with environment_of(settings):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dbt.cli.main", "--quiet", "--no-populate-cache"),
                *("compile", "--no-introspect", "--target", "postgres", "--select", *FUNCTIONS),
                *project_arguments(folder),
            ],
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise ServerError(
            f"dbt could not compile the functions: {done.stdout.strip() or done.stderr.strip()}"
        )
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("compiled/**/*.sql")}
