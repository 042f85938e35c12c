"""A PostgreSQL server of this machine, which asks everybody for a password.

Belongs here: the process, addresses, roles. Does not belong here: what databases hold.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

# Of Debian, where no program of the server is on the path.
PROGRAMS = "/usr/lib/postgresql"

PASSWORD = "a password that nobody may read"

ROLES = Path(__file__).resolve().parents[2] / "orchestration" / "postgres" / "roles.sql"


@contextmanager
def running_server() -> Iterator[Path]:
    """Within it, a server runs; gives the folder of its socket."""
    # Its path is short enough for a socket, and open to the user of the server.
    folder = Path(tempfile.mkdtemp(prefix="contact-postgres-"))
    password = folder / "password"
    password.write_text(PASSWORD)
    if os.geteuid() == 0:
        for path in (folder, password):
            shutil.chown(path, "postgres")
    data = str(folder / "data")
    subprocess.run(
        as_server(
            *(
                program("initdb"),
                "--pgdata",
                data,
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ),
            *("--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"),
        ),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    # Without waiting for the disk: what a power cut loses is no matter here.
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    control = as_server(program("pg_ctl"), "--pgdata", data, "--wait")
    subprocess.run([*control, "--log", f"{folder}/log", "--options", options, "start"], check=True)
    try:
        yield folder
    finally:
        subprocess.run([*control, "--mode=immediate", "stop"], check=True)
        shutil.rmtree(folder)


def program(name: str) -> str:
    """A program of the newest server that is installed."""
    if shutil.which(name):
        return name
    found = sorted(Path(PROGRAMS).glob(f"*/bin/{name}"))
    assert found, f"{name} is not installed: make test-postgres installs it"
    return str(found[-1])


def as_server(*command: str) -> list[str]:
    """A command as the user of the server, which refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.geteuid() == 0 else [*command]


def address(server: Path, database: str, user: str = "postgres") -> str:
    """The address of a database, with the password."""
    return f"postgresql://{user}:{PASSWORD.replace(' ', '%20')}@/{database}?host={server}"


@contextmanager
def admin(server: Path, database: str = "postgres") -> Iterator[psycopg2.extensions.cursor]:
    """Within it, a cursor of the administrator outside of any transaction."""
    with closing(psycopg2.connect(address(server, database))) as connection:
        connection.autocommit = True
        yield connection.cursor()


def make_roles(server: Path, database: str) -> None:
    """The roles of the pipeline and of readers, and a user `bi` that reads, each with the password."""
    psql = as_server(program("psql"), "--quiet", "--dbname", address(server, database))
    subprocess.run(psql, input=ROLES.read_text(), text=True, check=True, stdout=subprocess.DEVNULL)
    with admin(server, database) as cursor:
        cursor.execute("alter role contact_owner password %s", [PASSWORD])
        cursor.execute("create role bi login password %s", [PASSWORD])
        cursor.execute("grant contact_reader to bi")
