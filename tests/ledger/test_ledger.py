"""The ledger from version to version: what it keeps, takes over, forgets and folds.

What a version restates is held against the files of two versions in test_ledger_histories.py, each cause in
test_ledger_causes.py.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import DBT_TARGET, edit_hub_file, reading, refresh
from support.small_hub import copied

from orchestration.defs.assets import _few_restated
from orchestration.ledger.restated import RestatedPeriod, restated_periods
from orchestration.publishing import publish as publishing
from orchestration.publishing.publish import PublishError, publish
from orchestration.settings import Settings
from orchestration.warehouse import databases

# How DuckDB divides its files.
BLOCK = 256 * 1024

YEAR = "'2026-01-01', '2026-12-31'"


def message(message_id: str, customer_id: str, user_id: str, day: int) -> dict[str, str]:
    return {
        "message_id": message_id,
        "customer_id": customer_id,
        "queue_id": "q1",
        "user_id": user_id,
        "status": "sent",
        "occurred_at": f"2026-01-{day:02d}T10:00:00Z",
    }


def order(
    order_id: str, customer_id: str, day: int, value: str, status: str = "placed", version: int = 0
) -> dict[str, str]:
    return {
        "order_id": order_id,
        "customer_id": customer_id,
        "ordered_at": f"2026-01-{day:02d}T11:00:00Z",
        "order_value": value,
        "sales_channel": "online",
        "status": status,
        "updated_at": f"2026-01-{day + version:02d}T11:00:00Z",
    }


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub with two versions: the second one cancels an order, corrects another and has a late message."""
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 20), "USD")
    messages = [message("m1", "c1", "u1", 2), message("m2", "c1", "u2", 4), message("m3", "c2", "u1", 5)]
    orders = [order("o1", "c1", 5, "10.00"), order("o2", "c2", 6, "7.00")]
    land_csv(hub.landing / "messages" / "a.csv", messages)
    land_csv(hub.landing / "orders" / "a.csv", orders)
    refresh(hub)
    land_csv(hub.landing / "messages" / "b.csv", [message("m4", "c3", "u1", 3)])
    corrections = [order("o1", "c1", 5, "12.50", version=1), order("o2", "c2", 6, "7.00", "cancelled", 1)]
    land_csv(hub.landing / "orders" / "b.csv", corrections)
    refresh(hub)
    return hub


@pytest.fixture
def hub(refreshed: Settings, tmp_path: Path) -> Settings:
    """A copy of that hub."""
    return copied(refreshed, tmp_path / "hub")


def publish_again(hub: Settings) -> str:
    """Publish once more what the last refresh has built, as another version; gives its name."""
    with databases.connect(hub) as connection:
        ((run_id,),) = connection.execute(
            "select run_id from raw.refreshes order by refresh_number desc limit 1"
        ).fetchall()
    return publish(hub, run_id, DBT_TARGET).version.parent.name


def versions(hub: Settings) -> list[str]:
    return [version for (version,) in ask(hub, "select version from versions order by version")]


def ask(hub: Settings, query: str) -> list[tuple[Any, ...]]:
    with reading(hub.published) as connection:
        return connection.execute(query).fetchall()


def test_a_version_that_differs_in_nothing_writes_nothing(hub: Settings) -> None:
    before = versions(hub)
    restated = ask(hub, "from restatements order by all")

    version = publish_again(hub)

    assert versions(hub) == [*before, version]
    assert ask(hub, "from restatements order by all") == restated
    assert {row[1] for row in restated} == {before[1]}
    assert ask(hub, f"from why('{before[1]}', '{version}', {YEAR})") == []


