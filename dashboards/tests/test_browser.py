"""The dashboard in a real browser, as a manager and as somebody who has no right to it."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
from playwright.sync_api import ConsoleMessage, Page, expect
from serving import PATIENCE, Dashboard

PATH = "/superset/dashboard/contact-reports/"
# Superset's pages ask for a picture that tells others that they were opened; the configuration forbids it.
PIXEL = "scarf.sh"
# The table looks whether a name is markup, in a document that is never shown. The browser reports each
# handler in there that it did not run.
NOT_RUN = "Executing inline event handler violates"
# Signed out whoever looked at it, when cells were markup.
HOSTILE = '<img src="/logout/">'


def sign_in(page: Page, dashboard: Dashboard, user: str) -> None:
    page.goto(f"{dashboard.address}/login/")
    page.fill("input[name=username], #username", user)
    page.fill("input[name=password], #password", dashboard.passwords[user])
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    page.wait_for_url(lambda address: "/login" not in address)


def hero(page: Page, title: str) -> str:
    """The text of the figure in the chart of a title, as soon as it is drawn."""
    charts = page.locator(".dashboard-chart, .chart-slice").filter(has=page.locator(".header-line"))
    figure = charts.filter(has_text=title).first.locator(".header-line").first
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


def open_reports(page: Page, dashboard: Dashboard) -> None:
    sign_in(page, dashboard, "manager")
    page.goto(f"{dashboard.address}{PATH}")
    hero(page, "Total messages sent")


def choose(page: Page, name: str) -> None:
    """Choose a queue in the filter bar, by typing its name."""
    page.locator("[data-test=filter-bar] .ant-select").nth(0).click()
    page.keyboard.type(name)
    page.locator(".ant-select-item-option").filter(has_text=name).first.click()
    page.keyboard.press("Escape")


def test_a_manager_sees_both_tabs_with_the_right_figures(page: Page, dashboard: Dashboard) -> None:
    said: list[ConsoleMessage] = []
    sign_in(page, dashboard, "manager")
    page.on("console", lambda message: said.append(message))
    page.goto(f"{dashboard.address}{PATH}")
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

    # The filter bar is drawn anew while charts arrive, and forgets what was chosen meanwhile.
    page.wait_for_load_state("networkidle")
    choose(page, name)
    apply = page.locator("[data-test=filter-bar__apply-button]")
    expect(apply).to_be_enabled()
    page.wait_for_timeout(2_000)
    assert hero(page, "Total messages sent") == before

    apply.click()
    expected = figures(dashboard, queues=[queue_id])
    chart = page.locator(".dashboard-chart, .chart-slice").filter(has_text="Total messages sent").first
    expect(chart.locator(".header-line").first).to_have_text(
        f"{expected['messages_sent']:,}", timeout=PATIENCE
    )
    assert money(expected["revenue_generated"]) in hero(page, "Revenue generated")


def test_the_tooltip_of_a_day_shows_its_figure(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    canvas = page.locator("canvas").first
    canvas.wait_for()
    page.wait_for_timeout(2_000)
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tooltip = page.get_by_text(re.compile(r"^\w+day, \d\d \w+ \d{4}")).first
    tooltip.wait_for()

    shown = page.locator("div[class*=tooltip]").filter(has_text=re.compile(r"day, \d\d")).first.inner_text()
    day = datetime.strptime(shown.splitlines()[0], "%A, %d %B %Y").date()
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        ((sent,),) = connection.execute(
            "select messages_sent from mart_overview_daily where message_date = ?", [day]
        ).fetchall()
    assert f"{sent:,}" in shown


def test_a_row_of_a_breakdown_leads_to_its_orders(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    row = page.locator("td").filter(has_text="VIP care").first
    row.click()
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
    canvas = page.locator("canvas:visible").first
    canvas.wait_for()
    page.wait_for_timeout(2_000)
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + box["height"] / 2)
    tooltip = page.locator("div[class*=tooltip]").filter(has_text=re.compile(r"day, \d\d")).first
    expect(tooltip).to_contain_text(HOSTILE)
    choose(page, HOSTILE)
    page.locator("[data-test=filter-bar__apply-button]").click()
    page.wait_for_load_state("networkidle")
    drawn = page.locator("td img, td b, td a, div[class*=tooltip] img, .ant-select img").count()

    assert harmed == []
    assert drawn == 0
    # Nobody was signed out, and a picture could not do it either.
    assert page.request.get(f"{dashboard.address}/api/v1/me/").status == 200
    answer = page.request.get(f"{dashboard.address}/logout/", headers={"Sec-Fetch-Dest": "image"})
    assert answer.status == 403
    assert page.request.get(f"{dashboard.address}/api/v1/me/").status == 200


def test_an_outsider_is_turned_away(page: Page, dashboard: Dashboard) -> None:
    sign_in(page, dashboard, "outsider")
    answer = page.goto(f"{dashboard.address}{PATH}")
    page.wait_for_timeout(3_000)

    assert answer
    assert answer.status >= 400 or PATH not in page.url or page.locator(".header-line").count() == 0
    assert "Revenue generated" not in page.content()
