"""The database brought to the version that is published, in one transaction.

Readers are never in its way, nor it in theirs: rows are deleted and inserted, so each query sees the rows of
one version; a table whose columns changed is loaded beside the former one, and takes its place at the end. A
kill leaves the version before.

Belongs here: the steps, and what the database says of itself. Does not belong here: which rows
(row_changes.py), what tables and functions are (table_shapes.py, function_bodies.py), the library
(server.py).
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from orchestration.faults import first_line
from orchestration.postgres import function_bodies, row_stream
from orchestration.postgres.row_changes import Compared, RowChanges, compared, replaced
from orchestration.postgres.server import ServerError, opened, tidy
from orchestration.postgres.table_shapes import SCHEMA, Shape, shapes_of
from orchestration.settings import Settings
from orchestration.sql import identifier, one_row

# What the schema holds besides what is published: the version that it is at, and what its tables are like.
# Whoever changes rows by hand is noticed by a trigger; only a transaction that says that it loads is not.
BOOKKEEPING = f"""
create schema if not exists {SCHEMA};
create table if not exists {SCHEMA}.loaded_version (
    version text primary key,
    loaded_at timestamptz not null,
    functions text not null,
    function_layout text not null
);
create table if not exists {SCHEMA}.loaded_tables (
    table_name text primary key,
    definition text not null,
    layout text not null,
    row_count bigint not null,
    was_touched boolean not null default false
);
create or replace function {SCHEMA}.note_touch() returns trigger language plpgsql as '
begin
    update {SCHEMA}.loaded_tables set was_touched = true where table_name = tg_table_name;
    return null;
end';
comment on table {SCHEMA}.loaded_version is 'The published version that the tables and functions are of.';
comment on table {SCHEMA}.loaded_tables is
    'How many rows each table was left with, and whether anybody else has changed rows since.';
"""

# The columns, keys and indexes of each table, which a hand may have changed.
LAYOUTS = f"""
select
    tables.relname as table_name,
    md5(
        (
            select string_agg(
                concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' order by attnum
            )
            from pg_attribute
            where attrelid = tables.oid and attnum > 0 and not attisdropped
        )
        || (select string_agg(pg_get_indexdef(indexrelid), ', ' order by indexrelid)
            from pg_index where indrelid = tables.oid)
        || (select string_agg(concat_ws(chr(32), pg_get_triggerdef(oid), tgenabled), ', ' order by oid)
            from pg_trigger where tgrelid = tables.oid)
    ) as layout
from pg_class as tables
where tables.relnamespace = to_regnamespace('{SCHEMA}') and tables.relkind = 'r'
"""

# The functions as they are, which a hand may have changed.
FUNCTION_LAYOUT = f"""
select coalesce(md5(string_agg(pg_get_functiondef(oid), '' order by proname, oid)), '')
from pg_proc
where pronamespace = to_regnamespace('{SCHEMA}')
"""

# Those of tables have no name of a column.
COMMENTS = f"""
select tables.relname, coalesce(columns.attname, ''), described.description
from pg_class as tables
inner join pg_description as described
    on tables.oid = described.objoid and described.classoid = 'pg_class'::regclass
