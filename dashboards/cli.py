"""The command behind `make dashboard`.

Belongs here: what a person types and reads. Does not belong here: what is imported (reports.py) and who may
see it (provision.py).
"""

from __future__ import annotations

import argparse
import fcntl
import io
import logging
import os
import secrets
import socket
import sys
from collections.abc import Mapping
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NoReturn, TextIO

from dashboards.connection import Database, DatabaseError
from dashboards.home import DashboardHome
from orchestration.hub.hub_toml import SettingsError
from orchestration.hub.rights import keep_to_owner, restrict
from orchestration.printable import markup
from orchestration.settings import REPOSITORY, Settings
from orchestration.terminal.heartbeat import heartbeat
from orchestration.terminal.output import console
from orchestration.web.ports import about_port, port_of

CONSOLE = console()
HOST = "127.0.0.1"
# More than the requests for data that are served at a time (limits.py).
THREADS = 32


def main(arguments: list[str] | None = None) -> int:
    """Make the dashboard ready and serve it; the result is the exit status of the process."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.cli", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=port_of, default=8088)
    options = parser.parse_args(arguments)
    keep_to_owner()
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 2
    try:
        database = Database.of(settings)
        if not database.is_file:
            database.require_reports()
        elif not settings.published.exists():
            raise DatabaseError(
                f"Nothing is published in {settings.published.parent} yet. Run `make demo` for a sample, or "
                "`make run` for what has landed; then `make dashboard` again."
            )
    except DatabaseError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    if notice := restrict(settings):
        CONSOLE.print(f"[yellow]![/] {markup(notice)}")
    try:
        return serve(settings, database, options.port)
    except DatabaseError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1


def serve(settings: Settings, database: Database, port: int) -> int:
    """Bring Superset's database up to date, then serve it until interrupted."""
    from dashboards.reports import ADDRESS

    home = DashboardHome.of(settings)
    make_home(home)
    with (home.folder / "serving").open("a+") as serving:
        served, address_served = port_of_the_server(serving, port, database.address)
        if not served and is_used(port):
            CONSOLE.print(f"[red]✗[/] {about_port(port, 'another program listens on it')}")
            return 1
        if served and not is_used(served):
            CONSOLE.print(
                f"[red]✗[/] The dashboard of this hub is being started on port {served}. Nothing was "
                "done: open it there once it is served, or run this again to update it."
            )
            return 1
        if served and address_served != database.address:
            CONSOLE.print(
                f"[red]✗[/] The dashboard of this hub is served on port {served} and reads another database. "
                "Nothing was done: stop it, then run this again."
            )
            return 1
        CONSOLE.print("Making the dashboard ready ...")
        with heartbeat(CONSOLE):
            make_ready(settings, database, home)
        address = f"http://{HOST}:{served or port}{ADDRESS}"
        if served:
            CONSOLE.print(f"Brought up to date. It is served already: {address}")
            return 0
        CONSOLE.print(f"Serving the dashboard on {address} (stop with Ctrl+C)")
        # Of the server: the lock that tells that it is there stays for as long as it lives.
        os.set_inheritable(serving.fileno(), True)
        return become_the_server(port)


def port_of_the_server(serving: TextIO, port: int, address: str) -> tuple[int | None, str]:
    """The port on which the dashboard of this hub is served, or about to be, and what it reads.

    Args:
        serving: the file of both, locked for as long as the server lives.
        port: what to write there when there is no server.
        address: of what is read, to be written there too.

    Returns:
        The port and the address; None for the port when there is no server, after locking the file.
    """
    try:
        fcntl.flock(serving, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        serving.seek(0)
        port_served, _, address_served = serving.read().partition("\n")
        return int(port_served), address_served
    serving.truncate(0)
    serving.write(f"{port}\n{address}")
    serving.flush()
    return None, address


def is_used(port: int) -> bool:
    """Whether another program listens on a port of this machine."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex((HOST, port)) == 0


def make_ready(settings: Settings, database: Database, home: DashboardHome) -> None:
    """Bring Superset's database up to date: the reports, and the users of a new one."""
    from dashboards.reports import Published, write

    os.environ.update(environment_of(settings, home))
    write(Published.read(database), home.assets)
    # Superset says a lot that is of no use here; what goes wrong is an exception.
    logging.disable(logging.WARNING)
    said = io.StringIO()
    from dashboards.provision import provision

    with redirect_stdout(said), redirect_stderr(said):
        passwords = provision(home.assets)
    if passwords:
        keep_passwords(home, passwords)
        CONSOLE.print(
            f"  The passwords of the users {' and '.join(passwords)} are in {markup(home.trial_passwords)}. "
            "Sign in, change them, then remove the file."
        )


def become_the_server(port: int) -> NoReturn:
    """Replace this process by the web server."""
    gunicorn = [sys.executable, "-m", "gunicorn", "--bind", f"{HOST}:{port}", "--threads", str(THREADS)]
    quiet = ["--workers", "1", "--timeout", "120", "--log-level", "warning", "--no-control-socket"]
    os.chdir(REPOSITORY)
    os.execv(sys.executable, [*gunicorn, *quiet, "superset.app:create_app()"])


def make_home(home: DashboardHome) -> None:
    """Make the folder of the dashboard, which its owner alone may open, and the key of its sessions."""
    home.folder.mkdir(parents=True, exist_ok=True)
    home.folder.chmod(0o700)
    if not home.secret_key.exists():
        home.secret_key.touch(mode=0o600)
        home.secret_key.write_text(secrets.token_urlsafe(48), encoding="utf-8")


def keep_passwords(home: DashboardHome, passwords: Mapping[str, str]) -> None:
    """Write a line for each user: the name and the password. Not to the terminal, which may be a log."""
    home.trial_passwords.unlink(missing_ok=True)
    home.trial_passwords.touch(mode=0o600)
    lines = [f"{name} {password}\n" for name, password in passwords.items()]
    home.trial_passwords.write_text("".join(lines), encoding="utf-8")


def environment_of(settings: Settings, home: DashboardHome) -> dict[str, str]:
    """The environment of Superset: its configuration and its folder."""
    return {
        **settings.as_environment(),
        "SUPERSET_CONFIG_PATH": str(Path(__file__).with_name("superset_config.py")),
        "SUPERSET_HOME": str(home.folder),
        "PYTHONPATH": str(REPOSITORY),
    }


if __name__ == "__main__":
    sys.exit(main())
