"""The folder list of orchestration/ is the architecture, and keeps to the rules that it is read by."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections import Counter
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from orchestration.settings import REPOSITORY

TOP = REPOSITORY / "orchestration"

MODULES = sorted(TOP.rglob("*.py"))

PACKAGES = sorted(path.parent for path in MODULES if path.name == "__init__.py" and path.parent != TOP)

# The tests of dbt, of examples, of Spark and of the daemon at length, and what the others import or install.
OTHER_TESTS = {"dbt", "dlt_example", "readers", "soak", "spark", "support"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(TOP)))
def test_a_package_says_what_belongs_in_it_and_what_does_not(package: Path) -> None:
    said = " ".join((ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or "").split())

    assert "Belongs here: " in said
    assert "Does not belong here: " in said


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.stem for path in MODULES if path.name != "__init__.py")

    assert [name for name, count in names.items() if count > 1] == []


def test_no_module_has_the_name_of_a_library() -> None:
    libraries = sys.stdlib_module_names | set(packages_distributions())

    assert [str(path) for path in MODULES if path.name != "__init__.py" and path.stem in libraries] == []


def test_the_folders_of_tests_are_those_of_the_packages_and_the_models() -> None:
    folders = {path.name for path in (REPOSITORY / "tests").glob("[!._]*") if path.is_dir()}
    mirrored = {package.name for package in PACKAGES if package.parent == TOP} | {"models"}

    assert folders - mirrored == OTHER_TESTS


def texts(module: Path) -> list[str]:
    """The docstrings and comments of a module."""
    return re.findall(r'"""(.*?)"""', module.read_text(), re.DOTALL) + re.findall(r"# .*", module.read_text())


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(TOP)))
def test_the_modules_that_a_text_names_exist(module: Path) -> None:
    named = {name for text in texts(module) for name in re.findall(r"[\w/]+\.py\b", text)}

    assert [name for name in named if not any(f"{path}".endswith(f"/{name}") for path in MODULES)] == []


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(TOP)))
def test_the_functions_that_a_text_refers_to_exist(module: Path) -> None:
    referred = {
        name for text in texts(module) for name in re.findall(r":\w+:`(orchestration\.[\w.]+)`", text)
    }

    for name in referred:
        path, _, member = name.rpartition(".")
        assert hasattr(importlib.import_module(path), member), name


def imports(module: Path) -> set[str]:
    """The names of the modules that a module imports, wherever it does."""
    nodes = list(ast.walk(ast.parse(module.read_text())))
    froms = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return froms | {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}


def test_object_storage_is_used_by_the_steps_alone_and_its_library_in_one_module() -> None:
    using = {
        str(path.relative_to(TOP))
        for path in MODULES
        if path.parent.name != "object_storage"
        if any(name.startswith("orchestration.object_storage") for name in imports(path))
    }
    naming_library = {path.name for path in MODULES if '"obstore' in path.read_text()}

    assert {name.partition("/")[0] for name in using} <= {"cli.py", "refresh.py", "defs", "operations"}
    assert naming_library == {"stores.py"}
    assert not any(name.startswith("obstore") for path in MODULES for name in imports(path))


def test_postgres_is_used_by_the_steps_alone_and_its_library_in_one_module() -> None:
    using = {
        path.relative_to(TOP).parts[0]
        for path in MODULES
        if path.parent.name != "postgres"
        if any(name.startswith("orchestration.postgres") for name in imports(path))
    }

    assert using == {"refresh.py", "defs"}
    assert {path.name for path in MODULES if "psycopg2" in path.read_text()} == {"server.py"}
    assert not any(name.startswith("psycopg2") for path in MODULES for name in imports(path))


def engines_named(module: Path) -> list[int]:
    """The lines on which a module compares something with an engine."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Attribute) and isinstance(side.value, ast.Name) and side.value.id == "Engine"
    ]


def test_only_the_engines_ask_which_engine_is_at_work() -> None:
    asking = {
        str(path.relative_to(TOP)): lines
        for path in MODULES
        if path.parent.name != "engines" and (lines := engines_named(path))
    }

    assert asking == {}
    assert engines_named(TOP / "engines" / "engine.py")
