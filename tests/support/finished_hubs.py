"""What is true of a hub once a refresh has finished, whatever was killed before.

Belongs here: assertions about the whole of a hub. Does not belong here: what is landed, what is killed.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb

from orchestration.landing.contracts import CONTRACTS
from orchestration.operations import runs
from orchestration.publishing.publish import VERSIONS_KEPT
from orchestration.settings import Settings
from support.pipeline import reading
from support.rebuilds import assert_equals_a_rebuild


def assert_whole(published: Path, which: str) -> None:
    """The published file opens and holds everything, and its figures agree."""
    with reading(published) as connection:
        tables = [name for (name,) in connection.sql("select table_name from duckdb_tables()").fetchall()]
        rows = {name: len(connection.sql(f'from "{name}"').fetchall()) for name in tables}
        counted = {name: connection.sql(f'select count(*) from "{name}"').fetchall()[0][0] for name in tables}
        answered = connection.sql("from overview('2026-01-01', '2026-12-31')").fetchall()
        sums = connection.sql(
            """
            select
                (select count(*) from fct_messages where status = 'sent'),
                (select sum(messages_sent) from mart_overview_daily),
                (select sum(messages_sent) from mart_queue_daily),
                (select sum(messages_sent) from mart_user_daily)
            """
        ).fetchall()[0]
        unfinished = connection.sql(
            "select count(*) from refreshes where version_published is not null and finished_at is null"
        ).fetchall()
    assert rows == counted, which
    assert (rows["report_info"], rows["mart_overview"]) == (1, 5), which
    assert len(answered) == 1, which
    assert len(set(sums)) == 1, f"{which}: {sums}"
    assert unfinished == [(0,)], which


def assert_finished(hub: Settings) -> int:
    """The hub is as if no refresh had ever been killed. Returns the number of its last refresh."""
    assert_equals_a_rebuild(hub)
    assert_each_row_was_loaded_once(hub)
    assert_whole(hub.published, "finished")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{hub.warehouse}' as warehouse (read_only)")
        connection.execute(f"attach '{hub.reports}' as reports (read_only)")
        connection.execute(f"attach '{hub.published}' as published (read_only)")
        tables = connection.sql(
            "select table_name from information_schema.tables "
            "where table_catalog = 'reports' and table_schema = 'main'"
        ).fetchall()
        assert tables
        for (table,) in tables:
            ours, theirs = f'reports."{table}"', f'published."{table}"'
            for one, two in ((ours, theirs), (theirs, ours)):
                only = connection.sql(f"from {one} except all from {two}").fetchall()
                assert not only, f"only in {one}: {only}"
        unknown = connection.sql(
            "select version_published from warehouse.raw.refreshes where finished_at is not null "
            "except select version from published.versions"
        ).fetchall()
        newest = connection.sql("select max(version) from published.versions").fetchall()
        numbers = connection.sql(
            "select refresh_number, finished_at is not null, version_published "
            "from warehouse.raw.refreshes order by refresh_number"
        ).fetchall()
    assert unknown == []
    assert newest == [(hub.published.resolve().parent.name,)]
    assert [number for number, _, _ in numbers] == list(range(1, len(numbers) + 1))
    assert numbers[-1][1:] == (True, hub.published.resolve().parent.name)
    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
        assert not runs.is_any_unfinished(instance), "a killed refresh is still at work by Dagster's record"
    # What killed refreshes began to publish is gone.
    versions = list(hub.versions.iterdir())
    # One more when it has become midnight meanwhile: the last one of each day stays.
    assert len(versions) <= VERSIONS_KEPT + 1
    assert not [version.name for version in versions if version.name.startswith(".")]
    return len(numbers)


def assert_each_row_was_loaded_once(hub: Settings) -> None:
    """Each landed file is recorded once, and the rows that it is said to have are there."""
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        for contract in CONTRACTS:
            landed = sorted(
                path.relative_to(hub.data_dir).as_posix()
                for path in (hub.landing / contract.entity).rglob("*")
                if path.is_file()
            )
            records = connection.execute(
                "select path, status from raw.landed_files where entity = ? order by path", [contract.entity]
            ).fetchall()
            assert records == [(path, "loaded") for path in landed]
            counts = connection.execute(
                f"""
                select
                    sum(rows_landed),
                    sum(rows_accepted),
                    sum(rows_rejected),
                    (select count(*) from raw.{contract.table}),
                    (select count(*) from quarantine.rejected_events where entity = $entity)
                from raw.landed_files
                where entity = $entity
                """,
                {"entity": contract.entity},
            ).fetchall()[0]
            rows_landed, accepted, rejected, loaded, quarantined = counts
            assert accepted == loaded, f"{contract.entity}: {counts}"
            assert rejected == quarantined, f"{contract.entity}: {counts}"
            assert rows_landed == accepted + rejected, f"{contract.entity}: {counts}"
            wrong = connection.sql(
                f"""
                select files.path, files.rows_accepted, count(events.file_id)
                from raw.landed_files as files
                left join raw.contents on files.path = contents.path
                left join raw.{contract.table} as events on contents.file_id = events.file_id
                where files.entity = '{contract.entity}'
                group by all
                having files.rows_accepted <> count(events.file_id)
                """
            ).fetchall()
            assert not wrong, f"{contract.entity}: {wrong}"
