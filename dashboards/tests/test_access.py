"""Who may see the reports sees them, and nothing but the published file; nobody else does, by any way."""

from __future__ import annotations

import json
import stat
from typing import Any

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
    for path in folder.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    # What the start says may end up in a log that others read.
    assert not [password for password in dashboard.passwords.values() if password in dashboard.said]


def test_a_manager_sees_the_dashboard(dashboard: Dashboard) -> None:
    manager = dashboard.signed_in("manager")
    assert manager.get("/api/v1/dashboard/contact-reports").status_code == 200
    assert manager.get("/api/v1/dashboard/contact-reports/charts").json()["result"]


def test_nobody_sees_anything_without_signing_in(dashboard: Dashboard) -> None:
    page = requests.get(f"{dashboard.address}{PAGE}", timeout=60, allow_redirects=False)
    assert page.status_code in (302, 401, 404)
    for path in ("dashboard/contact-reports", "chart/", "dataset/"):
        assert requests.get(f"{dashboard.address}/api/v1/{path}", timeout=60).status_code in (401, 404)


@pytest.mark.parametrize("user", ["outsider", "analyst"])
def test_who_is_no_manager_sees_neither_page_nor_charts_nor_data(dashboard: Dashboard, user: str) -> None:
    outsider = dashboard.signed_in(user)
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


@pytest.mark.parametrize("user", ["manager", "outsider", "analyst"])
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


JINJA = {"expressionType": "SQL", "sqlExpression": "max({{ 7 * 7 }})", "label": "x"}
PLAIN = {"expressionType": "SQL", "sqlExpression": "max(1)", "label": "x"}
SIMPLE = {
    "expressionType": "SIMPLE",
    "aggregate": "SUM",
    "column": {"column_name": "messages_sent"},
    "label": "x",
}
AXIS = {"columnType": "BASE_AXIS", "expressionType": "SQL", "sqlExpression": "{{ 7 * 7 }}", "label": "x"}


@pytest.mark.parametrize(
    "asked",
    [
        {"metrics": [JINJA]},
        {"metrics": [PLAIN]},
        {"metrics": [SIMPLE]},
        {"columns": [PLAIN]},
        {"columns": [AXIS]},
        {"columns": [{**AXIS, "sqlExpression": "queue", "label": "other"}]},
        {"groupby": [PLAIN]},
        {"series_columns": [PLAIN]},
        {"filters": [{"col": PLAIN, "op": "==", "val": 1}]},
        {"extras": {"where": "{{ 7 * 7 }} = 49"}},
        {"extras": {"having": "1 = 1"}},
        {"where": "1 = 1"},
        {"orderby": [[PLAIN, True]]},
        {"orderby": [["random()", True]]},
        {"series_limit": 1, "series_limit_metric": PLAIN},
        {"granularity": "1 = 1"},
        {"time_offsets": ["1 year ago"]},
        {"post_processing": [{"operation": "resample", "options": {"rule": "1us", "method": "asfreq"}}]},
        {"post_processing": [{"operation": "prophet", "options": {}}]},
    ],
)
def test_a_manager_can_send_no_sql_and_no_jinja(dashboard: Dashboard, asked: dict[str, Any]) -> None:
    manager = dashboard.signed_in("manager")
    number = manager.datasets()["queue_breakdown"]

    control = manager.ask(number, ["queue"], ["messages_sent"], [], orderby=[["messages_sent", False]])
    answer = manager.ask(number, **{"columns": [], "metrics": ["messages_sent"], "filters": [], **asked})

    assert control.ok, control.text
    assert answer.status_code == 403, answer.text
    assert "Only the charts of the dashboard" in answer.text


def test_an_admin_may_send_sql(dashboard: Dashboard) -> None:
    admin = dashboard.signed_in("admin")

    assert admin.ask(admin.datasets()["overview"], [], [PLAIN], []).ok


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/datasource/table/{dataset}/column/queue/values/",
        "/superset/explore_json/?form_data={{}}",
        "/api/v1/explore/?slice_id=1",
    ],
)
def test_a_manager_has_no_other_way_to_ask(dashboard: Dashboard, path: str) -> None:
    manager = dashboard.signed_in("manager")
    dataset = manager.datasets()["queue_breakdown"]

    assert manager.get(path.format(dataset=dataset)).status_code in (401, 403)
    for asked in (
        f"/datasource/samples?datasource_type=table&datasource_id={dataset}",
        f"/api/v1/datasource/table/{dataset}/validate_expression/",
    ):
        assert manager.post(asked, {"expression": "1", "filters": []}).status_code in (401, 403)


@pytest.mark.parametrize(
    "address",
    [
        "duckdb:///{folder}/warehouse.duckdb",
        "duckdb:///:memory:",
        "duckdb:///{folder}/published/contact_reports.duckdb?access_mode=read_write",
        "sqlite:///{folder}/dashboard/superset.db",
        "postgresql://localhost/x",
    ],
)
def test_an_admin_can_make_no_other_connection(dashboard: Dashboard, address: str) -> None:
    admin = dashboard.signed_in("admin")
    asked = {"sqlalchemy_uri": address.format(folder=dashboard.folder), "database_name": "other"}

    assert admin.post("/api/v1/database/test_connection/", asked).status_code in (400, 422)
    assert admin.post("/api/v1/database/", asked).status_code in (400, 422)
    assert admin.get("/api/v1/database/").json()["count"] == 1


def test_an_admin_cannot_open_the_connection_to_other_files(dashboard: Dashboard) -> None:
    admin = dashboard.signed_in("admin")
    opened = {"engine_params": {"connect_args": {"config": {"enable_external_access": "true"}}}}
    made = admin.post(
        "/api/v1/database/",
        {
            "sqlalchemy_uri": f"duckdb:///{dashboard.published}",
            "database_name": "the same, opened",
            "expose_in_sqllab": True,
            "extra": json.dumps(opened),
        },
    )
    assert made.status_code == 201, made.text
    number = made.json()["id"]
    try:
        answer = admin.post(
            "/api/v1/sqllab/execute/",
            {
                "database_id": number,
                "sql": f"select * from read_text('{dashboard.folder}/dashboard/secret_key')",
            },
        )
        assert not answer.ok, answer.text
        assert "disabled" in answer.text
    finally:
        assert admin.delete(f"/api/v1/database/{number}").ok


def test_failed_sign_ins_are_limited_by_page_and_by_program(dashboard: Dashboard) -> None:
    def tried(name: str) -> int:
        return requests.post(
            f"{dashboard.address}/api/v1/security/login",
            json={"username": name, "password": "wrong", "provider": "db"},
            timeout=60,
        ).status_code

    answers = [tried("nobody") for _ in range(11)]

    assert answers == [401] * 10 + [429]
    # Others still sign in.
    assert dashboard.signed_in("manager").datasets()
