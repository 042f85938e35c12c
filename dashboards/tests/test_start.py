"""Starting the dashboard again, and on a hub where nothing is published."""

from __future__ import annotations

import fcntl
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from serving import REPOSITORY, SECONDS_TO_START, Dashboard


def started(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dashboards.cli", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_START,
        check=False,
    )


def test_starting_again_updates_the_reports_and_keeps_users(
    dashboard: Dashboard, hub: dict[str, str]
) -> None:
    before = dashboard.signed_in("admin").datasets()

    again = started(hub, "--port", dashboard.address.rsplit(":", 1)[1])

    assert again.returncode == 0, again.stdout + again.stderr
    assert "Brought up to date" in again.stdout
    assert "password" not in again.stdout
    # The same passwords still sign in, and nothing is there twice.
    assert dashboard.signed_in("manager").datasets() == before
    assert roles_that_can_manage(hub) == {"Admin", "Contact: Manager"}


def roles_that_can_manage(hub: dict[str, str]) -> set[str]:
    """The roles of Superset's database that have the permission of managers."""
    database = Path(hub["CONTACT_DATA_DIR"]) / "dashboard" / "superset.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = connection.execute(
            """
            select ab_role.name
            from ab_role
            inner join ab_permission_view_role as given on given.role_id = ab_role.id
            inner join ab_permission_view as pair on pair.id = given.permission_view_id
            inner join ab_permission on ab_permission.id = pair.permission_id
            inner join ab_view_menu on ab_view_menu.id = pair.view_menu_id
            where ab_permission.name = 'can_manage' and ab_view_menu.name = 'Contact'
            """
        ).fetchall()
    return {name for (name,) in found}


def test_without_published_data_it_says_what_to_do(hub: dict[str, str], tmp_path: Path) -> None:
    started_in_vain = started({**hub, "CONTACT_DATA_DIR": str(tmp_path)})

    assert started_in_vain.returncode == 1
    assert "make demo" in started_in_vain.stdout
    assert "Traceback" not in started_in_vain.stdout + started_in_vain.stderr


def test_one_that_is_being_started_is_left_to_start(hub: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "published").symlink_to(Path(hub["CONTACT_DATA_DIR"]) / "published")
    (tmp_path / "dashboard").mkdir()
    with socket.socket() as unused, (tmp_path / "dashboard" / "serving").open("w") as serving:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        serving.write(f"{port}\nduckdb:///{tmp_path}/published/contact_reports.duckdb")
        serving.flush()
        fcntl.flock(serving, fcntl.LOCK_EX)
        second = started({**hub, "CONTACT_DATA_DIR": str(tmp_path)})

    assert second.returncode == 1
    assert f"is being started on port {port}" in second.stdout
    assert "ready" not in second.stdout


def test_one_that_reads_another_database_is_left_as_it_is(dashboard: Dashboard, hub: dict[str, str]) -> None:
    on_postgres = hub["CONTACT_POSTGRES"].replace("contact_owner", "bi")

    second = started({**hub, "CONTACT_DASHBOARD_DATABASE": on_postgres})

    assert second.returncode == 1
    assert "reads another database. Nothing was done" in " ".join(second.stdout.split())
    assert "ready" not in second.stdout
    assert dashboard.signed_in("manager").datasets()


def test_a_port_of_another_program_ends_at_once_with_a_word(hub: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "published").symlink_to(Path(hub["CONTACT_DATA_DIR"]) / "published")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = started({**hub, "CONTACT_DATA_DIR": str(tmp_path)}, "--port", port)

    assert refused.returncode == 1
    assert f"Port {port} cannot be used: another program listens on it. Nothing" in refused.stdout
    assert "ready" not in refused.stdout
