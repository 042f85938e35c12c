"""The table functions, whichever relations a question is answered from, held against sums over the facts.

Belongs here: questions at the edges of the choice of relations, and what is read for an answer. Does not
belong here: whether the facts are right, which test_published_against_oracle.py says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import duckdb
import pytest
from landing import land_csv
from pipeline import reading, refresh

from orchestration.settings import Settings

Ids = list[str | None] | None

FIRST_DAY = date(2026, 1, 20)
DAYS = 25

GRAINS = {
    "overview": (),
    "messages_over_time": ("message_date",),
    "queue_breakdown": ("queue_id",),
    "user_messages_over_time": ("message_date", "user_id"),
    "user_breakdown": ("user_id",),
}

RANGES = {
    "all days": (date(2025, 1, 1), date(2027, 1, 1)),
    "some days": (date(2026, 1, 28), date(2026, 2, 4)),
    "one day": (date(2026, 1, 31), date(2026, 1, 31)),
    "no day": (date(2026, 2, 4), date(2026, 1, 28)),
    "before all": (date(2020, 1, 1), date(2020, 12, 31)),
    "after all": (date(2030, 1, 1), date(2030, 12, 31)),
}

QUEUES: list[Ids] = [
    None,
    [],
    [None],
    ["q1"],
    ["q1", "q1"],
    ["q1", None],
    ["q1", "no such id"],
    ["no such id"],
    ["q1", "unassigned"],
    ["q1", "q2", "q3", "unassigned"],
]
USERS: list[Ids] = [
    None,
    [],
    [None],
    ["u2"],
    ["u2", None, "u2"],
    ["no such id"],
    ["u1", "u2", "u3"],
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A hub in which few customers are messaged often, by several users and queues, also on one day."""
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", FIRST_DAY + timedelta(DAYS - 5), "USD")
    draw, refunds = random.Random(1), random.Random(2)

    def instant() -> str:
        midnight = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
        return (midnight + timedelta(seconds=draw.randrange(DAYS * 86400))).isoformat()

    messages = [
        {
            "message_id": f"m{number}",
            "customer_id": f"c{draw.randrange(15)}",
            "queue_id": draw.choice(["q1", "q2", "q3", ""]),
            "user_id": draw.choice(["u1", "u2", "u3", "u4", ""]),
            "status": draw.choice(["sent", "sent", "sent", "skipped"]),
            "occurred_at": instant(),
        }
        for number in range(400)
    ]
    orders = [
        {
            "order_id": f"o{number}",
            "customer_id": f"c{draw.randrange(20)}",
            "ordered_at": instant(),
            "order_value": f"{(euros := draw.randrange(100))}.{number % 100:02}",
            "refunded_value": f"{refunds.randrange(euros + 1)}.00",
            "sales_channel": "online",
        }
        for number in range(120)
    ]
    land_csv(hub.landing / "messages" / "messages.csv", messages)
    land_csv(hub.landing / "orders" / "orders.csv", orders)
    with reading(refresh(hub)) as connection:
        yield connection


@pytest.mark.parametrize("days", RANGES)
@pytest.mark.parametrize("function", GRAINS)
def test_any_question_is_answered_as_from_the_facts(
    published: duckdb.DuckDBPyConnection, function: str, days: str
) -> None:
    for queues in QUEUES:
        for users in USERS:
            asked = [*RANGES[days], queues, users]
            answer = published.execute(
                f"select {', '.join([*GRAINS[function], *FIGURES])}"
                f" from {function}(?, ?, queues := ?::varchar[], users := ?::varchar[]) order by all",
                asked,
            ).fetchall()
            expected = published.execute(figures_of_facts(function), asked).fetchall()

            assert answer == expected, asked


def test_customers_and_orders_come_more_than_once(published: duckdb.DuckDBPyConnection) -> None:
    ((sent, customers, orders),) = published.execute(
        "select messages_sent, customers_messaged, orders_generated"
        " from overview(?, ?, queues := ['q1', 'q2'])",
        RANGES["some days"],
    ).fetchall()
    ((touches,),) = published.execute(
        "select count(*) from fct_message_orders"
        " where message_date between ? and ? and queue_id in ('q1', 'q2')",
        RANGES["some days"],
    ).fetchall()

    assert 0 < customers < sent
    assert 0 < orders < touches


