"""make quarantine: the rejected rows as the last load left them, whatever is at work or broken.

Belongs here: the copy of the quarantine and how it is printed. Does not belong here: which rows are rejected
(test_casting.py, test_ingest.py).
"""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console
from support.hostile import STEERING, TEXTS
from support.landing import land

from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.landing.load import load_entity
from orchestration.landing.quarantine import (
    MOST_ROWS,
    QuarantineError,
    Rejections,
    count_rejected,
    read_quarantine,
)
from orchestration.operations.quarantine_csv import COLUMNS, write_csv
from orchestration.operations.status import copy_record_of_files
from orchestration.settings import Settings
from orchestration.terminal.printed_quarantine import print_quarantine
from orchestration.warehouse.databases import connect
from orchestration.warehouse.lock import hub_lock

Command = Callable[..., subprocess.CompletedProcess[str]]

GOOD = {"order_id": "o1", "ordered_at": "2026-01-10", "order_value": "5", "sales_channel": "online"}


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")


@pytest.fixture
def load_at(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Loads what has landed, on a day of January."""

    def load(day: int) -> None:
        monkeypatch.setattr(
            "orchestration.landing.records.now", lambda: datetime(2026, 1, 1) + timedelta(days=day - 1)
        )
        with connect(hub) as connection:
            load_entity(connection, hub, ORDERS)
            copy_record_of_files(connection, hub)

    return load


def printed(hub: Settings) -> str:
    output = io.StringIO()
    quarantine = read_quarantine(hub)
    assert quarantine
    print_quarantine(quarantine, Console(file=output, width=80, emoji=False, soft_wrap=True))
    return output.getvalue()


def test_rejected_rows_are_counted_by_file_and_reason_the_newest_first(
    hub: Settings, load_at: Callable[[int], None]
) -> None:
    bad = {**GOOD, "order_value": "x", "sales_channel": "moon"}
    land(hub.landing / "orders" / "a.csv", [GOOD, *[{**GOOD, "order_value": "x"}] * 3, bad])
    load_at(1)
    land(hub.landing / "orders" / "b.csv", [{**GOOD, "order_id": ""}])
    load_at(2)

    quarantine = read_quarantine(hub)

    assert quarantine
    a, b = "landing/orders/a.csv", "landing/orders/b.csv"
    assert quarantine.rejections == (
        Rejections(b, "missing_order_id", 1),
        Rejections(a, "malformed_order_value", 4),
        Rejections(a, "unknown_sales_channel", 1),
    )
    assert [(row.path, row.row_number) for row in quarantine.rows] == [(b, 1), (a, 2), (a, 3), (a, 4), (a, 5)]
    said = printed(hub)
    assert f"4  {a}: malformed_order_value" in said
    assert "row 5: malformed_order_value, unknown_sales_channel" in said
    assert '"sales_channel":"moon"' in said


def test_rows_that_are_corrected_in_their_file_leave(hub: Settings, load_at: Callable[[int], None]) -> None:
    land(hub.landing / "orders" / "a.csv", [{**GOOD, "order_value": "x"}])
    load_at(1)
    land(hub.landing / "orders" / "a.csv", [GOOD])
    load_at(2)

    assert printed(hub) == "No row is rejected.\n"


def test_of_many_rejected_rows_the_newest_are_shown(hub: Settings, load_at: Callable[[int], None]) -> None:
    for number in range(25):
        land(hub.landing / "orders" / f"{number:02}.csv", [{**GOOD, "order_value": "x"}] * 2)
    load_at(1)
    land(hub.landing / "orders" / "newest.csv", [{**GOOD, "order_value": "x"}])
    load_at(2)

    said = printed(hub)

    assert said.count('"order_value":"x"') == MOST_ROWS == 20
    assert "and 6 more files and reasons" in said
    assert "landing/orders/newest.csv\n" in said


def test_hostile_text_is_shown_and_not_obeyed(hub: Settings, load_at: Callable[[int], None]) -> None:
    for start in (0, 15):
        rows = [{**GOOD, "order_value": text} for text in TEXTS[start : start + 15]]
        land(hub.landing / "orders" / f"[red]\x1b[2J\nforged{start}.jsonl", rows)
    load_at(1)

    said = printed(hub)

    assert not STEERING & set(said)
    assert not any(line.strip().startswith("forged") for line in said.splitlines())
    assert "[red]rich[/red]" in said
    assert json.dumps(TEXTS[0])[1:-1] in said


def test_the_quarantine_does_not_wait_for_a_refresh(
    hub: Settings, load_at: Callable[[int], None], command: Command
) -> None:
    land(hub.landing / "orders" / "a.csv", [{**GOOD, "order_value": "x"}])
    load_at(1)
    with hub_lock(hub, notify=str), connect(hub):
        shown = command(hub, "quarantine")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "1  landing/orders/a.csv: malformed_order_value" in shown.stdout


def test_before_the_first_load_there_is_nothing_to_show(hub: Settings, command: Command) -> None:
    shown = command(hub, "quarantine")

    assert shown.returncode == 0
    assert shown.stdout == "No load has looked into the landing folder yet: `make run`.\n"


def test_a_damaged_copy_is_named(hub: Settings) -> None:
    land(hub.rejected_rows, b"damaged" * 1000)

    with pytest.raises(QuarantineError, match=r"rejected_rows\.parquet, the copy of the quarantine"):
        read_quarantine(hub)


def test_all_rejected_rows_are_written_as_csv_in_which_no_text_is_a_formula(
    hub: Settings, load_at: Callable[[int], None]
) -> None:
    rows = [{**GOOD, "order_value": "x"}] * (MOST_ROWS + 5)
    land(hub.landing / "orders" / "a.csv", [*rows, {**GOOD, "order_value": "x", "sales_channel": "=1+1"}])
    land(hub.landing / "orders" / "=cmd,\n.csv", [{**GOOD, "order_id": ""}])
    load_at(1)

    file, count = write_csv(hub)

    with file.open(encoding="utf-8", newline="") as lines:
        written = list(csv.DictReader(lines))
    assert file == hub.data_dir / "quarantine.csv"
    assert count == len(written) == MOST_ROWS + 7
    assert written[-1]["reasons"] == "malformed_order_value; unknown_sales_channel"
    assert written[-1]["row_number"] == str(MOST_ROWS + 6)
    assert json.loads(written[-1]["raw_text"])["sales_channel"] == "=1+1"
    assert not any(value.startswith(("=", "+", "-", "@")) for row in written for value in row.values())


def test_text_that_begins_as_a_formula_is_marked(
    hub: Settings, load_at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    land(hub.landing / "orders" / "a.csv", [{**GOOD, "order_value": "x"}])
    load_at(1)
    monkeypatch.setitem(COLUMNS, "path", "'=' || path")

    file, _ = write_csv(hub)

    assert ",'=landing/orders/a.csv," in file.read_text(encoding="utf-8")


def test_a_csv_is_not_written_while_a_refresh_has_the_warehouse(
    hub: Settings, load_at: Callable[[int], None], command: Command
) -> None:
    land(hub.landing / "orders" / "a.csv", [{**GOOD, "order_value": "x"}])
    load_at(1)
    with hub_lock(hub, notify=str), connect(hub):
        refused = command(hub, "quarantine", "--csv")

    assert refused.returncode == 1
    assert "Try again when it has ended" in refused.stdout
    assert not (hub.data_dir / "quarantine.csv").exists()
    assert command(hub, "quarantine", "--csv").returncode == 0
    assert (hub.data_dir / "quarantine.csv").stat().st_mode & 0o077 == 0


def test_a_row_is_open_until_a_good_row_with_its_id_has_landed(
    hub: Settings, load_at: Callable[[int], None]
) -> None:
    bad = [{**GOOD, "order_id": order_id, "order_value": "x"} for order_id in ("o1", "o2", "o3", "")]
    land(hub.landing / "orders" / "a.csv", bad)
    load_at(1)
    with connect(hub) as connection:
        assert count_rejected(connection, ORDERS) == (4, 4)
        assert count_rejected(connection, MESSAGES) == (0, 0)
    land(hub.landing / "orders" / "b.csv", [GOOD, {**GOOD, "order_id": " o3"}])
    load_at(2)

    with connect(hub) as connection:
        assert count_rejected(connection, ORDERS) == (4, 2)
