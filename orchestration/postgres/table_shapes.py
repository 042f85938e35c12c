"""What PostgreSQL holds of a published table: columns with their types, key, indexes and comments.

Belongs here: how what DuckDB describes is written for PostgreSQL. Does not belong here: the rows
(row_changes.py, row_stream.py).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.sql import identifier, literal

SCHEMA = "contact_reports"

TYPES = {
    # The order of bytes is that of DuckDB, and the fastest.
    "VARCHAR": 'text collate "C"',
    "BOOLEAN": "boolean",
    "INTEGER": "integer",
    "BIGINT": "bigint",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "VARCHAR[]": "text[]",
    "DATE[]": "date[]",
}

# The keys of what publishing itself writes. Those of models are what their tests hold to be unique.
OWN_KEYS = {
    "refreshes": ("refresh_number",),
    "report_info": ("refreshed_at",),
    "versions": ("version",),
    "restatements": ("to_version", "entity", "message_id", "order_id"),
    "restatement_totals": ("message_date", "queue_id", "user_id", "was_settled", "to_version"),
}

# Columns of a key that may be NULL, which a primary key forbids.
NULL_IN_KEY = {
    "counts_by_day": {"previous_date"},
    "counts_by_day_and_queue": {"previous_date"},
    "counts_by_day_and_user": {"previous_date"},
    "restatements": {"order_id"},
    "sales_by_day": {"queue_id", "user_id"},
}

# What the functions read rows by, and people who query the tables. An index for functions has their
# condition, so that it is small, and all columns that they use, so that they leave the table itself alone.
INDEXES = {
    "fct_messages": [
        "(queue_id, message_date) "
        "include (user_id, customer_digest, is_converted, previous_sent_date_by_user) where status = 'sent'",
        "(user_id, message_date) include (queue_id, customer_digest, is_converted) where status = 'sent'",
        "(message_date) include (queue_id, user_id, customer_digest, is_converted) "
        "where status = 'sent' and not is_only_message_of_day",
        "(message_date)",
        "(customer_id)",
    ],
    "fct_message_orders": [
        "(message_date) "
        "include (queue_id, user_id, touch_count_on_day, order_digest, order_value, refunded_value) "
        "where touch_count > 1",
        "(message_date) include (queue_id, user_id, order_digest, order_value, refunded_value) "
        "where touch_count_by_user > 1",
        "(user_id, message_date) include (queue_id, order_digest, order_value, refunded_value) "
        "where touch_count_in_queue > 1",
        "(message_date)",
        "(order_id)",
        "(customer_id)",
    ],
    "fct_orders": ["(customer_id)", "(order_date)"],
    "counts_by_day_and_queue": ["(message_date, previous_date)"],
    "counts_by_day_and_user": ["(message_date, previous_date)"],
}


@dataclass(frozen=True)
class Column:
    """A column as both sides know it."""

    name: str
    duckdb_type: str
    comment: str

    @property
    def type(self) -> str:
        """Its type in PostgreSQL. Structs and maps are JSON."""
        if self.duckdb_type.startswith("DECIMAL("):
            return self.duckdb_type.replace("DECIMAL", "numeric")
        return TYPES.get(self.duckdb_type, "jsonb")

    @property
    def as_text(self) -> str:
        """The expression in DuckDB that gives its value as COPY reads it."""
        name = identifier(self.name)
        if self.type == TYPES["VARCHAR"]:
            return without_nul(name)
        if self.type == "jsonb":
            return f"to_json({name})"
        if self.duckdb_type.endswith("[]"):
            quoted = without_nul(r"replace(replace(element::varchar, '\', '\\'), '" + r""""', '\"')""")
            elements = f"""list_transform({name}, lambda element: coalesce('"' || {quoted} || '"', 'NULL'))"""
            return f"'{{' || array_to_string({elements}, ',') || '}}'"
        return name


def without_nul(text: str) -> str:
    """Text for PostgreSQL, whose text cannot hold U+0000: the sign of it, U+2400, stands in its place."""
    return f"replace({text}, chr(0), '\u2400')"


@dataclass(frozen=True)
class Shape:
    """A table as PostgreSQL has it.

    Attributes:
        key: the columns that tell its rows apart.
    """

    name: str
    comment: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def listed(self) -> str:
        """Its columns, as SQL lists them."""
        return ", ".join(identifier(column.name) for column in self.columns)

    @property
    def definition(self) -> str:
        """What tells whether a table of this name is of this shape."""
        return hashlib.sha256(repr((self.columns_of_table, self.key, self.indexes)).encode()).hexdigest()

    @property
    def columns_of_table(self) -> str:
        """Its columns with their types, as ``create table`` wants them."""
        return ", ".join(f"{identifier(column.name)} {column.type}" for column in self.columns)

    @property
    def indexes(self) -> list[str]:
        """What is put between the table's name and the end of ``create index``."""
        return INDEXES.get(self.name, [])

    @property
    def nullable_in_key(self) -> set[str]:
        """The columns of the key that may be NULL."""
        return NULL_IN_KEY.get(self.name, set())

    def key_statement(self, table: str) -> str:
        """The statement that declares the key of a table that holds its rows."""
        listed = ", ".join(map(identifier, self.key))
        kind = "unique nulls not distinct" if self.nullable_in_key else "primary key"
        return f"alter table {table} add {kind} ({listed})"

    def comment_statements(self, said: Mapping[str, str]) -> list[str]:
        """The statements that give the table and its columns the words of the docs, where they have others.

        Args:
            said: the comments that they have, by the name of the column; that of the table by ''.
        """
        table = f"{SCHEMA}.{identifier(self.name)}"
        wanted = {"": self.comment, **{column.name: column.comment for column in self.columns}}
        return [
            f"comment on column {table}.{identifier(name)} is {literal(comment)}"
            if name
            else f"comment on table {table} is {literal(comment)}"
            for name, comment in wanted.items()
            if said.get(name, "") != comment
        ]


def shapes_of(published: duckdb.DuckDBPyConnection, manifest: Mapping[str, Any]) -> list[Shape]:
    """The tables of the published file.

    Args:
        published: a connection to the file.
        manifest: dbt's manifest, whose tests say which columns are unique.
    """
    keys = {**_tested_keys(manifest), **OWN_KEYS}
    columns: dict[str, list[Column]] = {}
    for table, name, kind, comment in published.execute(
        "select table_name, column_name, data_type, coalesce(comment, '') from duckdb_columns() "
        "where database_name = current_database() and schema_name = 'main' and not internal "
        "order by table_name, column_index"
    ).fetchall():
        columns.setdefault(table, []).append(Column(name, kind, comment))
    tables = published.execute(
        "select table_name, coalesce(comment, '') from duckdb_tables() "
        "where database_name = current_database() and schema_name = 'main' order by table_name"
    ).fetchall()
    return [Shape(table, comment, tuple(columns[table]), keys[table]) for table, comment in tables]


def _tested_keys(manifest: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """The columns that a test of dbt holds to be unique, by model."""
    keys: dict[str, tuple[str, ...]] = {}
    for node in manifest["nodes"].values():
        test = node.get("test_metadata") or {}
        arguments: Mapping[str, Any] = test.get("kwargs", {})
        arguments = arguments.get("arguments", arguments)
        unique: Sequence[str] = ()
        if test.get("name") == "unique":
            unique = (arguments.get("column_name") or node["column_name"],)
        elif test.get("name") == "unique_combination":
            unique = arguments["columns"]
        if unique and node.get("attached_node"):
            keys[node["attached_node"].rpartition(".")[2]] = tuple(unique)
    return keys
