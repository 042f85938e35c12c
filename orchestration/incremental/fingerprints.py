"""Fingerprints of the models, seeds and checks: what each is computed by, apart from its rows.

A fingerprint covers a node's own SQL, its configuration, the closure of its macros, the variables and
settings that these read, and the versions of dbt and the engine. Which macros a node uses is derived from
dbt's manifest. Comments and white space outside of quotes count for nothing.

Belongs here: what a fingerprint covers. Does not belong here: what follows from a difference (plan.py).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from orchestration.engines.engine import engine_of
from orchestration.settings import REPOSITORY, Settings

DBT_PROJECT = REPOSITORY / "dbt_project"

# Configuration that describes a node and shapes none of its rows. Hooks are among its SQL.
DESCRIPTIVE_CONFIG = frozenset({"meta", "tags", "docs", "group", "persist_docs", "pre-hook", "post-hook"})

HASH = "sha256:"

VARIABLE = re.compile(r"""\bvar\(\s*["'](\w+)["']""")

CALL = re.compile(r"\b(\w+)\s*\(")

# What is quoted stays as it is. A SQL comment with braces stays too, because Jinja renders it.
TOKEN = re.compile(
    r"""
    (?P<ignored> (?: \s | \{\#.*?\#\} | --[^\n{}]*(?=\n|\Z) )+ )
    | --[^\n]*\n? | '[^']*' | "[^"]*" | [\w.,()]+ | .
    """,
    re.DOTALL | re.VERBOSE,
)

Manifest = Mapping[str, Any]
Node = Mapping[str, Any]

# Each part's name for people, and its value or a hash of it.
Fingerprint = dict[str, str]


def project_variables(project: Path = DBT_PROJECT / "dbt_project.yml") -> Mapping[str, Any]:
    """The variables of the dbt project."""
    return yaml.safe_load(project.read_text(encoding="utf-8"))["vars"]


@lru_cache(maxsize=4096)
def without_comments(text: str) -> str:
    """SQL or Jinja without its comments, with one blank in the place of each white space.

    A text in which a backslash escapes a quote is returned as it is: SQL and Jinja read that differently, so
    where its quotes end is not certain.
    """
    if "\\'" in text or '\\"' in text:
        return text
    tokens = (" " if token["ignored"] else token[0] for token in TOKEN.finditer(text))
    return "".join(tokens).strip()


def difference(part: str, before: str, today: str) -> str:
    """How a part of a fingerprint changed, for people."""
    return f"{part} changed" if before.startswith(HASH) else f"{part} changed from {before} to {today}"


class Fingerprints:
    """The fingerprints of the nodes of a manifest, as a hub computes them.

    Args:
        manifest: dbt's manifest.
        settings: the settings of the hub.
        variables: the variables of the dbt project.
    """

    def __init__(self, manifest: Manifest, settings: Settings, variables: Mapping[str, Any]) -> None:
        self._settings = settings
        self._variables = variables
        metadata = manifest["metadata"]
        self._adapter = metadata["adapter_type"]
        self._project = metadata["project_name"]
        self._versions = {
            **engine_of(settings).version(),
            "dbt": metadata["dbt_version"],
            f"dbt-{self._adapter}": version(f"dbt-{self._adapter}"),
        }
        self._macros = manifest["macros"]
        # A macro of the project stands before one of dbt with the same name.
        self._by_name = {
            macro["name"]: unique_id
            for unique_id, macro in sorted(
                self._macros.items(), key=lambda item: item[1]["package_name"] == self._project
            )
        }
        self._code = {
            unique_id: without_comments(macro["macro_sql"])
            for unique_id, macro in self._macros.items()
            if macro["package_name"] == self._project
        }

    def of(self, node: Node) -> Fingerprint:
        """The fingerprint of a model, seed or check. What is upstream of it is not in it."""
        code = [without_comments(text) for text in _texts_of(node)]
        macros = self.macros_of(node)
        names = {self._macros[unique_id]["name"]: self._code[unique_id] for unique_id in macros}
        fingerprint = {
            "its text": _hash(*code, *_content_of(node)),
            "its settings in dbt": _hash(_configuration_of(node)),
            **self._versions,
            **{f"the macro {name}": _hash(names[name]) for name in sorted(names)},
        }
        variables = {found for text in (*code, *names.values()) for found in VARIABLE.findall(text)}
        for variable in sorted(variables):
            fingerprint[f"the variable {variable}"] = str(self._variables.get(variable))
        if "reporting_timezone" in names:
            fingerprint["the reporting time zone"] = self._settings.timezone
        # Whether an order is accepted depends on the currency.
        if "reporting_currency" in names or any(
            source.endswith(".order_events") for source in node["depends_on"].get("nodes", [])
        ):
            fingerprint["the reporting currency"] = self._settings.currency
        return fingerprint

    def macros_of(self, node: Node) -> frozenset[str]:
        """The ids of the macros of the project that a node uses, directly or through others, also dbt's.

        While it parses, dbt renders a model as in a full refresh, so it does not see what the incremental
        branch calls: those macros are found in the text.
        """
        called = [
            self._by_name[name]
            for text in _texts_of(node)
            for name in CALL.findall(without_comments(text))
            if name in self._by_name
        ]
        reached: set[str] = set()
        to_visit = [*node["depends_on"]["macros"], *called, *self._macros_that_store(node)]
        while to_visit:
            macro = self._macros[to_visit.pop()]
            unique_id = self._by_name.get(macro["name"], macro["unique_id"])
            if unique_id not in reached:
                reached.add(unique_id)
                to_visit += self._macros[unique_id]["depends_on"]["macros"]
        return frozenset(reached & self._code.keys())

    def _macros_that_store(self, node: Node) -> list[str]:
        """The macros by which dbt stores a node, which it finds by names in the configuration."""
        config = node["config"]
        materialization = f"materialization_{config['materialized']}"
        candidates = (f"{materialization}_{self._adapter}", f"{materialization}_default")
        names = [name for name in candidates if name in self._by_name][:1]
        strategy = f"get_incremental_{config.get('incremental_strategy')}_sql"
        if config["materialized"] == "incremental" and strategy in self._by_name:
            names.append(strategy)
        return [self._by_name[name] for name in names]


def _texts_of(node: Node) -> list[str]:
    """What dbt renders of a node: its code, its hooks, the arguments of a generic check."""
    config = node["config"]
    hooks = [hook["sql"] for kind in ("pre-hook", "post-hook") for hook in config.get(kind, [])]
    arguments = (node.get("test_metadata") or {}).get("kwargs", {})
    return [node["raw_code"], *hooks, *(str(arguments[name]) for name in sorted(arguments))]


def _content_of(node: Node) -> list[Any]:
    """The content of a seed, hashed here too, because dbt's checksum of a large one is of its path alone."""
    if node["resource_type"] != "seed":
        return []
    content = (DBT_PROJECT / node["original_file_path"]).read_bytes()
    return [node["checksum"], hashlib.sha256(content).hexdigest()]


def _configuration_of(node: Node) -> list[Any]:
    columns = {
        name: (column.get("data_type"), column.get("constraints")) for name, column in node["columns"].items()
    }
    config = {key: value for key, value in node["config"].items() if key not in DESCRIPTIVE_CONFIG}
    return [node["database"], node["schema"], node["alias"], columns, config]


def _hash(*values: Any) -> str:
    return HASH + hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
