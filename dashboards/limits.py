"""How long a query may run, how many requests for data are served at a time, how often a sign-in may fail.

Belongs here: limits, so that one user's requests do not keep others out. Does not belong here: which requests
(access.py).
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psycopg2
from flask import Flask, Response, abort, g, make_response, request, session
from sqlalchemy import event
from sqlalchemy.pool import Pool

from dashboards.connection import SECONDS_A_QUERY, ReportsPool

if TYPE_CHECKING:
    from superset.app import SupersetApp

# Of the threads of the server (cli.py); the others are for pages and signing in. A browser sends six requests
# at a time.
REQUESTS_FOR_DATA = 24
REQUESTS_FOR_DATA_BY_A_USER = 12

FAILED_SIGN_INS = "10 per 5 minutes"
FAILED_SIGN_INS_BY_AN_ADDRESS = "30 per 5 minutes"

DATA = "/api/v1/chart/"
SIGN_IN_BY_PROGRAM = "SecurityApi.login"


def limit_queries(pool: Pool | type[Pool] = ReportsPool, seconds: float = SECONDS_A_QUERY) -> None:
    """Interrupt what a connection runs once it has been open for so long.

    DuckDB has no such limit, and an admin's query can lift that of a session of PostgreSQL. Superset opens
    a connection for each query.

    Args:
        pool: whose connections, by default those to the reports.
        seconds: how long, in seconds.
    """

    def opened(connection: Any, record: Any) -> None:
        record.info["closed"] = closed = threading.Event()
        interrupt = connection.cancel if hasattr(connection, "cancel") else connection.interrupt
        threading.Thread(target=_interrupt, args=(interrupt, closed, seconds), daemon=True).start()

    def ended(_connection: object, record: Any) -> None:
        if closed := record.info.pop("closed", None):
            closed.set()

    event.listen(pool, "connect", opened)
    event.listen(pool, "close", ended)


def _interrupt(interrupt: Callable[[], object], closed: threading.Event, seconds: float) -> None:
    wait = seconds
    while not closed.wait(wait):
        # Of one that is being closed there is nothing to interrupt.
        with suppress(psycopg2.InterfaceError):
            interrupt()
        # A query that begins after the time is ended as well.
        wait = 0.1


class RequestsForData:
    """Counts the requests for data at work, in all and by user."""

    def __init__(
        self, most: int = REQUESTS_FOR_DATA, most_by_a_user: int = REQUESTS_FOR_DATA_BY_A_USER
    ) -> None:
        self._most = most
        self._most_by_a_user = most_by_a_user
        self._at_work: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, user: str) -> bool:
        """Count one more; False, and nothing is counted, when there are too many."""
        with self._lock:
            if self._at_work.total() >= self._most or self._at_work[user] >= self._most_by_a_user:
                return False
            self._at_work[user] += 1
            return True

    def end(self, user: str) -> None:
        """Count one less."""
        with self._lock:
            self._at_work[user] -= 1
            if not self._at_work[user]:
                del self._at_work[user]


def limit_requests(application: Flask, requests_for_data: RequestsForData | None = None) -> None:
    """Answer requests for data beyond the limits at once, instead of keeping a thread for them."""
    counted = requests_for_data or RequestsForData()

    @application.before_request
    def begin() -> Response | None:
        if not request.path.startswith(DATA) or "/data" not in request.path:
            return None
        user = str(session.get("_user_id") or request.headers.get("Authorization") or request.remote_addr)
        if counted.begin(user):
            g.asks_for_data = user
            return None
        return make_response(
            {"message": "Too many charts are being computed. Wait a moment, then load them again."}, 429
        )

    @application.teardown_request
    def end(_error: BaseException | None) -> None:
        if user := g.pop("asks_for_data", None):
            counted.end(user)


def refuse_pictures_of_pages(application: Flask) -> None:
    """A picture's address is one of the static files; an address such as that of signing out is never one."""

    @application.before_request
    def refuse() -> None:
        if request.headers.get("Sec-Fetch-Dest") == "image" and not request.path.startswith("/static/"):
            abort(403)


def limit_sign_ins(application: SupersetApp) -> None:
    """Refuse tries, by page and by program, after too many failed ones for an account or of an address."""
    limiter = application.appbuilder.sm.limiter
    by_page = f"{application.appbuilder.sm.auth_view.endpoint}.login"
    for name in (by_page, SIGN_IN_BY_PROGRAM):
        if name in application.view_functions:
            view = application.view_functions[name]
            for limit, key in (
                (FAILED_SIGN_INS, _account),
                (FAILED_SIGN_INS_BY_AN_ADDRESS, lambda: f"address {request.remote_addr}"),
            ):
                view = limiter.limit(limit, key_func=key, methods=["POST"], deduct_when=_has_failed)(view)
            application.view_functions[name] = view


def _account() -> str:
    given = (request.get_json(silent=True) if request.is_json else request.form) or {}
    name = given.get("username") if hasattr(given, "get") else None
    return f"account {name!s:.100} from {request.remote_addr}"


def _has_failed(response: Response) -> bool:
    """A program is told 401; a page is led back to the form."""
    return response.status_code == 401 or "/login" in response.headers.get("Location", "")
