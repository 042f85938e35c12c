"""make why, and the line of make run about settled days: which versions, what is printed, and how.

Belongs here: the choice of versions and the words. Does not belong here: whether the rows are right
(test_ledger_histories.py, test_ledger_causes.py); here they are made up.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest
from rich.console import Console
from support.hostile import STEERING, TEXTS

from orchestration.printable import shown
from orchestration.settings import Settings
from orchestration.terminal.printed_why import MOST_ROWS, WhyError, compare, print_why
from orchestration.terminal.restated_days import restated_days

Row = tuple[object, ...]

NAMES = ("20260130T060000.000000Z", "20260131T060000.000000Z", "20260201T060000.000000Z")

SCHEMA = """
create table versions (
    version varchar, published_at timestamp, as_of date, settings struct(currency varchar),
    previous_version varchar
);
create table restatements (
    to_version varchar, entity varchar, message_id varchar, order_id varchar,
    message_date_before date, message_date_after date, order_value_before decimal(38, 2),
    order_value_after decimal(38, 2), is_last_touch_before boolean, is_last_touch_after boolean,
    was_settled boolean, causes varchar[]
);
create table why_rows (
    figure varchar, entity varchar, message_id varchar, order_id varchar, customer_id varchar,
    user_id varchar, before decimal(38, 2), after decimal(38, 2), difference decimal(38, 2),
    was_settled boolean, causes varchar[], changed_fields varchar[],
    files struct(path varchar, content_hash varchar)[]
);
create table asked (from_version varchar, to_version varchar, date_from date, date_to date);
create macro why(from_version, to_version, date_from, date_to) as table
    select * from why_rows
    where from_version < to_version and date_to - date_from = 29;
