"""What a person does in the browser, and where the dashboard shows what.

Belongs here: signing in, choosing, reading. Does not belong here: what is to be seen (the tests).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import duckdb
from playwright.sync_api import Dialog, Locator, Page, Request, expect
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
    figure(page, "Total messages sent").wait_for()
    # The filter bar is drawn anew while charts arrive, and forgets what was chosen meanwhile.
    expect_drawn(page)
    page.wait_for_load_state("networkidle")


def open_tab(page: Page, title: str) -> None:
    """Open a tab of the reports."""
    tab = page.get_by_role("tab", name=title)
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")
    expect_drawn(page)


def note_dialogs(page: Page, said: list[str]) -> None:
    """Note what each dialog says, and close it."""

    def note(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)


def note_requests(page: Page, pattern: str, asked: list[str]) -> None:
    """Note the addresses of requests in which a pattern is found."""

    def note(request: Request) -> None:
        if re.search(pattern, request.url):
            asked.append(request.url)

    page.on("request", note)


def expect_drawn(page: Page) -> None:
    """Wait until all that is in the window is drawn. What lies below is drawn when it is scrolled to."""
    page.wait_for_function(
        """() => {
            const isAbove = (sign) => sign.getBoundingClientRect().top < innerHeight;
            const signs = [...document.querySelectorAll('[data-test="loading-indicator"]')];
            return !signs.some((sign) => sign.checkVisibility() && isAbove(sign));
        }"""
    )


def chart(page: Page, title: str) -> Locator:
    return page.locator(f'[data-test-chart-name="{title}"]')


def figure(page: Page, title: str) -> Locator:
    """Where the big figure of a title is."""
    return chart(page, title).locator("tbody td").first


def expect_figures(page: Page, expected: dict[str, Any]) -> None:
    """Wait until the big figures of the overview are those expected."""
    for title, text in (
        ("Total messages sent", f"{expected['messages_sent']:,}"),
        ("Revenue generated", money(expected["revenue_generated"])),
        ("Conversion rate", f"{expected['conversion_rate']:.2%}"),
    ):
        expect(figure(page, title)).to_have_text(re.compile(re.escape(text) + "$"))


def search(page: Page, title: str, name: str) -> Locator:
    """What the list of a filter offers when a name is typed."""
    choice = page.locator(f'[data-test="NATIVE_FILTER-{title.lower()}"]')
    choice.click()
    # What is typed before the list is there is lost. The list of another filter may still be closing.
    entry = choice.get_by_role("combobox")
    expect(entry).to_have_attribute("aria-expanded", "true")
    page.keyboard.type(name)
    of_this_filter = page.locator(f'[id="{entry.get_attribute("aria-controls")}"]')
    return page.locator(".ant-select-dropdown").filter(has=of_this_filter).locator(".ant-select-item-option")


def choose(page: Page, title: str, name: str) -> None:
    """Choose a value of a filter, by typing it."""
    click_in_menu(search(page, title, name).filter(has_text=name).first)
    page.keyboard.press("Escape")
    expect(chosen(page, title).filter(has_text=name)).to_have_count(1)


def click_in_menu(entry: Locator) -> None:
    """Click what has just opened, where it is.

    It moves while it opens. Playwright would take it for hidden and scroll the page, below the header in the
    end; then the pointer leaves the menu, which closes.
    """
    entry.click(scroll="none")


def point_at_middle(page: Page, title: str, showing: str = "") -> Locator:
    """Point at the middle of the lines of a chart until the tooltip of that day shows a text.

    Lines that are still of the former filter, or are drawn again, show nothing new until the pointer moves.
    """
    lines = chart(page, title).locator("canvas").first
    expect_still(page, lines)
    is_of_a_day = page.locator("div[class*=tooltip]").filter(has_text=re.compile(r"day, \d\d"))
    tooltip = is_of_a_day.filter(has_text=showing).first
    box = lines.bounding_box()
    assert box
    for step in range(PATIENCE // 500):
        lines.hover(position={"x": box["width"] / 2 + step % 2, "y": box["height"] / 2})
        page.wait_for_timeout(500)
        if tooltip.is_visible():
            break
    expect(tooltip).to_be_visible()
    return tooltip


def expect_still(page: Page, canvas: Locator) -> None:
    """Wait until something is drawn in a canvas, and moves no longer."""
    canvas.wait_for()
    page.wait_for_function(
        """canvas => {
            const before = window.drawnBefore;
            window.drawnBefore = canvas.toDataURL();
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            return window.drawnBefore === before && pixels.some((byte) => byte);
        }""",
        arg=canvas.element_handle(),
        polling=500,
    )


def chosen(page: Page, title: str) -> Locator:
    """What the filter bar says is chosen."""
    return page.locator(f'[data-test="NATIVE_FILTER-{title.lower()}"] .ant-select-selection-item')


def apply(page: Page) -> None:
    page.locator("[data-test=filter-bar__apply-button]").click()


def yesterday() -> date:
    return date.today() - timedelta(days=1)


def figures(
    dashboard: Dashboard, first: date | None = None, last: date | None = None, **filters: list[str]
) -> dict[str, Any]:
    """What the days should show, by default the last 30: they end with the day before today."""
    days = [first or yesterday() - timedelta(days=29), last or yesterday()]
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        answer = connection.execute(
            "from overview(?, ?, queues := ?, users := ?)",
            [*days, filters.get("queues"), filters.get("users")],
        )
        names = [column[0] for column in answer.description]
        (row,) = answer.fetchall()
        return dict(zip(names, row, strict=True))


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
