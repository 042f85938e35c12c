"""What stands beside the days before: the same figures as those of the published table functions."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from browsing import (
    chart,
    expect_still,
    figure,
    figures,
    money,
    open_reports,
    point_at_middle,
    written,
    yesterday,
)
from playwright.sync_api import Page, expect
from serving import Dashboard
from test_figures import Filter, as_superset_says_it, drawn_filters

from dashboards.charts import STRONG
from dashboards.connection import Database
from dashboards.currency import read_currency_symbol
from dashboards.days import say_day, say_days

KINDS = {
    "messages_sent": "count",
    "revenue_generated": "money",
    "conversion_rate": "rate",
    "active_users": "count",
    "revenue_per_message": "money",
    "messages_in_open_window": "count",
}
OF_A_DAY = ("messages_sent", "messages_skipped", "revenue_generated", "conversion_rate")


def change(value: Any, base: Any, is_rate: bool) -> str:
    """How a change is said."""
    if value is None:
        return "none now"
    if base is None or (not is_rate and base == 0 != value):
        return "nothing before"
    fraction = value - base if is_rate else float(value - base) / float(base or 1)
    exact = Decimal(f"{abs(fraction) * 100:.12f}").quantize(Decimal("0.1"), ROUND_HALF_UP)
    size = f"{exact:,}{' points' if is_rate else '%'}"
    if not exact:
        return "= as before"
    return f"▲ {size} more" if fraction > 0 else f"▼ {size} less"


def ask(published: Path, query: str, drawn: Filter, *days: date) -> list[dict[str, Any]]:
    """The rows of a query with the queues and users of a filter as `queues := $1, users := $2`."""
    with duckdb.connect(str(published), read_only=True) as connection:

        def ids(entity: str, names: list[str] | None) -> list[str] | None:
            query = f"select {entity}_id from dim_{entity}s where {entity}_name in (select unnest(?))"
            return names and [name for (name,) in connection.execute(query, [names]).fetchall()]

        answer = connection.execute(query, [ids("queue", drawn.queues), ids("user", drawn.users), *days])
        columns = [column[0] for column in answer.description]
        return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def first_day(published: Path) -> date:
    with duckdb.connect(str(published), read_only=True) as connection:
        ((day,),) = connection.execute("select min(message_date) from fct_messages").fetchall()
        return day


def asked(dashboard: Dashboard, dataset: str, columns: list[str], drawn: Filter) -> list[dict[str, Any]]:
    """The rows that a chart gets."""
    manager = dashboard.signed_in("manager")
    answer = manager.ask(manager.datasets()[dataset], columns, [], as_superset_says_it(drawn))
    assert answer.ok, answer.text
    return answer.json()["result"][0]["data"]


def compared_filters(dashboard: Dashboard) -> list[tuple[Filter, tuple[date, date] | None]]:
    """Drawn filters that lie in the days of the messages, each with its base, or None."""
    beginning = first_day(dashboard.published)
    filters = []
    for drawn in drawn_filters(dashboard.published):
        length = timedelta(days=(drawn.last - drawn.first).days + 1)
        if beginning <= drawn.first and drawn.last <= yesterday():
            base = (drawn.first - length, drawn.first - timedelta(days=1))
            filters.append((drawn, base if base[0] >= beginning else None))
    assert any(base for _, base in filters)
    assert not all(base for _, base in filters)
    return filters


def test_big_figures_and_their_changes_are_those_of_the_comparison(dashboard: Dashboard) -> None:
    columns = [f"{name}{text}" for name in KINDS for text in ("", "_change", "_against")]
    for drawn, base in compared_filters(dashboard):
        (row,) = asked(dashboard, "overview_in_words", columns, drawn)
        (compared,) = ask(
            dashboard.published,
            "from overview_compared($3, $4, queues := $1, users := $2)",
            drawn,
            drawn.first,
            drawn.last,
        )
        for name, kind in KINDS.items():
            value = compared[name]
            exact = value if value is None or kind != "rate" else Decimal(value)
            assert row[name] == written(kind, exact), (drawn, name)
            if base is None:
                assert row[f"{name}_change"] == ""
                assert row[f"{name}_against"] == (
                    f"not compared: messages begin on {say_day(first_day(dashboard.published))}"
                )
            else:
                assert row[f"{name}_change"] == change(value, compared[f"{name}_base"], kind == "rate")
                assert row[f"{name}_against"] == f"against {say_days(*base)}"


def test_the_share_of_all_revenue_is_credited_over_placed_by_the_day_of_the_order(
    dashboard: Dashboard,
) -> None:
    def share(drawn: Filter, first: date, last: date) -> float | None:
        (row,) = ask(
            dashboard.published,
            """
            select
                (
                    select sum(orders.order_value)
                    from fct_orders as orders
                    inner join fct_messages as messages on orders.credited_message_id = messages.message_id
                    where orders.status = 'placed' and orders.order_date between $3 and $4
                        and ($1 is null or list_contains($1, messages.queue_id))
                        and ($2 is null or list_contains($2, messages.user_id))
                ) as credited,
                sum(order_value) filter (status = 'placed' and order_date between $3 and $4) as placed
            from fct_orders
            """,
            drawn,
            first,
            last,
        )
        return float(row["credited"] or 0) / float(row["placed"]) if row["placed"] else None

    columns = [f"share_of_all_revenue{text}" for text in ("", "_change", "_against")]
    for drawn, base in compared_filters(dashboard):
        (row,) = asked(dashboard, "share_in_words", columns, drawn)
        value = share(drawn, drawn.first, drawn.last)
        assert row["share_of_all_revenue"] == written("rate", None if value is None else Decimal(value)), (
            drawn
        )
        if base is not None:
            assert row["share_of_all_revenue_change"] == change(value, share(drawn, *base), is_rate=True)


def test_a_day_stands_beside_the_day_at_its_place_of_the_base(dashboard: Dashboard) -> None:
    columns = ["message_date", *OF_A_DAY, *(f"{name}_base" for name in OF_A_DAY)]
    query = "from messages_over_time($3, $4, queues := $1, users := $2)"
    nothing = {name: None if name == "conversion_rate" else 0 for name in OF_A_DAY}

    def by_day(drawn: Filter, first: date, last: date) -> Mapping[date, Mapping[str, Any]]:
        return {row["message_date"]: row for row in ask(dashboard.published, query, drawn, first, last)}

    def close(shown: float | None, wanted: Any) -> bool:
        return shown == wanted if wanted is None else shown == pytest.approx(float(wanted), abs=1e-9)

    for drawn, base in compared_filters(dashboard):
        days = by_day(drawn, drawn.first, drawn.last)
        bases = by_day(drawn, *base) if base else {}
        rows = {
            date.fromtimestamp(row["message_date"] / 1000): row
            for row in asked(dashboard, "messages_over_time", columns, drawn)
        }
        length = (drawn.last - drawn.first).days + 1
        assert sorted(rows) == [drawn.first + timedelta(days=place) for place in range(length)]
        for day, row in rows.items():
            beside = bases.get(day - timedelta(days=length), nothing)
            for name in OF_A_DAY:
                assert close(row[name], days.get(day, nothing)[name]), (drawn, day, name)
                assert close(row[f"{name}_base"], beside[name] if base else None), (drawn, day, name)


def test_the_page_shows_changes_in_words_beside_their_arrows(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    expect(figure(page, "Share of all revenue")).to_be_visible()
    now = figures(dashboard)
    base = [yesterday() - timedelta(days=59), yesterday() - timedelta(days=30)]
    before = figures(dashboard, *base)

    lines = chart(page, "Revenue generated").locator("tbody td")
    said = change(now["revenue_generated"], before["revenue_generated"], is_rate=False)
    assert re.fullmatch(r"[▲▼] [\d.,]+% (more|less)|= as before", said)
    expect(lines.nth(0)).to_have_text(f"$ {money(now['revenue_generated'])}")
    expect(lines.nth(1)).to_have_text(said)
    expect(lines.nth(2)).to_have_text(f"against {say_days(*base)}")


def hue(red: int, green: int, blue: int) -> float:
    return colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)[0]


def test_the_tooltip_of_a_day_shows_its_figures_and_those_beside_it(page: Page, dashboard: Dashboard) -> None:
    open_reports(page, dashboard)
    title = "Total messages sent over time"
    canvas = chart(page, title).locator("canvas").first
    expect_still(page, canvas)
    colours = canvas.evaluate(
        """canvas => {
            const drawn = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            const colours = new Set();
            for (let at = 0; at < drawn.length; at += 4) {
                const colour = drawn.slice(at, at + 3);
                const isColourful = Math.max(...colour) - Math.min(...colour) > 80;
                if (drawn[at + 3] > 200 && isColourful) colours.add(colour.join());
            }
            return [...colours];
        }"""
    )
    tooltip = point_at_middle(page, title)

    # Nothing but the line of the days has a colour: further figures are in the tooltip alone.
    assert colours
    strong = hue(*bytes.fromhex(STRONG.removeprefix("#")))
    assert [
        each for each in colours if hue(*map(int, each.split(","))) != pytest.approx(strong, abs=0.04)
    ] == []
    said = tooltip.inner_text().splitlines()
    day = datetime.strptime(said[0], "%A, %d %B %Y").date()
    now, before = figures(dashboard, day, day), figures(dashboard, *[day - timedelta(days=30)] * 2)
    assert said[1:] == [
        f"{label}{beside}\t{text}"
        for label, name, say in (
            ("Messages sent", "messages_sent", "{:,}".format),
            ("Conversion rate", "conversion_rate", "{:.2%}".format),
            ("Messages skipped", "messages_skipped", "{:,}".format),
            ("Revenue generated", "revenue_generated", "$ {:,.2f}".format),
        )
        for beside, text in (("", say(now[name])), (", days before", say(before[name])))
    ]


def test_money_has_the_symbol_of_the_published_currency(tmp_path: Path) -> None:
    file = tmp_path / "published.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute("create table report_info as select 'EUR' as currency")

    assert read_currency_symbol(Database.of_file(file, "100MB"))() == "€"