left join pg_attribute as columns on tables.oid = columns.attrelid and described.objsubid = columns.attnum
where tables.relnamespace = to_regnamespace('{SCHEMA}') and tables.relkind = 'r'
"""

# To give the end of a file back, a vacuum would lock readers out. Only what was vacuumed since it changed is
# read from an index alone, so the server vacuums after about a day, not after a fifth of all rows changed.
STORAGE = (
    "vacuum_truncate = false, autovacuum_vacuum_scale_factor = 0.001, "
    "autovacuum_vacuum_insert_scale_factor = 0.001"
)

# The number of the lock that one loading at a time holds.
LOCK = 7_217_366_183


class BringUpError(RuntimeError):
    """A database that was not brought to the published version; the message says why and what follows."""


@dataclass(frozen=True)
class BroughtUp:
    """What one bringing up did.

    Attributes:
        version: the version that the database holds now.
        held: the version that it held before; None where it held none.
        removed: how many rows went.
        inserted: how many rows came.
        reloaded: why tables were loaded anew, by table.
    """

    version: str
    held: str | None
    removed: int
    inserted: int
    reloaded: Mapping[str, str]

    @property
    def sentences(self) -> list[str]:
        """What an operator should know: which tables were loaded anew though the database held a version."""
        if self.held is None:
            return []
        tables_of = {
            why: [name for name, said in self.reloaded.items() if said == why]
            for why in self.reloaded.values()
        }
        return [
            f"PostgreSQL: {', '.join(tables)}: all rows were loaded anew, since {why}."
            for why, tables in tables_of.items()
        ]


def bring_up(settings: Settings, manifest: Mapping[str, Any]) -> BroughtUp | None:
    """Bring the database of the settings to the published version, unless it is there.

    Args:
        settings: the settings of the hub.
        manifest: dbt's manifest.

    Returns:
        What was done; None where the settings name no database.

    Raises:
        BringUpError: when it could not be done. What is published stays published.
    """
    if not settings.postgres_url:
        return None
    try:
        with opened(settings.postgres_url) as connection, _folder_to_work_in(settings) as folder:
            done = _bring_up(connection.cursor(), settings, manifest, folder)
        if done.reloaded:
            # The data is complete without, and the server does it in its own time.
            with suppress(ServerError):
                tidy(settings.postgres_url, [_table(name) for name in done.reloaded])
        return done
    except (ServerError, OSError, duckdb.Error) as error:
        said = str(error).rstrip(".") if isinstance(error, ServerError) else first_line(error)
        raise BringUpError(
            f"PostgreSQL was not brought to the published version: {said}. The file is "
            "published, and readers of PostgreSQL keep the version before. The next refresh tries again."
        ) from None


@contextmanager
def _folder_to_work_in(settings: Settings) -> Iterator[Path]:
    """A folder that is removed again; one that a kill has left goes first."""
    folder = settings.data_dir / ".postgres"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _bring_up(cursor: Any, settings: Settings, manifest: Mapping[str, Any], folder: Path) -> BroughtUp:
    file = settings.published.resolve()
    _prepare(cursor)
    held, functions = _held(cursor)
    known = _known_tables(cursor)
    wanted = function_bodies.hash_of_functions(settings)
    with duckdb.connect(str(file), read_only=True) as published:
        _require_of_this_hub(published, held)
        shapes = shapes_of(published, manifest)
        why = {shape.name: said for shape in shapes if (said := _why_anew(shape, known.get(shape.name)))}
        if (held, functions) == (file.parent.name, wanted) and not why:
            return BroughtUp(file.parent.name, held, 0, 0, {})
        making = (
            function_bodies.statements(published, settings, manifest, folder) if functions != wanted else []
        )
    with compared(settings, file, held, folder) as versions:
        # Of the version that it holds already, only what somebody else has changed is due.
        due = [shape for shape in shapes if held != file.parent.name or shape.name in why]
        counts = [_load(cursor, versions, shape, known.get(shape.name), why) for shape in due]
    _describe(cursor, shapes)
    for statement in making:
        cursor.execute(statement)
    for gone in known.keys() - {shape.name for shape in shapes}:
        cursor.execute(f"drop table if exists {_table(gone)}")
        cursor.execute(f"delete from {SCHEMA}.loaded_tables where table_name = %s", [gone])
    cursor.execute(f"delete from {SCHEMA}.loaded_version")
    cursor.execute(
        f"insert into {SCHEMA}.loaded_version select %s, now(), %s, ({FUNCTION_LAYOUT})",
        [file.parent.name, wanted],
    )
    removed, inserted = sum(went for went, _ in counts), sum(came for _, came in counts)
    return BroughtUp(file.parent.name, held, removed, inserted, why)


@dataclass(frozen=True)
class KnownTable:
    """What the database knows of a table that was loaded.

    Attributes:
        definition: that of the shape that it was made by.
        row_count: how many rows it was left with.
        was_touched: whether somebody else has changed its rows since.
        is_as_made: whether its columns, keys, indexes and triggers are those that it was left with.
    """

    definition: str
    row_count: int
    was_touched: bool
    is_as_made: bool


def _prepare(cursor: Any) -> None:
    """Have the schema to this transaction, with its bookkeeping.

    Raises:
        ServerError: when it is somebody else's.
    """
    cursor.execute("select pg_try_advisory_xact_lock(%s)", [LOCK])
    if cursor.fetchone() != (True,):
        raise ServerError("another process is loading it")
    cursor.execute(
        "select to_regclass(%s) is null and exists (select from pg_tables where schemaname = %s)",
        [f"{SCHEMA}.loaded_version", SCHEMA],
    )
    if cursor.fetchone() == (True,):
        raise ServerError(
            f"its schema {SCHEMA} has tables that no refresh has made. Rename or drop that schema, or name "
            "another database in CONTACT_POSTGRES"
        )
    cursor.execute(BOOKKEEPING)
    # Ends with the transaction.
    cursor.execute(f"set local {SCHEMA}.is_loading = 'yes'")


def _held(cursor: Any) -> tuple[str | None, str | None]:
    """The version that the database holds, and the hash of its functions, if they are still those."""
    cursor.execute(
        f"select version, case when function_layout = ({FUNCTION_LAYOUT}) then functions end "
        f"from {SCHEMA}.loaded_version"
    )
    return cursor.fetchone() or (None, None)


def _known_tables(cursor: Any) -> dict[str, KnownTable]:
    """The tables that the database holds. One that was dropped by hand is none of them."""
    cursor.execute(
        f"""
        select loaded.table_name, loaded.definition, loaded.row_count,
            loaded.was_touched, loaded.layout is not distinct from layouts.layout
        from {SCHEMA}.loaded_tables as loaded
        inner join ({LAYOUTS}) as layouts on loaded.table_name = layouts.table_name
        """
    )
    return {name: KnownTable(*others) for name, *others in cursor.fetchall()}


def _require_of_this_hub(published: duckdb.DuckDBPyConnection, held: str | None) -> None:
    """Make sure that two hubs never take turns in one database.

    Raises:
        ServerError: when the database holds a version of another hub.
    """
    if held and one_row(published, "select count(*) from versions where version = ?", [held]) == (0,):
        raise ServerError(
            f"it holds version {held}, which this hub has never published. Each hub needs a database of its "
            f"own. If it was this one, before it was restored, run `drop schema {SCHEMA} cascade` there: "
            "the next refresh loads all tables"
        )


def _why_anew(shape: Shape, known: KnownTable | None) -> str | None:
    """Why all rows of a table are loaded; None where those that differ are enough."""
    if known is None:
        return "there was no such table"
    if known.definition != shape.definition:
        return "columns or indexes are others in this version of the software"
    if known.was_touched or not known.is_as_made:
        return "somebody else had changed something there"
    return None


def _load(
    cursor: Any, versions: Compared, shape: Shape, known: KnownTable | None, why: dict[str, str]
) -> tuple[int, int]:
    """Bring one table to the published version.

    Args:
        cursor: of the connection to the database.
        versions: the published version, beside the one that the database holds.
        shape: the table.
        known: what the database knows of it.
        why: why tables are loaded anew, to which this adds.

    Returns:
        How many rows went, and how many came.
    """
    if known is None or known.definition != shape.definition or not known.is_as_made:
        beside = f"next_{shape.name}" if known else shape.name
        inserted = _make(cursor, versions, shape, beside, is_unseen=known is None)
        if known:
            cursor.execute(f"drop table {_table(shape.name)}")
            cursor.execute(f"alter table {_table(beside)} rename to {identifier(shape.name)}")
        removed = known.row_count if known else 0
    else:
        changes = replaced(shape) if shape.name in why else versions.changes(shape)
        if changes.removed is None:
            why.setdefault(shape.name, "the file of the version that was held is gone")
        removed, inserted = _apply(cursor, versions, changes)
        expected = versions.row_count(shape)
        if changes.removed is not None and known.row_count - removed + inserted != expected:
            why[shape.name] = "rows of the version that was held were missing, or there were others"
            removed, inserted = _apply(cursor, versions, replaced(shape))
    if inserted or removed or known is None:
        cursor.execute(f"delete from {SCHEMA}.loaded_tables where table_name = %s", [shape.name])
        cursor.execute(
            f"insert into {SCHEMA}.loaded_tables (table_name, definition, row_count, layout) "
            f"select table_name, %s, %s, layout from ({LAYOUTS}) as layouts where table_name = %s",
            [shape.definition, versions.row_count(shape), shape.name],
        )
    return removed, inserted


def _make(cursor: Any, versions: Compared, shape: Shape, name: str, is_unseen: bool) -> int:
    """Make a table with its rows, then what rows are found by; gives their number.

    Args:
        cursor: of the connection to the database.
        versions: the published version.
        shape: the table.
        name: what it is called at first.
        is_unseen: whether there was no such table before.
    """
    table = _table(name)
    cursor.execute(f"create table {table} ({shape.columns_of_table}) with ({STORAGE})")
    inserted = _insert(cursor, versions, replaced(shape), table, is_unseen)
    cursor.execute(shape.key_statement(table))
    for index in shape.indexes:
        cursor.execute(f"create index on {table} {index}")
    cursor.execute(
        f"create trigger note_touch after insert or update or delete or truncate on {table} "
        f"for each statement when (current_setting('{SCHEMA}.is_loading', true) is distinct from 'yes') "
        f"execute function {SCHEMA}.note_touch()"
    )
    return inserted


def _describe(cursor: Any, shapes: Sequence[Shape]) -> None:
    """Give tables and columns the words of the docs, which an upgrade may have changed."""
    cursor.execute(COMMENTS)
    said: dict[str, dict[str, str]] = {}
    for table, column, comment in cursor.fetchall():
        said.setdefault(table, {})[column] = comment
    for shape in shapes:
        for statement in shape.comment_statements(said.get(shape.name, {})):
            cursor.execute(statement)


def _apply(cursor: Any, versions: Compared, changes: RowChanges) -> tuple[int, int]:
    """Delete and insert rows; gives how many went and came."""
    table = _table(changes.shape.name)
    if changes.removed is None:
        cursor.execute(f"delete from {table}")
        removed = cursor.rowcount
    else:
        removed = _delete(cursor, versions, changes, table)
    return removed, _insert(cursor, versions, changes, table)


def _delete(cursor: Any, versions: Compared, changes: RowChanges, table: str) -> int:
    """Delete rows by their keys."""
    shape = changes.shape
    key = [column for column in shape.columns if column.name in shape.key]
    going = identifier(f"going_{shape.name}")
    cursor.execute(
        f"create temp table {going} on commit drop as "
        f"select {', '.join(identifier(column.name) for column in key)} from {table} with no data"
    )
    texts = ", ".join(f"{column.as_text} as {identifier(column.name)}" for column in key)
    row_stream.send(versions.connection, f"select {texts} from ({changes.removed}) as removed", cursor, going)
    cursor.execute(f"analyze {going}")
    same = " and ".join(
        f"kept.{name} is not distinct from going.{name}"
        if column.name in shape.nullable_in_key
        else f"kept.{name} = going.{name}"
        for column in key
        for name in [identifier(column.name)]
    )
    cursor.execute(f"delete from {table} as kept using {going} as going where {same}")
    removed: int = cursor.rowcount
    return removed


def _insert(cursor: Any, versions: Compared, changes: RowChanges, table: str, is_unseen: bool = False) -> int:
    texts = ", ".join(f"{column.as_text} as {identifier(column.name)}" for column in changes.shape.columns)
    return row_stream.send(
        versions.connection,
        f"select {texts} from ({changes.inserted}) as inserted",
        cursor,
        f"{table} ({changes.shape.listed})",
        # Rows that are not frozen are written once more when they are first read. Frozen ones are visible to
        # transactions that began before, which only a table that nobody has read yet may show them.
        "format csv, freeze" if is_unseen else "format csv",
    )


def _table(name: str) -> str:
    return f"{SCHEMA}.{identifier(name)}"
