"""The fields of JSON objects, one a row, as SQL over a relation.

Belongs here: which key of an object is which field of the contract, and what is left of the fields of a text
that is no object. Does not belong here: how a file divides into rows (json_lines.py), what a good value is
(casting.py).
"""

from __future__ import annotations

import duckdb

from orchestration.contracts import EventContract
from orchestration.sql import literal


def query_fields(connection: duckdb.DuckDBPyConnection, relation: str, contract: EventContract) -> str:
    """The SQL of the fields of JSON objects.

    Args:
        connection: the connection that has the relation.
        relation: the name of a relation with ``file_id, row_number, fault, line``: the text of a row, and why
            it cannot be read, or NULL.
        contract: the contract of the entity.

    Returns:
        A query with ``file_id, row_number, fault`` and ``landed_<field>``, of type JSON, for each field of
        the contract. A row that is no object has the fault ``malformed_json``.
    """
    connection.execute(
        f"""
        create or replace temp table json_rows as
        select
            file_id,
            row_number,
            fault,
            line,
            fault is null
            and coalesce(case when json_valid(line) then json_type(line) end = 'OBJECT', false) as is_object
        from {relation}
        """
    )
    keys = connection.execute(
        "select distinct unnest(json_keys(line)) as key from json_rows where is_object order by key"
    ).fetchall()
    extracts, guesses = [], []
    for field in contract.fields:
        spellings = [key for (key,) in keys if key.strip().lower() == field.name] or [field.name]
        pointers = [literal("/" + key.replace("~", "~0").replace("/", "~1")) for key in spellings]
        found = ", ".join(f"json_extract(line, {pointer})" for pointer in pointers)
        extracts.append(f"case when is_object then coalesce({found}) end as landed_{field.name}")
        # What is left of a field in a line that is no JSON object, as JSON text.
        pattern = literal(rf'(?i)"\s*{field.name}\s*"\s*:\s*("(?:[^"\\]|\\.)*"|[-+.0-9a-z]+)')
        guess = f"nullif(regexp_extract(line, {pattern}, 1), '')"
        guesses.append(f"cast(case when json_valid({guess}) then {guess} end as json) as landed_{field.name}")
    return f"""
        select file_id, row_number, null as fault, {", ".join(extracts)} from json_rows where is_object
        union all
        select file_id, row_number, coalesce(fault, 'malformed_json') as fault, {", ".join(guesses)}
        from json_rows
        where not is_object
    """
