"""The table functions of the models: their names, parameters and order, as dbt's manifest tells them.

Belongs here: what is needed to create them in another database. Does not belong here: creating them
(publish.py, function_bodies.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

Signatures = Mapping[str, Sequence[str]]
"""The parameters of each table function, those that may be left out with their default."""


def signatures_of(manifest: Mapping[str, Any]) -> Signatures:
    """The parameters of each table function as dbt has made it, those first that others call.

    The database itself does not tell defaults.
    """
    functions = {
        unique_id: node
        for unique_id, node in manifest["nodes"].items()
        if node["config"]["materialized"] == "table_function"
    }
    calls = {
        unique_id: functions.keys() & set(node["depends_on"]["nodes"])
        for unique_id, node in functions.items()
    }
    in_order = (functions[unique_id] for unique_id in TopologicalSorter(calls).static_order())
    return {node["name"]: node["config"]["parameters"] for node in in_order}


def required_parameters(signature: Sequence[str]) -> list[str]:
    """The parameters that have no default."""
    return [parameter for parameter in signature if ":=" not in parameter]
