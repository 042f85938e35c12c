"""Which of the objects below a folder belong into the landing folder, and why each other one does not.

Keys are text from outside: none may lead out of the landing folder.

Belongs here: rules about keys. Does not belong here: what is copied (mirror.py).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.discovery import AT_WORK, is_read, why_unsupported
from orchestration.object_storage.stores import Stored
from orchestration.settings import Settings

# The longest name that file systems take.
MOST_BYTES = 255

BESIDE = "lies neither below messages/ nor below orders/"

ENTITIES = tuple(contract.entity for contract in CONTRACTS)


@dataclass(frozen=True)
class Listing:
    """The objects below a folder, sorted out.

    Attributes:
        objects: those that belong into the landing folder, by their keys.
        folders: the entities of which there is any object.
        refused: why each object cannot be copied although it is of a format that is read.
        left_alone: why each other one is not read.
        at_work: those with names that writers leave while they work.
    """

    objects: dict[str, Stored]
    folders: tuple[str, ...]
    refused: dict[str, str]
    left_alone: dict[str, str]
    at_work: list[str]


def sort_out(settings: Settings, objects: Sequence[Stored]) -> Listing:
    """Sort the objects below a folder out by their keys."""
    usable: dict[str, Stored] = {}
    refused: dict[str, str] = {}
    left_alone: dict[str, str] = {}
    at_work: list[str] = []
    folders = {folder for one in objects for folder in _folders_above(one.path)}
    for one in objects:
        folder, _, below = one.path.partition("/")
        parts = below.split("/")
        if _is_mark_of_folder(settings, one, folders):
            continue
        if any(part.startswith(AT_WORK) for part in parts) and not {".", ".."} & set(parts):
            at_work.append(one.path)
        elif folder not in ENTITIES or not below:
            left_alone[one.path] = BESIDE
        elif reason := _why_no_path(parts):
            refused[one.path] = reason
        elif not is_read(settings, f"landing/{one.path}"):
            left_alone[one.path] = why_unsupported(parts[-1])
        # The mark of a folder can have the key of an object, but for its slash.
        elif one.path not in usable or one.size:
            usable[one.path] = one
    refused |= _why_not_beside_others(usable, _ignores_letter_case(settings.landing))
    return Listing(
        objects={path: one for path, one in usable.items() if path not in refused},
        folders=tuple(entity for entity in ENTITIES if any(_is_below(entity, one.path) for one in objects)),
        refused=refused,
        left_alone=left_alone,
        at_work=at_work,
    )


def _is_mark_of_folder(settings: Settings, one: Stored, folders: Container[str]) -> bool:
    """Whether an object stands for a folder, as consoles make it; its slash is not part of its path here."""
    return not one.size and (
        one.path in ENTITIES or one.path in folders or not is_read(settings, f"landing/{one.path}")
    )


def beside(names: Iterable[str]) -> dict[str, str]:
    """Why what lies in the folder itself is not read, by its name."""
    folders = {f"{entity}/" for entity in ENTITIES}
    return {
        name: BESIDE
        for name in names
        if name not in folders and name not in ENTITIES and not name.startswith(AT_WORK)
    }


def _is_below(folder: str, path: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _why_no_path(parts: Iterable[str]) -> str | None:
    """Why no file can have a key; None when one can."""
    for part in parts:
        if part in ("", ".", ".."):
            return "it has an empty part or one of dots"
        if "\\" in part or any(unicodedata.category(character) == "Cc" for character in part):
            return "it has a backslash or a control character"
        if len(part.encode(errors="surrogatepass")) > MOST_BYTES:
            return f"a part of it is longer than {MOST_BYTES} bytes"
    return None


def _why_not_beside_others(paths: Iterable[str], ignores_letter_case: bool) -> dict[str, str]:
    """Why files cannot have these keys together."""
    known = Counter(_compared(path, ignores_letter_case) for path in paths)
    refused = {}
    for path in paths:
        compared = _compared(path, ignores_letter_case)
        if any(folder in known for folder in _folders_above(compared)):
            refused[path] = "it lies below another object, which cannot be a folder too"
        elif known[compared] > 1:
            refused[path] = "another key differs from it only in letter case, which file names do not here"
    return refused


def _folders_above(path: str) -> Iterator[str]:
    return (path[:place] for place, letter in enumerate(path) if letter == "/")


def _compared(path: str, ignores_letter_case: bool) -> str:
    return unicodedata.normalize("NFC", path).casefold() if ignores_letter_case else path


def _ignores_letter_case(landing: Path) -> bool:
    """Whether the file system of the landing folder takes names that differ in letter case for one."""
    other = landing.with_name(landing.name.upper())
    return other.exists() and landing.exists() and other.samefile(landing)
