"""What happens to the rows of a path when its content changes, leaves or cannot be read.

The *former* rows of a path are those of the content last loaded from it. When other bytes arrive, they go
where nothing is lost by it, and are kept otherwise. All of it is decided by what is stored in the landing
folder and in ``kept/``, so that a refresh and a rebuild come to the same rows.

Belongs here: the rules of "Files as they arrive" in docs/data-contract.md. Does not belong here: how files
are found (discovery.py) or read (formats), how kept rows are stored (kept.py), which row of an event wins
(dbt).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

import duckdb

from orchestration.hub.landing_tables import Overwritten
from orchestration.landing import warehouse_rows
from orchestration.landing.contracts import EventContract
from orchestration.landing.discovery import landed_file, table_of
from orchestration.landing.formats import Compression, Format
from orchestration.landing.inspection import Inspection, begins_with
from orchestration.landing.kept import Group, KeptRows, Segment
from orchestration.landing.mappings import Reading
from orchestration.settings import Settings
from orchestration.sql import literal, one_row

# A share of fewer ids than this says nothing.
LEAST_IDS = 100


@dataclass(frozen=True)
class Content:
    """One content whose rows are in the warehouse: a row of ``raw.contents``.

    Attributes:
        file_id: the number that its rows carry.
        gave_way_to: the hash of the content that followed it; empty while none did.
        kept_in: the segment of ``kept/`` that holds its rows; None while its path holds the content itself.
    """

    file_id: int
    path: str
    content_hash: str
    size: int
    trimmed_hash: str
    trimmed_size: int
    gave_way_to: str
    former_ids: int | None
    kept_in: str | None
    rows_landed: int

    @property
    def is_last_loaded(self) -> bool:
        """Whether it is the content last loaded from its path."""
        return not self.gave_way_to


@dataclass(frozen=True)
class Arrival:
    """New content of a path, with its rows in the warehouse."""

    path: str
    location: Path
    inspection: Inspection


class Change(Enum):
    """How the content that a path had relates to the one that it has now."""

    SAME_BYTES = auto()
    GROWN = auto()
    MOVED = auto()
    OVERWRITTEN = auto()
    KEPT_BEFORE = auto()
    GAVE_WAY_TO_GROWN = auto()


GIVES_ALL_ROWS_UP = (Change.SAME_BYTES, Change.GROWN, Change.MOVED)


@dataclass
class Load:
    """One load of an entity: where it works, and what it has found out.

    Attributes:
        paths_by_hash: the paths below the landing folder that hold each content now.
        overwritten: how many rows are kept of each path that was overwritten.
        dropped: how many former rows the new content lacks, of each path whose files replace what they held.
        validated_before: the paths of which rows are kept that other code has read, and cannot read again.
    """

    connection: duckdb.DuckDBPyConnection
    settings: Settings
    contract: EventContract
    kept: KeptRows
    paths_by_hash: dict[str, set[str]] = field(default_factory=dict)
    overwritten: dict[str, int] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    validated_before: set[str] = field(default_factory=set)

    @property
    def table(self) -> str:
        """The table of the accepted rows."""
        return f"raw.{self.contract.table}"

    def declared(self, path: str) -> Overwritten | None:
        """What ``hub.toml`` says that overwriting a path means."""
        table = table_of(self.settings, path)
        return table.overwritten if table else None

    def is_elsewhere(self, content_hash: str, path: str) -> bool:
        """Whether another path holds a content now, and its rows: it is read in the same way."""
        others = self.paths_by_hash.get(content_hash, set()) - {path}
        return any(self._read_as(other) == self._read_as(path) for other in others)

    def _read_as(self, path: str) -> tuple[Format, Compression, Reading, str]:
        """What makes of bytes the rows that they are: format, reading, and the name where it says when."""
        file = landed_file(self.settings, path)
        said = path.rpartition("/")[2] if file.reading.mapping and file.reading.mapping.file_name else ""
        return file.format, file.compression, file.reading, said


def contents_of(load: Load, paths: Iterable[str] | None = None) -> list[Content]:
    """The contents of some paths, or of all, whose rows are in the warehouse."""
    chosen = "" if paths is None else "and path in (select unnest($paths))"
    bound = {"entity": load.contract.entity} | ({} if paths is None else {"paths": list(paths)})
    rows = load.connection.execute(
        f"""
        select
            file_id, path, content_hash, size, trimmed_hash, trimmed_size, gave_way_to, former_ids, kept_in,
            rows_landed
        from raw.contents
        where entity = $entity {chosen}
        order by file_id
        """,
        bound,
    ).fetchall()
    return [Content(*row) for row in rows]


def kept_contents(load: Load) -> list[Content]:
    """The contents of which rows are kept: few, where there are many files."""
    paths = load.connection.execute(
        "select distinct path from raw.contents where entity = ? and kept_in is not null",
        [load.contract.entity],
    ).fetchall()
    return [one for one in contents_of(load, [path for (path,) in paths]) if one.kept_in is not None]


def keep_former_rows(load: Load, arrived: Mapping[int, Arrival]) -> Segment | None:
    """Decide what stays of the earlier contents of paths that hold new content now.

    Args:
        load: the load, with an open transaction in which the new rows were inserted.
        arrived: the new contents by their file id.

    Returns:
        The segment of ``kept/`` that counts once the transaction is committed, if there is one.
    """
    by_path = {arrival.path: file_id for file_id, arrival in arrived.items()}
    earlier = [one for one in contents_of(load, by_path) if one.file_id not in arrived]
    if not earlier:
        return None
    changes = _changes(load, earlier, by_path, arrived)
    # Where a file has grown, its former rows leave whatever they are.
    compared = {
        one.file_id: by_path[one.path] for one in earlier if changes[one.file_id] not in GIVES_ALL_ROWS_UP
    }
    if compared:
        _compare(load, compared)
    gone, shrunk, dropped = _decide(load, earlier, changes, bool(compared))
    _count_former_ids(load, list(shrunk))
    before = _rows_by_content(load, shrunk)
    warehouse_rows.remember_contents(load.connection, gone | shrunk.keys(), dropped)
    warehouse_rows.remove(load.connection, load.settings, load.contract, gone, shrunk)
    _forget_rejected(load, gone, {one: by_path[path] for one, path in shrunk.items()})
    warehouse_rows.count(load.connection, load.contract, list(shrunk))
    changed = {one for one, rows in _rows_by_content(load, shrunk).items() if rows != before[one]}
    for one in earlier:
        if one.file_id in shrunk and changes[one.file_id] is not Change.KEPT_BEFORE:
            _give_way(load, one, arrived[by_path[one.path]].inspection.content_hash)
            changed.add(one.file_id)
    return _rewrite(load, sorted(changed), [one for one in earlier if one.file_id in gone])


def set_aside(load: Load, paths: Sequence[str]) -> Segment | None:
    """Keep the rows of paths that hold no content now that can be read: they stay in force.

    A path whose content is stored under another name now, as after a move, gives its rows up.
    """
    current = [one for one in contents_of(load, paths) if one.kept_in is None]
    gone = {one.file_id for one in current if load.is_elsewhere(one.content_hash, one.path)}
    warehouse_rows.remember_contents(load.connection, gone, [])
    warehouse_rows.remove(load.connection, load.settings, load.contract, gone, {})
    _forget_rejected(load, gone, {})
    aside = [one.file_id for one in current if one.file_id not in gone]
    _count_former_ids(load, aside)
    warehouse_rows.count(load.connection, load.contract, aside)
    return _rewrite(load, aside, [])


def replaced_contents(load: Load) -> list[Content]:
    """What is kept of changed files that are declared to replace what they held."""
    return [
        one
        for one in kept_contents(load)
        if one.gave_way_to and load.declared(one.path) is Overwritten.REPLACES
    ]


def drop(load: Load, contents: Sequence[Content]) -> Segment | None:
    """Take contents back: their rows leave, and what is kept of them."""
    gone = {one.file_id for one in contents}
    warehouse_rows.remember_contents(load.connection, gone, gone)
    warehouse_rows.remove(load.connection, load.settings, load.contract, gone, {})
    _forget_rejected(load, gone, {})
    return _rewrite(load, [], contents)


def save_rows(load: Load, contents: Sequence[Content], file: Path) -> None:
    """Write the rows of contents as they would be kept, to a file that counts for nothing."""
    rows = _rows_to_keep(load, [one.file_id for one in contents])
    load.connection.execute(f"copy ({rows}) to {literal(str(file))} (format parquet)")


def left_behind(load: Load) -> dict[str, tuple[int, int]]:
    """Overwritten files, undeclared, of whose former ids too many are in no landed file.

    Returns:
        For each path how many ids are in no landed file, and how many there were.
    """
    share = load.settings.hub.max_left_behind
    event_id = load.contract.event_id
    found = {}
    for one in kept_contents(load):
        if one.is_last_loaded or load.declared(one.path):
            continue
        limit = max(LEAST_IDS, share * (one.former_ids or 0))
        # So few rows have no more ids, whatever they are: no query for each of many small files.
        if one.rows_landed <= limit:
            continue
        (missing,) = one_row(
            load.connection,
            f"""
            with former as (
                select {event_id} as id, id_digest, max(updated_at) as version
                from {load.table}
                where file_id = $file_id
                group by all
            )
            select case
                when (select count(*) from former) <= $limit then 0
                else (
                    select count(*) from former
                    where not exists (
                        select 1
                        from {load.table} as others
                        inner join raw.contents as contents on others.file_id = contents.file_id
                        where
                            others.id_digest = former.id_digest
                            and others.{event_id} = former.id
                            and others.updated_at >= former.version
                            and contents.path <> $path
                    )
                )
            end
            """,
            {"file_id": one.file_id, "path": one.path, "limit": limit},
        )
        if missing > limit:
            found[one.path] = (missing, one.former_ids or 0)
    return found


def _changes(
    load: Load, earlier: Sequence[Content], by_path: Mapping[str, int], arrived: Mapping[int, Arrival]
) -> dict[int, Change]:
    changes, grown = {}, set()
    for one in sorted(earlier, key=lambda one: not one.is_last_loaded):
        arrival = arrived[by_path[one.path]]
        if one.content_hash == arrival.inspection.content_hash:
            change = Change.SAME_BYTES
        elif not one.is_last_loaded:
            change = Change.GAVE_WAY_TO_GROWN if (one.path, one.gave_way_to) in grown else Change.KEPT_BEFORE
        elif one.trimmed_size <= arrival.inspection.size and begins_with(
            arrival.location, one.trimmed_size, one.trimmed_hash
        ):
            change = Change.GROWN
            grown.add((one.path, one.content_hash))
        elif load.is_elsewhere(one.content_hash, one.path):
            change = Change.MOVED
        else:
            change = Change.OVERWRITTEN
        changes[one.file_id] = change
    return changes


def _compare(load: Load, followed_by: Mapping[int, int]) -> None:
    """Compare earlier rows with the new ones of their path, into the temporary table ``compared_rows``."""
    event_id = load.contract.event_id
    load.connection.execute(
        f"""
        create or replace temp table compared_rows as
        with followed as (select unnest($earlier) as file_id, unnest($new) as new_file_id),
        versions as (
            select file_id, {event_id} as id, max(updated_at) as version
            from {load.table}
            where file_id in (select new_file_id from followed)
            group by all
        )
        select
            rows.file_id,
            rows.row_number,
            versions.version is not null as is_repeated,
            coalesce(versions.version >= rows.updated_at, false) as is_replaced
        from {load.table} as rows
        inner join followed on rows.file_id = followed.file_id
        left join versions on followed.new_file_id = versions.file_id and rows.{event_id} = versions.id
        """,
        {"earlier": list(followed_by), "new": list(followed_by.values())},
    )


def _decide(
    load: Load, earlier: Sequence[Content], changes: Mapping[int, Change], are_compared: bool
) -> tuple[set[int], dict[int, str], set[int]]:
    """Which contents give all their rows up, and which only those that are repeated with no lesser version.

    Args:
        load: the load.
        earlier: the contents.
        changes: how each has changed, by its id.
        are_compared: whether ``compared_rows`` is there: for none that gives all rows up in any case.

    Returns:
        The ids of the former; the paths of the latter by their ids; of the former, those that are declared
        to be replaced.
    """
    counted = {}
    if are_compared:
        counted = {
            file_id: (all_repeated, replaced, total)
            for file_id, all_repeated, replaced, total in load.connection.execute(
                "select file_id, bool_and(is_repeated), count(*) filter (is_replaced), count(*) "
                "from compared_rows group by file_id"
            ).fetchall()
        }
    gone, shrunk, dropped = set(), {}, set()
    for one in earlier:
        change, declared = changes[one.file_id], load.declared(one.path)
        all_repeated, replaced, total = counted.get(one.file_id, (True, 0, 0))
        has_all_ids = all_repeated and change is not Change.KEPT_BEFORE
        if has_all_ids or change in GIVES_ALL_ROWS_UP:
            gone.add(one.file_id)
        elif declared is Overwritten.REPLACES:
            gone.add(one.file_id)
            dropped.add(one.file_id)
            load.dropped[one.path] = load.dropped.get(one.path, 0) + total - replaced
        else:
            shrunk[one.file_id] = one.path
            if change is Change.OVERWRITTEN:
                load.overwritten[one.path] = total - replaced
    return gone, shrunk, dropped


def _forget_rejected(load: Load, gone: set[int], followed_by: Mapping[int, int]) -> None:
    """Rejected rows leave with their content, or when their path has the same raw text again."""
    load.connection.execute(
        """
        delete from quarantine.rejected_events as rejected
        where
            rejected.file_id in (select unnest($gone))
            or exists (
                select 1
                from (select unnest($earlier) as file_id, unnest($new) as new_file_id) as followed
                inner join quarantine.rejected_events as again on followed.new_file_id = again.file_id
                where followed.file_id = rejected.file_id and again.raw_text = rejected.raw_text
            )
        """,
        {
            "gone": list(gone),
            "earlier": list(followed_by),
            "new": list(followed_by.values()),
        },
    )
    load.connection.execute("delete from raw.contents where file_id in (select unnest(?))", [list(gone)])


def _count_former_ids(load: Load, file_ids: Sequence[int]) -> None:
    """Count the ids of contents, where that has not been done, before any of their rows leave."""
    if not file_ids:
        return
    load.connection.execute(
        f"""
        update raw.contents set former_ids = counted.ids
        from (
            select listed.file_id, count(distinct rows.{load.contract.event_id}) as ids
            from (select unnest(?) as file_id) as listed
            left join {load.table} as rows on listed.file_id = rows.file_id
            group by listed.file_id
        ) as counted
        where contents.file_id = counted.file_id and contents.former_ids is null
        """,
        [list(file_ids)],
    )


def _rows_by_content(load: Load, file_ids: Iterable[int]) -> dict[int, int]:
    return dict(
        load.connection.execute(
            "select file_id, rows_accepted + rows_rejected from raw.contents "
            "where file_id in (select unnest(?))",
            [list(file_ids)],
        ).fetchall()
    )


def _give_way(load: Load, one: Content, content_hash: str) -> None:
    load.connection.execute(
        "update raw.contents set gave_way_to = ? where file_id = ?", [content_hash, one.file_id]
    )


def _rewrite(load: Load, rewritten: Sequence[int], gone: Sequence[Content]) -> Segment | None:
    """Write what is kept of contents now into a segment of its own, empty groups included."""
    kept_now = load.connection.execute(
        """
        select
            path, content_hash, size, trimmed_hash, trimmed_size, gave_way_to, former_ids,
            rows_accepted + rows_rejected
        from raw.contents
        where file_id in (select unnest(?))
        """,
        [list(rewritten)],
    ).fetchall()
    groups = [Group(*row) for row in kept_now]
    groups += [
        Group(
            *(one.path, one.content_hash, one.size, one.trimmed_hash, one.trimmed_size, one.gave_way_to),
            *(one.former_ids or 0, 0),
        )
        for one in gone
        if one.kept_in is not None
    ]
    if not groups:
        return None
    segment = load.kept.write(load.connection, groups, _rows_to_keep(load, rewritten))
    load.connection.execute(
        "update raw.contents set kept_in = ? where file_id in (select unnest(?))",
        [segment.name, list(rewritten)],
    )
    # A content of which nothing is left is kept no longer.
    load.connection.execute(
        "delete from raw.contents where file_id in (select unnest(?)) and rows_accepted + rows_rejected = 0",
        [list(rewritten)],
    )
    load.connection.execute(
        "insert into raw.kept_segments values (?, ?)", [load.contract.entity, segment.name]
    )
    return segment


def _rows_to_keep(load: Load, file_ids: Sequence[int]) -> str:
    listed = ", ".join(str(file_id) for file_id in file_ids) or "null"
    # Each relation is filtered by itself, which skips the groups of rows that hold none of them.
    return load.kept.rows_to_keep(
        *(
            f"(select * from {table} where file_id in ({listed}))"
            for table in ("raw.contents", load.table, "quarantine.rejected_events")
        )
    )