@pytest.mark.parametrize(
    ("question", "tables"),
    [
        ("overview(?, ?)", {"counts_by_day"}),
        ("overview(?, ?, queues := ['q1', 'q1'])", {"counts_by_day_and_queue"}),
        ("overview(?, ?, users := ['u1'])", {"counts_by_day_and_user"}),
        ("overview(?, ?, queues := ['q1', 'q2'])", {"fct_messages", "fct_message_orders"}),
        ("messages_over_time(?, ?)", {"mart_overview_daily"}),
        ("messages_over_time(?, ?, queues := ['q1'])", {"mart_queue_daily"}),
        ("messages_over_time(?, ?, users := ['u1'])", {"mart_user_daily"}),
        (
            "messages_over_time(?, ?, queues := ['q1'], users := ['u1'])",
            {"fct_messages", "fct_message_orders"},
        ),
        ("queue_breakdown(?, ?, queues := ['q1', 'q2'])", {"counts_by_day_and_queue"}),
        ("queue_breakdown(?, ?, users := ['u1'])", {"fct_messages", "fct_message_orders"}),
        ("user_breakdown(?, ?, users := ['u1', 'u2'])", {"counts_by_day_and_user"}),
        ("user_breakdown(?, ?, queues := ['q1'])", {"fct_messages", "fct_message_orders"}),
        ("user_messages_over_time(?, ?, users := ['u1', 'u2'])", {"mart_user_daily"}),
        ("user_messages_over_time(?, ?, queues := ['q1'])", {"fct_messages", "fct_message_orders"}),
    ],
)
def test_only_what_answers_the_question_is_read(
    published: duckdb.DuckDBPyConnection, question: str, tables: set[str]
) -> None:
    ((_, plan),) = published.execute(f"explain (format json) from {question}", RANGES["some days"]).fetchall()

    candidates = ("counts_by_day", "counts_by_day_and_queue", "counts_by_day_and_user", "mart_overview_daily")
    candidates += ("mart_queue_daily", "mart_user_daily", "fct_messages", "fct_message_orders")
    assert {table for table in candidates if f'main.{table}"' in plan} == tables


FIGURES = (
    *("messages_sent", "messages_skipped", "customers_messaged", "customers_converted", "conversion_rate"),
    *("orders_generated", "revenue_generated", "revenue_refunded", "revenue_credited", "active_users"),
    *("revenue_per_message", "messages_in_open_window"),
)


def figures_of_facts(function: str) -> str:
    """The figures by their plain definition: what must count once is gathered and counted once."""
    grain = GRAINS[function]
    by = "".join(f"{column}, " for column in grain)
    groups = f"group by {', '.join(grain)}" if grain else ""
    same_group = " and ".join(f"messages.{column} = orders.{column}" for column in grain) or "true"
    asked = """
        message_date between $1 and $2
        and ($3::varchar[] is null or queue_id in (select unnest($3::varchar[])))
        and ($4::varchar[] is null or user_id in (select unnest($4::varchar[])))
    """
    rows = "where messages_sent > 0" if function.endswith("_breakdown") else ""
    return f"""
        with
        messages as (
            select
                {by}
                count(*) filter (status = 'sent') as messages_sent,
                count(*) filter (status = 'skipped') as messages_skipped,
                count(distinct customer_id) filter (status = 'sent') as customers_messaged,
                count(distinct customer_id) filter (is_converted) as customers_converted,
                coalesce(sum(revenue_credited), 0)::decimal(38, 2) as revenue_credited,
                count(distinct user_id) filter (status = 'sent' and user_id <> 'unassigned') as active_users,
                count(*) filter (window_closes_at > as_of_ends_at) as messages_in_open_window
            from fct_messages cross join (select as_of_ends_at from report_info)
            where {asked} {groups}
        ),
        orders as (
            select
                {by}
                count(*) as orders_generated,
                sum(order_value) as revenue_generated,
                sum(refunded_value) as revenue_refunded
            from (
                select distinct {by} order_id, order_value, refunded_value from fct_message_orders
                where {asked}
            ) {groups}
        )
        select
            {"".join(f"messages.{column}, " for column in grain)}
            messages_sent, messages_skipped, customers_messaged, customers_converted,
            customers_converted::double / nullif(customers_messaged, 0) as conversion_rate,
            coalesce(orders_generated, 0) as orders_generated,
            coalesce(revenue_generated, 0)::decimal(38, 2) as revenue_generated,
            coalesce(revenue_refunded, 0)::decimal(38, 2) as revenue_refunded,
            revenue_credited, active_users,
            (
                ((coalesce(revenue_generated, 0) * 1000000)::hugeint * 2 + messages_sent)
                // nullif(2 * messages_sent, 0) * 0.000001
            )::decimal(38, 6) as revenue_per_message,
            messages_in_open_window
        from messages left join orders on {same_group}
        {rows}
        order by all
    """


def test_touches_are_clustered_by_month_and_kind(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.sql(
        """
        select
            date_trunc('month', message_date), touch_count_by_user = 1, touch_count_in_queue = 1,
            touch_count_on_day = 1, touch_count = 1, message_date
        from fct_message_orders order by rowid
        """
    ).fetchall()

    assert len({row[0] for row in rows}) > 1
    assert len({row[1:5] for row in rows}) > 3
    assert rows == sorted(rows)


def test_messages_by_day_are_clustered_by_day(published: duckdb.DuckDBPyConnection) -> None:
    rows = published.sql("select message_date from messages_by_day order by rowid").fetchall()

    assert len(set(rows)) > 1
    assert rows == sorted(rows)
