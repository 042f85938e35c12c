"""``kept/`` -> raw: the kept rows of the warehouse are those of the folder, whatever happened to either.

Belongs here: reading kept rows again, as after a rebuild, a restored backup or another currency. Does not
belong here: which rows are kept (arrivals.py), how they are stored (kept.py).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict

from orchestration.engines.engine import engine_of
from orchestration.landing import arrivals, casting, kept, records, warehouse_rows
from orchestration.landing.arrivals import Arrival, Load
from orchestration.landing.formats import LandedFile
from orchestration.landing.inspection import Inspection, inspect
from orchestration.landing.kept import Group, Segment
from orchestration.landing.validation_code import is_of_other_code, validator_of_kept
from orchestration.sql import literal


def load_kept(load: Load) -> None:
    """Bring the kept rows of the warehouse in line with ``kept/``, as after a rebuild or a restore."""
    wanted = load.kept.groups()
    validated_by = validator_of_kept(load.contract, load.settings.currency)
    held = {}
    for file_id, path, content_hash, kept_in, validated in load.connection.execute(
        "select file_id, path, content_hash, kept_in, validated_by from raw.contents "
        "where entity = ? and kept_in is not null",
        [load.contract.entity],
    ).fetchall():
        is_current = (validated or "").startswith(validated_by)
        held[path, content_hash] = (file_id, kept_in if is_current else None)
        if is_of_other_code(validated):
            load.validated_before.add(path)
    missing = [
        (group, segment)
        for key, (group, segment) in wanted.items()
        if held.get(key, (0, None))[1] != segment.name
    ]
    stale = [
        file_id
        for key, (file_id, kept_in) in held.items()
        if key not in wanted or wanted[key][1].name != kept_in
    ]
    if not missing and not stale:
        return
    with records.settling(load) as segments:
        paths = {
            path
            for (path,) in load.connection.execute(
                "select path from raw.contents where file_id in (select unnest(?))", [stale]
            ).fetchall()
        }
        warehouse_rows.remember_contents(load.connection, stale, [])
        warehouse_rows.remove(load.connection, load.settings, load.contract, stale, {})
        for table in ("raw.contents", "quarantine.rejected_events"):
            load.connection.execute(f"delete from {table} where file_id in (select unnest(?))", [stale])
        if missing:
            _insert_kept(load, missing)
        paths |= {group.path for group, _ in missing}
        segments.append(_settle_again(load, paths))
        _record_paths_of_kept(load, sorted(paths))
        records.count_rows(load, sorted(paths))


def _settle_again(load: Load, paths: Collection[str]) -> Segment | None:
    """Let kept rows give way to what their paths hold, where ``kept/`` is of another day."""
    current = {
        one.file_id: Arrival(
            one.path,
            load.settings.data_dir / one.path,
            Inspection(one.content_hash, one.size, one.trimmed_hash, one.trimmed_size, is_complete=True),
        )
        for one in arrivals.contents_of(load, paths)
        if one.kept_in is None and (load.settings.data_dir / one.path).is_file()
    }
    return arrivals.keep_former_rows(load, current) if current else None


def _insert_kept(load: Load, missing: Sequence[tuple[Group, Segment]]) -> None:
    """Insert the rows of groups: accepted ones are checked again, rejected ones stay as they are.

    What was rejected for its currency alone is checked again too, since the hub may have another one now.
    """
    first = records.next_file_id(load.connection)
    ids = range(first, first + len(missing))
    segments = _show_groups(load, missing, ids)
    for file_id, (group, segment) in zip(ids, missing, strict=True):
        load.connection.execute(
            """
            insert into raw.contents by name
            select
                $file_id as file_id, $entity as entity, $path as path, $content_hash as content_hash,
                $size as size, $trimmed_hash as trimmed_hash, $trimmed_size as trimmed_size,
                $gave_way_to as gave_way_to, $former_ids as former_ids, $kept_in as kept_in,
                $currency as currency, $validated_by as validated_by
            """,
            {
                **{name: value for name, value in asdict(group).items() if name != "rows"},
                "file_id": file_id,
                "entity": load.contract.entity,
                "kept_in": segment.name,
                "currency": load.contract.currency_of(load.settings.currency),
                "validated_by": validator_of_kept(load.contract, load.settings.currency),
            },
        )
    load.connection.execute(
        f"create or replace temp table kept_rows as {kept.rows_of(segments, 'groups_at_hand')}"
    )
    _insert_kept_rows(load, ids)


def _insert_kept_rows(load: Load, ids: Sequence[int]) -> None:
    """Insert the rows of the temporary table ``kept_rows``, which are those of contents with these ids."""
    is_checked = (
        "reasons is null "
        f"or (reasons = ['foreign_currency'] and currency = {literal(load.settings.currency)})"
    )
    fields = ", ".join(f"{field.name} as landed_{field.name}" for field in load.contract.fields)
    as_kept = ", ".join(f"{field.name} := {field.name}" for field in load.contract.fields)
    mapped_text = f"cast(to_json(struct_pack({as_kept})) as varchar)"
    load.connection.execute(casting.MACROS)
    checked = casting.check(
        load.contract,
        {field.name: "VARCHAR" for field in load.contract.fields},
        load.settings.currency,
        f"select file_id, row_number, null::varchar as fault, {fields} from kept_rows where {is_checked}",
    )
    engine_of(load.settings).insert_events(load.connection, load.contract, checked.accepted, ids)
    load.connection.execute(
        f"""
        insert into quarantine.rejected_events by name
        select
            $entity as entity, groups.path, rows.row_number, rows.raw_text, rows.mapped_text, rows.reasons,
            $now as rejected_at, rows.file_id
        from (
            select file_id, row_number, raw_text, mapped_text, reasons from ({checked.rejected})
            union all by name
            select file_id, row_number, raw_text, {mapped_text} as mapped_text, reasons
            from kept_rows
            where not coalesce({is_checked}, false)
        ) as rows
        inner join groups_at_hand as groups on rows.file_id = groups.file_id
        order by groups.path, rows.row_number
        """,
        {"entity": load.contract.entity, "now": records.now()},
    )
    warehouse_rows.count(load.connection, load.contract, list(ids))


def _show_groups(load: Load, groups: Sequence[tuple[Group, Segment]], ids: Sequence[int]) -> list[Segment]:
    """Fill the temporary table ``groups_at_hand``; gives the segments in the order of its numbers."""
    segments = list(dict.fromkeys(segment for _, segment in groups))
    load.connection.execute(
        """
        create or replace temp table groups_at_hand as
        select
            unnest($ids) as file_id,
            unnest($paths) as path,
            unnest($hashes) as content_hash,
            unnest($segments) as segment
        """,
        {
            "ids": list(ids),
            "paths": [group.path for group, _ in groups],
            "hashes": [group.content_hash for group, _ in groups],
            "segments": [segments.index(segment) for _, segment in groups],
        },
    )
    return segments


def _record_paths_of_kept(load: Load, paths: Sequence[str]) -> None:
    """Paths of which rows are kept have a record, also where nothing has been found there yet."""
    load.connection.execute(
        """
        insert into raw.landed_files by name
        select path, $entity as entity, $status as status, $now as loaded_at
        from (select unnest($paths) as path)
        where
            path not in (select path from raw.landed_files)
            and path in (select path from raw.contents)
        """,
        {"entity": load.contract.entity, "status": records.LEFT, "now": records.now(), "paths": list(paths)},
    )


def recover(load: Load) -> None:
    """Finish or forget the segments of refreshes that were killed around their commit.

    A segment counts if the warehouse has committed what it belongs to. A warehouse that knows nothing, as
    after a rebuild, cannot say; then it counts if the landing folder holds what followed each of its groups.
    """
    committed = {
        segment
        for (segment,) in load.connection.execute(
            "select segment from raw.kept_segments where entity = ?", [load.contract.entity]
        ).fetchall()
    }
    unfinished = load.kept.unfinished()
    is_new = bool(unfinished) and not committed and not arrivals.contents_of(load)
    for segment in unfinished:
        if segment.name in committed or (is_new and all(_is_followed(load, one) for one in segment.groups)):
            load.kept.finish(segment)
        else:
            segment.file.unlink()


def _is_followed(load: Load, group: Group) -> bool:
    """Whether the path of a group holds what its rows gave way to: another content, or none."""
    file = load.settings.data_dir / group.path
    if not file.is_file():
        return not group.gave_way_to
    current = inspect(LandedFile(group.path, file)).content_hash
    return current == group.gave_way_to if group.gave_way_to else current != group.content_hash


def merge_segments(load: Load) -> None:
    """Keep the segments few: those of superseded groups go, small ones become one."""
    held = kept.without_superseded(load.kept.segments())
    merged = kept.to_merge(held)
    if merged:
        with records.settling(load) as segments:
            segments.append(_merged(load, held, merged))
        held = kept.without_superseded(load.kept.segments())
    load.connection.execute(
        "delete from raw.kept_segments where entity = ? and segment not in (select unnest(?))",
        [load.contract.entity, [segment.name for segment in held]],
    )


def _merged(load: Load, held: Sequence[Segment], merged: Sequence[Segment]) -> Segment:
    """The groups that count in some segments as one segment; it also says what is kept no longer."""
    counting = kept.groups_of(held)
    newest = {group.key: group for segment in merged for group in segment.groups}
    groups = [group for key, group in newest.items() if key not in counting or counting[key][1] in merged]
    with_rows = [(group, counting[group.key][1]) for group in groups if group.rows]
    segments = _show_groups(load, with_rows, range(len(with_rows)))
    columns = ", ".join(load.kept.columns())
    rows = (
        f"select {columns} from ({kept.rows_of(segments, 'groups_at_hand')}) "
        "order by path, content_hash, row_number"
    )
    segment = load.kept.write(load.connection, groups, rows)
    load.connection.execute(
        """
        update raw.contents set kept_in = $segment
        from groups_at_hand as groups
        where
            contents.entity = $entity
            and contents.kept_in is not null
            and contents.path = groups.path
            and contents.content_hash = groups.content_hash
        """,
        {"segment": segment.name, "entity": load.contract.entity},
    )
    load.connection.execute(
        "insert into raw.kept_segments values (?, ?)", [load.contract.entity, segment.name]
    )
    return segment
