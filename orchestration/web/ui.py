"""Dagster's web UI and daemon for one hub, until interrupted or until one of them ends.

Belongs here: starting and ending their processes. Does not belong here: who may talk to the web UI
(guard.py).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from orchestration.settings import REPOSITORY
from orchestration.web.ports import about_port

HOST = "127.0.0.1"
LOCAL_NAMES = (HOST, "localhost")

# The token, and further names of the server, for a proxy in front of it that signs people in.
TOKEN_VARIABLE = "CONTACT_UI_TOKEN"
HOSTS_VARIABLE = "CONTACT_UI_HOSTS"

SECONDS_TO_END = 30
SECONDS_FOR_OPEN_REQUESTS = 3


class UiError(RuntimeError):
    """The web UI cannot be served; the message says why and what to do."""


def serve(
    home: Path,
    port: int,
    notify: Callable[[str], object],
    starting: AbstractContextManager[object] | None = None,
) -> None:
    """Serve the web UI, with the daemon beside it, until interrupted.

    Args:
        home: Dagster's home; it has one daemon at a time.
        port: the port on this machine.
        notify: called with lines for whoever started it; the address with the token is one.
        starting: a context that is open until the web UI is served.

    Raises:
        UiError: when the port is taken, the web UI of this hub is being served already, or the daemon ends by
            itself.
    """
    # Bound first, and held: whoever finds the port taken has started nothing.
    with _listening(port) as listener, _only_one(home):
        # Neither the daemon nor a run has a use for the token.
        given = os.environ.pop(TOKEN_VARIABLE, "").strip()
        token = given or secrets.token_urlsafe(32)
        signal.signal(signal.SIGTERM, _interrupt)
        notify(f"Starting Dagster's web UI on http://{HOST}:{port} (stop with Ctrl+C) ...")
        try:
            with ExitStack() as stack:
                with starting or nullcontext():
                    process_context, workspace = _code_location(stack)
                    daemon = stack.enter_context(_daemon(workspace))
                address = f"http://{HOST}:{port}/" + ("" if given else f"?token={token}")
                notify(f"Serving the web UI on {address}")
                _serve_web(process_context, listener, token, daemon)
        except KeyboardInterrupt:
            notify("Stopped.")


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as error:
            raise UiError(about_port(port, str(error.strerror))) from None
        yield listener


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Two daemons would both run what the schedule and the sensor ask for."""
    with (home / "ui.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UiError(
                "The web UI of this hub is served already. Nothing was started. Open the address that was "
                "printed at its start, or stop it first."
            ) from None
        yield


def _code_location(stack: ExitStack) -> tuple[Any, Path]:
    """One process with the definitions, for the web UI and the daemon, and the workspace file of it."""
    from dagster import DagsterInstance
    from dagster._cli.proxy_server_manager import ProxyServerManager
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget

    os.chdir(REPOSITORY)
    instance = stack.enter_context(DagsterInstance.get())
    definitions = WorkspaceFileTarget([str(REPOSITORY / "workspace.yaml")])
    servers = stack.enter_context(ProxyServerManager(instance, definitions, code_server_log_level="warning"))
    workspace = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "workspace.yaml"
    workspace.write_text(yaml.dump({"load_from": list(servers.get_code_server_specs())}))
    target = WorkspaceFileTarget([str(workspace)])
    context = WorkspaceProcessContext(instance, target, version=version("dagster-webserver"))
    return stack.enter_context(context), workspace


@contextmanager
def _daemon(workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The daemon, which runs the schedule, the sensor and the queue of runs; it ends with the block."""
    daemon = subprocess.Popen(
        [*(sys.executable, "-m", "dagster._daemon", "run"), *("--workspace", str(workspace))],
    )
    try:
        yield daemon
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            daemon.kill()


def _serve_web(
    process_context: Any, listener: socket.socket, token: str, daemon: subprocess.Popen[bytes]
) -> None:
    import uvicorn
    from dagster_webserver.app import create_app_from_workspace_process_context

    from orchestration.web.guard import guarded

    port = listener.getsockname()[1]
    hosts = [host.strip() for host in os.environ.get(HOSTS_VARIABLE, "").split(",") if host.strip()]
    app = guarded(
        create_app_from_workspace_process_context(process_context),
        token,
        [*LOCAL_NAMES, *hosts],
        cookie=f"contact_ui_{port}",
    )
    # The access log would hold the token.
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=SECONDS_FOR_OPEN_REQUESTS
    )
    server = uvicorn.Server(config)
    ended: list[int] = []

    def watch() -> None:
        ended.append(daemon.wait())
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[listener])
    if ended:
        raise UiError(
            f"Dagster's daemon ended by itself (status {ended[0]}), so nothing would run the schedule. The "
            "web UI was stopped too; what was published stays. Start it again."
        )


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
