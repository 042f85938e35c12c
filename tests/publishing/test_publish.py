"""Publishing: what is in the file, who can read it, and that readers never see half of it."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import load_and_build, publish, reading

from orchestration.dbt_runner.table_functions import Signatures
from orchestration.publishing import publish as publishing
from orchestration.publishing.publish import (
    NAME_OF_VERSION,
    VERSIONS_KEPT,
    Published,
    PublishError,
    copy_file,
    versions_to_remove,
)
from orchestration.settings import REPOSITORY, Settings
from orchestration.warehouse import run_log
from orchestration.warehouse.databases import connect

OLD_DUCKDB = REPOSITORY / ".venv" / "duckdb-1.5"
"""Where `make test` installs the DuckDB that many drivers still carry."""

RUN = "00000000-0000-0000-0000-000000000000"

OVERVIEW = "select messages_sent, revenue_generated from overview('2026-01-01', '2026-01-31')"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub with two messages and an order, built and not yet published."""
    hub = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    messages = [
        {
            "message_id": f"m{n}",
            "customer_id": "c1",
            "status": "sent",
            "occurred_at": f"2026-01-0{n}T10:00:00Z",
        }
        for n in (1, 2)
    ]
    order = {
        "order_id": "o1",
        "customer_id": "c1",
        "ordered_at": "2026-01-03T10:00:00Z",
        "order_value": "19.99",
        "sales_channel": "online",
    }
    land_csv(hub.landing / "messages" / "messages.csv", messages)
    land_csv(hub.landing / "orders" / "orders.csv", [order])
    load_and_build(hub, RUN)
    return hub


@pytest.fixture
def hub(built: Settings, tmp_path: Path) -> Settings:
    """The built hub with a published folder of its own."""
    return with_published_folder(built, tmp_path)


def with_published_folder(built: Settings, folder: Path) -> Settings:
    own = replace(built, data_dir=folder)
    own.warehouse.symlink_to(built.warehouse)
    own.reports.symlink_to(built.reports)
    return own


