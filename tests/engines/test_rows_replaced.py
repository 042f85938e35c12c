"""Which rows of a table that each refresh computes count as replaced: those that the published file lacks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.engines.tables import TablesOfDuckDB
from orchestration.settings import Settings

NODE = {"name": "mart", "database": "reports", "schema": "main"}

ROWS = "from (values (1, 0.5::double, null::date), (2, null, date '2026-01-02')) as rows (id, rate, day)"


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


@pytest.fixture
def reports() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as reports")
        connection.execute(f"create table reports.main.mart as {ROWS}")
        yield connection


def publish(hub: Settings, query: str) -> None:
    hub.published.parent.mkdir()
    with duckdb.connect(str(hub.published)) as connection:
        connection.execute(f"create table mart as {query}")


@pytest.mark.parametrize(
    ("published", "replaced"),
    [
        (ROWS, 0),
        (f"select day, id, rate from ({ROWS}) order by id desc", 0),
        (f"{ROWS} where id = 1", 1),
        (f"from ({ROWS}) union all from ({ROWS})", 0),
        (f"select id, rate, day + 1 as day from ({ROWS})", 1),
        (f"select * exclude (day) from ({ROWS})", 2),
        (f"select *, 1 as more from ({ROWS})", 2),
    ],
)
def test_rows_that_are_published_already_do_not_count_as_replaced(
    hub: Settings, reports: duckdb.DuckDBPyConnection, published: str, replaced: int
) -> None:
    publish(hub, published)

    assert TablesOfDuckDB(hub).count_unpublished(reports, [NODE]) == {"mart": replaced}


def test_before_anything_is_published_every_row_counts(
    hub: Settings, reports: duckdb.DuckDBPyConnection
) -> None:
    assert TablesOfDuckDB(hub).count_unpublished(reports, [NODE]) == {"mart": 2}


def test_a_row_that_is_there_more_often_than_before_counts(
    hub: Settings, reports: duckdb.DuckDBPyConnection
) -> None:
    publish(hub, ROWS)
    reports.execute("insert into reports.main.mart from reports.main.mart limit 1")

    assert TablesOfDuckDB(hub).count_unpublished(reports, [NODE]) == {"mart": 1}


@pytest.mark.parametrize("intact", [0, 12_288, 60_000])
def test_a_damaged_published_file_stops_no_refresh(
    hub: Settings, reports: duckdb.DuckDBPyConnection, intact: int
) -> None:
    publish(hub, "select range as id, range / 3 as rate, date '2026-01-01' as day from range(100000)")
    content = hub.published.read_bytes()
    assert len(content) > 100_000
    hub.published.write_bytes(content[:intact] + b"\xff" * (len(content) - intact))

    assert TablesOfDuckDB(hub).count_unpublished(reports, [NODE]) == {"mart": 2}
