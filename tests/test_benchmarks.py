"""The benchmarks measure what they say: their files hold it, and both sides of a comparison give the same.

Belongs here: what is landed, asked, joined and kept. Does not belong here: how long anything takes.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.pipeline import refresh

from benchmarks import (
    alternatives,
    history,
    ordinary_day,
    pairs,
    questions,
    report,
    skew,
    small_file,
    yardstick,
)
from benchmarks.generate import DEFAULT_LAST_DAY, Recipe, generate
from benchmarks.history import DAYS, half_of, remove_what_landed_beside
from benchmarks.measure import Usage, apart, measured
from benchmarks.report import Section
from benchmarks.run import ON_REQUEST, PIECES, parse
from orchestration.settings import REPOSITORY, Settings

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


@pytest.fixture(scope="module")
def hub(landing: Path) -> Settings:
    """The hub of the landed history and day, refreshed."""
    settings = Settings(landing.parent, "UTC", ordinary_day.day_after(RECIPE), "USD")
    refresh(settings)
    return settings


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


@pytest.fixture(scope="module")
def against_the_yardstick(
    hub: Settings, tmp_path_factory: pytest.TempPathFactory
) -> duckdb.DuckDBPyConnection:
    """A connection to the databases published and yardstick of the same landed files."""
    out = tmp_path_factory.mktemp("yardstick") / "yardstick.duckdb"
    yardstick.build(hub.landing, out, hub.as_of)
    connection = duckdb.connect()
    connection.execute(f"attach '{hub.published}' as published (read_only)")
    connection.execute(f"attach '{out}' as yardstick (read_only)")
    return connection


@pytest.mark.parametrize(
    ("relation", "of_the_contract"),
    [
        ("fct_messages", 13),
        ("fct_message_orders", 15),
        ("fct_orders", 8),
        ("mart_overview_daily", 13),
        ("mart_queue_daily", 14),
        ("mart_user_daily", 14),
    ],
)
def test_the_yardstick_gives_what_is_published(
    against_the_yardstick: duckdb.DuckDBPyConnection, relation: str, of_the_contract: int
) -> None:
    sql = against_the_yardstick.sql
    columns = sql(f"from yardstick.{relation}").columns
    assert len(columns) == of_the_contract  # all but the names of queues and users
    both = [
        f"select {', '.join(columns)} from {database}.{relation}" for database in ("yardstick", "published")
    ]
    # Money is compared as money: neither database may hold it as floating point.
    assert sql(both[0]).types == sql(both[1]).types
    assert len(sql(both[0])) > 0
    for one, other in (both, reversed(both)):
        assert sql(f"{one} except all {other}").fetchall() == []


@pytest.fixture(scope="module")
def ties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input of the other ways to the touches: instants that are equal, and windows that just close."""
    folder = tmp_path_factory.mktemp("alternatives")
    duckdb.execute(f"""
        copy (
            select * from (values
                ('b', 'one', timestamp '2025-01-01 12:00:00'),
                ('c', 'one', timestamp '2025-01-01 12:00:00'),
                ('a', 'one', timestamp '2025-01-01 12:00:00'),
                ('d', 'two', timestamp '2025-01-01 12:00:00'),
                ('e', 'two', timestamp '2025-01-06 12:00:00'),
                ('f', 'three', timestamp '2025-01-01 12:00:00')
            ) as _(message_id, customer_id, sent_at)
        ) to '{folder / "messages.parquet"}'
    """)
    duckdb.execute(f"""
        copy (
            select * from (values
                ('at once', 'one', timestamp '2025-01-01 12:00:00'),
                ('before', 'one', timestamp '2025-01-01 11:59:59.999999'),
                ('in two windows', 'two', timestamp '2025-01-07 12:00:00'),
                ('just in time', 'three', timestamp '2025-01-08 11:59:59.999999'),
                ('too late', 'three', timestamp '2025-01-08 12:00:00'),
                ('of nobody', 'four', timestamp '2025-01-01 12:00:00')
            ) as _(order_id, customer_id, ordered_at)
        ) to '{folder / "orders.parquet"}'
    """)
    for key, method in alternatives.METHODS.items():
        method.credit(folder, folder / f"{key}.parquet")
    return folder


@pytest.mark.parametrize("key", alternatives.METHODS)
def test_each_way_to_the_touches_credits_the_same_orders(ties: Path, key: str) -> None:
    credited = dict(duckdb.execute(f"select order_id, message_id from '{ties / key}.parquet'").fetchall())
    assert sorted(credited) == ["at once", "in two windows", "just in time"]
    assert (credited["in two windows"], credited["just in time"]) == ("e", "f")
    if alternatives.METHODS[key].exact_on_ties:
        assert credited["at once"] == "c"


