"""Who may talk to Dagster's web UI."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from orchestration.web.guard import guarded

TOKEN = "the-token"
COOKIE = {"cookie": f"contact_ui={TOKEN}"}
JSON = {"content-type": "application/json"}


async def reached(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers whatever reaches it."""
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).accept()
    else:
        await PlainTextResponse("reached")(scope, receive, send)


APP = guarded(reached, TOKEN, ["127.0.0.1", "localhost", "reports.example"], "contact_ui")


def ask(
    method: str = "GET", address: str = "/", headers: dict[str, str] | None = None, kind: str = "http"
) -> tuple[int | str, dict[str, str]]:
    """What a request is answered: status and headers; for a websocket, whether it is accepted or closed."""
    path, _, query = address.partition("?")
    sent: list[Message] = []
    scope: Scope = {
        "type": kind,
        "method": method,
        "scheme": "http",
        "path": path,
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.encode(), value.encode())
            for name, value in {"host": "127.0.0.1:3000", **(headers or {})}.items()
        ],
        "server": ("127.0.0.1", 3000),
        "subprotocols": [],
    }

    async def receive() -> Message:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        await APP(scope, receive, send)

    asyncio.run(answer())
    first = sent[0]
    given = {name.decode(): value.decode() for name, value in first.get("headers", [])}
    return first.get("status", first["type"]), given


def test_whoever_has_the_token_is_served() -> None:
    assert ask(headers=COOKIE)[0] == 200
    assert ask(headers={"authorization": f"Bearer {TOKEN}"})[0] == 200
    assert ask("POST", "/graphql", {**COOKIE, **JSON, "origin": "http://127.0.0.1:3000"})[0] == 200
    assert ask(address="/graphql", headers=COOKIE, kind="websocket")[0] == "websocket.accept"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": "contact_ui=other"},
        {"cookie": "contact_ui="},
        {"authorization": "Bearer other"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer \xfc"},
    ],
)
def test_another_user_of_the_machine_is_not(headers: dict[str, str]) -> None:
    assert ask(headers=headers)[0] == 401
    assert ask("POST", "/graphql", {**headers, **JSON})[0] == 401
    assert ask(address="/graphql", headers=headers, kind="websocket")[0] == "websocket.close"


def test_the_address_with_the_token_gives_a_cookie_and_leads_to_the_address_without() -> None:
    status, headers = ask(address=f"/runs?token={TOKEN}&tag=a")

    assert status == 303
    assert headers["location"] == "/runs?tag=a"
    cookie = headers["set-cookie"].lower()
    assert cookie.startswith(f"contact_ui={TOKEN};")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ask(address=f"//attacker.example/?token={TOKEN}")[1]["location"] == "/attacker.example/"
    assert ask(address="/?token=other")[0] == 401


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "attacker.example"},
        {"host": "127.0.0.1.attacker.example:3000"},
        {"host": "127.0.0.1:3000@attacker.example"},
        {"origin": "http://attacker.example"},
        {"origin": "http://127.0.0.1:8000"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_another_host_or_site_is_refused_with_the_token_too(headers: dict[str, str], kind: str) -> None:
    status, _ = ask(address="/graphql", headers={**COOKIE, **headers}, kind=kind)

    assert status in (
        (400, 403) if kind == "http" else ("websocket.close", "websocket.http.response.start", 400)
    )


def test_a_proxy_that_speaks_https_is_no_other_site() -> None:
    behind = {**COOKIE, **JSON, "host": "reports.example", "origin": "https://reports.example"}

    assert ask("POST", "/graphql", behind)[0] == 200


def test_a_mutation_by_get_or_by_a_form_is_refused() -> None:
    assert ask(address="/graphql?query=mutation{x}", headers=COOKIE)[0] == 405
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        assert ask("POST", "/graphql?query=mutation{x}", {**COOKIE, "content-type": kind})[0] == 415
    assert ask("DELETE", "/", COOKIE)[0] == 405
