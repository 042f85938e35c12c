"""A hub of the last version goes on with this one; a hub of a newer version is left alone.

``upgrade/*.sql`` hold what version 0.2.0 itself wrote for the files that are landed here.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.landing import land_bytes, load
from support.pipeline import reading, refresh

from orchestration import VERSION, cli
from orchestration.landing.contracts import ORDERS as ORDERS_CONTRACT
from orchestration.settings import Settings
from orchestration.warehouse import databases
from orchestration.warehouse.errors import WarehouseError

WRITTEN_BY_0_2_0 = Path(__file__).parent / "upgrade"

MESSAGES = """\
message_id,customer_id,queue_id,user_id,status,occurred_at,updated_at
m1,c1,q1,u1,sent,2026-01-10T10:00:00Z,
m2,c2,q1,u2,sent,2026-01-11T10:00:00Z,2026-01-12T08:00:00Z
m3,c3,q2,u1,lost,2026-01-11T10:00:00Z,
"""

ORDERS = (
    '{"order_id": "o1", "customer_id": "c1", "ordered_at": "2026-01-12T10:00:00Z", "order_value": "19.99", '
    '"sales_channel": "online", "currency": "EUR"}\n'
    '{"order_id": "o4", "customer_id": "c4", "ordered_at": "2026-01-16T10:00:00Z", "order_value": "40.00", '
    '"refunded_value": "5.00", "sales_channel": "in_store"}\n'
)

# Version 0.2.0 loaded an order o2 of a file of this name, and a message m4 and a bad row of a file that is
# gone.
OVERWRITTEN = """\
order_id,customer_id,ordered_at,order_value,sales_channel
o3,c2,2026-01-14T10:00:00Z,1.50,online
"""


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    """A hub that version 0.2.0 refreshed once; its zone and currency are known from that refresh alone."""
    landing = tmp_path / "landing"
    land_bytes(landing / "messages" / "a.csv", MESSAGES)
    land_bytes(landing / "orders" / "a.jsonl", ORDERS)
    land_bytes(landing / "orders" / "overwritten.csv", OVERWRITTEN)
    land_bytes(landing / "orders" / "broken.csv.gz", "no gzip")
    published = tmp_path / "published" / "versions" / "of_0_2_0" / "contact_reports.duckdb"
    published.parent.mkdir(parents=True)
    for database, written in (
        (tmp_path / "warehouse.duckdb", "warehouse_0_2_0.sql"),
        (published, "published_0_2_0.sql"),
    ):
        with duckdb.connect(str(database)) as connection:
            connection.execute((WRITTEN_BY_0_2_0 / written).read_text())
    (tmp_path / "published" / "contact_reports.duckdb").symlink_to(published)
    return Settings.from_environment({"CONTACT_DATA_DIR": str(tmp_path), "CONTACT_AS_OF": "2026-01-31"})


def assert_goes_on(hub: Settings) -> None:
    """Everything that either version has loaded is published, once."""
    with reading(hub.published) as connection:
        assert connection.sql("select message_id from fct_messages order by all").fetchall() == [
            *(("m1",), ("m2",), ("m4",))
        ]
        assert (
            connection.sql(
                "select order_id, order_value, refunded_value, is_attributed from fct_orders order by all"
            ).fetchall()
            == connection.sql(
                "from (values ('o1', 19.99, 0, true), ('o2', 7.5, 0, true), ('o3', 1.5, 0, true), "
                "('o4', 40, 5, true)) order by all"
            ).fetchall()
        )
        assert connection.sql("select timezone, currency from report_info").fetchall() == [
            ("Europe/Paris", "EUR")
        ]
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        assert connection.sql(
            "select path, row_number from quarantine.rejected_events order by all"
        ).fetchall() == [
            ("landing/messages/a.csv", 3),
            ("landing/messages/gone.csv", 2),
        ]


def test_a_refresh_takes_a_hub_of_the_last_version_over_with_all_that_only_it_knows(hub: Settings) -> None:
    refresh(hub)

    assert_goes_on(hub)
    with reading(hub.published) as connection:
        assert connection.sql(
            "select refresh_number, software_version from refreshes order by all"
        ).fetchall() == [(1, "0.2.0"), (2, VERSION)]


def test_a_rebuild_does_too(hub: Settings) -> None:
    assert cli.remove_warehouse(hub)
    refresh(hub)

    assert_goes_on(hub)


def test_a_hub_of_a_newer_version_is_left_alone_whatever_its_tables_are(hub: Settings) -> None:
    hub.warehouse.unlink()
    with duckdb.connect(str(hub.warehouse)) as connection:
        connection.execute("create schema raw")
        connection.execute(
            "create table raw.refreshes as select 7 as refresh_number, '99.1.0' as software_version"
        )
        connection.execute("create table raw.landed_files as select 1 as file_id, 'in another way' as kept")
    before = hub.warehouse.read_bytes()

    for command in (databases.connect, refresh):
        with pytest.raises(WarehouseError, match=r"written by version 99\.1\.0; this .* Use that version"):
            command(hub)
    assert not cli.remove_warehouse(hub)
    assert hub.warehouse.read_bytes() == before


def test_a_warehouse_of_version_0_3_0_has_its_files_read_again_and_keeps_what_has_gone(
    tmp_path: Path,
) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "EUR")
    first = load(hub, ORDERS_CONTRACT, {"a.jsonl": ORDERS, "gone.csv": OVERWRITTEN})
    (hub.landing / "orders" / "gone.csv").unlink()
    load(hub, ORDERS_CONTRACT)
    # What that version did not have.
    with duckdb.connect(str(hub.warehouse)) as warehouse:
        warehouse.execute("alter table raw.contents drop column validated_by")
        warehouse.execute("alter table raw.contents drop column rows_skipped")
        warehouse.execute("alter table quarantine.rejected_events drop column mapped_text")

    upgraded, again = load(hub, ORDERS_CONTRACT), load(hub, ORDERS_CONTRACT)

    assert upgraded.column("order_id") == again.column("order_id") == first.column("order_id")
    assert (upgraded.report.files_loaded, again.report.files_loaded) == (1, 0)
    assert upgraded.report.validated_before == ["landing/orders/gone.csv"]
    assert again.report.validated_before == []