def test_what_the_ways_found_is_held_against_the_models_join(ties: Path, tmp_path: Path) -> None:
    found = alternatives.found(ties)
    assert {key: one.touches for key, one in found.items() if one.touches} == {"buckets": 6, "inequality": 6}
    assert {one.credited for one in found.values()} == {3}
    shutil.copytree(ties, tmp_path, dirs_exist_ok=True)
    duckdb.execute(
        f"copy (select * replace ('other' as message_id) from '{ties / 'join_asof'}.parquet') "
        f"to '{tmp_path / 'join_asof'}.parquet'"
    )
    with pytest.raises(SystemExit, match="Polars credits 3 orders otherwise"):
        alternatives.found(tmp_path)


def test_the_other_ways_begin_with_sent_messages_and_eligible_orders(tmp_path: Path) -> None:
    landed = Recipe(messages=100, orders=1_000, days=2)
    generate(landed, tmp_path)
    alternatives.prepare(tmp_path / "landing", tmp_path)
    for entity, eligible in {
        "messages": "status = 'sent'",
        "orders": "status = 'placed' and customer_id is not null",
    }.items():
        prepared, of_all = duckdb.execute(
            f"select (select count(*) from '{tmp_path / entity}.parquet'), count(*) filter ({eligible}) "
            f"from '{tmp_path}/landing/{entity}/*.parquet'"
        ).fetchall()[0]
        assert prepared == of_all > 0


def test_what_lands_beside_a_history_is_new_and_can_be_removed(tmp_path: Path) -> None:
    recipe = Recipe(messages=1_800, orders=36_000, days=18)
    generate(recipe, tmp_path)
    landing = tmp_path / "landing"
    history = sorted(landing.glob("*/*"))
    for land in (skew.land, small_file.land):
        land(recipe, landing)
    events = {
        (customer, entity): (count, first >= recipe.first_day, last <= recipe.last_day)
        for entity, key, instant in (
            ("messages", "message_id", "occurred_at"),
            ("orders", "order_id", "ordered_at"),
        )
        for customer, count, first, last in duckdb.execute(
            f"select customer_id, count(distinct {key}), min({instant}::date), max({instant}::date) "
            f"from '{landing}/{entity}/skew.parquet' group by customer_id"
        ).fetchall()
    }
    assert events == {
        ("shared-till", "messages"): (200, True, True),
        ("shared-till", "orders"): (360, True, True),  # a hundredth of all
        ("heavy-account", "messages"): (5_000, True, True),
        ("heavy-account", "orders"): (5_000, True, True),
    }
    ids = duckdb.execute(f"select count(*), count(distinct message_id) from '{landing}/messages/*.parquet'")
    expected = recipe.messages + 5_200 + small_file.MESSAGES
    assert ids.fetchall() == [(expected, expected)]
    remove_what_landed_beside(recipe, landing)
    assert sorted(landing.glob("*/*")) == history


@pytest.mark.parametrize(("classes", "lines"), [(questions.CLASSES, 13), (questions.CLASSES_AT_SCALE, 1)])
def test_each_function_of_each_class_is_asked(
    hub: Settings, classes: Sequence[questions.Class], lines: int
) -> None:
    answers = questions.ask(hub.published, questions=2, classes=classes)
    asked = [(one.of, one.function) for one in answers]
    assert asked == [(of, function) for of in classes for function in of.functions]
    assert all(len(one.milliseconds) == 2 and min(one.milliseconds) > 0 for one in answers)
    assert len(questions.section(answers, "a history").lines) == lines


