"""Landed text is data, whatever it looks like: in the tables, in Dagster, in a terminal, in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import logging
import tomllib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest
from rich.console import Console
from support.hostile import STEERING, TEXTS
from support.landing import land
from support.pipeline import reading, refresh

from orchestration import cli
from orchestration.dbt_runner.results import why_dbt_failed
from orchestration.defs.assets import _load_metadata, _published_metadata
from orchestration.landing import notices
from orchestration.landing.contracts import CONTRACTS
from orchestration.landing.load import load_entity
from orchestration.operations.status import copy_record_of_files, status_of
from orchestration.printable import printable
from orchestration.publishing.export import _copy, _without_formulas, export
from orchestration.publishing.publish import Published
from orchestration.settings import Settings
from orchestration.sql import one_row
from orchestration.terminal.printed_reports import print_reports
from orchestration.terminal.progress import ProgressHandler
from orchestration.warehouse.databases import connect

# An id is landed without the blanks around it.
IDS = sorted({text.strip("\t\r\ufeff") for text in TEXTS})
STORED_FORMULAS = {text for text in IDS if text[0] in "=+-@'"}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub in which every id is a hostile text, refreshed."""
    settings = Settings(tmp_path_factory.mktemp("hub"), "UTC", date(2026, 1, 31), "USD")
    messages = [
        {
            "message_id": text,
            "customer_id": text,
            "queue_id": text,
            "user_id": text,
            "status": "sent",
            "occurred_at": "2026-01-10T10:00:00Z",
        }
        for text in IDS
    ]
    orders = [
        {
            "order_id": text,
            "customer_id": text,
            "ordered_at": "2026-01-11T10:00:00Z",
            "order_value": "10.00",
            "sales_channel": "online",
        }
        for text in IDS
    ]
    land(settings.landing / "messages" / "a.jsonl", messages)
    land(settings.landing / "orders" / "a.jsonl", orders)
    refresh(settings)
    return settings


def test_every_text_arrives_as_it_was_landed(hub: Settings) -> None:
    with reading(hub.published) as published:
        queues = [text for (text,) in published.execute("select queue_id from dim_queues").fetchall()]
        (orders,) = one_row(
            published, "select orders_generated from mart_overview where period = 'last_30_days'"
        )

    assert sorted(queues) == IDS
    assert orders == len(IDS)


def metadata_of(hub: Settings) -> dict[str, Any]:
    """What Dagster shows of each asset of the hub."""
    shown: dict[str, Any] = {}
    with connect(hub) as connection:
        for contract in CONTRACTS:
            report = load_entity(connection, hub, contract)
            shown |= {
                f"{contract.entity} {name}": value
                for name, value in _load_metadata(connection, hub, contract, report).items()
            }
    version = hub.published.resolve()
    with reading(hub.published) as published:
        return shown | _published_metadata(published, Published(version, {}, []), hub)


def test_dagster_shows_landed_text_as_records_and_never_as_markdown(hub: Settings) -> None:
    metadata = metadata_of(hub)
    markdown = {name for name, value in metadata.items() if isinstance(value, dg.MarkdownMetadataValue)}
    records = [record.data for record in metadata["messages preview"].records]

    # The plot is drawn from counts alone.
    assert markdown == {"messages_per_day"}
    assert {record["status"] for record in records} == {"sent"}
    assert not STEERING & set("".join(str(value) for record in records for value in record.values()))


def printed(hub: Settings) -> str:
    output = io.StringIO()
    print_reports(hub.published, "last_30_days", Console(file=output, width=300, emoji=False))
    return output.getvalue()


def test_the_reports_in_a_terminal_show_each_text_and_obey_none(hub: Settings) -> None:
    report = printed(hub)

    assert not STEERING & set(report)
    for text in (
        "[red]rich[/red]",
        ":skull:",
        "\\x1b[2Jcleared",
        "over\\u202eride",
        "<script>alert(1)</script>",
    ):
        assert report.count(text) == 2, text  # once for the queue, once for the user


def test_progress_in_a_terminal_obeys_no_text() -> None:
    output = io.StringIO()
    handler = ProgressHandler(Console(file=output, emoji=False, soft_wrap=True))
    for text in TEXTS:
        handler.emit(warning(f"landing/{text}.csv was not loaded"))

    assert not STEERING & set(output.getvalue())
    assert "[red]rich[/red].csv was not loaded" in output.getvalue()


