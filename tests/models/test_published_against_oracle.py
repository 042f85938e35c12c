"""Every published relation and table function, held against the brute-force oracle."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from support.landed_histories import land_history
from support.oracle import Oracle
from support.pipeline import reading, refresh
from support.strategies import (
    TIMEZONES,
    Comparison,
    comparisons,
    drawn,
    filters,
    histories,
    side_by_side,
)

from orchestration.settings import Settings

Row = dict[str, Any]

RELATIONS = (
    "fct_messages",
    "fct_message_orders",
    "fct_orders",
    "dim_queues",
    "dim_users",
    "mart_overview_daily",
    "mart_queue_daily",
    "mart_user_daily",
    "mart_overview",
    "mart_queue_breakdown",
    "mart_user_breakdown",
    "mart_overview_compared",
    "mart_queue_breakdown_compared",
    "mart_user_breakdown_compared",
    "mart_sales_daily",
    "report_info",
)
FUNCTIONS = (
    "overview",
    "messages_over_time",
    "queue_breakdown",
    "user_messages_over_time",
    "user_breakdown",
    "sales",
)

ORDERED_MARTS = (
    "mart_overview",
    "mart_queue_breakdown",
    "mart_user_breakdown",
    "mart_overview_compared",
    "mart_queue_breakdown_compared",
    "mart_user_breakdown_compared",
)
COMPARISONS = ("overview_compared", "queue_breakdown_compared", "user_breakdown_compared")

# Side by side in one hub, since each refresh takes seconds.
HISTORIES = 20


@pytest.mark.parametrize("timezone", TIMEZONES)
def test_every_published_figure_equals_the_oracles(timezone: str) -> None:
    drawn_from = TIMEZONES.index(timezone)
    history = side_by_side(drawn(histories(max_messages=8, max_orders=8), HISTORIES, drawn_from))
    questions = drawn(filters(history), 12, drawn_from)
    with tempfile.TemporaryDirectory() as folder:
        hub = Settings(Path(folder), timezone, history.as_of, "USD")
        land_history(hub, history, random.Random(drawn_from))
        oracle = Oracle(
            history.messages,
            history.orders,
            timezone=timezone,
            as_of=history.as_of,
            queue_names={},
            user_names={},
        )
        with reading(refresh(hub)) as connection:
            for relation in RELATIONS:
                assert_same(rows(connection, f"from {relation}"), getattr(oracle, relation)(), relation)
            for mart in ORDERED_MARTS:
                as_stored = [_sort_key(row) for row in rows(connection, f"from {mart}")]
                assert as_stored == [_sort_key(row) for row in getattr(oracle, mart)()], f"order of {mart}"
            for question in questions:
                for function in FUNCTIONS:
                    published = rows(
                        connection,
                        f"from {function}(?, ?, queues := ?::varchar[], users := ?::varchar[])",
                        *question,
                    )
                    expected = getattr(oracle, function)(*question)
                    assert_same(published, expected, f"{function}{tuple(question)}")
            for comparison in drawn(comparisons(history), 12, drawn_from):
                for function in COMPARISONS:
                    published = compare(connection, function, comparison)
                    expected = getattr(oracle, function)(*comparison)
                    assert_same(published, expected, f"{function}{tuple(comparison)}")


def compare(connection: Any, function: str, comparison: Comparison) -> list[Row]:
    """The rows of a comparison; a base of its own days is given by these alone."""
    date_from, date_to, against, complete_days_only, queues, users = comparison
    base = "against := ?" if isinstance(against, str) else "base_from := ?, base_to := ?"
    return rows(
        connection,
        f"from {function}(?, ?, {base}, complete_days_only := ?,"
        " queues := ?::varchar[], users := ?::varchar[])",
        *(date_from, date_to, *([against] if isinstance(against, str) else against)),
        *(complete_days_only, queues, users),
    )


def assert_same(published: list[Row], expected: list[Row], what: str) -> None:
    """The same rows in any order; columns beyond those expected are allowed."""
    columns = list(expected[0]) if expected else []
    published = [{column: row[column] for column in columns} for row in published]
    published, expected = sorted(published, key=_sort_key), sorted(expected, key=_sort_key)
    assert len(published) == len(expected), what
    for one, other in zip(published, expected, strict=True):
        differing = {
            column: (one[column], other[column])
            for column in columns
            if not _equal(one[column], other[column])
        }
        assert not differing, f"{what}: {differing} in {other}"


def _equal(one: object, other: object) -> bool:
    # Money is compared as money: a float that prints alike is not the same.
    return type(one) is type(other) and one == other


def _sort_key(row: Row) -> list[str]:
    keys = (
        "period",
        "message_date",
        "order_date",
        "sales_channel",
        "queue_id",
        "user_id",
        "message_id",
        "order_id",
    )
    return [str(row[key]) for key in keys if key in row]


def rows(connection: Any, query: str, *parameters: object) -> list[Row]:
    result = connection.execute(query, parameters)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
