"""Whether dbt has parsed the sources of its project as they are now: by their content, never by their times.

A tree that is deployed with the times of its files (`cp -p`, `rsync -a`, tar, the layers of an image) may be
older than what was parsed from the tree before it; and dbt takes a yml file whose time is the same for
unchanged.

Belongs here: the hash of the sources, and the record of it beside what was parsed. Does not belong here: how
dbt is called (project.py).
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.metadata import version
from pathlib import Path

from orchestration.settings import REPOSITORY, Engine

# Everything that dbt parses.
PATTERNS = (
    "dbt_project/*.yml",
    *(f"{folder}/**/*" for folder in ("dbt_project/macros", "models", "seeds", "tests/dbt")),
)

# What dbt leaves of a parse: what it reads in the place of the sources, and the manifest.
PARSED = ("partial_parse.msgpack", "manifest.json")

RECORD = "sources.json"


def hash_of_sources(engine: Engine) -> str:
    """A hash of the names and contents of all sources, and of the versions that parse them."""
    found = hashlib.sha256()
    for package in ("dbt-core", f"dbt-{engine.value}"):
        found.update(f"{package} {version(package)}\0".encode())
    paths = {path for pattern in PATTERNS for path in REPOSITORY.glob(pattern) if path.is_file()}
    for path in sorted(paths):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        found.update(f"{path.relative_to(REPOSITORY)}\0{content}\0".encode(errors="surrogateescape"))
    return found.hexdigest()


def is_parsed(target: Path, engine: Engine) -> bool:
    """Whether what is in a target folder was parsed from the sources as they are."""
    try:
        record = json.loads((target / RECORD).read_text(encoding="utf-8"))
        return bool(record == _record_of(target, hash_of_sources(engine)))
    except (OSError, ValueError):
        return False


def record_parsed(target: Path, sources: str) -> None:
    """Record that what is in a target folder was parsed from sources of this hash."""
    (target / RECORD).write_text(json.dumps(_record_of(target, sources)), encoding="utf-8")


def copy_parse(parsed: Path, target: Path) -> None:
    """Copy a parse and its record from one target folder to another."""
    target.mkdir(parents=True, exist_ok=True)
    for name in (*PARSED, RECORD):
        shutil.copyfile(parsed / name, target / name)


def _record_of(target: Path, sources: str) -> dict[str, str]:
    # By the content: dbt that is called by hand writes these files too, and a copy may be killed halfway.
    hashes = {name: hashlib.sha256((target / name).read_bytes()).hexdigest() for name in PARSED}
    return {"sources": sources, **hashes}
