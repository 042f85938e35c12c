"""The fields of JSON objects, one a row, as SQL over a relation.

Belongs here: which key of an object is which field of the contract, objects that have a key twice, and what
is left of the fields of a text that is no object. Does not belong here: how a file divides into rows
(json_lines.py), what a good value is (casting.py).
"""

from __future__ import annotations

import string
from collections.abc import Sequence

import duckdb

from orchestration.sql import literal

# Letter case is that of ASCII, which is all that the names of fields are written in.
FIELD_OF_KEY = f"translate(trim_blanks(key), '{string.ascii_uppercase}', '{string.ascii_lowercase}')"

# Of a line that is JSON; less than to parse it once more.
IS_OBJECT = "ltrim(line, ' ' || chr(9) || chr(10) || chr(13))[1] = '{'"


def query_fields(connection: duckdb.DuckDBPyConnection, relation: str, names: Sequence[str]) -> str:
    """The SQL of the fields of JSON objects.

    Args:
        connection: the connection that has the relation.
        relation: the name of a relation with ``file_id, row_number, fault, line``: the text of a row, and why
            it cannot be read, or NULL.
        names: the names of the fields.

    Returns:
        A query with ``file_id, row_number, fault`` and ``landed_<field>``, of type JSON, for each field. A
        row that is no object has the fault ``malformed_json``. An object that has one of the contract's
        keys twice has the fault ``duplicate_key``, and all values of that key as an array.
    """
    connection.execute(
        f"""
        create or replace temp table json_rows as
        select
            file_id,
            row_number,
            fault,
            line,
            case when fault is null and json_valid(line) and {IS_OBJECT} then json_keys(line) end as keys
        from {relation}
        """
    )
    _create_key_lists(connection, names)
    return f"""
        {_query_objects(names)}
        union all
        {_query_objects_with_a_key_twice(names)}
        union all
        {_query_what_is_no_object(names)}
    """


def _create_key_lists(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> None:
    """Find the fields once for each list of keys, of which a file has few, and not for each row.

    ``key_lists`` has ``keys``, ``has_key_twice``, ``is_plain`` (whether the keys are the names of the fields
    to the letter) and ``pointer_<field>`` for each field.
    """
    listed = ", ".join(literal(name) for name in names)
    pointers = ", ".join(
        f"max(pointer) filter (where field = {literal(name)}) as pointer_{name}" for name in names
    )
    connection.execute(
        f"""
        create or replace temp table key_lists as
        with key_lists as materialized (
            select keys, row_number() over () as list_number
            from (select distinct keys from json_rows where keys is not null)
        ),
        all_keys as (
            select list_number, unnest(keys) as key from key_lists
        ),
        -- A key that is a field, trimmed, has no character in it that a pointer would have to escape.
        fields as (
            select list_number, {FIELD_OF_KEY} as field, max('/' || key) as pointer, count(*) as times
            from all_keys
            where field in ({listed})
            group by list_number, field
        ),
        fields_of_lists as (
            select
                list_number,
                max(times) > 1 as has_key_twice,
                bool_and(pointer = '/' || field) as is_plain,
                {pointers}
            from fields
            group by list_number
        )
        select
            keys,
            coalesce(has_key_twice, false) as has_key_twice,
            coalesce(is_plain, true) as is_plain,
            fields_of_lists.* exclude (list_number, has_key_twice, is_plain)
        from key_lists
        left join fields_of_lists on key_lists.list_number = fields_of_lists.list_number
        """
    )


def _query_objects(names: Sequence[str]) -> str:
    # All fields at once, so that a line is parsed once and not for each of them, where the keys allow it.
    plain = ", ".join(literal(f"/{name}") for name in names)
    fields = ", ".join(
        f"case when is_plain then fields[{position}] else json_extract(line, pointer_{name}) end "
        f"as landed_{name}"
        for position, name in enumerate(names, start=1)
    )
    return f"""
        select file_id, row_number, cast(null as varchar) as fault, {fields}
        from (
            select
                rows.file_id,
                rows.row_number,
                rows.line,
                key_lists.*,
                json_extract(case when key_lists.is_plain then rows.line end, [{plain}]) as fields
            from json_rows as rows
            inner join key_lists on rows.keys = key_lists.keys
            where not key_lists.has_key_twice
        )
    """


def _query_objects_with_a_key_twice(names: Sequence[str]) -> str:
    values = [
        (name, f"list(members.value order by members.id) filter (where field = {literal(name)})")
        for name in names
    ]
    fields = ", ".join(
        f"case when len({found}) > 1 then to_json({found}) else {found}[1] end as landed_{name}"
        for name, found in values
    )
    return f"""
        select file_id, row_number, 'duplicate_key' as fault, {fields}
        from (
            select rows.file_id, rows.row_number, members.value, members.id, {FIELD_OF_KEY} as field
            from json_rows as rows
            inner join key_lists on rows.keys = key_lists.keys
            cross join json_each(rows.line) as members
            where key_lists.has_key_twice
        ) as members
        group by file_id, row_number
    """


def _query_what_is_no_object(names: Sequence[str]) -> str:
    guesses = []
    for name in names:
        # What is left of a field, as JSON text.
        pattern = literal(rf'(?i)"\s*{name}\s*"\s*:\s*("(?:[^"\\]|\\.)*"|[-+.0-9a-z]+)')
        guess = f"nullif(regexp_extract(line, {pattern}, 1), '')"
        guesses.append(f"cast(case when json_valid({guess}) then {guess} end as json) as landed_{name}")
    return f"""
        select file_id, row_number, coalesce(fault, 'malformed_json') as fault, {", ".join(guesses)}
        from json_rows
        where keys is null
    """
