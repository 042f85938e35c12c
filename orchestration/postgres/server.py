"""The PostgreSQL server: a connection from the settings, and what its errors mean.

Belongs here: everything that names the library, which is imported only when a database is opened. Does not
belong here: what is asked (bring_up.py, function_bodies.py).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestration.faults import first_line

# The first one that takes NULLs of a key for equal.
OLDEST_VERSION = 15

INSTALL = "CONTACT_POSTGRES needs what speaks to PostgreSQL: run `make postgres`, which installs it."

# How a connection behaves whatever the server or the role is set to. What can fail fast does: readers have
# precedence, and a statement that waits for one of their locks makes the next ones wait behind it.
SESSION = """
set timezone = 'UTC';
set datestyle = 'ISO, YMD';
set lock_timeout = '5s';
set idle_in_transaction_session_timeout = 0;
set statement_timeout = 0;
set maintenance_work_mem = '256MB';
"""


class ServerError(RuntimeError):
    """A database that cannot be used; the message says why, without a password."""


@contextmanager
def opened(url: str) -> Iterator[Any]:
    """A connection whose transaction is committed at the end, and rolled back after an error.

    Args:
        url: as libpq reads it, which also looks at PGPASSWORD, PGSSLMODE and ~/.pgpass.

    Raises:
        ServerError: when the database cannot be reached or used.
    """
    with _connected(url) as connection, connection:
        if connection.server_version < OLDEST_VERSION * 10_000:
            raise ServerError(
                f"The server is PostgreSQL {connection.server_version // 10_000}; "
                f"{OLDEST_VERSION} or a later one is needed."
            )
        connection.cursor().execute(SESSION)
        yield connection


def tidy(url: str, tables: list[str]) -> None:
    """Have the server take stock of tables that were loaded in large part, so that it answers fast at once.

    Raises:
        ServerError: when it cannot.
    """
    with _connected(url) as connection:
        connection.autocommit = True
        for table in tables:
            connection.cursor().execute(f"vacuum (analyze) {table}")


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    """A connection that is closed at the end.

    Raises:
        ServerError: when the database cannot be reached, or a statement failed.
    """
    library = _library()
    try:
        connection = library.connect(url, connect_timeout=10, application_name="contact-reporting")
    except library.ProgrammingError:
        # libpq repeats what it cannot read, which may be the password.
        raise ServerError(
            "CONTACT_POSTGRES is no address that libpq can read. Write it as "
            "'postgresql://user@host:5432/database', with special characters percent-encoded."
        ) from None
    except library.Error as error:
        raise ServerError(first_line(error)) from None
    try:
        yield connection
    except library.Error as error:
        raise ServerError(first_line(error)) from None
    finally:
        connection.close()


def _library() -> Any:
    try:
        return importlib.import_module("psycopg2")
    except ModuleNotFoundError:
        raise ServerError(INSTALL) from None
