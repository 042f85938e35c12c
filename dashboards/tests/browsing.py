"""What a person does in the browser, and where the dashboard shows what.

Belongs here: signing in, choosing, reading. Does not belong here: what is to be seen (the tests).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
from playwright.sync_api import Locator, Page, expect
from serving import PATIENCE, Dashboard

PATH = "/superset/dashboard/contact-reports/"

# The cookies of a manager who is signed in, by the address of the dashboard.
SIGNED_IN: dict[str, list[Any]] = {}


def sign_in(page: Page, dashboard: Dashboard, user: str) -> None:
    page.goto(f"{dashboard.address}/login/")
    page.fill("input[name=username], #username", user)
    page.fill("input[name=password], #password", dashboard.passwords[user])
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url(lambda address: "/login" not in address, wait_until="commit")


def open_reports(page: Page, dashboard: Dashboard) -> None:
    """Open the reports as a manager, who signs in once for all tests."""
    if dashboard.address not in SIGNED_IN:
        sign_in(page, dashboard, "manager")
        SIGNED_IN[dashboard.address] = page.context.cookies()
    page.context.add_cookies(SIGNED_IN[dashboard.address])
    page.goto(f"{dashboard.address}{PATH}")
    hero(page, "Total messages sent")
    # The filter bar is drawn anew while charts arrive, and forgets what was chosen meanwhile.
    page.wait_for_load_state("networkidle")


def chart(page: Page, title: str) -> Locator:
    return page.locator(f'[data-test-chart-name="{title}"]')


def figure(page: Page, title: str) -> Locator:
    """Where the big figure of a title is."""
    return chart(page, title).locator("tbody td").first


def hero(page: Page, title: str) -> str:
    """The text of a big figure, as soon as it is drawn."""
    figure(page, title).wait_for()
    return figure(page, title).inner_text()


def expect_figures(page: Page, expected: dict[str, object]) -> None:
    """Wait until the big figures of the overview are those expected."""
    for title, text in (
        ("Total messages sent", f"{expected['messages_sent']:,}"),
        ("Revenue generated", money(expected["revenue_generated"])),
        ("Conversion rate", f"{expected['conversion_rate']:.2%}"),
    ):
        expect(figure(page, title)).to_have_text(re.compile(re.escape(text) + "$"), timeout=PATIENCE)


def choose(page: Page, title: str, name: str) -> None:
    """Choose a value of a filter, by typing it."""
    page.locator(f'[data-test="NATIVE_FILTER-{title.lower()}"]').click()
    page.keyboard.type(name)
    is_open = ".ant-select-dropdown:not(.ant-select-dropdown-hidden)"
    page.locator(f"{is_open} .ant-select-item-option").filter(has_text=name).first.click()
    page.keyboard.press("Escape")


def chosen(page: Page, title: str) -> Locator:
    """What the filter bar says is chosen."""
    return page.locator(f'[data-test="NATIVE_FILTER-{title.lower()}"] .ant-select-selection-item')


def apply(page: Page) -> None:
    page.locator("[data-test=filter-bar__apply-button]").click()


def yesterday() -> date:
    return date.today() - timedelta(days=1)


def figures(
    dashboard: Dashboard, first: date | None = None, last: date | None = None, **filters: list[str]
) -> dict[str, object]:
    """What the days should show, by default the last 30: they end with the day before today."""
    days = [first or yesterday() - timedelta(days=29), last or yesterday()]
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        answer = connection.execute(
            "from overview(?, ?, queues := ?, users := ?)",
            [*days, filters.get("queues"), filters.get("users")],
        )
        names = [column[0] for column in answer.description]
        return dict(zip(names, answer.fetchone(), strict=True))


def money(value: Decimal) -> str:
    return f"{value.quantize(Decimal('0.01')):,}"


def written(kind: str, value: Decimal | None, is_difference: bool = False) -> str:
    """A count, an amount of money or a rate as tables of text say it."""
    if value is None:
        return "-"
    sign = "-" if value < 0 else "+" if is_difference and value else ""
    size = abs(value * 100 if kind == "rate" else value)
    if kind in ("money", "rate"):
        size = size.quantize(Decimal("0.01"), ROUND_HALF_UP)
    if kind == "money":
        return f"$ {sign}{money(size)}"
    if kind == "rate":
        return f"{sign}{money(size)}{' pp' if is_difference else '%'}"
    return f"{sign}{size:,.0f}"
