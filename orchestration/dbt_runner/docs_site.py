"""The page of the dbt docs, as dbt has generated it into one file.

Belongs here: what the page leaves out. Does not belong here: when it is generated and served (cli.py).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def page_of(folder: Path) -> str:
    """The page, without the checks and unit tests, which would be most of its graph.

    The tests of columns stay: the page shows them beside their columns alone.

    Args:
        folder: where `dbt docs generate --static` has put its files.
    """
    page = (folder / "static_index.html").read_text(encoding="utf-8")
    manifest = (folder / "manifest.json").read_text(encoding="utf-8")
    return page.replace(manifest, json.dumps(without_tests(json.loads(manifest))))


def without_tests(manifest: dict[str, Any]) -> dict[str, Any]:
    """A manifest without the tests that stand beside models, and the edges that lead to them."""
    nodes = {
        name: node
        for name, node in manifest["nodes"].items()
        if node["resource_type"] != "test" or "test_metadata" in node
    }
    gone = {*manifest["unit_tests"], *(manifest["nodes"].keys() - nodes.keys())}
    edges = {
        way: {
            name: [other for other in others if other not in gone]
            for name, others in manifest[way].items()
            if name not in gone
        }
        for way in ("parent_map", "child_map")
    }
    return {**manifest, "nodes": nodes, "unit_tests": {}, **edges}
