"""The tab of two versions: what the ledger of the published file answers, and nothing else."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb
from browsing import (
    apply,
    chart,
    choose,
    expect_drawn,
    money,
    note_dialogs,
    note_requests,
    open_reports,
    open_tab,
    written,
    yesterday,
)
from playwright.sync_api import Page, Request, expect
from serving import REPOSITORY, Dashboard
from test_figures import Filter, as_superset_says_it, drawn_filters

from dashboards.days import say_day
from dashboards.versions import NEWEST
from dashboards.words import CAUSES, FIELDS, LABELS

TAB = "What changed"
FIGURES = "Figures before and after"
AMOUNTS = "Amounts behind the changes"
COUNTS = "Counts behind the changes"
HEROES = {
    "messages_sent": "count",
    "revenue_generated": "money",
    "conversion_rate": "rate",
    "active_users": "count",
    "revenue_per_message": "money",
}
FILTERS_TAKEN = 4
# What Superset leaves of the id in a cell: no attribute that does anything.
HOSTILE_CELL = re.compile(r"Order <img src[^>]*>\{\{ 7 \* 7 \}\} 50%")


def versions(dashboard: Dashboard) -> list[tuple[str, str]]:
    """Name and instant of each version, the oldest first. The second one has the corrections."""
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        rows = connection.execute("select version, published_at from versions order by version").fetchall()
    return [(name, f"{say_day(instant.date())}, {instant:%H:%M:%S}") for name, instant in rows]


def ask(dashboard: Dashboard, function: str, *arguments: Any) -> list[dict[str, Any]]:
    """The rows of a table function: versions, days, queues and users."""
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        answer = connection.execute(f"from {function}(?, ?, ?, ?, queues := ?, users := ?)", list(arguments))
        names = [column[0] for column in answer.description]
        return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def last_30_days() -> tuple[date, date]:
    return yesterday() - timedelta(days=29), yesterday()


def expected_rows(answer: list[dict[str, Any]]) -> list[list[str]]:
    """The five rows of the table of figures, of what why_figures() answers."""
    rows = {row["figure"]: row for row in answer}
    return [
        [
            LABELS[figure],
            *(written(HEROES[figure], rows[figure][column]) for column in ("before", "after")),
            *(
                written(HEROES[figure], rows[figure][column], is_difference=True)
                for column in ("growth", "restatement")
            ),
        ]
        for figure in HEROES
    ]


def expect_figures_changed(page: Page, expected: list[list[str]]) -> None:
    """Wait until the table of figures has these rows."""
    cells = [cell for row in expected for cell in row]
    expect(chart(page, FIGURES).locator("tbody td")).to_have_text(cells)


def open_comparison(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    open_tab(page, TAB)
    chart(page, FIGURES).locator("tbody td").first.wait_for()


def compare(page: Page, first: str, last: str) -> None:
    """Choose both versions."""
    choose(page, "from_version", first)
    choose(page, "to_version", last)
    apply(page)


def test_the_tab_compares_the_last_two_versions_and_asks_for_nothing_before_it_is_shown(
    page: Page, dashboard: Dashboard
) -> None:
    numbers = dashboard.signed_in("manager").datasets()
    asked: list[str] = []

    def note(request: Request) -> None:
        if "/api/v1/chart/data" in request.url:
            number = request.post_data_json["datasource"]["id"]
            asked.extend(name for name, known in numbers.items() if known == number)

    page.on("request", note)
    open_reports(page, dashboard)
    of_the_tab = {name for name in numbers if name.startswith(("changed_", "versions_"))}
    assert asked
    assert not of_the_tab & set(asked)

    open_tab(page, TAB)
    (first, first_instant), (last, last_instant) = versions(dashboard)[-2:]
    expect_figures_changed(
        page, expected_rows(ask(dashboard, "why_figures", first, last, *last_30_days(), None, None))
    )
    expect(chart(page, "Versions compared").locator("td").first).to_have_text(
        re.compile(f"^From the version of {first_instant} .* to that of {last_instant} ")
    )
    assert of_the_tab <= set(asked)


def test_another_pair_of_versions_shows_what_moved_between_them_the_largest_first(
    page: Page, dashboard: Dashboard
) -> None:
    (first, first_instant), (last, last_instant) = versions(dashboard)[:2]
    open_comparison(page, dashboard)

    # Backwards, so that it differs from what is shown at first.
    compare(page, last_instant, first_instant)

    days = last_30_days()
    expect_figures_changed(page, expected_rows(ask(dashboard, "why_figures", last, first, *days, None, None)))
    moves = ask(dashboard, "why", last, first, *days, None, None)
    amounts = [row for row in moves if row["figure"].startswith("revenue_")]
    cancelled = max(amounts, key=lambda row: row["difference"])
    rows = chart(page, AMOUNTS).locator("tbody tr")
    after, difference = (f"$ {sign}{money(cancelled['after'])}" for sign in ("", "+"))
    # Until then the rows are those of the versions before.
    expect(rows.first.locator("td").last).to_have_text(difference)
    expect(rows).to_have_count(len(amounts))
    shown = [row.locator("td").all_inner_texts() for row in rows.all()]
    sizes = [Decimal(re.sub("[^0-9.]", "", row[-1])) for row in shown]
    assert sizes == sorted((abs(row["difference"]) for row in amounts), reverse=True)
    assert shown[0][:5] == [
        *("Revenue credited", f"Order {cancelled['order_id']}", "Restatement", "order cancelled", "status")
    ]
    assert shown[0][-3:] == ["$ 0.00", after, difference]


def test_versions_between_which_nothing_differs_are_a_sentence(page: Page, dashboard: Dashboard) -> None:
    open_comparison(page, dashboard)

    compare(page, NEWEST, NEWEST)

    cells = chart(page, "Versions compared").locator("td")
    expect(cells).to_have_text(
        [
            re.compile(r"^The version of .* with itself, in UTC\.$"),
            "Nothing differs in these days, queues and agents",
        ],
    )
    growth = chart(page, FIGURES).locator("tbody td:nth-child(4)")
    expect(growth).to_have_text(["0", "$ 0.00", "0.00 pp", "0", "$ 0.00"])
    expect(chart(page, AMOUNTS).locator("tbody td[role=cell]")).to_have_count(0)
    expect_drawn(page)
    assert "error" not in page.locator("body").inner_text().lower()


def test_landed_ids_and_files_are_text_and_codes_are_words(page: Page, dashboard: Dashboard) -> None:
    harmed: list[str] = []
    note_dialogs(page, harmed)
    (_, first_instant), (_, last_instant) = versions(dashboard)[:2]
    open_comparison(page, dashboard)
    compare(page, first_instant, last_instant)

    row = chart(page, AMOUNTS).locator("tbody tr").filter(has_text=HOSTILE_CELL).first
    expect(row).to_contain_text("message landed late, order is new")
    expect(row).to_contain_text("landing/messages/late.jsonl, landing/orders/<img src")

    assert harmed == []
    expect_drawn(page)
    assert page.locator("td img, td b, td a").count() == 0
    text = "\n".join(chart(page, title).inner_text() for title in (FIGURES, AMOUNTS, COUNTS))
    assert "NULL" not in text
    assert re.findall(r"\b[a-z]+_[a-z_]+\b", text) == []


def test_a_click_on_a_row_changes_no_other_chart(page: Page, dashboard: Dashboard) -> None:
    (_, first_instant), (_, last_instant) = versions(dashboard)[:2]
    open_comparison(page, dashboard)
    compare(page, first_instant, last_instant)
    cell = chart(page, AMOUNTS).locator("tbody tr td").nth(1)
    expect(cell).to_contain_text("Order")
    expect_drawn(page)
    asked: list[str] = []
    note_requests(page, "/chart/data", asked)

    cell.click()

    page.wait_for_timeout(2_000)
    assert asked == []


def test_the_tab_adds_up_under_any_filter_of_days_queues_and_agents(dashboard: Dashboard) -> None:
    manager = dashboard.signed_in("manager")
    numbers = manager.datasets()
    (first, first_instant), (last, last_instant) = versions(dashboard)[:2]
    chosen = [
        {"col": "from_version", "op": "IN", "val": [first_instant]},
        {"col": "to_version", "op": "IN", "val": [last_instant]},
    ]
    filters: list[dict[str, Any]] = []
    moved = 0

    def shown(dataset: str, columns: list[str], metrics: list[str]) -> list[dict[str, Any]]:
        answer = manager.ask(numbers[dataset], columns, metrics, [*filters, *chosen])
        assert answer.ok, answer.text
        return answer.json()["result"][0]["data"]

    everything = Filter(*last_30_days(), None, None)
    for drawn in (everything, *drawn_filters(dashboard.published)[:FILTERS_TAKEN]):
        filters = as_superset_says_it(drawn)
        ids = {
            entity: ids_of(dashboard, entity, names)
            for entity, names in (("queue", drawn.queues), ("user", drawn.users))
        }
        answer = ask(
            dashboard, "why_figures", first, last, drawn.first, drawn.last, ids["queue"], ids["user"]
        )
        columns = ["Figure", "Before", "After", "Growth", "Restatement"]
        rows = shown("changed_figures", columns, [])
        assert sorted(list(row.values()) for row in rows) == sorted(expected_rows(answer))

        differences = dict.fromkeys(LABELS.values(), Decimal(0))
        for dataset in ("changed_amounts", "changed_counts"):
            for row in shown(dataset, ["Figure", "What"], ["difference"]):
                differences[row["Figure"]] += Decimal(str(row["difference"]))
                moved += 1
        for row in answer:
            if row["figure"] not in ("conversion_rate", "revenue_per_message"):
                assert differences[LABELS[row["figure"]]] == row["difference"], (drawn, row)
    assert moved


def ids_of(dashboard: Dashboard, entity: str, names: list[str] | None) -> list[str] | None:
    if names is None:
        return None
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        query = f"select {entity}_id from dim_{entity}s where {entity}_name in (select unnest(?))"
        return [name for (name,) in connection.execute(query, [names]).fetchall()]


def test_each_code_of_the_ledger_has_words() -> None:
    described = (REPOSITORY / "models" / "marts" / "_ledger.md").read_text(encoding="utf-8")
    causes = described.split("{% docs causes %}")[1].split("{% enddocs %}")[0]
    computed = (REPOSITORY / "orchestration" / "ledger" / "restatements.sql").read_text(encoding="utf-8")
    fields = set(re.findall(r"if\(before\.\w+ .* after\.\w+, '(\w+)', null\)", computed))

    assert set(re.findall(r"`(\w+)`", causes)) == set(CAUSES)
    assert fields == set(FIELDS)
