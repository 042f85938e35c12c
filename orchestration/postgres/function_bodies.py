"""The table functions as PostgreSQL has them: what dbt compiles of their models for it.

Belongs here: the statements that make them. Does not belong here: their SQL (models/marts/functions), and
what PostgreSQL writes otherwise there (macros of dbt_project with the prefix ``postgres__``).
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from orchestration.dbt_runner.project import environment_of, project_arguments
from orchestration.dbt_runner.sources import hash_of_sources
from orchestration.dbt_runner.table_functions import required_parameters, signatures_of
from orchestration.postgres.server import ServerError
from orchestration.postgres.table_shapes import SCHEMA, Column
from orchestration.settings import Settings
from orchestration.sql import identifier, literal

HELPERS = Path(__file__).with_name("helpers.sql")

# The type of each parameter, by its name.
PARAMETERS = {
    "date_from": "date",
    "date_to": "date",
    "against": "text",
    "base_from": "date",
    "base_to": "date",
    "complete_days_only": "boolean",
    "from_version": "text",
    "to_version": "text",
    "version": "text",
    "queues": "text[]",
    "users": "text[]",
}


def hash_of_functions(settings: Settings) -> str:
    """What changes with the SQL of a function, and with what compiles it."""
    ours = (path.read_text(encoding="utf-8") for path in (Path(__file__), HELPERS))
    compilers = f"{hash_of_sources(settings.engine)} {version('dbt-postgres')} {' '.join(ours)}"
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
    signatures = signatures_of(manifest)
    bodies = _compiled(settings, signatures, folder)
    comments = dict(
        published.execute(
            "select function_name, comment from duckdb_functions() where function_type = 'table_macro'"
        ).fetchall()
    )
    made = [f"set local search_path = {SCHEMA}", HELPERS.read_text(encoding="utf-8")]
    for name, parameters in signatures.items():
        function = f"{SCHEMA}.{identifier(name)}"
        signature = f"{function}({', '.join(PARAMETERS[_name_of(one)] for one in parameters)})"
        definition = (
            f"function {function}({_parameters(parameters)}) "
            f"returns table ({_columns(published, name, parameters)}) language sql stable "
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
    declared = []
    for parameter in signature:
        name, _, default = (part.strip() for part in parameter.partition(":="))
        declared.append(f"{name} {PARAMETERS[name]}{f' default {default}' if default else ''}")
    return ", ".join(declared)


def _name_of(parameter: str) -> str:
    return parameter.partition(":=")[0].strip()


def _columns(published: duckdb.DuckDBPyConnection, name: str, signature: Sequence[str]) -> str:
    """The columns of a function's answer, with the types that the published file gives them."""
    nulls = ", ".join("null" for _ in required_parameters(signature))
    described = published.execute(f"describe from {identifier(name)}({nulls})").fetchall()
    # Of a function, PostgreSQL keeps neither the length of a type nor its collation.
    return ", ".join(
        f"{identifier(column)} {re.split(r' collate |[(]', Column(column, kind, '').type)[0]}"
        for column, kind, *_ in described
    )


def _compiled(settings: Settings, names: Iterable[str], folder: Path) -> dict[str, str]:
    """The SQL of each function. dbt never connects for it.

    Raises:
        ServerError: when dbt cannot compile it.
    """
    with environment_of(settings):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dbt.cli.main", "--quiet", "--no-populate-cache"),
                *("compile", "--no-introspect", "--target", "postgres", "--select", *names),
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
