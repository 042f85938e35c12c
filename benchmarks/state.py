"""What a hub holds besides its landed files: cleared, kept aside, and brought back between measurements.

Belongs here: files and folders. Does not belong here: what is measured in which state (run.py).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from orchestration.settings import Settings

LANDED = ("landing", "generated.json")
ASIDE = "kept_aside"


def clear(settings: Settings) -> None:
    """Leave a hub as it was before its first refresh: with what has landed, and what was kept aside."""
    for path in _state(settings):
        _remove(path)


def keep_aside(settings: Settings) -> None:
    """Copy the state of a hub aside, in the place of what was kept there before."""
    aside = settings.data_dir / ASIDE
    _remove(aside)
    aside.mkdir()
    for path in _state(settings):
        _copy(path, aside / path.name)


def bring_back(settings: Settings) -> None:
    """Put a copy of what was kept aside in the place of the present state."""
    for path in _state(settings):
        _remove(path)
    for path in (settings.data_dir / ASIDE).iterdir():
        _copy(path, settings.data_dir / path.name)
    # What is still being written to disk would slow down what is measured next.
    os.sync()


def bring_back_for_good(settings: Settings) -> None:
    """Put what was kept aside in the place of the present state; nothing stays aside."""
    aside = settings.data_dir / ASIDE
    for path in _state(settings):
        _remove(path)
    for path in aside.iterdir():
        path.rename(settings.data_dir / path.name)
    aside.rmdir()


def _state(settings: Settings) -> list[Path]:
    return [path for path in settings.data_dir.iterdir() if path.name not in (*LANDED, ASIDE)]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        # The published path is a link, and stays one.
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
