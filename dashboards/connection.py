"""The one database that Superset may connect to: the published file, or PostgreSQL, which holds the same.

Belongs here: what Superset may connect to, and how. Does not belong here: who may send which query through it
(access.py), and what each database writes in its own way (dialects.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from dashboards.dialects import Dialect, DuckDbDialect, PostgresDialect
from orchestration.faults import first_line
from orchestration.postgres.table_shapes import SCHEMA
from orchestration.settings import Settings

# Where the reports are read from PostgreSQL instead of the file.
SETTING = "CONTACT_DASHBOARD_DATABASE"

SECONDS_A_QUERY = 60

NOT_AN_ADDRESS = (
    f"{SETTING} is no address of a PostgreSQL database. Write it as "
    "'postgresql://user@host:5432/database', with special characters percent-encoded, and a password before "
    "the @, in PGPASSWORD or in ~/.pgpass."
)

# The name of a type; text of any kind is VARCHAR, as in the file.
TYPE = text(
    "select case when typcategory = 'S' then 'VARCHAR' else upper(format_type(oid, null)) end "
    "from pg_type where oid = :oid"
)

# Whether the user has another role than that of readers, or may write. A superuser has every role.
MAY_DO_MORE = f"""
select
    exists (
        select from pg_roles as roles
        where roles.rolname not in (current_user, 'contact_reader') and pg_has_role(roles.oid, 'member')
    )
    or has_database_privilege(current_database(), 'create')
    or has_schema_privilege('{SCHEMA}', 'create')
    or exists (
        select from pg_class as tables
        where
            tables.relnamespace = '{SCHEMA}'::regnamespace
            and tables.relkind = 'r'
            and has_table_privilege(tables.oid, 'insert, update, delete, truncate')
    )
"""


class ReportsPool(NullPool):
    """The connections to the reports, each for one query; limits.py ends those that take too long."""


class ForeignConnectionError(ValueError):
    """A connection that Superset may not open; the message says which it may."""


class DatabaseError(RuntimeError):
    """A database from which no reports can be read; the message says why, without a password."""


@dataclass(frozen=True)
class Database:
    """What the reports are read from.

    Attributes:
        url: as SQLAlchemy writes it, with the password if it has one.
        options: how it is opened: nothing can be changed through the connection.
        dialect: what it writes in its own way.
        is_file: whether it is the published file.
    """

    url: URL = field(repr=False)
    options: Mapping[str, Any]
    dialect: Dialect
    is_file: bool

    @classmethod
    def of(cls, settings: Settings) -> Database:
        """The database that the environment names; without one, the published file of the hub.

        Raises:
            DatabaseError: when it names none of PostgreSQL.
        """
        named = os.environ.get(SETTING, "").strip()
        if not named:
            return cls.of_file(settings.published, settings.memory_limit)
        try:
            url = make_url(named)
        except (ArgumentError, ValueError):
            # What cannot be read may be the password.
            raise DatabaseError(NOT_AN_ADDRESS) from None
        # What follows the question mark is shown to admins of Superset.
        if url.drivername not in ("postgresql", "postgres") or any("password" in name for name in url.query):
            raise DatabaseError(NOT_AN_ADDRESS)
        return cls.of_postgres(url)

    @classmethod
    def of_file(cls, published: Path, memory_limit: str) -> Database:
        """The published file, read-only; nothing else of this machine can be read or written through it.

        Args:
            published: the published file.
            memory_limit: the most memory that all queries use together, as DuckDB writes it. Beyond it they
                fail, since what is read-only has no place for what does not fit.
        """
        options = {
            "read_only": True,
            "config": {
                "enable_external_access": "false",
                "memory_limit": memory_limit,
                "lock_configuration": "true",
            },
        }
        return cls(make_url(f"duckdb:///{published}"), options, DuckDbDialect(), is_file=True)

    @classmethod
    def of_postgres(cls, url: URL) -> Database:
        """A PostgreSQL database whose schema has the published tables and functions; by a role that reads."""
        session = {
            "search_path": SCHEMA,
            "timezone": "UTC",
            "default_transaction_read_only": "on",
            "statement_timeout": f"{SECONDS_A_QUERY}s",
        }
        options = {
            "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
            "connect_timeout": 10,
            "application_name": "contact-reporting-dashboard",
        }
        return cls(url.set(drivername="postgresql+psycopg2"), options, PostgresDialect(), is_file=False)

    @property
    def address(self) -> str:
        """Its address without the password."""
        return URL.create(
            self.url.drivername,
            self.url.username,
            host=self.url.host,
            port=self.url.port,
            database=self.url.database,
            query=self.url.query,
        ).render_as_string()

    def engine(self) -> Engine:
        """For what this process asks besides the charts: opened as for them, once a query."""
        return create_engine(self.url, **self._parameters())

    def require_reports(self) -> None:
        """Make sure that a database of PostgreSQL holds the reports, for a user who reads and nothing else.

        Raises:
            DatabaseError: when it does not, or cannot be reached.
        """
        try:
            with self.engine().connect() as connected:
                connected.exec_driver_sql("select as_of from report_info")
                may_do_more: bool = connected.exec_driver_sql(MAY_DO_MORE).scalar_one()
        except OperationalError as error:
            raise DatabaseError(
                f"The database that {SETTING} names cannot be reached: {first_line(error.orig or error)}."
            ) from None
        except SQLAlchemyError:
            raise DatabaseError(
                f"The database that {SETTING} names holds no reports that this user may read. "
                "A refresh with CONTACT_POSTGRES brings them there, and the role contact_reader reads them."
            ) from None
        if may_do_more:
            raise DatabaseError(
                f"The user that {SETTING} names may do more than read the reports, and so could an admin of "
                "the dashboard. Name one that has the role contact_reader and no other."
            )

    def columns(self, connected: Connection, query: str) -> list[tuple[str, str]]:
        """The columns that a query gives, each with its type; text of any kind is VARCHAR."""
        if self.is_file:
            described: Sequence[Any] = connected.exec_driver_sql(f"describe {query}").all()
            return [(column, kind) for column, kind, *_ in described]
        # Of psycopg2, whose columns have names.
        cursor: Any = connected.connection.cursor()
        # Without parameters, so that a % is one.
        cursor.execute(f"select * from ({query}) as described limit 0")
        return [
            (column.name, connected.execute(TYPE, {"oid": column.type_code}).scalar_one())
            for column in cursor.description
        ]

    def only_here(self) -> Callable[..., tuple[URL, dict[str, Any]]]:
        """Superset's hook before a connection, for new ones and those to be tried as well.

        An admin can enter any address and any options. Through a connection to another file of the server, or
        one with other options, SQL could read the key of the sessions. So another address is refused, and the
        options are always these.
        """
        ours = make_url(self.address)

        def mutate(url: URL, *_: object) -> tuple[URL, dict[str, Any]]:
            if url != ours:
                raise ForeignConnectionError(
                    f"This Superset connects to {self.address} alone, so no other connection can be made. "
                    "Use another Superset for other data."
                )
            return self.url, self._parameters()

        return mutate

    def _parameters(self) -> dict[str, Any]:
        return {"poolclass": ReportsPool, "connect_args": dict(self.options)}
