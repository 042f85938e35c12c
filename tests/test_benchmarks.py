"""The ordinary day of the benchmarks is what it says: the same each time, and about events that there are.

Belongs here: what the landed files of that day hold. Does not belong here: how long anything takes.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks import ordinary_day
from benchmarks.generate import DEFAULT_LAST_DAY, Recipe, generate
from benchmarks.run import DAYS, half_of

# The shortest history that an ordinary day may follow: 100 messages and 200 orders a day.
RECIPE = Recipe(messages=18_000, orders=36_000, days=180)
MIDNIGHT = datetime.combine(ordinary_day.day_after(RECIPE), time.min)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The landed history and day."""
    out = tmp_path_factory.mktemp("benchmark")
    generate(RECIPE, out)
    ordinary_day.land(RECIPE, out / "landing")
    return out / "landing"


@pytest.fixture
def sql(landing: Path) -> duckdb.DuckDBPyConnection:
    """A connection with the views messages, orders (the history) and new_messages, new_orders and so on."""
    day = ordinary_day.day_after(RECIPE)
    connection = duckdb.connect()
    for entity in ("messages", "orders"):
        history = f"read_parquet('{landing}/{entity}/*.parquet', filename = true)"
        connection.execute(
            f"create view {entity} as select * exclude (filename) from {history} "
            f"where not contains(filename, '{day}')"
        )
        connection.execute(f"create view new_{entity} as from '{landing}/{entity}/{day}.parquet'")
        connection.execute(
            f"create view corrected_{entity} as from '{landing}/{entity}/{day}-corrections.parquet'"
        )
    connection.execute(f"create view late_orders as from '{landing}/orders/{day}-late.parquet'")
    return connection


def rows_by_file(landing: Path) -> dict[str, list[tuple[Any, ...]]]:
    return {
        path.relative_to(landing).as_posix(): duckdb.execute("from read_parquet(?)", [str(path)]).fetchall()
        for path in landing.glob(f"*/{ordinary_day.day_after(RECIPE)}*")
    }


def test_the_day_is_the_same_each_time_and_can_be_removed(landing: Path) -> None:
    first = rows_by_file(landing)
    assert len(first) == 5
    ordinary_day.remove(RECIPE, landing)
    assert rows_by_file(landing) == {}
    assert len(list(landing.glob("*/*"))) == 2 * RECIPE.days
    ordinary_day.land(RECIPE, landing)
    assert rows_by_file(landing) == first


@pytest.mark.parametrize(("entity", "usual"), [("messages", 100), ("orders", 200)])
def test_the_day_has_the_usual_number_of_new_events(
    sql: duckdb.DuckDBPyConnection, entity: str, usual: int
) -> None:
    key, instant = {"messages": ("message_id", "occurred_at"), "orders": ("order_id", "ordered_at")}[entity]
    count, known, first, last = sql.execute(
        f"select count(distinct {key}), count(*) filter ({key} in (select {key} from {entity})), "
        f"min({instant}), max({instant}) from new_{entity}"
    ).fetchall()[0]
    assert count == pytest.approx(usual, abs=2)
    assert known == 0
    assert MIDNIGHT <= first <= last < MIDNIGHT + timedelta(days=1)


def test_corrected_orders_are_newer_versions_of_orders_of_the_last_90_days(
    sql: duckdb.DuckDBPyConnection,
) -> None:
    changes = sql.execute("""
        select
            new.updated_at > old.updated_at as is_newer,
            old.ordered_at,
            new.refunded_value > 0 and new.refunded_value <= new.order_value as is_refund,
            [
                new.refunded_value <> old.refunded_value,
                new.order_value <> old.order_value,
                new.customer_id is distinct from old.customer_id,
                new.status <> old.status,
                new.ordered_at <> old.ordered_at,
            ] as changed
        from corrected_orders as new
        inner join orders as old using (order_id)
    """).fetchall()
    assert len(changes) == 20  # a tenth of a day's orders, each of which landed before
    assert all(is_newer for is_newer, *_ in changes)
    assert min(ordered_at for _, ordered_at, *_ in changes) >= MIDNIGHT - timedelta(days=90)
    assert sum(is_refund for *_, is_refund, _ in changes) == 10
    assert all(sum(changed) == 1 for *_, changed in changes)
    assert all(any(kind) for kind in zip(*(changed for *_, changed in changes), strict=True))


def test_corrected_messages_are_newer_versions_of_messages_of_the_last_90_days(
    sql: duckdb.DuckDBPyConnection,
) -> None:
    changes = sql.execute("""
        select
            old.status,
            new.status,
            new.queue_id <> old.queue_id and new.user_id <> old.user_id as has_moved,
            old.occurred_at,
            new.updated_at > old.updated_at as is_newer
        from corrected_messages as new
        inner join messages as old using (message_id)
        order by new.status
    """).fetchall()
    assert [(before, after, has_moved) for before, after, has_moved, *_ in changes] == [
        ("sent", "sent", True),
        ("sent", "skipped", False),
    ]
    assert all(is_newer for *_, is_newer in changes)
    assert all(occurred_at >= MIDNIGHT - timedelta(days=90) for *_, occurred_at, _ in changes)


def test_late_orders_are_new_and_of_the_older_half(sql: duckdb.DuckDBPyConnection) -> None:
    count, known, first, last = sql.execute("""
        select
            count(distinct order_id),
            count(*) filter (
                order_id in (select order_id from orders union all select order_id from new_orders)
            ),
            min(ordered_at),
            max(ordered_at)
        from late_orders
    """).fetchall()[0]
    assert (count, known) == (100, 0)
    first_midnight = datetime.combine(RECIPE.first_day, time.min)
    assert first_midnight <= first <= last < first_midnight + timedelta(days=RECIPE.days // 2)


def test_the_older_half_of_the_measured_history_is_more_than_a_year_old() -> None:
    measured = Recipe(messages=DAYS, orders=DAYS, days=DAYS, last_day=DEFAULT_LAST_DAY)
    end_of_older_half = measured.first_day + timedelta(days=DAYS // 2)
    assert ordinary_day.day_after(measured) - end_of_older_half >= timedelta(days=365)


def test_half_of_the_late_orders_answer_a_message(sql: duckdb.DuckDBPyConnection) -> None:
    (answering,) = sql.execute("""
        select count(distinct orders.order_id)
        from late_orders as orders
        inner join messages
            on
                orders.customer_id = messages.customer_id
                and messages.status = 'sent'
                and orders.ordered_at >= messages.occurred_at
                and orders.ordered_at < messages.occurred_at + interval 7 day
    """).fetchall()[0]
    # The others may answer one by chance.
    assert 50 <= answering < 100


def test_a_history_that_is_too_short_has_no_ordinary_day(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 180 days"):
        ordinary_day.land(Recipe(messages=179, orders=179, days=179), tmp_path)


def test_half_the_history_has_as_many_events_a_day_of_as_many_customers() -> None:
    whole = Recipe(messages=730_000, orders=1_460_000, days=730)
    half = half_of(whole)
    assert (half.messages / half.days, half.orders / half.days) == (1000, 2000)
    assert half.customers == whole.customers
    assert half.last_day == whole.last_day
