"""What was written outlasts a power cut.

Belongs here: handing files and names over to the disk. Does not belong here: what is written, and when it
counts.
"""

from __future__ import annotations

import os
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
