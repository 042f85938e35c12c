"""Histories of a landing folder, drawn from a seed: what the systems around a hub do to their files.

What belongs here: steps on files (write, remove, move, retract), the actions that real writers perform with
them, drawing them at random, and carrying them out in a real folder. A history is data, so that it can be
printed, carried out twice and cut down to the steps that matter.

What does not belong here: what a hub makes of the files (`support.arrivals_model`), and refreshes.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from support.plain_reader import FIELDS

ENTITIES = ("messages", "orders")
NAMES = ("a.csv", "b.csv", "b.csv", "c.jsonl", "d.csv.gz", "e.parquet", "F.CSV", "g.ndjson.gz", "r.csv")
IDS = 5
MOST_ROWS = 6
MOST_NULS = 40
UNREADABLE = b"no_column_of_the_contract\n"

# The last column of a CSV is one whose value stays good, and becomes another, when its end is cut off.
COLUMNS = {
    "messages": ("message_id", "queue_id", "user_id", "status", "occurred_at", "updated_at", "customer_id"),
    "orders": (
        *("order_id", "customer_id", "ordered_at", "updated_at", "sales_channel", "status"),
        *("refunded_value", "order_value"),
    ),
}
INSTANTS = ("2026-01-05T10:00:00", "2026-01-06T09:30:00Z", "2026-01-07T00:00:00+01:00")
VERSIONS = tuple(f"2026-01-1{day}T08:00:00" for day in range(4))
CHOICES: dict[str, Sequence[str | None]] = {
    "queue_id": ("q1", "q2", None),
    "user_id": ("u1", "u2", None),
    "occurred_at": INSTANTS,
    "ordered_at": INSTANTS,
    "updated_at": VERSIONS,
    "sales_channel": ("online", "in_store"),
    "refunded_value": ("0", "2.50", "5.00", None),
    "order_value": ("10.00", "25", "600.50", "5.00"),
}
BAD = {
    "messages": {"customer_id": None, "status": "lost", "occurred_at": "2026-02-30T00:00:00"},
    "orders": {"order_value": "-1.00", "sales_channel": "by_post", "ordered_at": None, "order_id": " "},
}


@dataclass(frozen=True)
class Write:
    """A file gets other bytes; ``in_place`` leaves its inode and its times as they were."""

    path: str
    content: bytes
    in_place: bool = False


@dataclass(frozen=True)
class Remove:
    """A file is deleted."""

    path: str


@dataclass(frozen=True)
class Move:
    """A file gets another name, over the file that had it before."""

    source: str
    target: str


@dataclass(frozen=True)
class Retract:
    """A person takes a file of the record back; its files move out of the landing folder."""

    path: str


Step = Write | Remove | Move | Retract
Batch = tuple[Step, ...]
"""What happens between two refreshes. Retractions come first: a person retracts what the record shows."""


def carry_out(step: Step, landing: Path) -> None:
    """Perform a step in a landing folder; without the file that it needs, nothing happens."""
    match step:
        case Write(path, content, in_place):
            _write(landing / path, content, in_place)
        case Remove(path):
            (landing / path).unlink(missing_ok=True)
        case Move(source, target) if (landing / source).exists():
            (landing / target).parent.mkdir(parents=True, exist_ok=True)
            (landing / source).replace(landing / target)


def _write(file: Path, content: bytes, in_place: bool) -> None:
    if not (in_place and file.exists()):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return
    times = file.stat()
    with file.open("r+b") as opened:
        opened.write(content)
        opened.truncate()
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def make_folders(landing: Path) -> None:
    """The two folders that a landing folder always has."""
    for entity in ENTITIES:
        (landing / entity).mkdir(parents=True, exist_ok=True)


Row = dict[str, Any]
IS_BROKEN = "a field that no format has room for"
"""A key of rows that do not have the form of their format: one field too many, a key twice."""


def encoded(entity: str, path: str, rows: Sequence[Row], *, has_version: bool = True) -> bytes:
    """A file of an entity with these rows, in the format and compression that its name ends in."""
    name = path.lower()
    columns = [column for column in COLUMNS[entity] if has_version or column != "updated_at"]
    if name.endswith("b.csv"):
        # The id last, which is another id when its end is cut off.
        columns.reverse()
    if name.endswith(".parquet"):
        return _parquet(columns, rows)
    lines = _json_lines(columns, rows) if "json" in name else [",".join(columns), *_csv_lines(columns, rows)]
    text = "".join(line + "\n" for line in lines).encode()
    return gzip.compress(text, mtime=0) if name.endswith(".gz") else text


def _csv_lines(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        extra = [""] if IS_BROKEN in row else []
        yield ",".join([row.get(column) or "" for column in columns] + extra)


def _json_lines(columns: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        pairs = [(name, row[name]) for name in columns if row.get(name) is not None]
        if IS_BROKEN in row:
            pairs.append(pairs[0])
        # Amounts are numbers, as most writers of JSON have them.
        shown = [
            f"{json.dumps(name)}: {_number(value) if name.endswith('_value') else json.dumps(value)}"
            for name, value in pairs
        ]
        yield "{" + ", ".join(shown) + "}"


def _number(amount: str) -> str:
    """Without zeros at the end, which a number does not have."""
    return f"{Decimal(amount).normalize():f}"


def _parquet(columns: Sequence[str], rows: Sequence[Row]) -> bytes:
    arrays = {name: pa.array([row.get(name) for row in rows], pa.string()) for name in columns}
    for name in columns:
        if name.endswith("_value"):
            amounts = [Decimal(row[name]) if row.get(name) else None for row in rows]
            arrays[name] = pa.array(amounts, pa.decimal128(18, 2))
    buffer = io.BytesIO()
    pq.write_table(pa.table(arrays), buffer)
    return buffer.getvalue()


def csv_of(*orders: str) -> bytes:
    """A CSV of orders, each written as ``<id> v<version> <value>``; the version is a day of January."""
    lines = ["order_id,ordered_at,updated_at,sales_channel,order_value\n"]
    for order in orders:
        order_id, version, value = order.split()
        lines.append(f"{order_id},2026-01-01,2026-01-{int(version[1:]):02},online,{value}\n")
    return "".join(lines).encode()


def shrunk(history: Sequence[Batch], is_wrong: Callable[[Sequence[Batch]], bool]) -> list[Batch]:
    """A history cut down to batches and steps without any of which it is no longer wrong."""
    smallest = list(history)
    while smaller := next(filter(is_wrong, _cut_down(smallest)), None):
        smallest = smaller
    return smallest


def _cut_down(history: Sequence[Batch]) -> Iterator[list[Batch]]:
    """The histories without one batch, without one step, and without one refresh between two batches."""
    for number, batch in enumerate(history):
        before, after = list(history[:number]), list(history[number + 1 :])
        yield before + after
        yield from ([*before, batch[:at] + batch[at + 1 :], *after] for at in range(len(batch)))
        if after and not any(isinstance(step, Retract) for step in after[0]):
            yield [*before, batch + after[0], *after[1:]]


@dataclass
class _File:
    """A file as its writer knows it: its rows, whether they have versions, and the bytes that it had."""

    rows: list[Row]
    has_version: bool
    content: bytes
    earlier: list[bytes] = field(default_factory=list)

    @property
    def begun(self) -> bytes:
        """What is written of it, without the rest of a preallocated block."""
        return self.content.rstrip(b"\0")


def history(
    seed: object, folder: str = "", *, batches: int = 6, without: Collection[str] = ()
) -> list[Batch]:
    """A history drawn from a seed; its files lie in a folder below those of the entities.

    The folder's name is part of every id, so histories in different folders of one hub never meet.

    Args:
        seed: what decides on the history, together with the other arguments.
        folder: the name of its folder.
        batches: how many refreshes it is for.
        without: names of ``ACTIONS`` that do not happen.
    """
    actions = {name: action for name, action in ACTIONS.items() if name not in without}
    drawing = _Drawing(random.Random(repr(seed)), folder, actions)
    return [drawing.batch() for _ in range(batches)]


class _Drawing:
    """Draws actions, and knows what lies in the folder after each."""

    def __init__(self, chance: random.Random, folder: str, actions: Mapping[str, Action]) -> None:
        self.chance = chance
        self.folder = folder
        self.actions = actions
        self.files: dict[str, _File] = {}
        self.known: list[str] = []
        self.steps: list[Step] = []

    def batch(self) -> Batch:
        """One to three actions, and before them a retraction now and then."""
        self.steps = []
        if self.known and "retract" in self.actions and self.chance.random() < RETRACTED:
            self._retract()
        if "complete" in self.actions and self._wholes() and self.chance.random() < COMPLETED:
            self._complete()
        for _ in range(self.chance.choice((1, 1, 2, 3))):
            if len(self.files) < 2:
                self._land_a_file()
            else:
                others = [action for name, action in self.actions.items() if name != "retract"]
                self.chance.choices(others, [action.weight for action in others])[0].perform(self)
        self.known = sorted({*self.known, *self.files})
        return tuple(self.steps)

    # What writers do.

    def _land_a_file(self) -> None:
        path = self._path(self.chance.choice(ENTITIES), self.chance.choice(NAMES))
        self._fill(path, self._rows(path), has_version=self.chance.random() < 0.7)

    def _grow(self) -> None:
        path, file = self._some_file()
        more = self._rows(path)
        appended = encoded(_entity(path), path, more, has_version=file.has_version)
        file.rows = [*file.rows, *more]
        if path.endswith(".gz"):
            # A member of its own; that of a CSV has the header row again, which is a rejected row.
            self._write(path, file.content + appended)
        elif path.endswith(".parquet"):
            self._fill(path, file.rows, has_version=file.has_version)
        elif "json" in path:
            content = file.content.rstrip(b"\0")
            self._write(path, content + (b"" if content.endswith(b"\n") else b"\n") + appended)
        else:
            self._write(path, file.content.rstrip(b"\0") + appended.split(b"\n", 1)[1])

    def _dump(self) -> None:
        path, file = self._some_file()
        again = [self._row(_entity(path), row.get(_id(path))) for row in file.rows]
        self._fill(path, [*again, *self._rows(path)], has_version=file.has_version)

    def _correct(self) -> None:
        path, file = self._some_file()
        rows = [
            self._row(_entity(path), row.get(_id(path))) if self.chance.random() < 0.6 else row
            for row in file.rows
        ]
        self._fill(path, rows, has_version=file.has_version)

    def _delta(self) -> None:
        path, file = self._some_file()
        self._fill(path, self._rows(path), has_version=file.has_version)

    def _window(self) -> None:
        path, file = self._some_file()
        remaining = file.rows[self.chance.randint(1, 3) :]
        self._fill(path, [*remaining, *self._rows(path)], has_version=file.has_version)

    def _older(self) -> None:
        path, file = self._some_file()
        self._write(path, self.chance.choice([*file.earlier, file.content]))

    def _cut(self) -> None:
        path, file = self._some_file()
        content = file.content
        first = self._first_own_byte(path, content)
        at = self.chance.randint(first, len(content))
        if path.endswith(".jsonl"):
            # Within the first key of a line: how much is shown of a broken line does not matter here.
            at = content.rfind(b"\n", 0, at) + 1 + self.chance.choice((0, 3))
        elif path.lower().endswith(".csv"):
            # Mostly within the last value of a line.
            end = content.find(b"\n", at)
            if end > 0 and self.chance.random() < 0.7:
                at = end - self.chance.randint(0, 2)
            # Not behind a point or a comma, where rows of other bytes could be shown alike.
            while content[at - 1 : at] in (b".", b","):
                at -= 1
        self._write(path, content[: max(at, first)])

    def _preallocate(self) -> None:
        path, file = self._some_file()
        half = self.chance.randint(1, 2) if path.lower().endswith(".csv") and len(file.rows) > 1 else 0
        begun = file.begun[: len(file.begun) - half]
        self._write(path, begun + b"\0" * self.chance.randint(1, MOST_NULS))

    def _complete(self) -> None:
        if wholes := self._wholes():
            self._write(*self.chance.choice(wholes))

    def _delete(self) -> None:
        path, _ = self._some_file()
        del self.files[path]
        self.steps.append(Remove(path))

    def _move(self) -> None:
        path, _ = self._some_file()
        self._rename(path, self._alike(path))

    def _hide(self) -> None:
        path, _ = self._some_file()
        folder, name = path.rsplit("/", 1)
        self._rename(path, f"{folder}/{self.chance.choice(('.', '_', 'tmp_'))}{name}")

    def _rotate(self) -> None:
        path, file = self._some_file()
        self._rename(path, self._alike(path))
        rows = self._rows(path)
        if self.chance.random() < 0.3:
            rows = [*file.rows, *rows]
        self._fill(path, rows, has_version=file.has_version)

    def _swap(self) -> None:
        one, file = self._some_file()
        alike = [at for at in self.files if _ending(at) == _ending(one) and _entity(at) == _entity(one)]
        other = self.chance.choice(alike)
        content = self.files[other].content
        self._write(other, file.content)
        self._write(one, content)

    def _empty(self) -> None:
        self.steps += [Remove(path) for path in sorted(self.files)]
        self.files = {}

    def _spoil(self) -> None:
        path, _ = self._some_file()
        self._write(
            path, b"" if "json" in path else self.chance.choice((b"", UNREADABLE + self.folder.encode()))
        )

    def _mend_in_place(self) -> None:
        path, file = self._some_file()
        content = file.content
        for one, other in ((b"10.00", b"25.00"), (b"600.50", b"601.50"), (b",q1,", b",q2,"), (b"q2", b"q3")):
            if one in content and not path.endswith(".gz") and not path.endswith(".parquet"):
                self._write(path, content.replace(one, other, 1), in_place=True)
                return

    def _copy(self) -> None:
        path, file = self._some_file()
        copy = self._alike(path)
        self.files[copy] = _File(file.rows, file.has_version, file.content)
        self._write(copy, file.content)

    # What they are made of.

    def _retract(self) -> None:
        contents = Counter(file.content for file in self.files.values() if file.content)
        copied = [path for path, file in self.files.items() if contents[file.content] > 1]
        path = self.chance.choice(sorted(copied) or self.known)
        self.steps.append(Retract(path))
        if path in self.files:
            content = self.files[path].content
            copies = [at for at, file in self.files.items() if file.content == content and content]
            for at in {path, *copies}:
                if _entity(at) == _entity(path) and _ending(at) == _ending(path):
                    del self.files[at]

    def _wholes(self) -> list[tuple[str, bytes]]:
        """The files that are there in part, cut or in a preallocated block, and what they are as a whole."""
        return [
            (path, content)
            for path, file in self.files.items()
            for content in file.earlier
            if file.begun and content != file.begun and content.startswith(file.begun)
        ]

    def _first_own_byte(self, path: str, content: bytes) -> int:
        """From where on the bytes are no file of another history, cut off there."""
        if not self.folder:
            return 0
        if path.endswith((".gz", ".parquet")):
            return max(0, len(content) - 8)
        at = content.find(self.folder.encode())
        return len(content) if at < 0 else at + len(self.folder)

    def _rename(self, path: str, target: str) -> None:
        self.files[target] = self.files.pop(path)
        self.steps.append(Move(path, target))

    def _fill(self, path: str, rows: list[Row], *, has_version: bool) -> None:
        """Write rows; now and then a refresh comes between their beginning and their end."""
        content = encoded(_entity(path), path, rows, has_version=has_version)
        known = self.files.setdefault(path, _File([], has_version, content))
        known.rows, known.has_version = rows, has_version
        first = self._first_own_byte(path, content)
        if path.lower().endswith(".csv") and first < len(content) and self.chance.random() < BEGUN:
            self._write(path, content[: self.chance.randint(first, len(content) - 1)])
            known.earlier.append(content)
            return
        self._write(path, content)

    def _write(self, path: str, content: bytes, *, in_place: bool = False) -> None:
        file = self.files[path]
        file.earlier.append(file.content)
        file.content = content
        self.steps.append(Write(path, content, in_place))

    def _some_file(self) -> tuple[str, _File]:
        path = self.chance.choice(sorted(self.files))
        return path, self.files[path]

    def _alike(self, path: str) -> str:
        """Another name, mostly free, with the same ending."""
        ending = _ending(path)
        return self._path(_entity(path), f"{self.chance.choice('vwxyz')}.{self.chance.randint(1, 2)}{ending}")

    def _path(self, entity: str, name: str) -> str:
        return "/".join(part for part in (entity, self.folder, name) if part)

    def _rows(self, path: str) -> list[Row]:
        return [self._row(_entity(path)) for _ in range(self.chance.randint(1, MOST_ROWS))]

    def _row(self, entity: str, id_: str | None = None) -> Row:
        chance = self.chance
        row: Row = {name: chance.choice(CHOICES[name]) for name in FIELDS[entity] if name in CHOICES}
        row[FIELDS[entity][0]] = id_ or f"{self.folder or 'h'}-{chance.randint(1, IDS)}"
        customers = ("c1", "c12") if entity == "messages" else ("c1", "c12", None)
        row["customer_id"] = chance.choice(customers)
        row["status"] = chance.choice(
            ("sent", "sent", "skipped") if entity == "messages" else ("placed", "cancelled", None)
        )
        if chance.random() < 0.1:
            row |= dict([chance.choice(sorted(BAD[entity].items()))])
        elif chance.random() < 0.04:
            row[IS_BROKEN] = True
        return row


@dataclass(frozen=True)
class Action:
    """What a writer does, and how often it is drawn compared with the others."""

    perform: Callable[[_Drawing], None]
    weight: int


# How often a batch begins with a retraction, and with the rest of a file of which a part is there; how often
# only a part of a file is there at first.
RETRACTED = 0.12
COMPLETED = 0.5
BEGUN = 0.12

ACTIONS = {
    "land": Action(_Drawing._land_a_file, 6),
    "grow": Action(_Drawing._grow, 5),
    "dump": Action(_Drawing._dump, 4),
    "correct": Action(_Drawing._correct, 4),
    "delta": Action(_Drawing._delta, 5),
    "window": Action(_Drawing._window, 4),
    "older": Action(_Drawing._older, 3),
    "cut": Action(_Drawing._cut, 4),
    "preallocate": Action(_Drawing._preallocate, 3),
    "complete": Action(_Drawing._complete, 1),
    "delete": Action(_Drawing._delete, 4),
    "move": Action(_Drawing._move, 3),
    "hide": Action(_Drawing._hide, 1),
    "rotate": Action(_Drawing._rotate, 3),
    "swap": Action(_Drawing._swap, 1),
    "empty": Action(_Drawing._empty, 1),
    "spoil": Action(_Drawing._spoil, 4),
    "mend in place": Action(_Drawing._mend_in_place, 3),
    "copy": Action(_Drawing._copy, 3),
    "retract": Action(_Drawing._retract, 0),
}


def _entity(path: str) -> str:
    return path.split("/", 1)[0]


def _id(path: str) -> str:
    return FIELDS[_entity(path)][0]


def _ending(path: str) -> str:
    """The part of a name that says how it is read; ``.1`` of a rotated file is no part of it."""
    parts = path.rsplit("/", 1)[-1].split(".")
    return "." + ".".join(parts[-2:] if parts[-1] == "gz" else parts[-1:])
