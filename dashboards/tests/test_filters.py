"""What the filter bar says, and what the charts show: never two things."""

from __future__ import annotations

import re

import duckdb
from browsing import (
    apply,
    chart,
    choose,
    chosen,
    expect_figures,
    figure,
    figures,
    open_reports,
    open_tab,
    search,
    yesterday,
)
from playwright.sync_api import Page, expect
from serving import Dashboard

from dashboards.days import DEFAULT_PERIOD, say_day


def expect_shown(page: Page, text: str) -> None:
    expect(chart(page, "What is shown").locator("td").first).to_have_text(re.compile(text))


def test_the_bar_and_the_charts_agree_on_the_days_after_every_choice(
    page: Page, dashboard: Dashboard
) -> None:
    last = yesterday()
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        ((first,),) = connection.execute("select min(message_date) from fct_messages").fetchall()
    open_reports(page, dashboard)
    bar = page.locator("[data-test=filter-bar]")

    expect(chosen(page, "Period")).to_have_text("Last 30 days")
    expect_shown(page, f"- {say_day(last)}, last 30 days$")
    expect(bar).not_to_contain_text("≤")

    choose(page, "Period", "All time")
    apply(page)
    expect_figures(page, figures(dashboard, first))
    expect_shown(page, f"- {say_day(last)}, all time$")

    # One day, both of whose ends are in.
    day = first.replace(day=28)
    for title in ("From", "To"):
        choose(page, title, say_day(day))
    apply(page)
    expect_figures(page, figures(dashboard, day, day))
    expect_shown(page, f"^{say_day(day)}, a part of “All time”$")
    expect(chosen(page, "From")).to_have_text(say_day(day))

    reset = page.get_by_role("button", name="Reset to last 30 days")
    reset.click()
    expect_figures(page, figures(dashboard))
    expect(chosen(page, "Period")).to_have_text("Last 30 days")
    expect(chosen(page, "From")).to_have_count(0)
    expect_shown(page, f"- {say_day(last)}, last 30 days$")


def test_an_empty_filter_says_what_it_is(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    # The period is emptied by the cross of its field; then the charts show the default one.
    period = page.locator("[data-test=NATIVE_FILTER-period]")
    period.hover()
    period.locator(".ant-select-clear").click()

    said = {
        title: page.locator(f"[data-test=NATIVE_FILTER-{title}] .ant-select-selection-placeholder").evaluate(
            "placeholder => getComputedStyle(placeholder, '::after').content"
        )
        for title in ("period", "from", "to", "queues", "agents")
    }

    assert said == {
        "period": f'"{DEFAULT_PERIOD}"',
        "from": '"First day"',
        "to": '"Last day"',
        "queues": '"All"',
        "agents": '"All"',
    }


def test_figures_of_no_message_are_a_dash_and_no_error(page: Page, dashboard: Dashboard) -> None:
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        ((idle,),) = connection.execute(
            "select user_name from dim_users where user_id not in "
            "(select user_id from fct_messages where message_date > current_date - 8) order by 1 limit 1"
        ).fetchall()
    open_reports(page, dashboard)
    choose(page, "Period", "Last 7 days")
    choose(page, "Agents", idle)
    apply(page)

    expect(figure(page, "Total messages sent")).to_have_text("0")
    expect(figure(page, "Conversion rate")).to_have_text("-")
    open_tab(page, "Team engagement")
    expect(figure(page, "Active users")).to_have_text("0")
    expect(figure(page, "Revenue per message")).to_have_text("-")
    text = page.locator("body").inner_text()
    assert "NULL" not in text
    assert "No data" not in text
    assert "error" not in text.lower()


def test_agents_are_chosen_from_the_list_alone(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)

    expect(search(page, "Agents", "nobody of this name")).to_have_count(0)
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")

    expect(chosen(page, "Agents")).to_have_count(0)
    expect(page.locator("[data-test=filter-bar__apply-button]")).to_be_disabled()
