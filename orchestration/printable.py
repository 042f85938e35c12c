"""Text from outside (ids, names, paths, errors), as a person may be shown it.

Belongs here: how such text is made harmless for a terminal or a table. Does not belong here: what is shown,
and files that programs read, where text stays as it is.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache

from rich.markup import escape

# Longer ids and names are cut: one must not push the others off the screen.
SHOWN_CHARACTERS = 60

# Paths say where to look, so they are cut only where no file system would take them.
PATH_CHARACTERS = 500

# Categories of Unicode that steer a terminal or the order of letters: control and format characters,
# surrogates, separators of lines and paragraphs.
_STEERING = ("Cc", "Cf", "Cs", "Zl", "Zp")

# Emoji and some scripts are joined with these; they steer nothing beyond their neighbours.
_JOINERS = "\u200c\u200d"

_NOT_PLAIN = re.compile(r"[^\n -~]")


def printable(text: str) -> str:
    r"""The text with each character that steers written as its escape, such as ``\x1b``; line ends stay."""
    return _NOT_PLAIN.sub(lambda found: _visible(found[0]), text)


def shown(value: object, most: int = SHOWN_CHARACTERS) -> str:
    """An id, a name or a path on one line, cut at a number of characters."""
    text = printable(str(value)).replace("\n", "\\n")
    return text if len(text) <= most else f"{text[: most - 1]}…"


def markup(text: object) -> str:
    """A message that rich prints as it stands: printable, and none of it is markup."""
    return escape(printable(str(text)))


def quoted(text: str) -> str:
    """The text as a string of TOML that is printable as it stands and is read back as the same text."""
    # A string of JSON is one of TOML, but for what TOML wants escaped too.
    return _NOT_PLAIN.sub(
        lambda found: found[0] if _visible(found[0]) == found[0] else f"\\U{ord(found[0]):08X}",
        json.dumps(text, ensure_ascii=False),
    )


@lru_cache(maxsize=4096)
def _visible(character: str) -> str:
    if character in _JOINERS or unicodedata.category(character) not in _STEERING:
        return character
    return character.encode("unicode_escape", errors="surrogatepass").decode("ascii")