def test_each_comparison_is_asked_beside_its_plain_function(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def record(published: Path, function: str, *question: Any) -> float:
        asked.append((function, *question))
        return 30.0 if function.endswith("_compared") else 20.0

    with monkeypatch.context() as recording:
        recording.setattr(questions, "milliseconds", record)
        questions.compare(hub.published, questions=3)
    plain, compared = asked[::2], asked[1::2]

    assert [(f"{function}_compared", *rest) for function, *rest in plain] == compared
    assert [function for function, *_ in plain] == [name for name in questions.COMPARED for _ in range(3)]
    taken = questions.compare(hub.published, questions=1)
    assert [one.function for one in taken] == list(questions.COMPARED)
    assert all(min(*one.plain, *one.compared) > 0 for one in taken)
    assert questions.Comparisons("overview", [1.0, 2.0, 9.0], [3.0, 3.0, 30.0]).times == 1.5


def test_why_is_asked_of_the_last_two_versions_about_the_last_days(tmp_path: Path, hub: Settings) -> None:
    published = tmp_path / "published.duckdb"
    with duckdb.connect(str(published)) as connection:
        connection.execute("""
            create table versions as from (values ('v2'), ('v1'), ('v3')) as versions (version);
            create table report_info as select date '2026-03-31' as as_of;
            create macro why_figures(from_version, to_version, date_from, date_to) as table
                select 'messages_sent' as figure;
            create macro why(from_version, to_version, date_from, date_to) as table
                select 'messages_sent' as figure, 1 as difference
                from range(7)
                where (from_version, to_version, date_from, date_to)
                    = ('v2', 'v3', date '2026-03-02', date '2026-03-31')
        """)
    asked = questions.ask_why(published, times=2)

    assert [one.question for one in asked] == list(questions.ASKED_WHY)
    assert all(one.rows == 7 and len(one.milliseconds) == 2 and min(one.milliseconds) > 0 for one in asked)
    assert len(questions.why_section(asked, "a history").lines) == len(asked)
    with pytest.raises(ValueError, match="no two versions"):
        questions.ask_why(hub.published)


KINDS = {
    questions.no_filter: {("none", "none")},
    questions.any_filters: set(itertools.product(("none", "one", "several"), repeat=2)),
    questions.at_most_one: {("none", "none"), ("one", "none"), ("none", "one")},
    questions.several_of_both: {("several", "several")},
}


def _kind(ids: list[str] | None) -> str:
    if ids is None:
        return "none"
    return "one" if len(ids) == 1 else "several"


def test_the_questions_are_the_same_each_time_and_about_days_that_there_are(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def record(published: Path, *question: Any) -> float:
        asked.append(question)
        return 0.0

    monkeypatch.setattr(questions, "milliseconds", record)
    all_classes = (*questions.CLASSES, *questions.CLASSES_AT_SCALE)
    questions.ask(hub.published, questions=40, classes=all_classes)
    first = asked.copy()
    asked.clear()
    questions.ask(hub.published, questions=40, classes=all_classes)
    assert asked == first
    numbers = iter(asked)
    for one_class in all_classes:
        kinds = set()
        for function in one_class.functions:
            for _ in range(40):
                name, date_from, date_to, queues, users = next(numbers)
                assert name == function
                assert RECIPE.first_day <= date_from <= date_to <= hub.as_of
                assert (date_to - date_from).days < one_class.most_days
                kinds.add((_kind(queues), _kind(users)))
        assert kinds == KINDS[one_class.draw]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (20, 19), (100, 95), (101, 96)])
def test_percentiles_are_values_that_were_measured(count: int, expected: int) -> None:
    assert questions.percentile(range(1, count + 1), 95) == expected


def test_results_are_kept_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "RESULTS.md"
    file.write_text("# Results\n\nUnder another title.\n\n")

    def write(heading: str, figure: str) -> list[str]:
        report.write([Section(heading, "Text.", ["What", "Figure"], [["it", figure]])], 3, file)
        return [line for line in file.read_text().splitlines() if line.startswith(("## ", "| it"))]

    write("One", "1")
    assert write("Two", "2") == ["## One", "| it | 1 |", "## Two", "| it | 2 |"]
    assert write("One", "3") == ["## One", "| it | 3 |", "## Two", "| it | 2 |"]
    assert f"on {date.today()} with `--runs 3`: {report.machine()}." in file.read_text()
    monkeypatch.setattr(report, "machine", lambda: "another machine")
    assert write("Two", "4") == ["## One", "| it | 3 |", "## Two", "| it | 4 |"]
    assert file.read_text().count(": another machine.") == 1
    assert file.read_text().startswith(f"{report.TITLE}## One")


def test_pieces_are_measured_in_their_order_and_the_long_ones_on_request() -> None:
    usual = [piece for piece in PIECES if piece not in ON_REQUEST]
    assert parse([]).pieces == usual
    assert parse(["--doubling", "--scale", "--age"]).pieces == list(PIECES)
    assert parse(["--only", "skew,day", "--doubling"]).pieces == ["day", "doubling", "skew"]
    with pytest.raises(SystemExit):
        parse(["--only", "day,night"])


def test_a_command_that_fails_is_named() -> None:
    with pytest.raises(
        SystemExit, match=rf"run it by hand to see why: cd {re.escape(str(REPOSITORY))} && A=1 false"
    ):
        measured(["false"], {"A": "1"})


