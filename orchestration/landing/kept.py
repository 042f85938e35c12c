"""``kept/``: the rows of contents that have left the landing folder or were overwritten, as Parquet.

A *group* is what is kept of one content of one path. A *segment* is a file with some groups, whole as they
were when it was written; of a group's several appearances the one in the newest segment counts. A segment has
a name for unfinished work until the warehouse has committed what it belongs to, so that a refresh which is
killed leaves nothing that counts.

Belongs here: how groups are stored, read, merged and forgotten. Does not belong here: which rows are kept
(arrivals.py).
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.durable import sync
from orchestration.faults import first_line
from orchestration.landing import casting
from orchestration.landing.contracts import EventContract
from orchestration.sql import literal

HEADERS = b"contact_reporting.groups"

# How many segments an entity may have before those that are small are merged, and what counts as small.
MOST_SEGMENTS = 16
SMALL_BYTES = 64 * 1024 * 1024

UNFINISHED = ".unfinished"
NAME = re.compile(r"\d{8,}-[0-9a-f]{8}\.(parquet|unfinished)")

BATCH_ROWS = 100_000


class KeptError(RuntimeError):
    """A file of ``kept/`` that cannot be read; the message says which, and what to do."""


@dataclass(frozen=True)
class Group:
    """What is kept of one content of one path, without its rows.

    Attributes:
        content_hash, size, trimmed_hash, trimmed_size: the content, as in
            :class:`orchestration.landing.inspection.Inspection`.
        gave_way_to: the hash of the content that followed it; empty while none did that could be read, so
            that these rows are the former ones of the path.
        former_ids: how many ids the content had.
        rows: how many rows of it are kept, accepted and rejected; 0 when it is kept no longer.
    """

    path: str
    content_hash: str
    size: int
    trimmed_hash: str
    trimmed_size: int
    gave_way_to: str
    former_ids: int
    rows: int

    @property
    def key(self) -> tuple[str, str]:
        """What tells one group from another."""
        return self.path, self.content_hash


@dataclass(frozen=True)
class Segment:
    """A file with groups."""

    file: Path
    groups: tuple[Group, ...]

    @property
    def name(self) -> str:
        return self.file.stem

    @property
    def number(self) -> int:
        return _number(self.file)


class KeptRows:
    """The segments of one entity.

    Args:
        folder: ``kept/<entity>``.
        contract: the contract of the entity.
    """

    def __init__(self, folder: Path, contract: EventContract) -> None:
        self.folder = folder
        self.contract = contract

    def segments(self) -> list[Segment]:
        """The finished segments, oldest first."""
        return sorted(map(_opened, self._files(".parquet")), key=lambda segment: segment.number)

    def unfinished(self) -> list[Segment]:
        """The segments of refreshes that were killed, before or after the warehouse committed their work."""
        found = []
        for file in self._files(UNFINISHED):
            try:
                found.append(_opened(file))
            except KeptError:
                # It was being written.
                file.unlink()
        return found

    def groups(self) -> dict[tuple[str, str], tuple[Group, Segment]]:
        """The groups that count, each with the segment that holds its rows."""
        return groups_of(self.segments())

    def write(self, connection: duckdb.DuckDBPyConnection, groups: Sequence[Group], rows: str) -> Segment:
        """Write groups whole into a segment that does not count yet, and sync it.

        Args:
            connection: where the query runs.
            groups: the groups, also those that are kept no longer.
            rows: SQL with the rows of the groups: the columns of :meth:`columns`.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        number = max(map(_number, self._files("")), default=0) + 1
        # No two segments ever have one name, so the warehouse cannot take one for another.
        file = self.folder / f"{number:08}-{secrets.token_hex(4)}{UNFINISHED}"
        reader = connection.sql(rows).to_arrow_reader(BATCH_ROWS)
        headers = json.dumps([asdict(group) for group in groups])
        schema = reader.schema.with_metadata({HEADERS: headers.encode()})
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch.cast(schema))
        sync(file)
        sync(self.folder)
        return Segment(file, tuple(groups))

    def finish(self, segment: Segment) -> Segment:
        """Let a segment count, since the warehouse has committed what it belongs to."""
        finished = segment.file.with_suffix(".parquet")
        segment.file.replace(finished)
        sync(self.folder)
        return Segment(finished, segment.groups)

    def rows_to_keep(self, contents: str, events: str, rejected: str) -> str:
        """SQL with the accepted and the rejected rows of contents, as a segment holds them.

        Args:
            contents: a relation with ``file_id``, ``path``, ``content_hash``, ``gave_way_to`` and
                ``currency``: the contents.
            events: a relation with the columns of the entity's table in ``raw``.
            rejected: a relation with ``file_id``, ``row_number``, ``raw_text``, ``mapped_text`` and
                ``reasons``.
        """
        text = "coalesce(rows.mapped_text, rows.raw_text)"
        raw_texts = ", ".join(f"{text} ->> '{name}' as {name}" for name in self.contract.field_names)
        has_currency = "currency" in self.contract.field_names
        return f"""
            select {", ".join(self.columns())} from (
                select
                    {casting.as_text(self.contract, "rows")},
                    contents.currency,
                    rows.has_version,
                    contents.path,
                    contents.content_hash,
                    contents.gave_way_to,
                    rows.row_number,
                    null::varchar as raw_text,
                    null::varchar[] as reasons
                from {events} as rows
                inner join {contents} as contents on rows.file_id = contents.file_id
                union all by name
                select
                    {raw_texts},
                    {"" if has_currency else "null::varchar as currency,"}
                    ({text} ->> 'updated_at') is not null as has_version,
                    contents.path,
                    contents.content_hash,
                    contents.gave_way_to,
                    rows.row_number,
                    rows.raw_text,
                    rows.reasons
                from {rejected} as rows
                inner join {contents} as contents on rows.file_id = contents.file_id
            )
            order by path, content_hash, row_number
        """

    def _files(self, ending: str) -> list[Path]:
        """The files of segments; what else lies in the folder, such as a note, is left alone."""
        files = self.folder.iterdir() if self.folder.is_dir() else ()
        return [file for file in files if NAME.fullmatch(file.name) and file.name.endswith(ending)]

    def columns(self) -> list[str]:
        """The columns of a segment: fields as text, then what the rest of the pipeline knows of a row."""
        fields = [name for name in self.contract.field_names if name != "currency"]
        return [
            *fields,
            *("currency", "has_version", "path", "content_hash", "gave_way_to"),
            *("row_number", "raw_text", "reasons"),
        ]


