"""The dashboard in a real browser, as a manager and as somebody who has no right to it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from serving import Dashboard

PATH = "/superset/dashboard/contact-reports/"
PATIENCE = 60_000  # milliseconds


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
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


def sign_in(page: Page, dashboard: Dashboard, user: str) -> None:
    page.goto(f"{dashboard.address}/login/")
    page.fill("input[name=username], #username", user)
    page.fill("input[name=password], #password", dashboard.passwords[user])
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url(lambda address: "/login" not in address)


def hero(page: Page, title: str) -> str:
    """The text of the figure in the chart of a title, as soon as it is drawn."""
    chart = page.locator(".dashboard-chart, .chart-slice").filter(has_text=title).first
    figure = chart.locator(".header-line").first
    figure.wait_for()
    return figure.inner_text()


def figures(dashboard: Dashboard, **filters: list[str]) -> dict[str, object]:
    """What the last 30 days should show: they end with the day before today."""
    last = date.today() - timedelta(days=1)
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        answer = connection.execute(
            "from overview(?, ?, queues := ?)", [last - timedelta(days=29), last, filters.get("queues")]
        )
        names = [column[0] for column in answer.description]
        return dict(zip(names, answer.fetchone(), strict=True))


def money(value: Decimal) -> str:
    return f"{value.quantize(Decimal('0.01')):,}"


def test_a_manager_sees_both_tabs_with_the_right_figures(page: Page, dashboard: Dashboard) -> None:
    said: list[ConsoleMessage] = []
    page.on("console", said.append)
    sign_in(page, dashboard, "manager")
    page.goto(f"{dashboard.address}{PATH}")
    expected = figures(dashboard)

    assert hero(page, "Total messages sent") == f"{expected['messages_sent']:,}"
    assert money(expected["revenue_generated"]) in hero(page, "Revenue generated")
    assert hero(page, "Conversion rate") == f"{expected['conversion_rate']:.2%}"
    expect(page.get_by_text("Queue breakdown")).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()

    page.get_by_role("tab", name="Team engagement").click()
    assert hero(page, "Active users") == f"{expected['active_users']:,}"
    assert money(expected["revenue_per_message"]) in hero(page, "Revenue per message")
    expect(page.get_by_text("User breakdown")).to_be_visible()

    assert [message.text for message in said if message.type == "error"] == []