def test_what_is_done_apart_is_not_found_in_the_memory_of_what_is_measured_later() -> None:
    before = measured(["true"]).memory
    apart(eval, "len(bytearray(1 << 30))")
    assert measured(["true"]).memory < before + 512


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pairs.Sides:
    """Two trees and a history of a few rows; what they would do is done in this process."""
    for module in (history, pairs):
        monkeypatch.setattr(module, "DATA", tmp_path)
    monkeypatch.setattr(pairs, "apart", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(pairs, "commit_of", lambda tree: f"commit of {tree.name}")
    return pairs.sides_of(
        tmp_path / "earlier", tmp_path / "later", Recipe(36, 72, 18), 2, lambda sentence: None
    )


def test_two_trees_refresh_the_same_in_turn(sides: pairs.Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, date, bool, list[str]]] = []

    def refreshed(hub: Settings, tree: Path) -> Usage:
        assert tree.name == {"before": "earlier", "after": "later"}[hub.data_dir.name]
        (hub.data_dir / "state").write_text(f"{len(seen)}")
        small = (hub.landing / "messages" / "small.parquet").exists()
        state = sorted(path.read_text() for path in (hub.data_dir / "kept_aside").glob("*"))
        seen.append((hub.data_dir.name, hub.as_of, small, state))
        return Usage(len(seen), 0, 0)

    monkeypatch.setattr(pairs, "usage_of_refresh", refreshed)
    last_day, day = sides.recipe.last_day, ordinary_day.day_after(sides.recipe)
    assert _walls(sides.full_refreshes()) == [(1, 2), (4, 3)]
    assert _walls(sides.after_full_refresh("a small file", small_file.land)) == [(5, 6), (8, 7)]
    assert _walls(sides.after_full_refresh("a day later", as_of=day)) == [(9, 10), (12, 11)]
    in_turn = ["before", "after", "after", "before"]
    assert [name for name, *_ in seen] == in_turn * 3
    assert [landed for *_, landed, _ in seen] == [False] * 4 + [True] * 4 + [False] * 4
    assert [as_of for _, as_of, *_ in seen] == [last_day] * 8 + [day] * 4
    # What the last pair of full refreshes left, on either side.
    assert [state for *_, state in seen] == [[]] * 4 + [["3"], ["2"], ["2"], ["3"]] * 2


def test_two_trees_have_the_same_landed_files(sides: pairs.Sides) -> None:
    before, after = (
        {path.relative_to(hub.landing): path.read_bytes() for path in hub.landing.rglob("*.parquet")}
        for hub in (sides.before.hub, sides.after.hub)
    )
    assert before == after
    assert len(before) == 2 * sides.recipe.days


def test_ratios_are_medians_of_those_of_the_pairs(sides: pairs.Sides) -> None:
    measured = [
        (Usage(wall, cpu, 100), Usage(after, cpu / 2, 150))
        for wall, after, cpu in ((1, 2, 4), (10, 5, 6), (3, 9, 8))
    ]
    (line,) = pairs.refreshes_section(sides, {"nothing new": measured}).lines
    assert line == ["nothing new", "3.0", "5.0", "2.00", "6.0", "3.0", "0.50", "1.50"]


def test_each_question_is_asked_of_what_both_trees_published(
    sides: pairs.Sides, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def milliseconds(published: Path, *question: object) -> float:
        asked.append((published.parts[-3], question))
        number = (len(asked) + 1) // 2
        return number if asked[-1][0] == "before" else number**2

    first, last = sides.recipe.first_day, sides.recipe.last_day
    monkeypatch.setattr(questions, "known", lambda published: (["q1", "q2"], ["u1", "u2"], first, last))
    monkeypatch.setattr(questions, "milliseconds", milliseconds)
    lines = pairs.questions_section(sides, sides.answers()).lines

    assert [name for name, _ in asked[:8]] == ["before", "after", "after", "before"] * 2
    assert all(one == other for (_, one), (_, other) in zip(asked[::2], asked[1::2], strict=True))
    # The questions of the first function are numbers 1 to 50, and 651 to 700 in the second run.
    assert lines[0][1:3] == ["overview", "100"]
    assert lines[0][3:6] == ["350", f"{(50**2 + 651**2) / 2:.0f}", f"{(50 + 651) / 2:.2f}"]
    assert lines[0][6:] == ["695", f"{695**2}", "695.00"]


def _walls(measured: Sequence[tuple[Usage, Usage]]) -> list[tuple[float, float]]:
    return [(before.wall, after.wall) for before, after in measured]