@pytest.mark.parametrize("name", ['a"\n[[landing]]\nfiles = "**.csv', *TEXTS, "\x7f\x85 漢字 👍 \\x41"])
def test_the_name_of_a_file_adds_no_line_to_a_message_and_none_to_hub_toml(name: str) -> None:
    path = f"landing/orders/{name}"
    lines = notices.declaration(path, "adds")

    assert "\n" not in notices.named(path)
    # As a person copies them from where they are printed.
    assert printable(lines) == lines
    (table,) = tomllib.loads(lines)["landing"]
    assert table == {"files": path.removeprefix("landing/"), "overwritten": "adds"}


def test_the_message_of_a_failed_run_obeys_no_text(hub: Settings, tmp_path: Path) -> None:
    message = f"Conversion Error: {' '.join(TEXTS)}"
    results = [{"unique_id": "model.contact_reporting.a", "status": "error", "message": message}]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))

    said = why_dbt_failed(tmp_path, hub)

    assert said
    assert "a could not be built or checked: Conversion Error" in said
    assert not STEERING & set(said)


@pytest.fixture
def printed_lines(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """The lines that commands have printed so far."""
    output = io.StringIO()
    monkeypatch.setattr(cli, "CONSOLE", Console(file=output, emoji=False, soft_wrap=True))
    return lambda: output.getvalue().splitlines()


def test_commands_show_the_name_of_a_file_on_its_own_line_as_text(
    tmp_path: Path, printed_lines: Callable[[], list[str]]
) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    name = "a [red]\x1b[2J\nforged"
    for ending in (".csv", ".pdf"):
        file = hub.landing / "orders" / f"{name}{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"other_column\n1\n")
    with connect(hub) as connection:
        for contract in CONTRACTS:
            load_entity(connection, hub, contract)
        copy_record_of_files(connection, hub)
    with dg.DagsterInstance.ephemeral() as instance:
        for line in status_of(hub, instance).warnings:
            cli.notify(line)
    cli.files(hub)
    cli.retract(hub, f"landing/orders/{name}.cs")
    cli.retract(hub, f"landing/orders/{name}.csv")

    lines = printed_lines()
    assert not STEERING & set("".join(lines))
    assert [line for line in lines if line.startswith("forged")] == []
    assert sum(r"a [red]\x1b[2J\nforged" in line for line in lines) == 5


def test_neither_a_folder_nor_the_list_of_a_backup_is_markup_in_what_a_restore_says(
    tmp_path: Path, printed_lines: Callable[[], list[str]]
) -> None:
    hub = Settings(tmp_path / "[" / "]hub", "UTC", date(2026, 1, 31), "USD")
    land(hub.landing / "orders" / "a.jsonl", [])
    backup = tmp_path / "[" / "]backup"
    assert cli.backup(hub, backup, with_landing=True) == 0
    contents = json.loads((backup / "backup.json").read_text())
    (backup / "backup.json").write_text(json.dumps({**contents, "taken_at": "[/]\n\x1b[2J"}))

    assert cli.restore(hub, backup, over_newer=False) == 0

    said = "\n".join(printed_lines())
    assert f"Files lie in {hub.landing}" in said
    assert r"is as it was at [/]\n\x1b[2J." in said


def warning(message: str) -> logging.LogRecord:
    """A warning of a step, as Dagster hands it to the console."""
    record = logging.LogRecord("refresh", logging.WARNING, "", 0, message, None, None)
    record.dagster_meta = {"orig_message": message}
    return record


def test_no_text_is_a_formula_in_the_exported_csv(hub: Settings) -> None:
    folder, files = export(hub)

    for name in (name for name in files if name.endswith(".csv")):
        with (folder / name).open(newline="") as file:
            values = [value for row in csv.reader(file) for value in row]
        live = [value for value in values if value[:1] in set("=+@\t\r") or value[:2] == "-1"]
        assert live == [], name
    with (folder / "dim_queues.csv").open(newline="") as file:
        exported = {row["queue_id"] for row in csv.DictReader(file)}
    assert {f"'{text}" for text in STORED_FORMULAS} <= exported


def test_pandas_reads_the_exported_csv_back(hub: Settings) -> None:
    folder, _ = export(hub)
    frame = pd.read_csv(folder / "mart_queue_breakdown.csv", keep_default_na=False)
    ids = frame.loc[frame["period"] == "last_30_days", "queue_id"].str.replace(r"^'", "", regex=True)

    assert sorted(ids) == IDS
    assert frame["messages_sent"].dtype.kind == "i"
    assert frame["revenue_generated"].dtype.kind == "f"


def test_a_negative_number_stays_a_number(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("create table amounts as select -1.50::decimal(18, 2) as amount, '-1' as id")
        _copy(
            connection,
            _without_formulas(connection, "amounts"),
            tmp_path / "amounts.csv",
            "format csv, header",
        )

    assert (tmp_path / "amounts.csv").read_text().splitlines() == ["amount,id", "-1.50,'-1"]
