"""Faults of the machine and of databases: which kind one is, told by what the engine says, and what helps.

Belongs here: telling kinds apart, the advice on each. Does not belong here: faults of landed files
(landing/formats).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

import duckdb

from orchestration.settings import Settings


class Fault(Enum):
    """What is wrong."""

    LOCKED = auto()
    MEMORY = auto()
    ROOM = auto()
    RIGHTS = auto()
    NEWER = auto()
    DAMAGED = auto()


# What DuckDB, SQLite and the system say. The order counts: a disk without room, or too little memory, may
# show as a file that cannot be read to its end.
SIGNS = (
    (Fault.LOCKED, r"^(IO Error: )?Could not set lock on file |^database is locked"),
    (
        Fault.ROOM,
        r"No space left on device|Disk quota exceeded|File too large|max_temp_directory_size"
        r"|database or disk is full|disk I/O error",
    ),
    (Fault.MEMORY, r"^Out of Memory Error|bad.alloc|Cannot allocate memory|Failed to allocate"),
    (
        Fault.RIGHTS,
        r"Permission denied|Operation not permitted|Read-only file system|opened in read-only mode"
        r"|attempt to write a readonly database|unable to open database file",
    ),
    (Fault.NEWER, r"Trying to read a database file with version number"),
    (
        Fault.DAMAGED,
        r"^Corrupt database file|is not a valid DuckDB database file|^Serialization Error"
        r"|^(IO Error: )?Could not read enough bytes from file|: Is a directory|Failure while replaying WAL"
        r"|file is not a database|database disk image is malformed",
    ),
)

ERRORS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), Fault.ROOM),
    errno.ENOMEM: Fault.MEMORY,
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), Fault.RIGHTS),
}


class FaultError(RuntimeError):
    """A fault of the machine or of a file; the message says what happened, what was kept and what to do."""


def fault_of(error: BaseException | str) -> Fault | None:
    """The kind of an error, by its type, its number or its words; None when it is none of these."""
    if isinstance(error, MemoryError):
        return Fault.MEMORY
    if isinstance(error, OSError) and error.errno in ERRORS:
        return ERRORS[error.errno]
    # Other libraries put the name of an error in front of its words, or indent them.
    text = re.sub(r"^(\([\w.]+\))?\s+", "", str(error), flags=re.MULTILINE)
    return next((fault for fault, sign in SIGNS if re.search(sign, text, re.MULTILINE)), None)


def advice_on(fault: Fault | None, file: Path, settings: Settings) -> str:
    """What to do about a fault that showed at a file or folder of a hub."""
    rebuild = "`make rebuild` rebuilds the databases from the landed files"
    advice = {
        Fault.LOCKED: "Close it in the other program, then run again.",
        Fault.MEMORY: (
            "There was too little memory; no file is damaged by that. Give this process more (`ulimit -v`, "
            "the limit of its container), or set CONTACT_MEMORY_LIMIT to less than it is now "
            f"({settings.memory_limit}), then run again."
        ),
        Fault.ROOM: f"Make sure that the disk of {settings.data_dir} has room, then run again.",
        Fault.RIGHTS: (
            f"Make sure that this user may write {file} and the folder that it is in, and that the disk is "
            "not mounted read-only, then run again."
        ),
        Fault.NEWER: f"Use the newer version that wrote it; or, with this version, {rebuild}.",
        Fault.DAMAGED: f"It is damaged: {rebuild}.",
    }
    unknown = f"See that this user may read and write it; if it is damaged, {rebuild}."
    return advice[fault] if fault else unknown


_ADVICE_ON_DAGSTER = {
    Fault.ROOM: "Make sure that the disk of {folder} has room, then run again.",
    Fault.RIGHTS: "Make sure that this user may write {folder} and all that lies below it, then run again.",
    Fault.DAMAGED: (
        "Dagster's record of runs is damaged, which no figure depends on: move that folder away, run again, "
        "and switch the sensor or the schedule on again if it was on."
    ),
}


def explain(error: BaseException, settings: Settings) -> str | None:
    """A sentence on an error that no step expects, when it is a fault of the machine or of a file.

    Returns:
        What happened, what was kept and what to do; None when the error is of no known kind.
    """
    for one in _chain(error):
        is_of_dagster = "(sqlite3." in str(one)
        is_of_machine = isinstance(one, OSError | MemoryError | duckdb.Error) or is_of_dagster
        fault = fault_of(one) if is_of_machine else None
        if fault:
            folder = settings.dagster_home if is_of_dagster else settings.data_dir
            file = Path(getattr(one, "filename", None) or folder)
            advice = _ADVICE_ON_DAGSTER.get(fault) if is_of_dagster else None
            advice = advice.format(folder=folder) if advice else advice_on(fault, file, settings)
            return (
                f"Something in {folder} could not be read or written: {first_line(one)}. What was loaded "
                f"before is kept, and readers keep what was published. {advice}"
            )
    return None


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Say of a fault of the machine or of a file what happened and what to do, instead of where in the code.

    Raises:
        FaultError: when there was one.
    """
    try:
        yield
    except (OSError, MemoryError, duckdb.Error) as error:
        sentence = explain(error, settings)
        if sentence is None:
            raise
        raise FaultError(sentence) from None


def first_line(error: BaseException | str) -> str:
    """The words of an error on one line, without the full stop at their end."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(". ")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
