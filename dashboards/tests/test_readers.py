"""The dashboard for people who know nothing of tables: on a phone, with a screen reader, in plain words."""

from __future__ import annotations

import re

import pytest
from browsing import (
    chart,
    click_in_menu,
    expect_drawn,
    figure,
    open_reports,
    open_tab,
    point_at_middle,
    yesterday,
)
from playwright.sync_api import Page, expect
from serving import PATIENCE, Dashboard

from dashboards.days import say_day
from dashboards.words import LABELS

HEROES = (
    *("Total messages sent", "Revenue generated", "Conversion rate"),
    *("Share of all revenue", "Messages still open"),
)
ORDERS = "Orders behind the figures of the overview"


def test_a_phone_shows_titles_and_figures_whole(page: Page, dashboard: Dashboard) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_reports(page, dashboard)
    for title in HEROES:
        expect(figure(page, title)).to_be_visible()

    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    for title in HEROES:
        shown = chart(page, title)
        expect(shown.locator(".header-title")).to_have_text(title)
        drawn = figure(page, title).bounding_box()
        assert drawn
        assert drawn["height"] >= 24, title
        box = shown.bounding_box()
        assert box
        assert box["x"] >= 0, title
        assert box["x"] + box["width"] <= 390, title
    # Nothing of the bar lies on something else.
    more, apply = (
        page.locator(f"[data-test={name}]").bounding_box()
        for name in ("dropdown-container-btn", "filter-bar__apply-button")
    )
    assert more
    assert apply
    assert more["x"] + more["width"] <= apply["x"] or more["y"] + more["height"] <= apply["y"]


def test_how_far_the_data_goes_is_on_top_and_not_when_the_page_was_edited(
    page: Page, dashboard: Dashboard
) -> None:
    open_reports(page, dashboard)

    head = chart(page, "What is shown").get_by_text(f"Data up to {say_day(yesterday())}").bounding_box()
    first = chart(page, "Total messages sent").bounding_box()
    assert head
    assert first
    assert head["y"] < first["y"]
    for edited in page.locator(".metadata-text").all():
        expect(edited).to_be_hidden()


def test_words_are_those_of_people(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    for tab in ("Overview", "Team engagement"):
        open_tab(page, tab)
        expect(page.get_by_text("What the figures mean").locator("visible=true")).to_be_visible()
        text = page.locator("body").inner_text()
        for label in LABELS.values():
            assert f"{label}: " in text, (tab, label)
        # The landed names of the test are nobody's words.
        words = re.sub(r"(?m)^.*[<{'$].*$", "", text)
        assert "NULL" not in words
        assert re.findall(r"\b[a-z]+_[a-z_]+\b", words) == [], tab
    # Beside each big figure.
    expect(chart(page, "Revenue per message")).to_contain_text("divided by messages sent")


def test_a_screen_reader_finds_language_charts_and_choices(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)

    expect(page.locator("html")).to_have_attribute("lang", "en")
    for title in ("Period", "From", "To", "Queues", "Agents"):
        expect(page.get_by_role("combobox", name=title, exact=True)).to_have_count(1)
    expect(page.get_by_role("heading", name="Queue breakdown")).to_be_visible()
    expect(page.get_by_role("region", name="Queue breakdown")).to_be_visible()
    title = chart(page, "Revenue generated").get_by_role("heading")
    expect(title).to_have_attribute("title", re.compile("each counted once"))
    expect(page.get_by_role("img", name=re.compile("Total messages sent over time: "))).to_be_visible()


def test_the_tooltip_of_many_members_is_sorted_and_on_screen_on_a_phone_too(
    page: Page, dashboard: Dashboard
) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_reports(page, dashboard)
    open_tab(page, "Team engagement")

    tooltip = point_at_middle(page, "Total messages sent over time per team member")

    _, *members, total = tooltip.inner_text().splitlines()
    sent = [int(line.rpartition("\t")[2].replace(",", "")) for line in members]
    assert len(members) == 11
    assert sent == sorted(sent, reverse=True)
    assert sent[0] > sent[-1]
    assert total == f"Total\t{sum(sent):,}"
    box = tooltip.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 844


def test_orders_are_money_in_words_with_a_search_and_a_total(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    orders = chart(page, ORDERS)
    orders.scroll_into_view_if_needed()
    expect(orders.locator("tbody tr").first).to_contain_text(re.compile(r"\$ \d[\d,]*\.\d\d"))

    assert {"Online", "In store"} >= set(orders.locator("tbody tr td:nth-child(3)").all_inner_texts())
    expect(orders.locator("tfoot")).to_contain_text(figure(page, "Revenue generated").inner_text())

    order = orders.locator("tbody tr td").first.inner_text()
    orders.get_by_role("textbox").last.fill(order)
    expect(orders.locator("tbody tr")).to_have_count(1)


@pytest.mark.parametrize(
    ("title", "header", "row"),
    [
        ("Queue breakdown", "Queue,Messages sent,", r"[^,]+,\d+,\d+,\d+\.\d\d,\d+\.\d+"),
        (ORDERS, "Order,Ordered at (UTC),Channel,", r"o-\d+,[\d-]{10} [\d:]{8},.*,\d+\.\d\d,\d+\.\d\d"),
        ("Total messages sent over time", "Message date,Messages sent,", r"[\d-]{10},\d+,\d+"),
    ],
)
def test_a_download_is_one_file_of_a_speaking_name_and_plain_numbers(
    page: Page, dashboard: Dashboard, title: str, header: str, row: str
) -> None:
    open_reports(page, dashboard)
    chart(page, title).scroll_into_view_if_needed()
    expect_drawn(page)
    chart(page, title).get_by_role("button", name="More Options").click()
    page.get_by_text("Download", exact=True).locator("visible=true").hover(scroll="none")
    # The hint of the title says it; Superset shows nothing after this choice.
    expect(page.get_by_text("Show chart description")).to_be_hidden()
    with page.expect_download(timeout=PATIENCE) as download:
        click_in_menu(page.get_by_text("Export to .CSV").locator("visible=true"))

    name = download.value.suggested_filename
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()

    assert re.fullmatch(rf"{re.escape(title)}, \d{{4}}-\d\d-\d\d to {yesterday().isoformat()}\.csv", name)
    assert lines[0].startswith(header)
    assert re.fullmatch(row, lines[1])
