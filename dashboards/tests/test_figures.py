"""Every figure of the dashboard is that of the published table functions, whatever is filtered."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from serving import LATER, Dashboard

from dashboards.days import say_day

FIGURES = [
    *("messages_sent", "messages_skipped", "customers_messaged", "customers_converted", "conversion_rate"),
    *("orders_generated", "revenue_generated", "revenue_refunded", "revenue_credited", "active_users"),
    *("revenue_per_message", "messages_in_open_window"),
]
# Each dataset's columns besides the figures, and the same columns of the table function.
FUNCTIONS = {
    "overview": ("overview", [], []),
    "queue_breakdown": ("queue_breakdown", ["queue"], ["queue_name"]),
    "user_breakdown": ("user_breakdown", ["agent"], ["user_name"]),
    "user_messages_over_time": (
        "user_messages_over_time",
        ["message_date", "agent"],
        ["message_date", "user_name"],
    ),
}
FILTERS_DRAWN = 12
SEED = 20_260_101


@dataclass(frozen=True)
class Filter:
    """What somebody sets in the filter bar; days of both ends are in."""

    first: date
    last: date
    queues: list[str] | None
    users: list[str] | None


def drawn_filters(published: Any) -> list[Filter]:
    """Filters of random days, queues and users, by their names."""
    draw = random.Random(SEED)
    with duckdb.connect(str(published), read_only=True) as connection:
        ((first, last),) = connection.execute(
            "select min(message_date), max(message_date) from fct_messages"
        ).fetchall()
        queues = [
            name for (name,) in connection.execute("select queue_name from dim_queues order by 1").fetchall()
        ]
        users = [
            name for (name,) in connection.execute("select user_name from dim_users order by 1").fetchall()
        ]

    def some(names: list[str]) -> list[str] | None:
        return draw.choice([None, draw.sample(names, draw.randint(1, len(names)))])

    filters = []
    for _ in range(FILTERS_DRAWN):
        begin = first + timedelta(days=draw.randint(-3, (last - first).days))
        filters.append(
            Filter(begin, begin + timedelta(days=draw.choice([0, 6, 29, 89, 200])), some(queues), some(users))
        )
    return filters


def as_superset_says_it(drawn: Filter) -> list[dict[str, Any]]:
    """What the filter bar sends; days are written as its lists have them."""
    filters: list[dict[str, Any]] = [
        {"col": "period", "op": "IN", "val": ["All time and later"]},
        {"col": "from_day", "op": "IN", "val": [say_day(drawn.first)]},
        {"col": "to_day", "op": "IN", "val": [say_day(drawn.last)]},
    ]
    if drawn.queues is not None:
        filters.append({"col": "queue", "op": "IN", "val": drawn.queues})
    if drawn.users is not None:
        filters.append({"col": "agent", "op": "IN", "val": drawn.users})
    return filters


def expected(published: Any, function: str, columns: list[str], drawn: Filter) -> list[tuple[str, ...]]:
    with duckdb.connect(str(published), read_only=True) as connection:

        def ids(entity: str, names: list[str] | None) -> list[str] | None:
            if names is None:
                return None
            query = f"select {entity}_id from dim_{entity}s where {entity}_name in (select unnest(?))"
            return [name for (name,) in connection.execute(query, [names]).fetchall()]

        rows = connection.execute(
            f"select {', '.join([*columns, *FIGURES])} from {function}(?, ?, queues := ?, users := ?)",
            [drawn.first, drawn.last, ids("queue", drawn.queues), ids("user", drawn.users)],
        ).fetchall()
    return sorted(tuple(_said(value) for value in row) for row in rows)


def _said(value: Any) -> str:
    """A value as both sides can say it: to the cent, and rates to nine decimals."""
    if value is None:
        return "none"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return value
    return f"{float(value):.9f}".rstrip("0").rstrip(".")


@pytest.fixture(params=["dashboard", "dashboard_on_postgres"])
def either(request: pytest.FixtureRequest) -> Dashboard:
    """The dashboard of the published file, then the one that reads PostgreSQL."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("dataset", FUNCTIONS)
