"""The page of the dbt docs, in one file.

Belongs here: how it is built, and what it leaves out. Does not belong here: when it is built and served
(cli.py).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestration.dbt_runner.project import PARSING_ALL, dbt_executable, environment_of, project_arguments
from orchestration.settings import REPOSITORY, Settings
from orchestration.warehouse import databases
from orchestration.warehouse.lock import hub_lock


def build_docs(settings: Settings, site: Path, notify: Callable[[str], object]) -> int:
    """Build the dbt docs as one file in a folder; the result is the exit status of dbt."""
    arguments = project_arguments(settings.data_dir / "docs")
    # dbt reads the types of columns from the warehouse, which nobody else may have open meanwhile.
    with hub_lock(settings, notify=notify):
        if not settings.warehouse.exists():
            databases.connect(settings).close()
        generate = ["docs", "generate", "--static", "--quiet", PARSING_ALL]
        with environment_of(settings):
            # Not among the processes that Ctrl+C reaches: this one ends it, without its words.
            built = subprocess.run(
                [dbt_executable(), *generate, *arguments], check=False, start_new_session=True
            )
    if built.returncode == 0:
        # The one file holds all that the site needs; it may be sent or put anywhere.
        site.mkdir(exist_ok=True)
        page = without_paths(page_of(settings.data_dir / "docs"), settings)
        (site / "index.html").write_text(page, encoding="utf-8")
    return built.returncode


def without_paths(page: str, settings: Settings) -> str:
    """The page of the docs without the folders of this machine, which dbt puts into it and nobody needs."""
    folders = {settings.data_dir: "data", REPOSITORY: ".", Path(sys.prefix): "venv"}
    named = {str(form): name for folder, name in folders.items() for form in (folder, folder.resolve())}
    for folder in sorted(named, key=len, reverse=True):
        # As it is written within JSON: followed by the rest of a path, or the end of the text.
        page = re.sub(f'{re.escape(json.dumps(folder)[1:-1])}(?=[/"])', named[folder], page)
    return page


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