def test_a_version_that_readers_never_saw_leaves_nothing(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = versions(hub)
    restated = ask(hub, "from restatements order by all")

    def killed(*_: Path) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(publishing, "point_to", killed)
        with pytest.raises(PublishError):
            publish_again(hub)
    version = publish_again(hub)

    assert versions(hub) == [*before, version]
    assert ask(hub, "select previous_version from versions order by version desc limit 1") == [(before[1],)]
    assert ask(hub, "from restatements order by all") == restated


def test_a_rebuild_takes_the_ledger_over(hub: Settings) -> None:
    before = ask(hub, "from versions order by version")
    restated = ask(hub, "from restatements order by all")
    with databases.connect(hub) as connection:
        connection.execute("delete from reports.main.versions")
        connection.execute("delete from reports.main.restatements")

    publish_again(hub)

    assert ask(hub, "from versions order by version")[:2] == before
    assert ask(hub, "from restatements order by all") == restated


def test_a_first_version_that_nobody_saw_is_forgotten(tmp_path: Path, hub: Settings) -> None:
    with databases.connect(hub) as connection:
        connection.execute("delete from reports.main.versions")
        connection.execute(
            "insert into reports.main.versions by name "
            "select '20260101T000000.000000Z' as version, * exclude (version) "
            "from read_parquet($file)",
            {"file": str(_as_parquet(hub, tmp_path))},
        )
    shutil.rmtree(hub.published.parent)

    version = publish_again(hub)

    assert versions(hub) == [version]


def _as_parquet(hub: Settings, folder: Path) -> Path:
    file = folder / "versions.parquet"
    ask(hub, f"copy (from versions limit 1) to '{file}' (format parquet)")
    return file


def test_without_the_published_file_the_ledger_begins_anew_and_says_so(hub: Settings) -> None:
    before = versions(hub)
    shutil.rmtree(hub.published.parent)

    version = publish_again(hub)

    assert versions(hub) == [*before, version]
    assert ask(hub, f"from why('{version}', '{version}', {YEAR})") == []
    with pytest.raises(
        duckdb.Error,
        match=f"does not keep what version {before[1]} showed any more. It goes back to version {version}",
    ):
        ask(hub, f"from why('{before[1]}', '{version}', {YEAR})")


@pytest.mark.parametrize("table", ["versions", "fct_messages"])
def test_a_damaged_published_file_holds_no_version_back(hub: Settings, table: str) -> None:
    damage(hub.published.resolve(), table)

    version = publish_again(hub)

    assert ask(hub, "select is_linked_to_previous from versions order by version desc limit 1") == [(False,)]
    assert versions(hub)[-1] == version


def damage(file: Path, table: str) -> None:
    """Overwrite the block in which the rows of a table are; the file can still be opened."""
    file.chmod(0o640)
    content = file.read_bytes()
    for start in range(0, len(content), BLOCK):
        block = content[start : start + BLOCK]
        file.write_bytes(content[:start] + b"\xff" * len(block) + content[start + BLOCK :])
        try:
            with duckdb.connect(str(file), read_only=True) as connection:
                connection.execute(f"from {table}").fetchall()
        except duckdb.Error as error:
            if "Corrupt database file" in str(error) and opens(file):
                return
    raise AssertionError(f"no block holds {table}")


def opens(file: Path) -> bool:
    with suppress(duckdb.Error), duckdb.connect(str(file), read_only=True):
        return True
    return False


def test_names_of_versions_are_in_order_when_the_clock_goes_back(hub: Settings) -> None:
    before = versions(hub)
    (hub.versions / before[1]).rename(hub.versions / "20990101T000000.000000Z")
    hub.published.unlink()
    hub.published.symlink_to(hub.versions / "20990101T000000.000000Z" / hub.published.name)

    version = publish_again(hub)

    assert version == "20990101T000000.000001Z"
    assert ask(hub, "select published_at::varchar from versions order by version desc limit 1") == [
        ("2099-01-01 00:00:00.000001",)
    ]


def test_rows_older_than_ledger_days_are_folded_into_sums(hub: Settings) -> None:
    first, second = versions(hub)
    sums = ask(
        hub,
        """
        select message_date, user_id, sum(sent), sum(touches), sum(credited)
        from (
            select
                message_date_after as message_date, user_id_after as user_id,
                (entity = 'message')::integer as sent,
                (entity = 'touch')::integer as touches,
                if(is_last_touch_after, order_value_after, 0) as credited
            from restatements where message_date_after is not null
            union all
            select
                message_date_before, user_id_before,
                -(entity = 'message')::integer,
                -(entity = 'touch')::integer,
                -if(is_last_touch_before, order_value_before, 0)
            from restatements where message_date_before is not null
        )
        group by all
        """,
    )
    hub = edit_hub_file(hub, ledger_days=30)
    with databases.connect(hub) as connection:
        connection.execute("update reports.main.versions set published_at = published_at - interval 31 days")

    third = publish_again(hub)
    fourth = publish_again(hub)

    totals = ask(
        hub,
        "select message_date, user_id, sum(messages_sent), sum(touches), sum(revenue_credited) "
        "from restatement_totals group by all",
    )
    assert Counter(totals) == Counter(sums)
    assert (date(2026, 1, 5), "u1", 0, -1, Decimal("-7.00")) in totals
    assert ask(hub, "from restatements") == []
    assert ask(hub, f"from why('{second}', '{fourth}', {YEAR})") == []
    assert versions(hub) == [first, second, third, fourth]
    with pytest.raises(duckdb.Error, match=f"It goes back to version {second}"):
        ask(hub, f"from why('{first}', '{fourth}', {YEAR})")


def test_the_share_that_was_restated_is_of_the_settled_revenue_before(hub: Settings) -> None:
    with reading(hub.published) as connection:
        periods = {period.period: period for period in restated_periods(connection)}

    # 10.00 became 12.50, and 7.00 nothing.
    assert periods["last_30_days"] == RestatedPeriod(
        "last_30_days", Decimal("17.00"), Decimal("9.50"), orders=2
    )
    assert periods["last_7_days"] == RestatedPeriod("last_7_days", Decimal(0), Decimal(0), orders=0)


@pytest.mark.parametrize(
    ("moved", "orders", "exceeds"),
    [("1.01", 101, True), ("1.00", 101, False), ("1.01", 100, False)],
)
def test_more_than_a_share_and_more_than_a_few_orders(moved: str, orders: int, exceeds: bool) -> None:
    period = RestatedPeriod("last_30_days", Decimal(100), Decimal(moved), orders)

    assert period.is_more_than(0.01) is exceeds


def test_the_check_warns_of_each_period_that_was_restated_by_more() -> None:
    more = RestatedPeriod("last_30_days", Decimal(1000), Decimal("12.50"), 101)
    less = RestatedPeriod("all_time", Decimal(9000), Decimal("12.50"), 101)

    result = _few_restated([more, less], 0.01)

    assert (result.passed, result.severity.value) == (False, "WARN")
    assert list(result.metadata) == ["last_30_days"]
    assert str(result.metadata["last_30_days"].value).startswith(
        "12.50 of 1,000.00 moved, by 101 orders, which is more than max_restated_share = 0.01"
    )
    assert _few_restated([less], 0.01).passed


def test_a_ledger_that_cannot_be_written_says_why_and_the_next_one_is_whole(hub: Settings) -> None:
    before = versions(hub)
    with databases.connect(hub) as connection:
        connection.execute("alter table reports.main.restatements rename column causes to reasons")

    with pytest.raises(duckdb.Error, match=r'does not have a column .*"causes"'):
        publish_again(hub)
    with databases.connect(hub) as connection:
        connection.execute("alter table reports.main.restatements rename column reasons to causes")
    version = publish_again(hub)

    assert versions(hub) == [*before, version]
