"""The dashboard that reads PostgreSQL shows what the one of the published file shows, and can do no more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from browsing import expect_figures, figures, open_reports
from playwright.sync_api import Page
from serving import Dashboard
from sqlalchemy.engine import Connection
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import InternalError, ProgrammingError
from superset_client import Superset
from support.postgres_server import PASSWORD, address
from test_figures import as_superset_says_it, drawn_filters
from test_start import started

from dashboards.connection import Database
from dashboards.datasets import DATASETS
from dashboards.reports import FURTHER_METRICS, Published

# Of the filters that the figures are tested with.
FILTERS = 2


@pytest.fixture(scope="module")
def managers(
    dashboard: Dashboard, dashboard_on_postgres: Dashboard
) -> list[tuple[Superset, Mapping[str, int]]]:
    """The managers of both dashboards, with the datasets that they see."""
    clients = [served.signed_in("manager") for served in (dashboard, dashboard_on_postgres)]
    return [(client, client.datasets()) for client in clients]


@pytest.fixture(scope="module")
def columns(dashboard: Dashboard) -> Mapping[str, list[str]]:
    """The columns of each dataset."""
    published = Published.read(Database.of_file(dashboard.published, "500MB"))
    return {name: [column for column, _ in listed] for name, listed in published.columns.items()}


@pytest.fixture(scope="module")
def first_version(managers: list[tuple[Superset, Mapping[str, int]]]) -> str:
    """The oldest version to choose, as the filter bar has it."""
    client, datasets = managers[0]
    answer = client.ask(
        datasets["versions_to_choose"], ["from_version"], ["position"], [], orderby=[["position", False]]
    )
    return answer.json()["result"][0]["data"][0]["from_version"]


@pytest.mark.parametrize("dataset", DATASETS)
def test_each_dataset_gives_the_same_rows(
    dashboard: Dashboard,
    managers: list[tuple[Superset, Mapping[str, int]]],
    columns: Mapping[str, list[str]],
    first_version: str,
    dataset: str,
) -> None:
    metrics = sorted(FURTHER_METRICS.get(dataset, {}))
    asked: list[tuple[list[str], list[str]]] = [(columns[dataset], []), (columns[dataset][:1], metrics)]
    everything = [{"col": "period", "op": "IN", "val": ["All time and later"]}]
    drawn = [as_superset_says_it(each) for each in drawn_filters(dashboard.published)[:FILTERS]]
    rows = 0
    for bar in [everything, *drawn]:
        # From the first version on, whatever other tests have published since.
        filters = [
            given
            for given in [*bar, {"col": "from_version", "op": "IN", "val": [first_version]}]
            if given["col"] in columns[dataset] and dataset != "versions_to_choose"
        ]
        for named, computed in asked:
            expected, found = (
                rows_of(client, datasets[dataset], named, computed, filters) for client, datasets in managers
            )
            assert found == expected, bar
            rows += len(expected)

    assert rows


def rows_of(
    client: Superset, dataset: int, columns: list[str], metrics: list[str], filters: list[dict[str, Any]]
) -> list[tuple[str, ...]]:
    """What a chart would get."""
    answer = client.ask(dataset, columns, metrics, filters)
    assert answer.ok, answer.text
    (result,) = answer.json()["result"]
    return sorted(tuple(said(row[name]) for name in [*columns, *metrics]) for row in result["data"])


def said(value: Any) -> str:
    """A value as both databases can say it: a number to nine decimals."""
    return f"{value:.9f}" if isinstance(value, int | float) else str(value)


def test_the_reports_are_drawn(page: Page, dashboard_on_postgres: Dashboard) -> None:
    open_reports(page, dashboard_on_postgres)

    expect_figures(page, figures(dashboard_on_postgres))


HARM = [
    "delete from contact_reports.fct_messages",
    "create table contact_reports.mine as select 1 as one",
    "set default_transaction_read_only = off; delete from contact_reports.fct_messages",
    "set default_transaction_read_only = off; create temp table mine as select 1 as one",
    "copy (select 1) to program 'true'",
    "select pg_read_file('/etc/passwd')",
]


@pytest.mark.parametrize("query", HARM)
def test_an_admin_can_only_read(dashboard_on_postgres: Dashboard, query: str) -> None:
    admin = dashboard_on_postgres.signed_in("admin")

    def ask(sql: str) -> Any:
        return admin.post("/api/v1/sqllab/execute/", {"database_id": 1, "sql": sql})

    control = ask("select count(*) from fct_messages")
    answer = ask(query)

    assert control.ok, control.text
    assert not answer.ok, answer.text


def execute_one_by_one(connected: Connection, statements: str) -> None:
    """Each in a transaction of its own, so that it has what the one before it has set."""
    for statement in statements.split(";"):
        connected.exec_driver_sql(statement)
        connected.exec_driver_sql("commit")


@pytest.mark.parametrize("query", HARM)
def test_the_connection_itself_can_only_read(
    server: Path, dashboard_on_postgres: Dashboard, query: str
) -> None:
    reports = Database.of_postgres(make_url(address(server, "reports", "bi")))

    with (
        reports.engine().connect() as connected,
        pytest.raises((ProgrammingError, InternalError)) as refused,
    ):
        execute_one_by_one(connected, query)

    # Without the privilege, or in a transaction that reads.
    assert isinstance(refused.value.orig, psycopg2.Error)
    assert refused.value.orig.pgcode in ("42501", "25006")


@pytest.mark.parametrize("where", ["duckdb:///{published}", "postgresql://bi@localhost/reports"])
def test_an_admin_can_make_no_other_connection(dashboard_on_postgres: Dashboard, where: str) -> None:
    admin = dashboard_on_postgres.signed_in("admin")
    asked = {
        "sqlalchemy_uri": where.format(published=dashboard_on_postgres.published),
        "database_name": "other",
    }

    assert admin.post("/api/v1/database/test_connection/", asked).status_code in (400, 422)
    assert admin.post("/api/v1/database/", asked).status_code in (400, 422)


def test_nothing_that_is_kept_or_said_has_the_password(dashboard_on_postgres: Dashboard) -> None:
    kept = [path.read_bytes() for path in dashboard_on_postgres.folder.rglob("*") if path.is_file()]

    assert any(b"postgresql+psycopg2://bi@/reports" in content for content in kept)
    for written in (PASSWORD, PASSWORD.replace(" ", "%20")):
        assert not [content for content in kept if written.encode() in content]
        assert written not in dashboard_on_postgres.said


@pytest.mark.parametrize(
    ("named", "reason"),
    [
        ("mysql://bi@localhost/reports", "is no address of a PostgreSQL database"),
        ("postgresql://bi@localhost:port/reports", "is no address of a PostgreSQL database"),
        ("postgresql://bi@localhost/reports?password=secret", "is no address of a PostgreSQL database"),
        ("postgresql://bi:secret@/reports?host=/nowhere", "cannot be reached"),
        ("{empty}", "holds no reports that this user may read"),
        ("{owner}", "has the role contact_reader and no other"),
    ],
)
def test_a_database_that_cannot_serve_ends_with_a_word(
    hub: dict[str, str], dashboard_on_postgres: Dashboard, named: str, reason: str
) -> None:
    reader = hub["CONTACT_POSTGRES"]
    named = named.format(owner=reader, empty=reader.replace("/reports?", "/postgres?"))
    folder = str(dashboard_on_postgres.folder)

    refused = started({**hub, "CONTACT_DATA_DIR": folder, "CONTACT_DASHBOARD_DATABASE": named})

    assert refused.returncode == 1
    assert reason in " ".join(refused.stdout.split())
    for written in ("secret", PASSWORD, "Traceback"):
        assert written not in refused.stdout + refused.stderr
