"""What section 2.1 of the contract says of a landing folder, in plain Python and in the contract's own words.

What belongs here: rules 1 and 3 to 8, so that a reader can hold the two side by side: for each path its
status and the rows that count, after every refresh, rebuild and retraction; and which version of an id wins.
Files are read whole each time; nothing is indexed or clever.

What does not belong here: SQL, databases, the bytes of a format (`support.plain_reader`), and rule 2: every
file is at rest when a refresh reads it.

Where the contract can be read in two ways, the model takes the one by which a refresh and a rebuild agree,
and by which it does not matter whether a refresh ran while a file was away:

- An id is repeated by an accepted row. A rejected row has no version, so it replaces no former row.
- Former rows stay those of the content last loaded from a path while that path is unreadable *or has left*. A
  file that is deleted, refreshed, and landed again is a changed file, as if it had been overwritten.
- A path that left with nothing kept of its last content (it was moved, or had no rows) has no former rows.
- Whether the former bytes lie under another name is decided when the content of their own path changes, and
  only then. Another name is one of the same entity and format: renamed to another format is not moved.
- Kept rows whose id was repeated leave for good; they do not return when the newer row is retracted.
- To retract a path takes back what its file holds and the content last loaded from it, which is another one
  where the file cannot be read; where there is neither, all that is kept at the path.
- Rows that gave way to what was only the beginning of a content leave when every id of theirs is repeated in
  the whole of it, as if the beginning had not been read.
- Zero bytes are unreadable where former rows stay in force. Elsewhere they are a text file without rows, and
  no gzip or Parquet.
- A path without a file is ``left`` when rows of it are kept, else ``retracted`` when its file lies in
  ``retracted/``, else it has no record.
- The folder of an entity is missed once something of that entity was loaded; one of the two is enough.
- ``rows_kept`` counts kept rows of both kinds, accepted and rejected.
- A file is held back when more than 100 former ids are repeated nowhere, and those are more than
  ``max_left_behind`` of the former ids, for as long as that is so and nothing is declared.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from support.oracle import Message
from support.plain_reader import Event, RawRow, Reading, ending_of, read

ENTITIES = ("messages", "orders")
TEXT_ENDINGS = (".csv", ".jsonl")
LEFT_BEHIND_WITHHELD = 100
"""So many ids that are repeated nowhere are never too many."""


class LandingAwayError(RuntimeError):
    """The landing folder is not there, or lacks a folder that files were loaded from."""


@dataclass(frozen=True)
class Content:
    """What a file holds, and all that its identity consists of (rule 1)."""

    entity: str
    ending: str
    data: bytes

    @property
    def reading(self) -> Reading:
        return read(self.entity, self.ending, self.data)

    @property
    def accepted(self) -> tuple[Event, ...]:
        return self.reading.accepted

    @property
    def rejected(self) -> tuple[RawRow, ...]:
        return self.reading.rejected

    @functools.cached_property
    def versions(self) -> dict[str, datetime]:
        """The greatest version of each id in an accepted row."""
        greatest: dict[str, datetime] = {}
        for event in self.accepted:
            greatest[event.key] = max(event.updated_at, greatest.get(event.key, event.updated_at))
        return greatest

    def has_id(self, id_: str, version: datetime) -> bool:
        """Whether an id comes in it, in that version or a greater one."""
        return id_ in self.versions and self.versions[id_] >= version


class Because(Enum):
    """Why a row is kept."""

    CHANGED = "other content was loaded from its path"
    LEFT = "its file left"
    UNREADABLE = "its file cannot be read"


@dataclass(frozen=True)
class Kept:
    """A row in ``kept/``: the content that it came from and that it gave way to, and why it is there."""

    row: Event | RawRow
    source: Content
    because: Because
    successor: Content | None = None


@dataclass(frozen=True)
class PathState:
    """What the record and ``raw`` hold of a path; kept rows are among the accepted and rejected ones."""

    status: str
    accepted: tuple[Event, ...]
    rejected: tuple[RawRow, ...]
    rows_kept: int

    @property
    def rows_landed(self) -> int:
        return len(self.accepted) + len(self.rejected)


@dataclass
class Files:
    """All that the state is a function of.

    Attributes:
        landed: what lies in the landing folder, by the path below it.
        kept: what is kept of each path, in the order in which it was kept.
        retracted: the paths of the files in ``retracted/``.
    """

    landed: dict[str, Content] = field(default_factory=dict)
    kept: dict[str, list[Kept]] = field(default_factory=dict)
    retracted: set[str] = field(default_factory=set)


class ArrivalsModel:
    """A hub between its landing folder and its tables of landed rows.

    Attributes:
        files: the landed files as the last refresh saw them, and those that the hub itself writes.
        former: the content last loaded from each path, where any of its rows counts or it had none.
        dropped: how many rows rule 5 has dropped under ``"replaces"``.
    """

    def __init__(
        self, landing: Path, overwritten: Mapping[str, str] | None = None, max_left_behind: float = 0.1
    ) -> None:
        """Begin with a hub that has loaded nothing.

        Args:
            landing: the folder with ``messages/`` and ``orders/``.
            overwritten: ``"adds"`` or ``"replaces"`` by the pattern of paths below ``landing``.
            max_left_behind: the setting of that name.
        """
        self.landing = landing
        self.overwritten = dict(overwritten or {})
        self.max_left_behind = max_left_behind
        self.files = Files()
        self.former: dict[str, Content] = {}
        self.dropped = 0

    # What a person does.

    def refresh(self, *, killed: bool = False) -> None:
        """Take in what has changed; a refresh that is killed writes to ``kept/`` and commits nothing.

        Raises:
            LandingAwayError: when rule 6 forbids to say that anything has left; nothing is changed then.
        """
        self._require_landing()
        landed = dict(landed_contents(self.landing))
        kept = {path: self._committed(path) for path in self.files.kept}
        newly = {path: self._kept_of_former(path, landed) for path in self.former}
        if killed:
            for path, rows in newly.items():
                self.files.kept.setdefault(path, []).extend(rows)
            return
        for path in sorted({*landed, *kept, *newly}):
            before = [one for one in kept.get(path, []) if not self._gives_way(one, path, landed)]
            before = [self._gave_way_to_grown(one, path, landed) for one in before]
            kept[path] = self._not_replaced(path, [*before, *newly.get(path, [])])
        self.files = Files(landed, {path: rows for path, rows in kept.items() if rows}, self.files.retracted)
        self.former = _former_contents(self.files)

    def rebuild(self) -> None:
        """Notice what has changed, then know nothing but what the files say (rule 8)."""
        self.refresh()
        again = ArrivalsModel(self.landing, self.overwritten, self.max_left_behind)
        again.files = self.files
        again.former = _former_contents(again.files)
        again.dropped = self.dropped
        self.__dict__.update(again.__dict__)

    def retract(self, path: str) -> list[str]:
        """Take back the content of a path (rule 7).

        Returns:
            The paths below the landing folder whose files move to ``retracted/``; the caller moves them.
        """
        contents = {of[path] for of in (self.files.landed, self.former) if path in of}
        if not contents:
            contents = {kept.source for kept in self.files.kept.get(path, [])}
        # Zero bytes are the copy of nothing.
        moved = [
            at
            for at, content in self.files.landed.items()
            if at == path or (content in contents and content.data)
        ]
        remaining = {
            at: [kept for kept in rows if kept.source not in contents] for at, rows in self.files.kept.items()
        }
        self.files = Files(
            {at: content for at, content in self.files.landed.items() if at not in moved},
            {at: rows for at, rows in remaining.items() if rows},
            self.files.retracted | set(moved),
        )
        self.former = _former_contents(self.files)
        return sorted(moved)

    # What it holds then.

    @property
    def paths(self) -> dict[str, PathState]:
        """The state of each path that has a record."""
        every = {*self.files.landed, *self.files.kept, *self.files.retracted}
        return {path: self._state(path) for path in sorted(every)}

    def latest(self, entity: str) -> list[Event]:
        """The winning version of each id of an entity, sorted by id."""
        return latest(
            event
            for path, state in self.paths.items()
            if entity_of(path) == entity
            for event in state.accepted
        )

    @property
    def held_back(self) -> list[str]:
        """The paths whose change holds publishing back until it is declared (rule 5)."""
        return [path for path in sorted(self.files.kept) if self._leaves_too_much_behind(path)]

    # The rules.

    def _require_landing(self) -> None:
        """Rule 6: where a folder is away, nothing in it has left."""
        loaded = {entity_of(path) for path in (*self.former, *self.files.kept)}
        away = [entity for entity in sorted(loaded) if not (self.landing / entity).is_dir()]
        if away:
            raise LandingAwayError(f"no {' and no '.join(away)} below {self.landing}")

    def _committed(self, path: str) -> list[Kept]:
        """What is kept of a path, without rows whose successor was never committed (rule 4).

        A committed successor takes the place of the content it succeeds. So rows of the content that is still
        the former one count only where that content is away, and then as those of a file that is away.
        """
        former = self.former.get(path)
        is_there = self.files.landed.get(path) == former
        return [
            kept
            for kept in self.files.kept.get(path, [])
            if kept.source != former or (not is_there and kept.because is not Because.CHANGED)
        ]

    def _kept_of_former(self, path: str, landed: Mapping[str, Content]) -> list[Kept]:
        """What is newly kept of the former rows of a path (rules 3 to 6)."""
        former, now = self.former[path], landed.get(path)
        was_there = self.files.landed.get(path) == former
        if now == former or _lies_elsewhere(former, path, landed):
            return []
        if now is None or not now.reading.is_readable:
            because = Because.LEFT if now is None else Because.UNREADABLE
            return _kept_rows(former, because) if was_there else []
        if _has_grown(former, now) or _has_every_id(former, now):
            return []
        rows = _kept_rows(former, Because.CHANGED, now)
        rows = [kept for kept in rows if not _is_repeated(kept.row, now)]
        if self._declared(path) == "replaces":
            self.dropped += len(rows)
            return []
        return rows

    def _gives_way(self, kept: Kept, path: str, landed: Mapping[str, Content]) -> bool:
        """Whether a kept row leaves: its id is repeated (rule 4), or it was former until now (rule 6).

        Where it gave way to what was only the beginning of the content that is there now, nothing was kept if
        that beginning had not been read (rule 2), so rule 3 is asked of the two that are whole.
        """
        now = landed.get(path)
        if now is None or not now.reading.is_readable:
            return False
        if kept.source == self.former.get(path) or _is_repeated(kept.row, now):
            return True
        return self._has_outgrown(kept.successor, path, now) and _has_every_id(kept.source, now)

    def _gave_way_to_grown(self, kept: Kept, path: str, landed: Mapping[str, Content]) -> Kept:
        now = landed.get(path)
        if now and self._has_outgrown(kept.successor, path, now):
            return replace(kept, successor=now)
        return kept

    def _has_outgrown(self, beginning: Content | None, path: str, now: Content) -> bool:
        """Whether a content was but the beginning of the one that is there now."""
        return beginning is not None and beginning == self.former.get(path) and _has_grown(beginning, now)

    def _not_replaced(self, path: str, rows: list[Kept]) -> list[Kept]:
        """Without what a pattern that replaces has kept of changed files (rule 5)."""
        if self._declared(path) != "replaces":
            return rows
        remaining = [kept for kept in rows if kept.because is not Because.CHANGED]
        self.dropped += len(rows) - len(remaining)
        return remaining

    def _declared(self, path: str) -> str | None:
        """What is said of a file that is overwritten: by the first pattern that matches its path."""
        return next(
            (said for pattern, said in self.overwritten.items() if pattern_matches(pattern, path)), None
        )

    def _leaves_too_much_behind(self, path: str) -> bool:
        changed = [kept for kept in self.files.kept[path] if kept.because is Because.CHANGED]
        if self._declared(path) or not changed:
            return False
        for source in {kept.source for kept in changed}:
            kept_ids = {
                kept.row.key for kept in changed if kept.source == source and isinstance(kept.row, Event)
            }
            behind = {id_ for id_ in kept_ids if not self._comes_anywhere(id_, source)}
            allowed = self.max_left_behind * len(source.versions)
            if len(behind) > LEFT_BEHIND_WITHHELD and len(behind) > allowed:
                return True
        return False

    def _comes_anywhere(self, id_: str, source: Content) -> bool:
        """Whether a landed file repeats an id of a former content, in no older version."""
        return any(
            content.entity == source.entity and content.has_id(id_, source.versions[id_])
            for content in self.files.landed.values()
        )

    def _state(self, path: str) -> PathState:
        content = self.files.landed.get(path)
        kept = [one.row for one in self._committed(path)]
        rows = [*content.accepted, *content.rejected, *kept] if content else kept
        if content:
            has_no_rows = not content.data and content.ending in TEXT_ENDINGS and path not in self.former
            status = "loaded" if content.reading.is_readable or has_no_rows else "failed"
        else:
            status = "left" if kept else "retracted"
        return PathState(
            status,
            tuple(row for row in rows if isinstance(row, Event)),
            tuple(row for row in rows if not isinstance(row, Event)),
            len(kept),
        )


def landed_contents(landing: Path) -> Iterator[tuple[str, Content]]:
    """The files to read below a landing folder by their paths, without what writers leave while they work."""
    for entity in ENTITIES:
        for file in sorted((landing / entity).rglob("*")):
            path = file.relative_to(landing)
            ending = ending_of(path.name)
            if ending and file.is_file() and not any(map(_is_passed_over, path.parts)):
                yield path.as_posix(), Content(entity, ending, file.read_bytes())


def entity_of(path: str) -> str:
    """The entity of a path below the landing folder."""
    return path.split("/", 1)[0]


def pattern_matches(pattern: str, path: str) -> bool:
    """Whether a pattern names a path: ``*`` is any characters but ``/``, ``**`` also ``/``."""
    pieces = {"**": ".*", "*": "[^/]*"}
    parts = re.split(r"(\*\*|\*)", pattern)
    return bool(re.fullmatch("".join(pieces.get(part, re.escape(part)) for part in parts), path, re.DOTALL))


def precedence(event: Event) -> tuple[Any, ...]:
    """What decides between versions of an id: the greatest wins.

    The version; cancelled before placed, the greater refund, the greater value; sent before skipped. The rest
    of the content follows, each greatest first, text by code point, no customer below any.
    """
    if isinstance(event, Message):
        content = (event.status == "sent", event.occurred_at, event.customer_id, event.queue_id)
        return (event.updated_at, *content, event.user_id)
    money = (event.refunded_value, event.order_value)
    customer = (event.customer_id is not None, event.customer_id or "")
    return (
        *(event.updated_at, event.status == "cancelled", *money),
        *(event.ordered_at, *customer, event.sales_channel),
    )


def latest(events: Iterable[Event]) -> list[Event]:
    """The winning version of each id, sorted by id."""
    winners: dict[str, Event] = {}
    for event in events:
        winners[event.key] = max(event, winners.get(event.key, event), key=precedence)
    return [winners[id_] for id_ in sorted(winners)]


def _former_contents(files: Files) -> dict[str, Content]:
    """The content last loaded from each path, as the files alone say it."""
    away = {
        path: kept.source
        for path, rows in files.kept.items()
        for kept in rows
        if kept.because is not Because.CHANGED
    }
    there = {path: content for path, content in files.landed.items() if content.reading.is_readable}
    return away | there


def _lies_elsewhere(former: Content, path: str, landed: Mapping[str, Content]) -> bool:
    """Rule 3: moved, or rotated."""
    return any(content == former for at, content in landed.items() if at != path)


def _has_grown(former: Content, now: Content) -> bool:
    """Rule 3: the new content begins with the former bytes."""
    return now.data.startswith(former.data.rstrip(b"\0"))


def _has_every_id(former: Content, now: Content) -> bool:
    """Rule 3: every former id is repeated."""
    return former.versions.keys() <= now.versions.keys()


def _is_repeated(row: Event | RawRow, now: Content) -> bool:
    """Rule 4: the id in no older version, or the raw text."""
    if not isinstance(row, Event):
        return row in now.rejected
    return now.has_id(row.key, row.updated_at)


def _kept_rows(content: Content, because: Because, successor: Content | None = None) -> list[Kept]:
    return [Kept(row, content, because, successor) for row in (*content.accepted, *content.rejected)]


def _is_passed_over(name: str) -> bool:
    return name.startswith((".", "_", "~", "#", "tmp_"))
