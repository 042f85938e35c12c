"""The documents hold what they promise: links lead somewhere, commands and paths exist, the README is short.

Belongs here: what can be seen without running anything. Does not belong here: whether a sentence is true.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.documents import DOCUMENTS, FENCED, IN_CODE, NOT_OURS, files, text_of

from orchestration.settings import REPOSITORY

LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)>\s]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
COMMAND = re.compile(r"(?<![\w-])make ([a-z][a-z-]*)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
LISTED_TARGET = re.compile(r"^([a-z][a-z-]*):.*##", re.MULTILINE)
# A file of the project as it is named in running text, without a link.
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.(?:py|sql|yml|yaml|toml|md|lock)")


@cache
def anchors_of(document: str) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    anchors: list[str] = []
    for heading in HEADING.findall(FENCED.sub("", text_of(document))):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchors.append(re.sub(r"[^\w\- ]", "", shown).replace(" ", "-"))
    return {
        f"{anchor}-{before}" if (before := anchors[:number].count(anchor)) else anchor
        for number, anchor in enumerate(anchors)
    }


def dead_links(document: str) -> Iterator[str]:
    for link in LINK.findall(FENCED.sub("", text_of(document))):
        if SCHEME.match(link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = Path(os.path.normpath(REPOSITORY / Path(document).parent / path)) if path else None
        if target and not (target.is_relative_to(REPOSITORY) and target.exists()):
            yield link
        elif anchor:
            named = target.relative_to(REPOSITORY).as_posix() if target else document
            if not named.endswith(".md") or anchor not in anchors_of(named):
                yield link


def test_the_readme_has_at_most_150_lines() -> None:
    assert len(text_of("README.md").splitlines()) <= 150


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_leads_to_a_file_and_a_heading(document: str) -> None:
    assert list(dead_links(document)) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_file_that_is_named_exists(document: str) -> None:
    ours = {path.name for path in REPOSITORY.iterdir() if path.is_dir()} - NOT_OURS
    named = [path for code in IN_CODE.findall(text_of(document)) for path in PATH.findall(code)]
    missing = [path for path in named if path.split("/")[0] in ours and not (REPOSITORY / path).exists()]

    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_command_is_a_target(document: str) -> None:
    in_code = [*FENCED.finditer(text_of(document)), *IN_CODE.finditer(FENCED.sub("", text_of(document)))]
    commands = {command for code in in_code for command in COMMAND.findall(code[0])}

    assert commands <= set(TARGET.findall((REPOSITORY / "Makefile").read_text(encoding="utf-8")))


def test_every_target_that_make_help_lists_is_documented() -> None:
    targets = set(LISTED_TARGET.findall((REPOSITORY / "Makefile").read_text(encoding="utf-8")))
    documented = {command for document in DOCUMENTS for command in COMMAND.findall(text_of(document))}

    assert targets
    assert targets - documented == set()


def test_every_environment_variable_is_documented() -> None:
    sources = files(".py", ".sql", ".yml")
    read = {
        name
        for source in sources
        if source.split("/")[0] in ("orchestration", "dashboards", "dbt_project") and "/tests/" not in source
        for name in re.findall(r"[\"'](CONTACT_[A-Z_]+)[\"']", text_of(source))
    }
    # What the refresh tells dbt, and nobody sets.
    internal = {"CONTACT_REFRESH_NUMBER", "CONTACT_REBUILD", "CONTACT_HIGH_WATER_MARK"}
    documented = {
        name for document in DOCUMENTS for name in re.findall(r"CONTACT_[A-Z_]+", text_of(document))
    }

    assert "CONTACT_DATA_DIR" in read
    assert read - internal - documented == set()
