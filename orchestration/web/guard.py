"""Who may talk to Dagster's web UI: its own pages, opened by somebody who has the token.

Dagster's own server answers every host, every origin and every local user, and takes mutations by GET.
Anybody who can reach it can start runs, so each request passes here first.

Belongs here: what is refused, as middleware around any ASGI application. Does not belong here: starting the
server (ui.py).
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from urllib.parse import urlencode

from starlette.authentication import AuthCredentials, AuthenticationBackend, AuthenticationError, SimpleUser
from starlette.datastructures import QueryParams
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

# A page of another site can send a form or plain text without asking first, but nothing of these types.
CONTENT_TYPES = ("application/json", "application/graphql")

# What a browser says of a request of the page itself, and of an address that somebody typed or opened.
OWN_SITES = ("same-origin", "none")


def guarded(app: ASGIApp, token: str, hosts: Sequence[str], cookie: str) -> ASGIApp:
    """The application behind its guards.

    Args:
        app: the application.
        token: what a browser proves itself with, once, as ``?token=...``, and a program in each request, as
            ``Authorization: Bearer ...``.
        hosts: the names by which the server may be called.
        cookie: the name of the cookie in which a browser keeps the token. Cookies know no ports, so each
            server of a machine needs its own name.
    """
    with_token = AuthenticationMiddleware(
        OwnRequests(app), TokenHolder(token, cookie), on_error=_ask_for_token
    )
    return TrustedHostMiddleware(
        SameOrigin(SignIn(with_token, token, cookie)), list(hosts), www_redirect=False
    )


class SameOrigin:
    """Refuses what pages of other sites send, whatever cookies they bring."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan" and not _is_of_this_site(HTTPConnection(scope)):
            await _refuse(
                scope, receive, send, PlainTextResponse("This request comes from another site.", 403)
            )
            return
        await self._app(scope, receive, send)


class SignIn:
    """Takes the token from the address, gives a cookie for it, and leads to the address without it."""

    def __init__(self, app: ASGIApp, token: str, cookie: str) -> None:
        self._app = app
        self._token = token
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = QueryParams(scope["query_string"]).get("token") if scope["type"] == "http" else None
        if given is None or scope["method"] != "GET" or not _is_same(given, self._token):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        rest = [(name, value) for name, value in connection.query_params.multi_items() if name != "token"]
        # As a path alone: an address with a host in it could lead elsewhere.
        path = "/" + scope["path"].lstrip("/")
        response = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, status_code=303)
        response.set_cookie(
            self._cookie,
            self._token,
            httponly=True,
            samesite="strict",
            secure=connection.url.scheme == "https",
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)


class TokenHolder(AuthenticationBackend):
    """Knows whoever has the token, from the cookie or the header: the backend of Starlette's own check."""

    def __init__(self, token: str, cookie: str) -> None:
        self._token = token
        self._cookie = cookie

    async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser]:
        scheme, _, given = conn.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            given = conn.cookies.get(self._cookie, "")
        if not _is_same(given.strip(), self._token):
            raise AuthenticationError("no token")
        return AuthCredentials(), SimpleUser("token")


class OwnRequests:
    """Refuses mutations in a form in which other sites could send them: by GET, or as a plain form."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(HTTPConnection(scope), scope["method"]) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


def _refusal(connection: HTTPConnection, method: str) -> Response | None:
    if method in ("GET", "HEAD"):
        if connection.url.path.endswith("/graphql") and "query" in connection.query_params:
            return PlainTextResponse("Send queries by POST.", 405, {"Allow": "POST"})
    elif method != "POST":
        return PlainTextResponse("Only GET and POST are answered.", 405, {"Allow": "GET, POST"})
    elif connection.headers.get("content-type", "").partition(";")[0].strip().lower() not in CONTENT_TYPES:
        return PlainTextResponse(f"Send one of {', '.join(CONTENT_TYPES)}.", 415)
    return None


def _is_of_this_site(connection: HTTPConnection) -> bool:
    headers = connection.headers
    if headers.get("sec-fetch-site", "none").lower() not in OWN_SITES:
        return False
    origin = headers.get("origin")
    # The host was checked before; whether a proxy speaks HTTPS makes no other site of it.
    return origin is None or origin.lower().partition("://")[2] == headers.get("host", "").lower()


def _is_same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _ask_for_token(_connection: HTTPConnection, _error: AuthenticationError) -> Response:
    return PlainTextResponse(
        "This address needs its token. Open the address with ?token=... that was printed at the start.",
        401,
        {"WWW-Authenticate": "Bearer"},
    )


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        # Before it is accepted, so the browser is answered 403.
        await send({"type": "websocket.close", "code": 1008})
    else:
        await response(scope, receive, send)
