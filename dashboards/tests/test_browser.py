"""The dashboard in a real browser, as a manager and as somebody who has no right to it."""

from __future__ import annotations

import re

import duckdb
from browsing import PATH, apply, chart, choose, expect_figures, figures, hero, money, open_reports, sign_in
from playwright.sync_api import ConsoleMessage, Page, expect
from serving import PATIENCE, Dashboard

# Superset's pages ask for a picture that tells others that they were opened; the configuration forbids it.
PIXEL = "scarf.sh"
# The table looks whether a name is markup, in a document that is never shown. The browser reports each
# handler in there that it did not run.
NOT_RUN = "Executing inline event handler violates"
# Signed out whoever looked at it, when cells were markup.
HOSTILE = '<img src="/logout/">'


def test_a_manager_sees_both_tabs_with_the_right_figures(page: Page, dashboard: Dashboard) -> None:
    said: list[ConsoleMessage] = []
    page.on("console", lambda message: said.append(message))
    open_reports(page, dashboard)
    expected = figures(dashboard)

    assert hero(page, "Total messages sent") == f"{expected['messages_sent']:,}"
    assert money(expected["revenue_generated"]) in hero(page, "Revenue generated")
    assert hero(page, "Conversion rate") == f"{expected['conversion_rate']:.2%}"
    expect(page.locator("td:visible", has_text="Abandoned basket").first).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.get_by_text("each counted once").locator("visible=true").first).to_be_visible()

    page.get_by_role("tab", name="Team engagement").click()
    assert hero(page, "Active users") == f"{expected['active_users']:,}"
    assert money(expected["revenue_per_message"]) in hero(page, "Revenue per message")
    expect(page.locator("td:visible", has_text="Amara O.").first).to_be_visible()

    unexpected = [
        message.text
        for message in said
        if message.type == "error" and PIXEL not in message.text and NOT_RUN not in message.text
    ]
    assert unexpected == []


def test_a_filter_changes_nothing_until_apply(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    before = hero(page, "Total messages sent")
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        ((queue_id, name),) = connection.execute(
            "select queue_id, queue_name from dim_queues where queue_name = 'Win back'"
        ).fetchall()

    choose(page, "Queues", name)
    expect(page.locator("[data-test=filter-bar__apply-button]")).to_be_enabled()
    page.wait_for_timeout(2_000)
    assert hero(page, "Total messages sent") == before

    apply(page)
    expect_figures(page, figures(dashboard, queues=[queue_id]))


def test_a_row_of_a_breakdown_leads_to_its_orders(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    row = page.locator("tr:visible").filter(has_text="VIP care").first
    # Anywhere in the row: here on its last figure.
    row.locator("td").last.click()
    orders = page.locator(".dashboard-chart, .chart-slice").filter(has_text="Orders behind the figures").first
    # The page of orders is asked for anew.
    expect(orders.locator("tbody tr").first).to_contain_text("VIP care", timeout=PATIENCE)
    page.wait_for_timeout(2_000)
    queues = [text for text in orders.locator("tbody tr").all_inner_texts() if "VIP care" not in text]
    assert queues == []


def test_no_name_is_markup_anywhere(page: Page, dashboard: Dashboard) -> None:
    harmed: list[str] = []
    page.on("dialog", lambda dialog: (harmed.append(dialog.message), dialog.dismiss()))
    open_reports(page, dashboard)
    page.on(
        "request",
        lambda request: re.search("logout|attacker|/x$", request.url) and harmed.append(request.url),
    )

    # In the cells of both tabs, in the tooltip of the lines, in the filter bar and what it says is applied.
    cell = page.locator("td:visible").filter(has_text=HOSTILE)
    expect(cell.first).to_be_visible(timeout=PATIENCE)
    page.get_by_role("tab", name="Team engagement").click()
    expect(cell.first).to_be_visible(timeout=PATIENCE)
    # Alone, the agent has a line: of many, those with few messages share one. Its one day is in the middle.
    choose(page, "Queues", HOSTILE)
    choose(page, "Agents", HOSTILE)
    apply(page)
    lines = chart(page, "Total messages sent over time per team member")
    expect(lines.locator("canvas")).to_be_visible(timeout=PATIENCE)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2_000)
    box = lines.locator("canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tooltip = page.locator("div[class*=tooltip]").filter(has_text=re.compile(r"day, \d\d")).first
    expect(tooltip).to_contain_text(HOSTILE)
    drawn = page.locator("td img, td b, td a, div[class*=tooltip] img, .ant-select img").count()

    assert harmed == []
    assert drawn == 0
    # Nobody was signed out, and a picture could not do it either.
    assert page.request.get(f"{dashboard.address}/api/v1/me/").status == 200
    answer = page.request.get(f"{dashboard.address}/logout/", headers={"Sec-Fetch-Dest": "image"})
    assert answer.status == 403
    assert page.request.get(f"{dashboard.address}/api/v1/me/").status == 200


def test_a_sign_in_leads_to_the_reports(page: Page, dashboard: Dashboard) -> None:
    # Again and again, because a record of the page for signing in must not overtake the sign-in.
    for _ in range(3):
        # A page that is open would notice the sign-out and go to the sign-in by itself, which aborts ours.
        page.goto("about:blank")
        page.context.clear_cookies()
        sign_in(page, dashboard, "manager")
        hero(page, "Total messages sent")
        assert page.url.startswith(f"{dashboard.address}{PATH}")


def test_an_outsider_reads_whom_to_ask(page: Page, dashboard: Dashboard) -> None:
    sign_in(page, dashboard, "outsider")
    page.goto(f"{dashboard.address}{PATH}")

    expect(page.get_by_role("heading")).to_have_text("You cannot see the contact reports yet")
    expect(page.locator("body")).to_contain_text(
        "Ask whoever administers this dashboard to give this user the role “Contact: Manager”"
    )
    assert page.request.get(f"{dashboard.address}{PATH}").status == 403
    assert "Revenue generated" not in page.content()
