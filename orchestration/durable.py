"""What was written outlasts a power cut.

Belongs here: handing files and names over to the disk, and taking the place of what was there in one step.
Does not belong here: what is written, and when it counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def sync(path: Path) -> None:
    """Make the content of a file durable, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(top: Path) -> None:
    """Make all that lies below a folder durable: contents first, then the names that lead to them."""
    for parent, _, names in os.walk(top, topdown=False):
        for name in names:
            sync(Path(parent) / name)
        sync(Path(parent))


@contextmanager
def replacing_file(file: Path) -> Iterator[Path]:
    """Replace a file in one step that lasts by what is written to the path that this gives.

    Where the block fails, the former file stays.
    """
    beside = file.with_name(f".{file.name}")
    yield beside
    sync(beside)
    beside.replace(file)
    sync(file.parent)


def point_to(link: Path, target: Path) -> None:
    """Point a link to a path beside or below it in one step that lasts: it never points nowhere."""
    beside = link.with_name(f".{link.name}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target.relative_to(link.parent))
    beside.replace(link)
    sync(link.parent)
