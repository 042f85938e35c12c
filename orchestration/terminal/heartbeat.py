"""A line every few seconds while nothing else is said, so that a person knows that a command is at work.

Belongs here: when it is said. Does not belong here: how every command prints (output.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from orchestration.terminal import output

SECONDS = 4.0


@contextmanager
def heartbeat(console: Console, seconds: float = SECONDS) -> Iterator[None]:
    """Print a line whenever nothing was printed for so many seconds, while the block runs.

    Args:
        console: where to print; whatever a console of output.py prints counts.
        seconds: how long nothing may be printed.
    """
    started = time.monotonic()
    has_ended = threading.Event()

    def say() -> None:
        while not has_ended.wait(seconds / 8):
            now = time.monotonic()
            if now - max(started, output.last_written_at()) >= seconds:
                console.print(f"  [dim]still at work, {now - started:.0f} s[/]")

    speaker = threading.Thread(target=say, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        has_ended.set()
        speaker.join()
