"""make preview: which file is meant, which table reads it or is proposed, what would become of its rows.

Belongs here: previews, proposals, and that nothing is written. Does not belong here: what a table makes of
rows (test_mappings.py), values that the contract reads (test_casting.py).
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console
from support.hostile import STEERING, TEXTS
from support.landing import Content, gzipped, land, load, parquet_bytes, zstd_compressed
from support.mapping_tables import EXPORTS, documented_mappings, order, table, with_tables

from orchestration.hub import landing_tables
from orchestration.landing.contracts import MESSAGES, ORDERS
from orchestration.landing.notations import amount_format_of, timestamp_format_of
from orchestration.landing.preview import Preview, PreviewError, preview_file
from orchestration.landing.proposals import Proposal, pattern_for
from orchestration.settings import Settings
from orchestration.terminal.printed_preview import print_preview
from orchestration.warehouse.databases import connect
from orchestration.warehouse.lock import hub_lock

Command = Callable[..., subprocess.CompletedProcess[str]]

# The columns that are found of each export, and the counts of its rows by the proposed table.
FOUND: dict[str, tuple[dict[str, str], tuple[int, int, int]]] = {
    "orders/shopify_orders_export.csv": (
        {
            "order_id": "Id",
            "customer_id": "Email",
            "ordered_at": "Created at",
            "order_value": "Total",
            "refunded_value": "Refunded Amount",
            "currency": "Currency",
            "sales_channel": "Source",
            "status": "Cancelled at",
        },
        (4, 0, 1),
    ),
    "orders/shopify_bulk.jsonl": (
        {
            "order_id": "id",
            "customer_id": "customer.id",
            "ordered_at": "createdAt",
            "order_value": "totalPriceSet.shopMoney.amount",
            "refunded_value": "totalRefundedSet.shopMoney.amount",
            "currency": "totalPriceSet.shopMoney.currencyCode",
            "sales_channel": "sourceName",
            "status": "cancelledAt",
            "updated_at": "updatedAt",
        },
        (3, 0, 3),
    ),
    "orders/woocommerce_orders.json": (
        {
            "order_id": "id",
            "customer_id": "customer_id",
            "ordered_at": "date_created_gmt",
            "order_value": "total",
            "refunded_value": "refunds[].total",
            "currency": "currency",
            "status": "status",
            "updated_at": "date_modified_gmt",
        },
        (4, 0, 0),
    ),
    "orders/magento_export.csv": (
        {
            "order_id": "ID",
            "customer_id": "Customer Email",
            "ordered_at": "Purchase Date",
            "order_value": "Grand Total (Base)",
            "refunded_value": "Total Refunded",
            "status": "Status",
        },
        (3, 0, 0),
    ),
    "orders/cents_epoch.jsonl": (
        {
            "order_id": "id",
            "customer_id": "customer",
            "ordered_at": "created",
            "order_value": "amount",
            "refunded_value": "amount_refunded",
            "currency": "currency",
            "status": "status",
        },
        (3, 0, 0),
    ),
    "orders/till_latin1.csv": (
        {
            "order_id": "Beleg-Nr",
            "customer_id": "Kunden-Nr",
            "ordered_at": "Datum Uhrzeit",
            "order_value": "Betrag",
            "currency": "Währung",
            "status": "Vorgang",
        },
        (0, 4, 0),
    ),
    "messages/twilio_log.csv": (
        {
            "message_id": "Sid",
            "customer_id": "To",
            "user_id": "From",
            "status": "Status",
            "occurred_at": "SentDate",
        },
        (2, 0, 1),
    ),
    "messages/klaviyo_events.jsonl": (
        {
            "message_id": "id",
            "customer_id": "relationships.profile.data.id",
            "user_id": "attributes.event_properties.Sender",
            "occurred_at": "attributes.datetime",
        },
        (2, 0, 0),
    ),
    "messages/segment_tracks.csv": (
        {
            "message_id": "id",
            "customer_id": "user_id",
            "queue_id": "worklist",
            "user_id": "agent_id",
            "status": "event",
            "occurred_at": "timestamp",
        },
        (2, 0, 1),
    ),
    "messages/excel_unicode.csv": (
        {
            "message_id": "message_id",
            "customer_id": "customer_id",
            "queue_id": "queue_id",
            "user_id": "user_id",
            "status": "status",
            "occurred_at": "occurred_at",
        },
        (2, 0, 0),
    ),
}


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "UTC", date(2026, 11, 30), "USD")


def previewed(hub: Settings, content: Content, name: str = "a.csv", tables: str = "") -> Preview:
    """The preview of a file that lies in the landing folder of orders."""
    land(hub.landing / "orders" / name, content)
    return preview_file(with_tables(hub, tables), f"landing/orders/{name}")


def proposal_of(hub: Settings, content: Content, name: str = "a.csv") -> Proposal:
    proposal = previewed(hub, content, name).proposal
    assert proposal
    (parsed,) = tomllib.loads(proposal.toml)["landing"]
    landing_tables.parse(parsed)
    return proposal


def printed(hub: Settings, preview: Preview) -> str:
    output = io.StringIO()
    print_preview(preview, hub, Console(file=output, width=80, emoji=False, soft_wrap=True))
    return output.getvalue()


# Proposals.


@pytest.mark.parametrize("path", FOUND)
def test_a_table_is_proposed_for_each_export_wherever_it_lies(hub: Settings, path: str) -> None:
    found, counts = FOUND[path]

    preview = preview_file(hub, str(EXPORTS / path))

    assert preview.path == f"landing/{path}"
    assert preview.proposal
    assert preview.proposed
    assert {name: " ".join(columns) for name, columns in preview.proposal.columns.items()} == found
    outcome = preview.proposed
    assert (outcome.rows_accepted, outcome.rows_rejected, outcome.rows_skipped) == counts


@pytest.mark.parametrize("path", FOUND)
def test_a_preview_and_a_load_agree_by_the_proposed_table(hub: Settings, path: str) -> None:
    preview = preview_file(hub, str(EXPORTS / path))
    assert preview.proposal
    assert_agrees_with_a_load(with_tables(hub, preview.proposal.toml), path)


@pytest.mark.parametrize("path", FOUND)
def test_a_preview_and_a_load_agree_by_the_documented_table(hub: Settings, path: str) -> None:
    assert_agrees_with_a_load(with_tables(hub, documented_mappings()), path)


def assert_agrees_with_a_load(hub: Settings, path: str) -> None:
    entity, _, name = path.partition("/")
    contract = ORDERS if entity == "orders" else MESSAGES
    content = (EXPORTS / path).read_bytes()
    land(hub.landing / path, content)
    outcome = preview_file(hub, f"landing/{path}").outcome

    loaded = load(hub, contract, {name: content})

    record = loaded.files[name]
    assert outcome.error == record.error
    assert (outcome.rows_landed, outcome.rows_accepted, outcome.rows_rejected, outcome.rows_skipped) == (
        *(record.rows_landed, record.rows_accepted),
        *(record.rows_rejected, record.rows_skipped),
    )
    shown = [name for name in contract.field_names if name != "currency"]
    rows = sorted([{name: event[name] for name in shown} for event in loaded.events], key=str)
    assert sorted(outcome.accepted.values(), key=str) == rows
    assert [(row.row_number, list(row.reasons)) for row in outcome.rejected] == [
        (row.row_number, row.reasons) for row in loaded.rejected[:3]
    ]


def test_the_proposal_for_the_export_of_the_walkthrough_is_the_documented_table(hub: Settings) -> None:
    proposal = preview_file(hub, str(EXPORTS / "orders" / "shopify_orders_export.csv")).proposal

    assert proposal
    assert tomllib.loads(proposal.toml)["landing"][0] == tomllib.loads(documented_mappings())["landing"][0]


def test_totals_that_stand_only_as_line_items_are_said_to_be_outside(hub: Settings) -> None:
    preview = preview_file(hub, str(EXPORTS / "orders" / "till_latin1.csv"))

    assert preview.proposal
    assert preview.proposal.repeated_id == ("Beleg-Nr", "Betrag")
    assert "Beleg-Nr repeats with a different Betrag" in printed(hub, preview)
    assert "A table adds nothing up across rows" in printed(hub, preview)


def test_a_required_field_without_a_column_makes_the_proposal_incomplete(hub: Settings) -> None:
    content: Content = [{"Order Number": "1", "Grand Total": "5.00", "Colour": "red"}]

    preview = previewed(hub, content)

    assert preview.proposal
    assert preview.proposal.missing == ("ordered_at",)
    assert preview.proposed is None
    assert 'ordered_at = "?"' in proposal_of(hub, content).toml
    assert "It is incomplete: name the columns of ordered_at" in printed(hub, preview)


def test_a_file_with_no_name_that_is_known_gets_no_proposal(hub: Settings) -> None:
    preview = previewed(hub, "o1,2026-11-20,red\no2,2026-11-21,blue\n")

    assert preview.proposal is None
    assert "land it with the names of its columns as its first line" in (preview.outcome.error or "")


@pytest.mark.parametrize(
    ("name", "column"),
    [("Order_Identifier", None), ("order-nummber", "order-nummber"), ("OrderNumbers", "OrderNumbers")],
)
def test_a_near_name_is_a_column_and_a_far_one_is_not(hub: Settings, name: str, column: str | None) -> None:
    proposal = proposal_of(hub, [{name: "1", "Created at": "2026-11-20T10:00:00Z", "Total": "5"}])

    assert proposal.columns.get("order_id") == (column and (column,))


def test_a_column_whose_values_fit_comes_before_a_likelier_name(hub: Settings) -> None:
    rows = [{"Id": "1", "Created at": "soon", "Date": "2026-11-20", "Total": "n/a", "Amount": "5.00"}]

    proposal = proposal_of(hub, rows)

    assert (proposal.columns["ordered_at"], proposal.columns["order_value"]) == (("Date",), ("Amount",))


def test_values_that_nothing_is_known_of_stay_as_they_are(hub: Settings) -> None:
    row = {"Id": "1", "Created at": "2026-11-20", "Total": "5", "Status": "foo", "Currency": "US Dollar"}

    (proposed,) = tomllib.loads(proposal_of(hub, [row]).toml)["landing"]

    assert (proposed["status"], proposed["currency"]) == ("Status", "Currency")


def test_a_file_that_no_table_can_divide_is_an_error(hub: Settings) -> None:
    preview = previewed(hub, 'Id,Created at,Total\n1,2026-11-20,"5\n' * 5)

    output = io.StringIO()
    assert not print_preview(preview, hub, Console(file=output))
    assert "the quotes of row 1 (line 2) do not match" in " ".join(output.getvalue().split())


def test_amounts_are_cents_only_where_the_column_suggests_it(hub: Settings) -> None:
    rows = [{"id": 1, "created": 1795186800, name: 14040} for name in ("amount", "total")]

    amount, total = (proposal_of(hub, [row], f"{name}.jsonl") for name, row in zip("ab", rows, strict=True))

    assert 'amount_format = "cents"' in amount.toml
    assert "amount_format" not in total.toml


def test_timestamps_without_an_offset_leave_the_zone_to_a_person(hub: Settings) -> None:
    rows = [{"id": "1", "total": "5", "created at": "2026-11-20 10:00:00"}]

    with_offset = [{**row, "created at": "2026-11-20 10:00:00 -0500"} for row in rows]

    assert "# timezone = " in proposal_of(hub, rows).toml
    assert "timezone" not in proposal_of(hub, with_offset, "b.csv").toml


@pytest.mark.parametrize(
    ("content", "records"),
    [
        ({"orders": [{"id": 1, "created_at": "2026-11-20", "total": "5"}], "next": None}, "orders"),
        ({"data": {"items": [{"id": 1, "created_at": "2026-11-20", "total": "5"}]}}, "data.items"),
        ([{"id": 1, "created_at": "2026-11-20", "total": "5", "items": [{"id": 2}]}], ""),
    ],
)
def test_the_records_of_a_document_are_found(hub: Settings, content: object, records: str) -> None:
    proposal = proposal_of(hub, json.dumps(content), "a.json")

    assert tomllib.loads(proposal.toml)["landing"][0]["records"] == records
    assert proposal.columns["order_id"] == ("id",)


def test_an_order_with_line_items_is_one_record(hub: Settings) -> None:
    line = {"id": 1, "created_at": "2026-11-20", "total": "5", "items": [{"id": 2, "total": "5"}]}

    assert "records" not in proposal_of(hub, [line], "a.jsonl").toml


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", parquet_bytes([{"Id": 1, "Created At": "2026-11-20", "Total": 5.5}])),
        ("a.tsv", b"Id\tCreated At\tTotal\n1\t2026-11-20\t5.50\n"),
        ("a.csv.gz", gzipped("Id|Created At|Total\n1|2026-11-20|5.50\n")),
        ("a.csv.zst", zstd_compressed("Id|Created At|Total\n1|2026-11-20|5.50\n")),
        ("a.txt", "Id;Created At;Total\n1;2026-11-20;5.50\n".encode("utf-16")),
        ("a.jsonl", '{"Id": 1, "Created At": "2026-11-20", "Total": 5.5}\n'.encode("utf-16")),
    ],
)
def test_a_table_is_proposed_in_every_format(hub: Settings, name: str, content: bytes) -> None:
    preview = previewed(hub, content, name)

    assert preview.proposed
    assert preview.proposed.error is None
    assert [str(row["order_value"]) for row in preview.proposed.accepted.values()] == ["5.50"]


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("orders/shop/export.csv", "orders/shop/export*.csv"),
        ("orders/export_2026-11-20.csv.gz", "orders/export*.csv.gz"),
        ("orders/export_2026-11-20.jsonl.zst", "orders/export*.jsonl.zst"),
        ("orders/export.2026.11.20.csv", "orders/export*.csv"),
        ("orders/20261120.csv", "orders/20261120.csv"),
        ("orders/v2 EXPORT 1.CSV", "orders/v2 EXPORT*.CSV"),
    ],
)
def test_the_pattern_is_of_files_like_it(path: str, pattern: str) -> None:
    assert pattern_for(path) == pattern
    assert landing_tables.LandingTable(pattern).matches(path)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2026-11-20T10:00:00Z"], ""),
        (["20261120", "2026-11-20"], ""),
        (["1795186800"], "epoch seconds"),
        (["1795186800000"], "epoch milliseconds"),
        (["11/20/2026 3:00 PM", "11/02/2026 3:00 PM"], "%m/%d/%Y %I:%M %p"),
        (["01/12/2026", "20/11/2026"], "%d/%m/%Y"),
        (["20.11.2026 10:00:00"], "%d.%m.%Y %H:%M:%S"),
        (["Fri, 20 Nov 2026 10:00:00 +0000"], "%a, %d %b %Y %H:%M:%S %z"),
        (["20.11.2026", "20.11.2026", "?"], "%d.%m.%Y"),
        (["soon"], None),
        (["12"], None),
    ],
)
def test_the_notation_of_timestamps_is_that_of_most(values: list[str], expected: str | None) -> None:
    assert timestamp_format_of(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["5", "140.40", "-3.5000"], ""),
        (["1,064.80", "5.00"], "1,234.50"),
        (["$5.00", "-$1,064.80"], "$1,234.50"),
        (["1.029,90 €", "80,00 €"], "1.234,50 €"),
        (["1 029,90", "80,00"], "1 234,50"),
        (["CHF 1'029.90", "CHF 5.00"], "CHF 1'234.50"),
        (["n/a"], None),
    ],
)
def test_the_notation_of_amounts_is_that_of_most(values: list[str], expected: str | None) -> None:
    assert amount_format_of(values) == expected


# Tables.


def test_the_table_that_matches_is_named(hub: Settings) -> None:
    tables = "\n".join([table("", "orders/b*"), table('order_value = "Total"', "orders/a*")])

    preview = previewed(hub, [order(Total="7"), order(order_id="o2", Total="x")], tables=tables)

    assert preview.table
    assert preview.table[0] == 2
    assert preview.proposal is None
    assert preview.outcome.reasons == {"malformed_order_value": 1}
    said = printed(hub, preview)
    assert '[[landing]] table 2 of hub.toml names it: files = "orders/a*"' in said
    assert "Rows: 2 in the file, 1 accepted, 1 rejected, 0 skipped." in said
    assert '"Total":"x"' in said


def test_a_file_that_the_contract_reads_needs_no_table(hub: Settings) -> None:
    preview = previewed(hub, [order(), order(order_id="o2", status="paid")])

    assert preview.proposal is None
    assert "it is read by the contract alone" in printed(hub, preview)


def test_rows_that_no_table_would_change_get_no_proposal(hub: Settings) -> None:
    preview = previewed(hub, [order(currency="EUR")], "a.jsonl")

    assert preview.proposal is None
    assert preview.outcome.reasons == {"foreign_currency": 1}


def test_a_table_without_fields_is_replaced_by_the_proposed_one(hub: Settings) -> None:
    tables = '[[landing]]\nfiles = "orders/*"\noverwritten = "replaces"\ndelimiter = ";"'

    preview = previewed(hub, "Id;Created at;Total\n1;2026-11-20;5.00\n", tables=tables)

    assert preview.proposal
    assert preview.proposal.toml.startswith(
        f"{tables.replace(chr(10) + 'delimiter', chr(10) + 'delimiter')}\n"
    )
    assert preview.proposed
    assert preview.proposed.rows_accepted == 1
    assert "A proposal in place of table 1" in printed(hub, preview)


def test_a_table_whose_column_is_not_there_is_an_error(hub: Settings) -> None:
    preview = previewed(hub, [order()], tables=table('order_value = "Total"'))

    assert preview.proposal is None
    assert "it lacks the column Total of its [[landing]] table" in printed(hub, preview)


@pytest.mark.parametrize("text", [b"[]", b"\xff\xfe\x00\xdc\x41\x00\n\x00"])
@pytest.mark.parametrize("name", ["b.csv", "b.jsonl", "b.json"])
def test_a_file_that_is_not_in_the_encoding_of_its_table_fails_alone(
    hub: Settings, text: bytes, name: str
) -> None:
    tables = table("", "orders/b*") + '\nencoding = "utf-16"\nrecords = ""'
    preview = previewed(hub, text, name, tables)

    loaded = load(with_tables(hub, tables), ORDERS, {"a.csv": [order()]})

    assert preview.outcome.error == loaded.failed[name]
    assert preview.outcome.error == "it is not in utf-16: name its encoding in its [[landing]] table"
    assert loaded.column("order_id") == ["o1"]


def test_an_entity_is_that_of_the_table_that_names_a_file_elsewhere(hub: Settings, tmp_path: Path) -> None:
    shutil.copy(EXPORTS / "orders" / "cents_epoch.jsonl", tmp_path / "cents.jsonl")
    tables = '[[landing]]\nfiles = "messages/cents*"\ntimezone = "UTC"'

    assert preview_file(with_tables(hub, tables), str(tmp_path / "cents.jsonl")).contract is MESSAGES
    assert preview_file(hub, str(tmp_path / "cents.jsonl")).contract is ORDERS


# Which file is meant.


def test_a_file_is_named_as_the_shell_has_it_or_as_the_record_does(
    hub: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = land(hub.landing / "orders" / "sub" / "a.csv", [order()])
    monkeypatch.chdir(location.parent)

    for typed in ("landing/orders/sub/a.csv", "orders/sub/a.csv", "a.csv", "../sub/a.csv", str(location)):
        preview = preview_file(hub, typed)
        assert (preview.path, preview.is_landed) == ("landing/orders/sub/a.csv", True), typed


def test_a_name_that_writers_leave_is_said_to_be_passed_over(hub: Settings) -> None:
    assert "A refresh passes over it" in printed(hub, previewed(hub, [order()], "_a.csv"))


def test_a_file_that_does_not_end_is_read_as_it_is(hub: Settings) -> None:
    preview = previewed(hub, "order_id,ordered_at,order_value,sales_channel\no1,2026-11-20,1,online")

    assert preview.outcome.rows_accepted == 1
    assert "It does not end as its format does" in printed(hub, preview)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Which file?"),
        ("landing/orders/none.csv", "There is no file landing/orders/none.csv"),
        ("landing/orders", "is a folder: name one of the files in it."),
        ("landing/orders/pipe.csv", "is no regular file."),
        ("landing/orders/gone.csv", "is no regular file."),
        ("landing/orders/a.xlsx", "is a workbook: save its sheet as CSV"),
        ("landing/orders/a", "has none of the extensions"),
        ("landing/orders/a" + "b" * 5000, "There is no file"),
    ],
)
def test_what_cannot_be_previewed_is_one_sentence(hub: Settings, typed: str, words: str) -> None:
    for name in ("a.xlsx", "a"):
        land(hub.landing / "orders" / name, "x")
    os.mkfifo(hub.landing / "orders" / "pipe.csv")
    (hub.landing / "orders" / "gone.csv").symlink_to("nowhere")

    with pytest.raises(PreviewError, match=re.escape(words)) as refused:
        preview_file(hub, typed)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst", "a.parquet", "a.jsonl.gz"])
def test_a_damaged_file_is_an_error_without_a_proposal(hub: Settings, name: str) -> None:
    preview = previewed(hub, b"PAR1 damaged", name)

    assert preview.outcome.error
    assert preview.proposal is None


def test_an_empty_file_has_no_rows(hub: Settings) -> None:
    assert "Rows: 0 in the file" in printed(hub, previewed(hub, ""))


# Landed text.


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_hostile_names_and_values_are_neither_toml_nor_obeyed(hub: Settings, name: str) -> None:
    rows = [
        {f"{text}.id": text, "Id": text, "Created at": "2026-11-20", "Total": "1", "Status": f"paid {text}"}
        | {f"created at{text}": text, text: text, f"Source{text}": f"pos {text}", "Source": f"pos {text}"}
        for text in (
            *reversed(TEXTS[:20]),
            *TEXTS[20:],
            'x"\n[[landing]]\nfiles = "**"\n',
            "\ud800" if name == "a.jsonl" else "x",
        )
    ]
    content: Content = "".join(json.dumps(row) + "\n" for row in rows) if name == "a.jsonl" else rows
    location = land(hub.landing / "orders" / f"h{TEXTS[14]}\n[[landing]]{name}", content)

    preview = preview_file(hub, str(location))

    assert preview.proposal
    assert preview.proposed
    (parsed,) = tomllib.loads(preview.proposal.toml)["landing"]
    assert landing_tables.parse(parsed).matches(preview.path.removeprefix("landing/"))
    said = printed(hub, preview)
    assert not STEERING & set(said)
    assert said.count("\n[[landing]]\n") == 1
    assert "[red]rich[/red]" in said


# Nothing is written.


def contents_of(folder: Path) -> dict[str, tuple[bytes, float, int]]:
    return {
        str(file.relative_to(folder)): (
            file.read_bytes() if file.is_file() else b"",
            stat.st_mtime,
            stat.st_mode,
        )
        for file in sorted(folder.rglob("*"))
        for stat in [file.lstat()]
    }


def test_a_preview_writes_nothing(hub: Settings, command: Command) -> None:
    land(hub.landing / "orders" / "a.csv", (EXPORTS / "orders" / "magento_export.csv").read_bytes())
    land(hub.landing / "orders" / "b.csv", [order()])
    before = contents_of(hub.data_dir)

    of_other, of_contract = (
        command(hub, "preview", "--", f"landing/orders/{name}.csv") for name in ("a", "b")
    )

    assert (of_other.returncode, of_contract.returncode) == (0, 0), of_other.stdout + of_contract.stdout
    assert contents_of(hub.data_dir) == before


def test_a_preview_needs_no_hub_and_makes_none(hub: Settings, command: Command) -> None:
    shown = command(hub, "preview", "--", str(EXPORTS / "messages" / "twilio_log.csv"))

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert not hub.data_dir.exists()


def test_a_preview_does_not_wait_for_a_refresh(hub: Settings, command: Command) -> None:
    land(hub.landing / "orders" / "a.csv", [order()])
    with hub_lock(hub, notify=str), connect(hub):
        shown = command(hub, "preview", "--", "landing/orders/a.csv")

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "1 accepted" in shown.stdout


def test_a_file_that_cannot_be_previewed_is_one_line_and_exit_code_1(hub: Settings, command: Command) -> None:
    shown = command(hub, "preview", "--", "$(x) [red]; none.csv")

    assert (shown.returncode, shown.stderr) == (1, "")
    (line,) = shown.stdout.splitlines()
    assert line.startswith("✗ There is no file $(x) [red]; none.csv")


def test_a_hub_of_spark_previews_as_any_other(hub: Settings) -> None:
    land(hub.landing / "orders" / "a.csv", [order()])

    assert (
        preview_file(replace(hub, engine=type(hub.engine)("spark")), "landing/orders/a.csv").outcome.error
        is None
    )
