"""``hub.toml``: what belongs to a hub, whoever starts its refreshes: zone, currency, limits, landing tables.

Belongs here: reading the file, checking it, and adding the keys that it lacks. Does not belong here: what a
landing table says (landing_tables.py), the environment and where it contradicts the file (settings.py), and
what a limit holds back.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from orchestration.durable import replacing_file
from orchestration.hub import landing_tables
from orchestration.hub.landing_tables import LandingTable, UnusableKeyError, shown
from orchestration.hub.zones import is_zone

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

LONGEST_DAYS = 36_500

# What stands behind a key when a refresh writes it.
WORDS = {
    "timezone": "zone in which the day of a message is taken",
    "currency": "reporting currency",
    "max_rejected_share": "more of an entity's new rows rejected: not published",
    "max_fall": "more of the published events gone: not published",
    "max_left_behind": "more ids missing from a changed file: not published",
    "max_restated_share": "more of a period's settled revenue restated: a warning",
    "ledger_days": "how long it can be told row by row why figures changed",
    "keep_runs_days": "how long Dagster's record of runs is kept",
    "links_to": "folders outside that links in the landing folder may lead to",
}


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable or the key, and what it takes."""


@dataclass(frozen=True)
class Hub:
    """The limits and landing tables of a hub. Shares are fractions between 0 and 1.

    Attributes:
        max_rejected_share: the share of an entity's new rows that may be rejected.
        max_fall: the share of an entity's published events that may be gone.
        max_left_behind: the share of a changed file's former ids that may be in no landed file.
        max_restated_share: the share of a period's settled revenue that may be restated without a warning.
        ledger_days: for how many days the rows of the ledger are kept.
        keep_runs_days: for how many days Dagster's record of runs is kept.
        links_to: folders outside that links in the landing folder may lead to.
        landing: the tables in the order of the file.
    """

    max_rejected_share: float = 0.2
    max_fall: float = 0.1
    max_left_behind: float = 0.1
    max_restated_share: float = 0.01
    ledger_days: int = 400
    keep_runs_days: int = 30
    links_to: tuple[Path, ...] = ()
    landing: tuple[LandingTable, ...] = ()

    def landing_table_of(self, path: str) -> LandingTable | None:
        """The first table that matches a path below ``landing/``, which alone counts; None without one."""
        return next((table for table in self.landing if table.matches(path)), None)


DEFAULTS = Hub()


@dataclass(frozen=True)
class HubFile:
    """What a ``hub.toml`` says; None for a zone or currency that it does not name."""

    timezone: str | None
    currency: str | None
    hub: Hub


def read(file: Path) -> HubFile:
    """Read and check the file; one that is not there says nothing.

    Raises:
        SettingsError: when it cannot be read, or has a key or value that cannot be used.
    """
    text = _content(file).decode("utf-8")
    values = tomllib.loads(text)
    for key, value in values.items():
        if key not in CHECKS:
            known = difflib.get_close_matches(key, CHECKS, 1)
            meant = f"Did you mean {known[0]}?" if known else f"Known keys: {', '.join(CHECKS)}."
            raise _unusable(file, f"has the unknown key {key!r}{_line_of(text, key)}", meant)
        wrong = CHECKS[key](value)
        if wrong:
            raise _unusable(file, f"says {key} = {shown(value)}{_line_of(text, key)}", wrong)
    limits: dict[str, Any] = {
        name: tuple(map(Path, values[name])) if name == "links_to" else values[name]
        for name in _names_of_limits()
        if name in values
    }
    tables = tuple(
        _landing_table(file, text, number, table) for number, table in enumerate(values.get("landing", []))
    )
    return HubFile(values.get("timezone"), values.get("currency"), Hub(**limits, landing=tables))


def add_missing(file: Path, timezone: str, currency: str) -> None:
    """Write the keys that the file lacks, with the hub's zone and currency or the defaults.

    They go above the first table; every other byte stays as it is. The file is replaced in one step.

    Raises:
        SettingsError: when the file cannot be read, or has a form that nothing can be added to.
        OSError: when it cannot be written.
    """
    content = _content(file)
    text = content.decode("utf-8")
    present = tomllib.loads(text)
    wanted = {
        "timezone": timezone,
        "currency": currency,
        **{name: getattr(DEFAULTS, name) for name in _names_of_limits()},
    }
    missing = {key: value for key, value in wanted.items() if key not in present}
    if not missing:
        return
    expected = {**present, **{key: list(value) if value == () else value for key, value in missing.items()}}
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = [f"{key} = {_toml(value)}  # {WORDS[key]}{line_end}" for key, value in missing.items()]
    for changed in _with_lines(text, lines, line_end):
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(changed) == expected:
                mark = BYTE_ORDER_MARK if _has_mark(file) else b""
                _replace(file, mark + changed.encode("utf-8"))
                return
    raise SettingsError(
        f"{file} lacks {', '.join(missing)}, which could not be added above its first table. Nothing was "
        f"done. Add to it:\n{''.join(lines)}"
    )