create macro why_figures(from_version, to_version, date_from, date_to) as table
    select
        unnest(['messages_sent', 'revenue_generated', 'conversion_rate', 'orders_generated']) as figure,
        unnest([10, 1234.5, 0.25, 7]) as before,
        unnest([12, 1000, 0.2, 8])::decimal(38, 12) as after,
        unnest([2, 65.5, 0, 1])::decimal(38, 12) as growth,
        unnest([0, -300, -0.05, 0])::decimal(38, 12) as restatement;
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A published file of three versions, a day apart."""
    file = tmp_path / "published" / "contact_reports.duckdb"
    file.parent.mkdir()
    with duckdb.connect(str(file)) as connection:
        connection.execute(SCHEMA)
        for number, name in enumerate(NAMES):
            at = datetime(2026, 1, 30 + number, 6) if number < 2 else datetime(2026, 2, 1, 6)
            connection.execute(
                "insert into versions values (?, ?, ?, {'currency': 'EUR'}, ?)",
                [name, at, date(2026, 1, 29 + number), NAMES[number - 1] if number else None],
            )
    return file


def write(published: Path, table: str, *rows: Row) -> None:
    with duckdb.connect(str(published)) as connection:
        for row in rows:
            connection.execute(f"insert into {table} values ({', '.join('?' * len(row))})", list(row))


def order_row(
    order_id: str, before: str, after: str, *, settled: bool = True, path: str = "landing/o.csv"
) -> Row:
    """A row of `why` about an order that was cancelled or came."""
    files = [{"path": path, "content_hash": "0"}]
    difference = float(after) - float(before)
    ids = (None, order_id, "c", None)
    reasons = (settled, ["order_cancelled"], ["status"], files)
    return ("revenue_generated", "order", *ids, before, after, difference, *reasons)


def printed(published: Path, *versions: str | None, width: int = 120) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False, emoji=False, soft_wrap=True)
    print_why(compare(published, *versions), console)
    return stream.getvalue()


def test_the_last_two_versions_are_compared_over_the_last_30_days(published: Path) -> None:
    text = printed(published)

    assert "figures of 2026-01-02 to 2026-01-31" in text
    assert text.index(NAMES[1]) < text.index(NAMES[2])
    assert NAMES[0] not in text


@pytest.mark.parametrize(
    ("asked", "compared"),
    [
        ((NAMES[0],), (0, 2)),
        ((None, NAMES[1]), (0, 1)),
        ((NAMES[0], NAMES[1]), (0, 1)),
        (("2026-01-31 05:59:59",), (0, 2)),
        (("2026-01-31T06:00:00Z",), (1, 2)),
        (("2026-01-31T07:30:00+02:00",), (0, 2)),
        (("2026-01-30 12:00", "2026-01-31 12:00"), (0, 1)),
        ((None, "2030-01-01"), (1, 2)),
    ],
)
def test_a_version_is_named_or_the_one_that_readers_saw_at_an_instant(
    published: Path, asked: tuple[str | None, ...], compared: tuple[int, int]
) -> None:
    found = compare(published, *asked)

    assert (found.before["version"], found.after["version"]) == tuple(NAMES[number] for number in compared)


def test_a_version_that_there_is_not_ends_with_those_that_are(published: Path) -> None:
    for name in ("nothing", "2026-01-30 05:59:59", *TEXTS):
        with pytest.raises(WhyError) as raised:
            compare(published, name)

        assert "There are 3 versions" in str(raised.value)
        assert NAMES[0] in str(raised.value)
        assert STEERING.isdisjoint(str(raised.value)), name


def test_the_first_version_is_compared_with_none(published: Path) -> None:
    with pytest.raises(WhyError, match="nothing was published that it could be compared"):
        compare(published, None, NAMES[0])


def test_a_file_of_a_former_version_says_what_to_do(published: Path) -> None:
    with duckdb.connect(str(published)) as connection:
        connection.execute("drop table versions")

    with pytest.raises(WhyError, match="`make run` publishes the first version that does"):
        compare(published)


def test_a_hub_that_published_nothing_says_so(
    command: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ran = command(Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD"), "why")

    assert ran.returncode == 1
    assert "Nothing has been published yet" in ran.stdout


def test_the_first_figures_of_the_reports_stand_with_growth_and_restatement(published: Path) -> None:
    lines = [line.split() for line in printed(published, width=80).splitlines()]

    assert ["Total", "messages", "sent", "10", "12", "+2", "0"] in lines
    assert ["Revenue", "generated,", "EUR", "1,234.50", "1,000.00", "+65.50", "-300.00"] in lines
    assert ["Conversion", "rate", "25.00%", "20.00%", "0.00", "pp", "-5.00", "pp"] in lines
    assert not any("orders_generated" in line for line in lines)


def test_the_largest_rows_come_first_and_the_rest_is_counted(published: Path) -> None:
    small = [order_row(f"small {number}", "0.00", "1.00") for number in range(MOST_ROWS)]
    large = order_row("large", "412.10", "0.00"), order_row("larger", "0.00", "500.00", settled=False)
    write(published, "why_rows", *small, *large)
    lines = printed(published).splitlines()
    first = next(number for number, line in enumerate(lines) if "order larger" in line)

    assert lines[first] == (
        "         +500.00  revenue_generated, order larger: 0.00 -> 500.00, growth, "
        "order_cancelled (status), landing/o.csv"
    )
    assert "-412.10  revenue_generated, order large: 412.10 -> 0.00, settled," in lines[first + 1]
    assert lines[first + MOST_ROWS] == (
        f"  and 2 more: select * from why('{NAMES[1]}', '{NAMES[2]}', date '2026-01-02', date '2026-01-31')"
    )


def test_landed_text_steers_no_terminal_and_is_no_markup(published: Path) -> None:
    for number in range(0, len(TEXTS), MOST_ROWS):
        some = TEXTS[number : number + MOST_ROWS]
        with duckdb.connect(str(published)) as connection:
            connection.execute("truncate why_rows")
        write(
            published, "why_rows", *(order_row(text, "1.00", "0.00", path=f"landing/{text}") for text in some)
        )
        said = printed(published)

        assert STEERING.isdisjoint(said)
        lines = [line for line in said.splitlines() if "revenue_generated, order" in line]
        for text in some:
            written = shown(text)
            assert any(f"order {written}: " in line and f"landing/{written}" in line for line in lines), text


def test_settled_days_outside_the_period_are_named(published: Path) -> None:
    days = (date(2025, 12, 3), date(2026, 1, 1)), (date(2026, 1, 5), None)
    for before, after in days:
        write(published, "restatements", restatement("o1", (before, "1"), (after, "2")))

    assert "were restated too, 2025-12-03 to 2026-01-01: select * from why(" in printed(published)
    assert "were restated too" not in printed(published, NAMES[0], NAMES[1])


def restatement(
    order_id: str,
    before: tuple[date | None, str | None],
    after: tuple[date | None, str | None],
    *causes: str,
    settled: bool = True,
    version: str = NAMES[2],
) -> Row:
    """A restated last touch, on a day and of a value."""
    values = (before[0], after[0], before[1], after[1])
    last = tuple(None if value is None else True for _, value in (before, after))
    return (version, "touch", f"m of {order_id}", order_id, *values, *last, settled, list(causes))


def late_message(message_id: str, day: date) -> Row:
    none = (None,) * 4
    return (NAMES[2], "message", message_id, None, None, day, *none, True, ["message_late"])


MONDAY, TUESDAY, WEDNESDAY = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)


def test_settled_days_that_were_restated_are_one_line(published: Path) -> None:
    write(
        published,
        "restatements",
        restatement("o1", (MONDAY, "300"), (None, None), "order_cancelled"),
        restatement("o2", (MONDAY, "120"), (None, None), "order_cancelled"),
        restatement("o3", (TUESDAY, "10"), (WEDNESDAY, "17.90"), "order_changed"),
    )

    assert restated_days(published) == (
        "3 settled days changed by -412.10 EUR: 2 orders cancelled, 1 corrected; see make why"
    )


def test_what_is_growth_or_of_another_version_is_no_restated_day(published: Path) -> None:
    write(
        published,
        "restatements",
        restatement("o1", (MONDAY, "300"), (None, None), "order_cancelled", settled=False),
        restatement("o2", (MONDAY, "120"), (None, None), "order_cancelled", version=NAMES[1]),
    )

    assert restated_days(published) is None


def test_credit_that_moves_within_a_day_is_told_though_the_day_has_the_same_sum(published: Path) -> None:
    lost = restatement("o1", (MONDAY, "300"), (MONDAY, "300"), "message_late")
    write(
        published,
        "restatements",
        (*lost[:9], False, *lost[10:]),
        restatement("o1", (None, None), (MONDAY, "300"), "message_late"),
        late_message("m1", MONDAY),
    )

    assert restated_days(published) == "1 settled day changed by 0.00 EUR: 1 message late; see make why"


def test_causes_that_are_no_events_are_told_without_a_number(published: Path) -> None:
    causes = ("order_new", "message_late", "setting_changed", "software_changed")
    write(published, "restatements", restatement("o1", (None, None), (MONDAY, "5"), *causes))

    assert restated_days(published) == (
        "1 settled day changed by +5.00 EUR: 1 order added, late messages, the settings changed, "
        "the software changed; see make why"
    )
