"""Who may see the reports sees them, and nothing but the published file; nobody else does, by any way."""

from __future__ import annotations

import stat

import pytest
import requests
from serving import Dashboard

PAGE = "/superset/dashboard/contact-reports/"


def test_passwords_are_generated_and_no_default_one_works(dashboard: Dashboard) -> None:
    assert {len(password) for password in dashboard.passwords.values()} == {16}
    for user in ("admin", "manager"):
        for password in ("admin", "manager", "general", "password", ""):
            answer = requests.post(
                f"{dashboard.address}/api/v1/security/login",
                json={"username": user, "password": password, "provider": "db"},
                timeout=60,
            )
            assert answer.status_code in (400, 401, 422), answer.text


def test_what_superset_keeps_is_its_owners_alone(dashboard: Dashboard) -> None:
    folder = dashboard.folder / "dashboard"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600


def test_a_manager_sees_the_dashboard(dashboard: Dashboard) -> None:
    manager = dashboard.signed_in("manager")
    assert manager.get("/api/v1/dashboard/contact-reports").status_code == 200
    assert manager.get("/api/v1/dashboard/contact-reports/charts").json()["result"]


def test_nobody_sees_anything_without_signing_in(dashboard: Dashboard) -> None:
    page = requests.get(f"{dashboard.address}{PAGE}", timeout=60, allow_redirects=False)
    assert page.status_code in (302, 401, 404)
    for path in ("dashboard/contact-reports", "chart/", "dataset/"):
        assert requests.get(f"{dashboard.address}/api/v1/{path}", timeout=60).status_code in (401, 404)


def test_an_outsider_sees_neither_page_nor_charts_nor_data(dashboard: Dashboard) -> None:
    outsider = dashboard.signed_in("outsider")
    datasets = dashboard.signed_in("admin").datasets()

    assert outsider.get(PAGE).status_code in (302, 403, 404)
    assert outsider.get("/api/v1/dashboard/contact-reports").status_code in (403, 404)
    assert outsider.get("/api/v1/dashboard/contact-reports/charts").status_code in (403, 404)
    assert outsider.get("/api/v1/dashboard/contact-reports/datasets").status_code in (403, 404)
    assert outsider.get("/api/v1/dashboard/").json()["result"] == []
    assert outsider.get("/api/v1/chart/").json()["result"] == []
    assert outsider.datasets() == {}
    for number in datasets.values():
        answer = outsider.ask(number, [], ["count"], [])
        assert answer.status_code == 403, answer.text


@pytest.mark.parametrize("user", ["manager", "outsider"])
def test_nobody_but_an_admin_may_ask_in_sql(dashboard: Dashboard, user: str) -> None:
    answer = dashboard.signed_in(user).post(
        "/api/v1/sqllab/execute/",
        {"database_id": 1, "sql": "select * from fct_message_orders", "schema": "main"},
    )
    assert answer.status_code in (401, 403), answer.text


@pytest.mark.parametrize(
    "query",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('{folder}/dashboard/secret_key')",
        "select * from '{folder}/landing/messages/*.csv'",
        "select * from sqlite_scan('{folder}/dashboard/superset.db', 'ab_user')",
        "attach '{folder}/warehouse.duckdb' as warehouse",
        "copy fct_messages to '{folder}/stolen.csv'",
        "create table mine as select 1",
        "set enable_external_access = true",
        "install httpfs",
    ],
)
def test_the_connection_reads_the_published_file_and_nothing_else(dashboard: Dashboard, query: str) -> None:
    admin = dashboard.signed_in("admin")
    asked = query.format(folder=dashboard.folder)

    control = admin.post(
        "/api/v1/sqllab/execute/",
        {"database_id": 1, "sql": "select count(*) from fct_messages", "schema": "main"},
    )
    answer = admin.post("/api/v1/sqllab/execute/", {"database_id": 1, "sql": asked, "schema": "main"})

    assert control.ok, control.text
    assert not answer.ok, answer.text
    assert not (dashboard.folder / "stolen.csv").exists()
