"""The dashboard in a real browser, as a manager and as somebody who has no right to it."""

from __future__ import annotations

import duckdb
from browsing import (
    PATH,
    apply,
    chart,
    choose,
    expect_drawn,
    expect_figures,
    figure,
    figures,
    money,
    note_dialogs,
    note_requests,
    open_reports,
    open_tab,
    point_at_middle,
    sign_in,
)
from playwright.sync_api import ConsoleMessage, Page, Route, expect
from serving import Dashboard

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

    expect(figure(page, "Total messages sent")).to_have_text(f"{expected['messages_sent']:,}")
    expect(figure(page, "Revenue generated")).to_have_text(f"$ {money(expected['revenue_generated'])}")
    expect(figure(page, "Conversion rate")).to_have_text(f"{expected['conversion_rate']:.2%}")
    expect(page.locator("td:visible", has_text="Abandoned basket").first).to_be_visible()
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.get_by_text("each counted once").locator("visible=true").first).to_be_visible()

    open_tab(page, "Team engagement")
    expect(figure(page, "Active users")).to_have_text(f"{expected['active_users']:,}")
    expect(figure(page, "Revenue per message")).to_have_text(f"$ {money(expected['revenue_per_message'])}")
    expect(page.locator("td:visible", has_text="Amara O.").first).to_be_visible()

    unexpected = [
        message.text
        for message in said
        if message.type == "error" and PIXEL not in message.text and NOT_RUN not in message.text
    ]
    assert unexpected == []


def test_a_chart_that_there_was_no_room_for_at_first_is_drawn_in_the_end(
    page: Page, dashboard: Dashboard
) -> None:
    refused: set[str | None] = set()

    def refuse_once(route: Route) -> None:
        if route.request.post_data in refused:
            route.continue_()
        else:
            refused.add(route.request.post_data)
            route.fulfill(status=429, json={"message": "Too many charts are being computed."})

    page.route("**/api/v1/chart/data*", refuse_once)
    open_reports(page, dashboard)

    expect_figures(page, figures(dashboard))
    expect(page.get_by_text("Too many charts")).to_have_count(0)
    assert len(refused) > 5


def test_a_filter_changes_nothing_until_apply(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    before = figure(page, "Total messages sent").inner_text()
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        ((queue_id, name),) = connection.execute(
            "select queue_id, queue_name from dim_queues where queue_name = 'Win back'"
        ).fetchall()

    choose(page, "Queues", name)
    expect(page.locator("[data-test=filter-bar__apply-button]")).to_be_enabled()
    page.wait_for_timeout(2_000)
    expect(figure(page, "Total messages sent")).to_have_text(before)

    apply(page)
    expect_figures(page, figures(dashboard, queues=[queue_id]))


def test_a_row_of_a_breakdown_leads_to_its_orders(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    row = chart(page, "Queue breakdown").locator("tr").filter(has_text="VIP care")
    expect(page.get_by_text("Click a row to see only its orders in the table below")).to_be_visible()
    # Anywhere in the row: here on its last figure.
    row.locator("td").last.click()
    orders = chart(page, "Orders behind the figures of the overview").locator("tbody tr")
    # The page of orders is asked for anew.
    expect(orders.filter(has_not_text="VIP care")).to_have_count(0)
    expect(orders.first).to_contain_text("VIP care")


def test_no_name_is_markup_anywhere(page: Page, dashboard: Dashboard) -> None:
    harmed: list[str] = []
    note_dialogs(page, harmed)
    open_reports(page, dashboard)
    note_requests(page, "logout|attacker|/x$", harmed)

    # In the cells of both tabs, in the tooltip of the lines, in the filter bar and what it says is applied.
    cell = page.locator("td:visible").filter(has_text=HOSTILE)
    expect(cell.first).to_be_visible()
    open_tab(page, "Team engagement")
    expect(cell.first).to_be_visible()
    # Alone, the agent has a line: of many, those with few messages share one. Its one day is in the middle.
    choose(page, "Queues", HOSTILE)
    choose(page, "Agents", HOSTILE)
    apply(page)
    expect(figure(page, "Active users")).to_have_text("1")
    expect_drawn(page)
    point_at_middle(page, "Total messages sent over time per team member", HOSTILE)
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
        figure(page, "Total messages sent").wait_for()
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
