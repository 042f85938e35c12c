"""The documents of the project, and what their Markdown sets apart.

Belongs here: which files they are, their text. Does not belong here: what is asked of them.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

from orchestration.settings import REPOSITORY

# Environments, data and artifacts, which are no part of the project.
NOT_OURS = {"data", "target", "logs", "node_modules"}

FENCED = re.compile(r"^(`{3,}).*?^\1", re.MULTILINE | re.DOTALL)

IN_CODE = re.compile(r"`([^`\n]+)`")


def files(*endings: str) -> list[str]:
    """The files of the repository whose names end so, in their order."""
    found = []
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in NOT_OURS]
        found += [Path(folder, name) for name in names if name.endswith(endings)]
    return sorted(path.relative_to(REPOSITORY).as_posix() for path in found)


DOCUMENTS = files(".md")


@cache
def text_of(document: str) -> str:
    return (REPOSITORY / document).read_text(encoding="utf-8")
