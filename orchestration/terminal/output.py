"""The terminal, or what stands in its place: a pipe that was closed, a file on a full disk, another encoding.

What is said is never worth the work that says it: an output that cannot show a character shows another, and
one that is gone is said nothing more.

Belongs here: how every command prints. Does not belong here: what it prints.
"""

from __future__ import annotations

import codecs
import os
import sys
import time
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, TextIO, cast

from rich.console import Console

# What is shown where an encoding lacks a character; a question mark for all others. Bars become their height.
STAND_INS = {"✓": "+", "✗": "x", "…": "...", "→": "->", **dict(zip("▁▂▃▄▅▆▇█", "12345678", strict=True))}


# When something was written last, by any of the outputs, on the clock that only goes forward.
_written_at = [0.0]


def last_written_at() -> float:
    """When something was written last, in seconds of :func:`time.monotonic`."""
    return _written_at[0]


class Output:
    """A stream of text that writing to never fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        with suppress(AttributeError, ValueError):
            cast("TextIOWrapper", stream).reconfigure(errors=_STAND_IN)

    def write(self, text: str) -> int:
        """Write as much as can be written."""
        _written_at[0] = time.monotonic()
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            self._forget()
            return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._forget()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _forget(self) -> None:
        """Send what is written from now on nowhere, also what Python writes when it ends."""
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def console() -> Console:
    """A console that prints each message whole: lines are not wrapped, since logs and pipes get them too."""
    # Without an output there is None.
    file = cast("TextIO", Output(sys.__stdout__)) if sys.__stdout__ else None
    return Console(file=file, highlight=False, emoji=False, soft_wrap=True)


def _stand_in(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(STAND_INS.get(character, "?") for character in lacking), error.end


_STAND_IN = "contact-reporting-stand-in"
codecs.register_error(_STAND_IN, _stand_in)
