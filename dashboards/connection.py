"""The one connection that Superset may open: to the published file, read-only, and to nothing else.

Belongs here: what Superset may connect to, and how. Does not belong here: who may send which query through it
(access.py).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.engine import Engine
from sqlalchemy.engine.url import URL, make_url
from sqlalchemy.pool import NullPool


class ForeignConnectionError(ValueError):
    """A connection that Superset may not open; the message says which it may."""


def address_of(published: Path) -> str:
    """The published file, as SQLAlchemy writes it."""
    return f"duckdb:///{published}"


def options(memory_limit: str) -> dict[str, Any]:
    """How the file is opened: nothing else of this machine can be read or written through the connection.

    Args:
        memory_limit: the most memory that all queries use together, as DuckDB writes it. Beyond it they fail,
            since what is read-only has no place for what does not fit.
    """
    return {
        "read_only": True,
        "config": {
            "enable_external_access": "false",
            "memory_limit": memory_limit,
            "lock_configuration": "true",
        },
    }


def engine_of(published: Path, memory_limit: str) -> Engine:
    """For what this process asks the published file besides the charts: opened as for them, once a query."""
    return create_engine(address_of(published), poolclass=NullPool, connect_args=options(memory_limit))


def only_to(published: Path, memory_limit: str) -> Callable[..., tuple[URL, dict[str, Any]]]:
    """Superset's hook before a connection, for new ones and those to be tried as well.

    An admin can enter any address and any options. Through a connection to another file of the server, or one
    with other options, SQL could read the key of the sessions. So another address is refused, and the options
    are always these.
    """
    ours = make_url(address_of(published))

    def mutate(url: URL, *_: object) -> tuple[URL, dict[str, Any]]:
        if (url.drivername, url.database, dict(url.query)) != (ours.drivername, ours.database, {}):
            raise ForeignConnectionError(
                f"This Superset connects to {ours} alone, so no other connection can be made. Use another "
                "Superset for other data."
            )
        return ours, {"poolclass": NullPool, "connect_args": options(memory_limit)}

    return mutate