@pytest.fixture(scope="module")
def readers_hub(built: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The built hub with a published folder that tests only read."""
    return with_published_folder(built, tmp_path_factory.mktemp("published"))


@pytest.fixture(scope="module")
def published(readers_hub: Settings) -> Published:
    """What is published there."""
    return publish(readers_hub, RUN)


def test_a_run_of_some_of_the_steps_is_not_among_the_published_refreshes(hub: Settings) -> None:
    with connect(hub) as connection:
        run_log.begin(connection, "one asset", hub, is_partial=True)
    publish(hub, RUN)
    with connect(hub) as connection:
        # The other tests share the warehouse.
        connection.execute("delete from raw.refreshes where run_id = 'one asset'")

    with reading(hub.published) as connection:
        assert connection.sql("select run_id from refreshes").fetchall() == [(RUN,)]


@pytest.mark.usefixtures("published")
def test_readers_find_facts_dimensions_marts_and_functions_and_nothing_else(readers_hub: Settings) -> None:
    with reading(readers_hub.published) as connection:
        relations = connection.sql(
            "select table_schema, table_name from information_schema.tables"
        ).fetchall()
        functions = connection.sql(
            "select function_name from duckdb_functions() where not internal order by function_name"
        ).fetchall()

    assert {schema for schema, _ in relations} == {"main"}
    assert {table for _, table in relations} == {
        *("fct_messages", "fct_message_orders", "fct_orders", "dim_queues", "dim_users"),
        *("mart_overview_daily", "mart_queue_daily", "mart_user_daily"),
        *("mart_overview", "mart_queue_breakdown", "mart_user_breakdown", "report_info", "refreshes"),
        *("mart_overview_compared", "mart_queue_breakdown_compared", "mart_user_breakdown_compared"),
        *("counts_by_day", "counts_by_day_and_queue", "counts_by_day_and_user", "messages_by_day"),
        *("versions", "restatements", "restatement_totals", "mart_sales_daily", "sales_by_day"),
    }
    assert [name for (name,) in functions] == [
        *("figures_as_of", "messages_over_time", "overview", "overview_compared", "queue_breakdown"),
        *("queue_breakdown_compared", "sales", "user_breakdown", "user_breakdown_compared"),
        *("user_messages_over_time", "why", "why_figures"),
    ]


@pytest.mark.usefixtures("published")
def test_published_tables_and_columns_carry_the_words_of_the_docs(readers_hub: Settings) -> None:
    with reading(readers_hub.published) as connection:
        tables = connection.sql("select table_name, comment from duckdb_tables()").fetchall()
        undescribed = connection.sql(
            "select table_name, column_name from duckdb_columns() "
            "where not internal and coalesce(comment, '') = ''"
        ).fetchall()
        functions = connection.sql("select comment from duckdb_functions() where not internal").fetchall()
        ((revenue,),) = connection.sql(
            "select comment from duckdb_columns() "
            "where table_name = 'mart_overview' and column_name = 'revenue_generated'"
        ).fetchall()

    assert len(tables) > 10
    assert [table for table, comment in tables if not (comment or "").startswith("One row ")] == []
    assert undescribed == []
    assert [comment[:24] for (comment,) in functions] == ["Table function. One row "] * 12
    assert revenue.startswith("Sum of the values of the orders generated")


def test_the_published_file_answers_without_the_warehouse(hub: Settings) -> None:
    publish(hub, RUN)
    hub.warehouse.unlink()

    with reading(hub.published) as connection:
        assert [str(figure) for figure in connection.sql(OVERVIEW).fetchall()[0]] == ["2", "19.99"]


@pytest.mark.usefixtures("published")
def test_the_example_in_the_docs_reads_the_published_file(readers_hub: Settings) -> None:
    document = (REPOSITORY / "docs" / "data-contract.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", document, re.MULTILINE | re.DOTALL)
    documented = "data/published/contact_reports.duckdb"
    assert documented in example

    finished = subprocess.run(
        [sys.executable, "-c", example.replace(documented, str(readers_hub.published))],
        capture_output=True,
        text=True,
        check=False,
    )

    assert finished.returncode == 0, finished.stderr
    assert "all_time" in finished.stdout
    assert "queue_name" in finished.stdout


def test_a_function_whose_model_is_gone_leaves(hub: Settings) -> None:
    with connect(hub) as connection:
        connection.execute("create macro reports.main.of_an_older_version(a) as table select a as b")

    publish(hub, RUN)

    with duckdb.connect(str(hub.published), read_only=True) as connection:
        assert not connection.sql(
            "from duckdb_functions() where function_name = 'of_an_older_version'"
        ).fetchall()


@pytest.mark.usefixtures("published")
def test_lists_of_the_table_functions_may_be_left_out_or_null(readers_hub: Settings) -> None:
    with reading(readers_hub.published) as connection:
        asked = [
            "overview('2026-01-01', '2026-01-31')",
            "overview(date '2026-01-01', date '2026-01-31', queues := null, users := null)",
            "overview('2026-01-01', '2026-01-31', users := ['unassigned'])",
            "overview('2026-01-01', '2026-01-31', queues := ['unassigned', 'unknown'])",
        ]
        answers = [connection.sql(f"from {question}").fetchall() for question in asked]

    assert answers == [answers[0]] * len(asked)


@pytest.mark.parametrize("version", ["1.5", "2.0"])
def test_the_published_file_is_read_by_duckdb(
    readers_hub: Settings, published: Published, version: str
) -> None:
    script = (
        "import duckdb, sys\n"
        "assert duckdb.__version__.startswith(sys.argv[1]), duckdb.__version__\n"
        "connection = duckdb.connect(sys.argv[2], read_only=True)\n"
        f"print([str(value) for value in connection.execute({OVERVIEW!r}).fetchall()[0]])\n"
        "print(connection.execute('select count(*) from mart_overview').fetchall())\n"
        "for call in sys.argv[3:]:\n"
        "    connection.execute(f'from {call}').fetchall()\n"
    )
    path = {"PYTHONPATH": str(OLD_DUCKDB)} if version == "1.5" else {}
    read = subprocess.run(
        [sys.executable, "-c", script, version, str(readers_hub.published), *calls(published.functions)],
        env={**os.environ, **path},
        capture_output=True,
        text=True,
        check=False,
    )

    assert read.stdout.splitlines() == ["['2', '19.99']", "[(5,)]"], read.stderr
    assert read.returncode == 0, read.stderr


def calls(functions: list[str]) -> list[str]:
    """A call of each table function, with all that it requires."""
    days = "'2026-01-01', '2026-01-31'"
    version = "(select max(versions.version) from versions)"
    versions = {"why": [version] * 2, "why_figures": [version] * 2, "figures_as_of": [version]}
    return [f"{name}({', '.join([*versions.get(name, ()), days])})" for name in functions]


def test_an_open_connection_keeps_its_version_and_a_new_one_sees_the_next(hub: Settings) -> None:
    publish(hub, RUN)
    with reading(hub.published) as held:
        before = held.sql("select * from report_info").fetchall()
        first = hub.published.resolve()
        publish(hub, RUN)

        assert held.sql("select * from report_info").fetchall() == before
        assert hub.published.resolve() != first
        with reading(hub.published) as fresh:
            (path,) = fresh.sql("select path from duckdb_databases() where path is not null").fetchall()
            assert Path(path[0]).resolve() == hub.published.resolve()


def test_the_last_few_versions_are_kept(hub: Settings) -> None:
    versions = [publish(hub, RUN).version]
    published_at = datetime.strptime(versions[0].parent.name, NAME_OF_VERSION)
    for number in range(VERSIONS_KEPT):
        name = (published_at - timedelta(microseconds=number + 1)).strftime(NAME_OF_VERSION)
        shutil.copytree(versions[-1].parent, hub.versions / name)
        versions.insert(0, hub.versions / name / hub.published.name)
    versions += [publish(hub, RUN).version for _ in range(2)]

    kept = sorted(hub.versions.glob("*/*"))
    assert kept[-VERSIONS_KEPT:] == versions[-VERSIONS_KEPT:]
    # One more when it has become midnight meanwhile.
    assert len(kept) <= VERSIONS_KEPT + 1
    assert hub.published.resolve() == versions[-1]


def test_the_last_version_of_each_day_is_kept_for_two_weeks() -> None:
    by_hour = [
        (datetime(2026, 3, 1) + timedelta(hours=hour)).strftime(NAME_OF_VERSION) for hour in range(24 * 20)
    ]

    kept = sorted({*by_hour} - versions_to_remove(by_hour, "UTC"))

    # The newest one is of 23:00 on 20 March.
    assert kept == [*(f"202603{day:02}T230000.000000Z" for day in range(7, 20)), *by_hour[-VERSIONS_KEPT:]]
    assert versions_to_remove(kept, "UTC") == set()
    in_new_york = sorted({*by_hour} - versions_to_remove(by_hour, "America/New_York"))
    assert in_new_york[0] == "20260308T040000.000000Z"
    assert versions_to_remove(["a note", *by_hour], "UTC") == {*by_hour} - {*kept}
    assert versions_to_remove([], "UTC") == set()


def test_the_published_file_cannot_be_written(readers_hub: Settings, published: Published) -> None:
    file = readers_hub.published.resolve()

    assert file == published.version
    assert stat.S_IMODE(file.stat().st_mode) == 0o440
    assert list(file.parent.iterdir()) == [file]


def test_what_a_killed_publish_left_is_removed(hub: Settings) -> None:
    publish(hub, RUN)
    unfinished = hub.versions / ".20260101T000000.000000Z"
    unfinished.mkdir()
    (unfinished / hub.published.name).write_bytes(b"half")
    publish(hub, RUN)

    assert not unfinished.exists()


def test_a_version_that_lost_rows_is_not_published(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = publish(hub, RUN).version

    def lose_rows(connection: duckdb.DuckDBPyConnection, signatures: Signatures) -> None:
        connection.execute("delete from dim_queues")

    monkeypatch.setattr(publishing, "_make_functions_of_the_copy", lose_rows)

    with pytest.raises(PublishError, match=r"dim_queues has 0 rows in the new version and 1 in .*reports"):
        publish(hub, RUN)
    assert hub.published.resolve() == before


def test_a_file_is_copied_whole_where_the_system_copies_it_piece_by_piece_or_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a call may copy less than it was asked for, or fail on its first call or on a later one."""
    source, content = tmp_path / "source", bytes(range(256)) * 40
    source.write_bytes(content)

    def copy_range(pieces: list[int | OSError]) -> Path:
        """Copy with a call that does so much of it each time."""

        def copy_some(reading: int, writing: int, count: int) -> int:
            piece = pieces.pop(0)
            if isinstance(piece, OSError):
                raise piece
            return os.write(writing, os.read(reading, min(piece, count)))

        monkeypatch.setattr(os, "copy_file_range", copy_some)
        target = tmp_path / "target"
        target.write_bytes(b"of a copy that was killed, and longer than the source" * 400)
        copy_file(source, target)
        assert not pieces
        return target

    unsupported = OSError(errno.EXDEV, "Invalid cross-device link")
    for pieces in ([len(content)], [1000, 1000, len(content)], [unsupported], [1000, unsupported], [1000, 0]):
        assert copy_range([*pieces]).read_bytes() == content
    monkeypatch.delattr(os, "copy_file_range")
    copy_file(source, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == content