def of_last_refresh(published: Path, warehouse: Path) -> tuple[str, str] | None:
    """Zone and currency of the last refresh of a hub; None when it has not been refreshed yet.

    Raises:
        SettingsError: when something is published, but nothing that could be read says in which zone.
    """
    # Most commands find both in hub.toml, and begin without the library of the database.
    import duckdb

    queries = {
        published: "select timezone, currency from report_info",
        warehouse: "select timezone, currency from raw.refreshes where finished_at is not null "
        "order by refresh_number desc limit 1",
    }
    for database, query in queries.items():
        if database.exists():
            # One that is damaged or of an older version does not say.
            with suppress(duckdb.Error), duckdb.connect(str(database), read_only=True) as connection:
                found = connection.execute(query).fetchone()
                if found and None not in found:
                    return found
    if not os.path.lexists(published):
        return None
    raise SettingsError(
        f"The zone and the currency of this hub are not in its hub.toml, and {published} and {warehouse}, "
        "which know them from the last refresh, cannot be read. Nothing was done. Write `timezone` and "
        "`currency` into hub.toml, then run again."
    )


def why_no_timezone(value: object) -> str | None:
    """What to do about a value that is no IANA zone that every engine knows; None for one."""
    if is_zone(value):
        return None
    return "That is not an IANA time zone. Set it to a name such as 'Europe/Paris' or 'America/New_York'."


def why_no_currency(value: object) -> str | None:
    """What to do about a value that is no currency; None for one."""
    if isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value):
        return None
    return "That is not an ISO 4217 code. Set it to three capital letters such as 'EUR'."


def line_of(file: Path, key: str) -> str:
    """Where a key of the file stands, as words to put behind its name; empty where that cannot be told."""
    with suppress(SettingsError):
        return _line_of(_content(file).decode("utf-8"), key)
    return ""


def _why_no_share(value: object) -> str | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return None
    return "It takes a fraction between 0 and 1, such as 0.1."


def _why_no_days(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LONGEST_DAYS:
        return None
    return f"It takes a whole number of days between 1 and {LONGEST_DAYS}."


def _why_no_folders(value: object) -> str | None:
    if isinstance(value, list) and all(
        isinstance(folder, str) and folder.startswith("/") for folder in value
    ):
        return None
    return 'It takes a list of folders from the root on, such as ["/mnt/exports"].'


def _why_no_tables(value: object) -> str | None:
    if isinstance(value, list) and all(isinstance(table, dict) for table in value):
        return None
    return "It takes tables, each under a line [[landing]]."


CHECKS: dict[str, Callable[[object], str | None]] = {
    "timezone": why_no_timezone,
    "currency": why_no_currency,
    "max_rejected_share": _why_no_share,
    "max_fall": _why_no_share,
    "max_left_behind": _why_no_share,
    "max_restated_share": _why_no_share,
    "ledger_days": _why_no_days,
    "keep_runs_days": _why_no_days,
    "links_to": _why_no_folders,
    "landing": _why_no_tables,
}


def _landing_table(file: Path, text: str, number: int, table: Mapping[str, Any]) -> LandingTable:
    """The table of a number, counted from 0."""
    try:
        return landing_tables.parse(table)
    except UnusableKeyError as error:
        where = f"in [[landing]] table {number + 1}{_line_of(text, error.key, number)}"
        raise _unusable(file, f"{error.what} {where}", error.advice) from None


def _content(file: Path) -> bytes:
    """The file's bytes, without a byte order mark, seen to be TOML; none when it is not there."""
    try:
        content = file.read_bytes().removeprefix(BYTE_ORDER_MARK)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be read: {error.strerror}. Nothing was done. Make sure that it is a file that "
            "this user may read."
        ) from None
    try:
        tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SettingsError(
            f"{file} is not UTF-8 (line {line}). Nothing was done. Save it in that encoding."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}. Nothing was done. Correct it there.") from None
    return content


def _has_mark(file: Path) -> bool:
    return file.exists() and file.read_bytes().startswith(BYTE_ORDER_MARK)


def _unusable(file: Path, what: str, advice: str) -> SettingsError:
    return SettingsError(f"{file} {what}. {advice} Nothing was done.")


def _line_of(text: str, key: str, table: int | None = None) -> str:
    """Where a key stands, at the top or in a landing table, as words; empty where that cannot be told."""
    assigned = re.compile(rf"""\s*(\[\[?\s*(landing\s*\.\s*)?)?["']?{re.escape(key)}["']?\s*[=.\]]""")
    found, tables = [], -1
    for number, line in enumerate(text.split("\n"), start=1):
        if re.match(r"\s*\[\[\s*landing\s*\]\]", line):
            tables += 1
        if assigned.match(line) and (
            tables == table if table is not None else tables < 0 or key == "landing"
        ):
            found.append(number)
    return f" (line {found[0]})" if found else ""


def _names_of_limits() -> list[str]:
    return [field.name for field in fields(Hub) if field.name != "landing"]


def _toml(value: object) -> str:
    return "[]" if value == () else json.dumps(value)


def _with_lines(text: str, lines: Sequence[str], line_end: str) -> Iterator[str]:
    """The text with the lines added above what may be its first table, the likeliest place first.

    A line that opens with a bracket may also be in the middle of a value, so there are several.
    """
    kept = re.findall(r"[^\n]*\n|[^\n]+", text)
    block = "".join(lines)
    for place in [number for number, line in enumerate(kept) if line.lstrip().startswith("[")]:
        # A comment right above a table is the table's.
        while place and kept[place - 1].lstrip().startswith("#"):
            place -= 1
        yield "".join(kept[:place]) + block + line_end + "".join(kept[place:])
    yield text + (line_end if text and not text.endswith("\n") else "") + block


def _replace(file: Path, content: bytes) -> None:
    """Write the file in one step that lasts, with the rights that it had; a link stays one."""
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(file) as beside, beside.open("wb") as stream:
        stream.write(content)
        if file.exists():
            os.fchmod(stream.fileno(), file.stat().st_mode & 0o777)