def groups_of(segments: Sequence[Segment]) -> dict[tuple[str, str], tuple[Group, Segment]]:
    """The groups of segments, oldest first, that count, each with the segment that holds its rows."""
    newest = {group.key: (group, segment) for segment in segments for group in segment.groups}
    return {key: (group, segment) for key, (group, segment) in newest.items() if group.rows}


def without_superseded(segments: Sequence[Segment]) -> list[Segment]:
    """Remove the segments all of whose groups are in newer ones, or were kept no longer all along.

    Args:
        segments: the finished segments of an entity, oldest first.

    Returns:
        Those that stay.
    """
    stay = []
    for position, segment in enumerate(segments):
        newer = {group.key for later in segments[position + 1 :] for group in later.groups}
        older = {group.key for earlier in segments[:position] for group in earlier.groups}
        if all(group.key in newer or (not group.rows and group.key not in older) for group in segment.groups):
            segment.file.unlink()
        else:
            stay.append(segment)
    return stay


def to_merge(segments: Sequence[Segment]) -> list[Segment]:
    """The segments that are to be one, so that an entity has few: none while it has."""
    if len(segments) <= MOST_SEGMENTS:
        return []
    return [segment for segment in segments if segment.file.stat().st_size < SMALL_BYTES]


def rows_of(segments: Sequence[Segment], groups: str) -> str:
    """SQL with the rows of groups, each with the ``file_id`` of its group.

    Args:
        segments: the segments that hold them.
        groups: a relation with ``file_id``, ``path``, ``content_hash``, and ``segment``, the place of the
            group's segment among the segments.
    """
    files = ", ".join(literal(str(segment.file)) for segment in segments)
    return f"""
        select groups.file_id, kept.* exclude (segment)
        from (
            select *, file_index as segment
            from read_parquet([{files}], hive_partitioning = false)
        ) as kept
        inner join {groups} as groups
            on
                kept.path = groups.path
                and kept.content_hash = groups.content_hash
                and kept.segment = groups.segment
    """


def _number(file: Path) -> int:
    return int(file.name.partition("-")[0])


def _opened(file: Path) -> Segment:
    try:
        headers = pq.read_metadata(file).metadata[HEADERS]
        return Segment(file, tuple(Group(**group) for group in json.loads(headers)))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise KeptError(
            f"{file} cannot be read: {first_line(error)}. It holds rows of files that have left the landing "
            "folder or were overwritten, so nothing was done, and readers keep what was published. Bring it "
            "back from a backup, then run again; without one, move it away, and what only it held leaves the "
            "figures."
        ) from None
