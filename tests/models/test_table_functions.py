"""The table functions, whichever relations a question is answered from, held against sums over the facts.

Belongs here: questions at the edges of the choice of relations, and what is read for an answer. Does not
belong here: whether the facts are right, which test_published_against_oracle.py says.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import reading, refresh

from orchestration.settings import Settings

Ids = list[str | None] | None

FIRST_DAY = date(2026, 1, 20)
DAYS = 25
AS_OF = FIRST_DAY + timedelta(DAYS - 5)

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
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", AS_OF, "USD")
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
        ("overview_compared(?, ?)", {"counts_by_day"}),
        ("queue_breakdown_compared(?, ?, complete_days_only := true)", {"counts_by_day_and_queue"}),
        ("user_breakdown_compared(?, ?, against := 'year')", {"counts_by_day_and_user"}),
    ],
)
def test_only_what_answers_the_question_is_read(
    published: duckdb.DuckDBPyConnection, question: str, tables: set[str]
) -> None:
    ((_, plan),) = published.execute(f"explain (format json) from {question}", RANGES["some days"]).fetchall()

    candidates = (
        *("counts_by_day", "counts_by_day_and_queue", "counts_by_day_and_user", "mart_overview_daily"),
        *("mart_queue_daily", "mart_user_daily", "fct_messages", "fct_message_orders"),
    )
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


COMPARED = {"overview": None, "queue_breakdown": "queue_id", "user_breakdown": "user_id"}
OF_DAYS = ("period_start", "period_end", "base_start", "base_end", "days_left_out", "days_left_out_base")


def days(first: int, last: int) -> tuple[date, date]:
    """A range of days, counted from the first one of the hub."""
    return FIRST_DAY + timedelta(first), FIRST_DAY + timedelta(last)


def rows_of(published: duckdb.DuckDBPyConnection, query: str, *parameters: object) -> list[dict[str, Any]]:
    result = published.execute(query, parameters)
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def group_of(function: str, row: Mapping[str, Any]) -> str | None:
    """The queue or user that a row is about; None where it is about all."""
    column = COMPARED[function]
    return None if column is None else row[column]


@pytest.mark.parametrize("function", COMPARED)
@pytest.mark.parametrize(
    ("asked", "base", "expected"),
    [
        # The requested days, what names their base, and which days are compared: 14 is the first open one.
        (days(10, 19), "", (days(10, 19), days(0, 9), 0, 0)),
        (days(10, 19), "complete_days_only := true", (days(10, 13), days(0, 3), 6, 6)),
        (days(10, 12), "against := 'previous', complete_days_only := true", (days(10, 12), days(7, 9), 0, 0)),
        (days(10, 19), "against := 'year'", (days(10, 19), days(10 - 364, 19 - 364), 0, 0)),
        (days(10, 19), "against := 'last_year_dates'", (days(10, 19), days(10 - 365, 19 - 365), 0, 0)),
        # The base is the open side.
        (
            days(0, 9),
            "base_from := $b1, base_to := $b2, complete_days_only := true",
            (days(0, 3), days(10, 13), 6, 6),
        ),
        # A longer period has nothing to be compared with beyond its base.
        (
            days(0, 12),
            "base_from := $b1, base_to := $b2, complete_days_only := true",
            (days(0, 3), days(10, 13), 9, 6),
        ),
        # The other days of the period have no open day at their place.
        (
            days(0, 2),
            "base_from := $b1, base_to := $b2, complete_days_only := true",
            (days(0, 2), days(10, 13), 0, 6),
        ),
        (days(0, 2), "base_from := $b1, base_to := $b2", (days(0, 2), days(10, 19), 0, 0)),
        (days(14, 19), "complete_days_only := true", ((None, None), (None, None), 6, 6)),
    ],
)
def test_a_comparison_is_a_plain_answer_for_each_side(
    published: duckdb.DuckDBPyConnection,
    function: str,
    asked: tuple[date, date],
    base: str,
    expected: tuple[tuple[date, date], tuple[date, date], int, int],
) -> None:
    base = base.replace("$b1", f"'{days(10, 19)[0]}'").replace("$b2", f"'{days(10, 19)[1]}'")
    sides, left_out = expected[:2], expected[2:]
    for filtered in ("", "queues := ['q1', 'q2'], users := ['u1', 'u3']"):
        named = "".join(f", {argument}" for argument in (base, filtered) if argument)
        compared = rows_of(published, f"from {function}_compared(?, ?{named})", *asked)
        plain = [
            {
                group_of(function, row): row
                for row in rows_of(published, f"from {function}(?, ?{filtered and ', ' + filtered})", *side)
            }
            for side in sides
        ]

        assert {group_of(function, row) for row in compared} == {*plain[0], *plain[1]}
        for row in compared:
            assert tuple(row[column] for column in OF_DAYS) == (*sides[0], *sides[1], *left_out)
            for of_side, ending in zip(plain, ("", "_base"), strict=True):
                for figure, value in of_side.get(group_of(function, row), {}).items():
                    if figure in FIGURES:
                        assert row[f"{figure}{ending}"] == value


@pytest.mark.parametrize("function", COMPARED)
def test_exchanging_both_sides_of_a_comparison_changes_the_sign(
    published: duckdb.DuckDBPyConnection, function: str
) -> None:
    one, other = days(2, 9), days(11, 20)
    query = f"from {function}_compared(?, ?, base_from := ?, base_to := ?) order by all"
    forth = {group_of(function, row): row for row in rows_of(published, query, *one, *other)}
    back = {group_of(function, row): row for row in rows_of(published, query, *other, *one)}

    assert forth.keys() == back.keys()
    for group, row in forth.items():
        for figure in FIGURES[:-1]:
            difference = row[f"{figure}_difference"]
            assert difference is not None
            assert difference == -back[group][f"{figure}_difference"]
            assert row[figure] == back[group][f"{figure}_base"]
        assert row["conversion_rate_points"] == -back[group]["conversion_rate_points"]


def test_a_change_is_a_fraction_of_the_base(published: duckdb.DuckDBPyConnection) -> None:
    (row,) = rows_of(published, "from overview_compared(?, ?)", *days(8, 15))
    (nothing,) = rows_of(published, "from overview_compared(?, ?, against := 'year')", *days(8, 15))

    assert row["revenue_generated_base"] > 0
    assert row["revenue_generated_change"] == pytest.approx(
        float(row["revenue_generated"]) / float(row["revenue_generated_base"]) - 1
    )
    assert row["conversion_rate_points"] == pytest.approx(
        100 * (row["conversion_rate"] - row["conversion_rate_base"])
    )
    assert nothing["messages_sent_difference"] == nothing["messages_sent"] > 0
    assert nothing["messages_sent_change"] is None
    assert nothing["conversion_rate_difference"] is None


def test_skipped_messages_count_on_a_side_without_sent_ones(published: duckdb.DuckDBPyConnection) -> None:
    ((queue, skipping, skipped, sending),) = published.sql(
        """
        select one.queue_id, one.message_date, one.messages_skipped, other.message_date
        from mart_queue_daily as one
        inner join mart_queue_daily as other on one.queue_id = other.queue_id
        where one.messages_sent = 0 and one.messages_skipped > 0 and other.messages_sent > 0
        order by all
        limit 1
        """
    ).fetchall()
    query = "from queue_breakdown_compared(?, ?, base_from := ?, base_to := ?) where queue_id = ?"
    (row,) = rows_of(published, query, sending, sending, skipping, skipping, queue)
    (back,) = rows_of(published, query, skipping, skipping, sending, sending, queue)

    assert (row["messages_skipped_base"], row["messages_sent_base"]) == (skipped, 0)
    assert (back["messages_skipped"], back["messages_sent"]) == (skipped, 0)


@pytest.mark.parametrize("function", COMPARED)
@pytest.mark.parametrize(
    ("base", "refusal"),
    [
        ("against := 'last_year'", "against is 'last_year'; it must be 'previous'"),
        ("base_from := '2026-01-20'", "give both, or neither"),
        ("base_to := '2026-01-20'", "give both, or neither"),
        (
            "against := 'year', base_from := '2026-01-20', base_to := '2026-01-21'",
            "against := 'year' names other days than base_from and base_to",
        ),
    ],
)
def test_an_impossible_base_is_refused_whatever_is_read(
    published: duckdb.DuckDBPyConnection, function: str, base: str, refusal: str
) -> None:
    for columns, filtered in (("*", ""), ("messages_sent", ""), ("count(*)", ", queues := []")):
        query = f"select {columns} from {function}_compared('2026-01-28', '2026-02-04', {base}{filtered})"
        with pytest.raises(duckdb.InvalidInputException, match=re.escape(refusal)):
            published.sql(query).fetchall()


def test_a_base_may_be_named_by_both_its_days_and_its_name(published: duckdb.DuckDBPyConnection) -> None:
    query = "from overview_compared('2026-01-28', '2026-02-04', against := 'year'{})"

    assert rows_of(published, query.format(", base_from := '2025-01-29', base_to := '2025-02-05'")) == (
        rows_of(published, query.format(""))
    )


def test_a_filter_of_sales_says_what_is_credited_and_nothing_else(
    published: duckdb.DuckDBPyConnection,
) -> None:
    orders = """
        select
            orders.order_date, orders.sales_channel,
            count(*) as orders_placed,
            count(messages.message_id) as orders_attributed,
            count(messages.message_id) filter (
                ($3::varchar[] is null or messages.queue_id in (select unnest($3::varchar[])))
                and ($4::varchar[] is null or messages.user_id in (select unnest($4::varchar[])))
            ) as orders_credited,
            sum(orders.order_value) as revenue_placed,
            coalesce(sum(orders.order_value) filter (
                ($3::varchar[] is null or messages.queue_id in (select unnest($3::varchar[])))
                and ($4::varchar[] is null or messages.user_id in (select unnest($4::varchar[])))
                and messages.message_id is not null
            ), 0)::decimal(38, 2) as revenue_credited
        from fct_orders as orders
        left join fct_messages as messages on orders.credited_message_id = messages.message_id
        where orders.order_date between $1 and $2 and orders.status = 'placed'
        group by all
        order by all
    """
    columns = "order_date, sales_channel, orders_placed, orders_attributed, orders_credited"
    seen = set()
    for queues in QUEUES:
        for users in USERS:
            asked = [*RANGES["some days"], queues, users]
            answer = published.execute(
                f"select {columns}, revenue_placed, revenue_credited"
                " from sales(?, ?, queues := ?::varchar[], users := ?::varchar[]) order by all",
                asked,
            ).fetchall()

            assert answer == published.execute(orders, asked).fetchall(), asked
            seen.add(sum(row[-1] for row in answer))
    assert len(seen) > 5


def test_credited_sales_of_all_days_are_those_of_the_messages(published: duckdb.DuckDBPyConnection) -> None:
    for filtered in ("", ", queues := ['q1', 'unassigned']", ", queues := ['q2'], users := ['u1', 'u2']"):
        by_order, by_message = published.sql(
            f"select sum(revenue_credited) from sales('2020-01-01', '2030-01-01'{filtered}) union all "
            f"select revenue_credited from overview('2020-01-01', '2030-01-01'{filtered})"
        ).fetchall()

        assert by_order == by_message


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