def test_figures_equal_those_of_the_table_functions(either: Dashboard, dataset: str) -> None:
    function, columns, columns_of_function = FUNCTIONS[dataset]
    manager = either.signed_in("manager")
    number = manager.datasets()[dataset]
    compared = 0
    for drawn in drawn_filters(either.published):
        answer = manager.ask(number, columns, FIGURES, as_superset_says_it(drawn))
        assert answer.ok, answer.text
        (result,) = answer.json()["result"]
        shown = sorted(
            tuple(
                date.fromtimestamp(row[column] / 1000).isoformat()
                if column == "message_date"
                else _said(row[column])
                for column in [*columns, *FIGURES]
            )
            for row in result["data"]
        )
        wanted = expected(either.published, function, columns_of_function, drawn)
        assert shown == wanted, (drawn, result["query"])
        compared += len(wanted)
    assert compared >= FILTERS_DRAWN // 2


def test_orders_behind_the_figures_are_the_orders_generated(either: Dashboard) -> None:
    manager = either.signed_in("manager")
    number = manager.datasets()["orders_behind_the_figures"]
    for drawn in drawn_filters(either.published):
        answer = manager.ask(number, ["Order"], ["order_value"], as_superset_says_it(drawn))
        assert answer.ok, answer.text
        orders = answer.json()["result"][0]["data"]
        wanted = expected(either.published, "overview", [], drawn)[0]
        assert str(len(orders)) == wanted[FIGURES.index("orders_generated")]
        total = sum(round(order["order_value"] * 100) for order in orders) / 100
        assert _said(total) == wanted[FIGURES.index("revenue_generated")]


def test_lines_of_the_strongest_members_and_of_the_others_add_up(either: Dashboard) -> None:
    manager = either.signed_in("manager")
    datasets = manager.datasets()
    everything = [{"col": "period", "op": "IN", "val": ["All time"]}]

    answer = manager.ask(datasets["strongest_members_over_time"], ["agent"], ["messages_sent"], everything)
    assert answer.ok, answer.text
    lines = {row["agent"]: row["messages_sent"] for row in answer.json()["result"][0]["data"]}
    with duckdb.connect(str(either.published), read_only=True) as connection:
        rows = connection.execute(
            "select user_name, messages_sent from user_breakdown(date '0001-01-01', "
            "(select as_of from report_info)) order by messages_sent desc"
        ).fetchall()

    strongest = dict(rows[:10])
    assert lines == {
        **strongest,
        f"The {len(rows) - 10} others": sum(sent for _, sent in rows) - sum(strongest.values()),
    }


def test_no_chart_goes_beyond_the_as_of_day_unless_it_is_asked_to(either: Dashboard) -> None:
    manager = either.signed_in("manager")
    datasets = manager.datasets()
    with duckdb.connect(str(either.published), read_only=True) as connection:
        ((as_of,),) = connection.execute("select as_of from report_info").fetchall()

    def ask(dataset: str, columns: list[str], *periods: str) -> list[dict[str, Any]]:
        filters = [{"col": "period", "op": "IN", "val": list(periods)}] if periods else []
        answer = manager.ask(datasets[dataset], columns, [], filters)
        assert answer.ok, answer.text
        return answer.json()["result"][0]["data"]

    def last_day(*periods: str) -> date:
        days = [row["message_date"] for row in ask("messages_over_time", ["message_date"], *periods)]
        return date.fromtimestamp(max(days) / 1000)

    assert last_day() == last_day("All time") == as_of
    assert last_day("All time and later") == LATER
    (shown,) = ask("shown", ["data_up_to", "days_shown"])
    assert shown["data_up_to"] == f"Data up to {say_day(as_of)}; 1 message is dated later"
    assert shown["days_shown"].endswith(f" - {say_day(as_of)}, last 30 days")
