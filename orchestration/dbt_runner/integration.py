"""Dagster's integration of dbt, loaded as where dbt is not installed beside it.

It imports dbt for the types of a few names, which takes a seventh of a refresh with nothing new. dbt itself
runs in a process of its own (process.py), so the integration's own stand-ins for these names are enough.

Belongs here: how the integration is imported. Whoever needs it imports it from here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _as_not_installed(module: str) -> Iterator[None]:
    """Within it, an import of a module fails."""
    before = {module: sys.modules[module]} if module in sys.modules else {}
    # So the import statement is told.
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
        sys.modules.update(before)


with _as_not_installed("dbt.version"):
    from dagster_dbt import (
        DagsterDbtCliRuntimeError,
        DagsterDbtTranslator,
        DagsterDbtTranslatorSettings,
        DbtCliInvocation,
        DbtCliResource,
        DbtProject,
        dbt_assets,
    )
    from dagster_dbt.dbt_manifest import validate_manifest

__all__ = [
    "DagsterDbtCliRuntimeError",
    "DagsterDbtTranslator",
    "DagsterDbtTranslatorSettings",
    "DbtCliInvocation",
    "DbtCliResource",
    "DbtProject",
    "dbt_assets",
    "validate_manifest",
]
