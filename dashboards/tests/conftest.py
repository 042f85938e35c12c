"""One hub with the sample, names that mean harm and a message of the future; one dashboard, one browser."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from serving import HOSTILE_FILE, HOSTILE_ID, LATER, PATIENCE, Dashboard, free_port, refresh, start
from support.hostile import MARKUP
from support.postgres_server import address, admin, make_roles, running_server

# The database in PostgreSQL that has the reports.
REPORTS = "reports"


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """The folder of the socket of a PostgreSQL server, which each refresh brings to what is published."""
    with running_server() as folder:
        with admin(folder) as cursor:
            cursor.execute(f"create database {REPORTS}")
        make_roles(folder, REPORTS)
        yield folder


@pytest.fixture(scope="session")
def hub(server: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a hub in which the sample is published, and in PostgreSQL too."""
    environment = {
        **os.environ,
        "CONTACT_DATA_DIR": str(tmp_path_factory.mktemp("hub")),
        "CONTACT_TIMEZONE": "UTC",
        "CONTACT_CURRENCY": "USD",
        "CONTACT_AS_OF": "",
        "CONTACT_DASHBOARD_DATABASE": "",
    }
    refresh(environment, "demo")
    environment["CONTACT_POSTGRES"] = address(server, REPORTS, "contact_owner")
    land_hostile_names(Path(environment["CONTACT_DATA_DIR"]))
    land_later_message(Path(environment["CONTACT_DATA_DIR"]))
    land_corrections(Path(environment["CONTACT_DATA_DIR"]))
    refresh(environment, "run")
    return environment


def land_hostile_names(folder: Path) -> None:
    """A message of yesterday for each hostile text, which is the name of its queue and its agent."""
    yesterday = date.today() - timedelta(days=1)
    rows = [
        {
            "message_id": f"hostile-{number}",
            "customer_id": f"hostile-{number}",
            "queue_id": text,
            "user_id": text,
            "status": "sent",
            "occurred_at": f"{yesterday}T10:00:00Z",
        }
        for number, text in enumerate(MARKUP)
    ]
    landed = folder / "landing" / "messages" / "hostile.jsonl"
    landed.write_text("".join(json.dumps(row) + "\n" for row in rows))


def land_later_message(folder: Path) -> None:
    """A message that is dated after the as-of day, by a clock that is wrong or a day that is not over."""
    landed = folder / "landing" / "messages" / "later.csv"
    landed.write_text(
        "message_id,customer_id,queue_id,user_id,status,occurred_at\n"
        f"later-1,later-customer,later-queue,later-user,sent,{LATER}T10:00:00Z\n"
    )


def land_corrections(folder: Path) -> None:
    """What restates settled days: an order cancelled, one corrected, and one whose id and file mean harm.

    The last one follows a message of a settled day, to a customer of its own, which lands late with it.
    """
    with duckdb.connect(str(folder / "published" / "contact_reports.duckdb"), read_only=True) as published:
        orders = published.execute(
            """
            select order_id, customer_id, ordered_at, order_value, sales_channel
            from fct_message_orders
            where message_date between current_date - 28 and current_date - 20
                and touch_count = 1
                and refunded_value = 0
            order by order_value desc, order_id
            limit 2
            """
        ).fetchall()
    fields = ("order_id", "customer_id", "ordered_at", "order_value", "sales_channel")
    version = {"updated_at": f"{date.today() - timedelta(days=1)}T12:00:00Z"}
    cancelled, corrected = (
        {**dict(zip(fields, map(str, order), strict=True)), **version} for order in orders
    )
    day = date.today() - timedelta(days=15)
    late = {"customer_id": HOSTILE_ID, "ordered_at": f"{day}T12:00:00Z", "order_value": "7.25"}
    rows = [
        {**cancelled, "status": "cancelled"},
        {**corrected, "order_value": "0.50"},
        {**late, "order_id": HOSTILE_ID, "sales_channel": "online"},
    ]
    landed = folder / "landing" / "orders" / HOSTILE_FILE
    landed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    message = {"message_id": HOSTILE_ID, "customer_id": HOSTILE_ID, "occurred_at": f"{day}T10:00:00Z"}
    landed = folder / "landing" / "messages" / "late.jsonl"
    landed.write_text(json.dumps({**message, "status": "sent", "queue_id": "late"}) + "\n")


@pytest.fixture(scope="session")
def dashboard(hub: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = Path(hub["CONTACT_DATA_DIR"])
    with served(hub, folder, tmp_path_factory.mktemp("dashboard") / "log") as dashboard:
        admin_of_dashboard = dashboard.signed_in("admin")
        dashboard.passwords["outsider"] = admin_of_dashboard.add_user("outsider", "Gamma")
        dashboard.passwords["analyst"] = admin_of_dashboard.add_user("analyst", "Alpha")
        yield dashboard


@pytest.fixture(scope="session")
def dashboard_on_postgres(
    hub: dict[str, str], server: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Dashboard]:
    """A dashboard that reads PostgreSQL, on a machine that has no hub."""
    folder = tmp_path_factory.mktemp("elsewhere")
    environment = {
        **hub,
        "CONTACT_DATA_DIR": str(folder),
        "CONTACT_POSTGRES": "",
        "CONTACT_DASHBOARD_DATABASE": address(server, REPORTS, "bi"),
    }
    with served(environment, Path(hub["CONTACT_DATA_DIR"]), folder / "log") as dashboard:
        yield dashboard


@contextmanager
def served(environment: dict[str, str], hub: Path, log: Path) -> Iterator[Dashboard]:
    """Within it, a dashboard is served.

    Args:
        environment: its settings.
        hub: the folder of the hub whose figures it shows.
        log: where it writes what it says.
    """
    port = free_port()
    process, said = start(environment, port, log)
    folder = Path(environment["CONTACT_DATA_DIR"])
    kept = (folder / "dashboard" / "trial_passwords").read_text()
    passwords = dict(line.split() for line in kept.splitlines())
    published = hub / "published" / "contact_reports.duckdb"
    yield Dashboard(f"http://127.0.0.1:{port}", folder, published, passwords, said)
    process.send_signal(signal.SIGINT)
    process.wait(60)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1200}, locale="en-US", timezone_id="UTC")
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()
