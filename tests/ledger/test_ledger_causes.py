"""Each cause of a restatement by an example: its code, the fields that changed, the files that brought it.

Belongs here: what was done to one event between two versions, and what the ledger says of it. Does not belong
here: that the rows add up whatever happens (test_ledger_histories.py).
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import pytest
from rich.console import Console
from support import pipeline
from support.ledger_hub import Event, LandedContent, RecordedHub
from support.oracle import Message, Order
from support.pipeline import reading

from orchestration.dbt_runner import project
from orchestration.dbt_runner.sources import hash_of_sources, record_parsed
from orchestration.settings import REPOSITORY, Engine, Settings
from orchestration.terminal.printed_why import compare, print_why
from orchestration.terminal.restated_days import restated_days

AS_OF = date(2026, 1, 20)

# A message that is sent then has a closed window at the end of the as-of day, or an open one.
SETTLED = datetime(2026, 1, 5, 12)
OPEN = datetime(2026, 1, 18, 12)

# After the as-of day of the first two versions: days of which both know a message, or only the third one.
KNOWN_DAY = datetime(2026, 1, 22, 12)
NEW_DAY = datetime(2026, 1, 24, 12)

DAY = timedelta(days=1)

# In New York it is the day before.
NIGHT = datetime(2026, 1, 6, 2)

# Its window closes after the end of the last as-of day, but not after its end in New York.
LAST_NIGHT = datetime(2026, 1, 20, 2)

ALL_DAYS = (date(2026, 1, 1), date(2026, 1, 31))


def message(name: str, sent_at: datetime = SETTLED) -> Message:
    """A message of a customer of the same name."""
    return Message(name, name, "q1", "u1", "sent", sent_at, sent_at)


def order(name: str, after: datetime = SETTLED, value: str = "10.00") -> Order:
    """An order that a customer of this name places on the day after."""
    at = after + DAY
    return Order(name, name, at, Decimal(value), Decimal("0.00"), "online", "placed", at)


def changed(event: Event, **fields: Any) -> Event:
    """The next version of an event."""
    return replace(event, updated_at=event.updated_at + 60 * DAY, **fields)


# What changes in the second version, each in a file of its own: the fields by the name of the event.
CHANGED_MESSAGES: dict[str, dict[str, Any]] = {
    "in another queue": {"queue_id": "q2"},
    "of another user": {"user_id": "u2"},
    "of another customer": {"customer_id": "somebody"},
    "at another time": {"occurred_at": SETTLED - 2 * DAY},
    "skipped after all": {"status": "skipped"},
    "in another queue of another user": {"queue_id": "q2", "user_id": "u2"},
}
CHANGED_ORDERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "cancelled": ({"status": "cancelled"}, {"order_cancelled"}),
    "refunded": ({"refunded_value": Decimal("4.00")}, {"order_refunded"}),
    "of another value": ({"order_value": Decimal("12.00")}, {"order_changed"}),
    "of a guest": ({"customer_id": None}, {"order_changed"}),
    "too late": ({"ordered_at": SETTLED + 8 * DAY}, {"order_changed"}),
    "refunded, of another value": (
        {"order_value": Decimal("12.00"), "refunded_value": Decimal("4.00")},
        {"order_changed", "order_refunded"},
    ),
}


@dataclass(frozen=True)
class Recorded:
    """A hub of five versions, with its files by their names."""

    hub: RecordedHub
    files: dict[str, LandedContent]
    ledger: duckdb.DuckDBPyConnection

    def restatement(self, after: int, message_id: str, order_id: str | None = None) -> dict[str, Any]:
        """What the version of this number restated of a message, or of a touch."""
        (row,) = self.restatements(after, message_id, order_id)
        return row

    def restatements(self, after: int, message_id: str, order_id: str | None = None) -> list[dict[str, Any]]:
        """The same in a list, which is empty where the version restated nothing of it."""
        found = self.rows(
            "from restatements where from_version = ? and to_version = ? and message_id = ?"
            " and order_id is not distinct from ?",
            *(self.hub.versions[number].name for number in (after - 1, after)),
            message_id,
            order_id,
        )
        assert len(found) < 2
        return found

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Rows of the newest published file."""
        cursor = self.ledger.execute(query, list(parameters))
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A hub in which every cause moved some figure."""
    hub = RecordedHub(Settings(tmp_path_factory.mktemp("ledger") / "hub", "UTC", AS_OF, "USD"))
    files: dict[str, LandedContent] = {}

    def land(entity: str, name: str, *events: Event) -> None:
        files[name] = hub.land(entity, name, events)

    others = ("overtaken", "reinstated", "bought", "without its order", "corrected for a while", "confirmed")
    messages = {name: message(name) for name in (*CHANGED_MESSAGES, *CHANGED_ORDERS, *others)}
    orders = {name: order(name) for name in (*CHANGED_MESSAGES, *CHANGED_ORDERS, "overtaken")}
    reinstated = replace(order("reinstated"), status="cancelled")
    in_time = message("open", OPEN), message("at night", NIGHT), message("last night", LAST_NIGHT)
    skipped = replace(message("sent after all", OPEN), status="skipped")
    land("messages", "messages", *messages.values(), *in_time, skipped)
    land("orders", "orders", *orders.values(), reinstated, order("at night", NIGHT))
    land("messages", "taken back", message("taken back"))
    land("orders", "order taken back", order("without its order"))
    correction = changed(messages["corrected for a while"], queue_id="q2")
    land("messages", "correction taken back", correction)
    hub.publish()

    for name, fields in CHANGED_MESSAGES.items():
        land("messages", name, changed(messages[name], **fields))
    for name, (fields, _) in CHANGED_ORDERS.items():
        land("orders", name, changed(orders[name], **fields))
    confirmed = changed(messages["confirmed"], queue_id="q2")
    land("messages", "corrected", confirmed)
    land("messages", "confirmed", changed(confirmed))
    land("messages", "sent after all", changed(skipped, status="sent"))
    land("orders", "reinstated", changed(reinstated, status="placed"))
    land("orders", "bought", order("bought"))
    land("orders", "bought in time", replace(order("bought in time", OPEN), customer_id="open"))
    land("messages", "late", message("late"))
    overtaking = replace(message("overtaking", SETTLED + DAY / 2), customer_id="overtaken")
    land("messages", "overtaking", overtaking)
    land("messages", "early", message("early", KNOWN_DAY))
    hub.publish()

    land("messages", "on a known day", message("on a known day", KNOWN_DAY))
    land("messages", "on a new day", message("on a new day", NEW_DAY))
    for name in ("taken back", "order taken back", "correction taken back"):
        hub.retract(files[name])
    hub.set(as_of=AS_OF + 6 * DAY)
    hub.publish()

    hub.set(timezone="America/New_York")
    hub.publish()

    with other_software(tmp_path_factory.mktemp("other") / "software"):
        hub.publish()
    with reading(hub.versions[-1].file) as ledger:
        yield Recorded(hub, files, ledger)


@contextmanager
def other_software(folder: Path) -> Iterator[None]:
    """Within it, dbt builds the models of another release: one that knows no refunds."""
    for name in ("dbt_project", "models", "seeds", "tests/dbt"):
        ignored = shutil.ignore_patterns("target*", "logs")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    model = folder / "models" / "staging" / "stg_orders.sql"
    text = model.read_text()
    assert "events.refunded_value" in text
    model.write_text(text.replace("events.refunded_value", "cast(0 as decimal(18, 2)) as refunded_value"))
    with (
        patch.object(project, "PROJECT_DIR", folder / "dbt_project"),
        patch.object(pipeline, "DBT_TARGET", folder / "target"),
    ):
        pipeline.invoke_dbt("parse", project.PARSING_ALL)
        record_parsed(folder / "target", hash_of_sources(Engine.DUCKDB))
        manifest = json.loads((folder / "target" / "manifest.json").read_text())
        with patch.object(pipeline, "manifest", lambda: manifest):
            yield


@pytest.mark.parametrize("name", CHANGED_MESSAGES)
def test_a_changed_message_says_which_fields_changed(recorded: Recorded, name: str) -> None:
    fields = set(CHANGED_MESSAGES[name])

    assert_says(recorded.restatement(1, name), {"message_changed"}, fields, [recorded.files[name]])


@pytest.mark.parametrize("name", CHANGED_ORDERS)
def test_a_changed_order_says_of_its_touch_which_fields_changed(recorded: Recorded, name: str) -> None:
    fields, causes = CHANGED_ORDERS[name]

    assert_says(recorded.restatement(1, name, name), causes, set(fields), [recorded.files[name]])
    assert recorded.restatements(1, name) == []


@pytest.mark.parametrize("name", ["of another customer", "skipped after all"])
def test_a_touch_that_its_message_left_says_so(recorded: Recorded, name: str) -> None:
    row = recorded.restatement(1, name, name)

    assert_says(row, {"message_changed"}, set(CHANGED_MESSAGES[name]), [recorded.files[name]])
    assert (row["order_value_before"], row["order_value_after"]) == (Decimal("10.00"), None)


def test_of_files_that_say_the_same_the_one_with_the_greatest_version_brought_a_change(
    recorded: Recorded,
) -> None:
    row = recorded.restatement(1, "confirmed")

    assert_says(row, {"message_changed"}, {"queue_id"}, [recorded.files["confirmed"]])


def test_a_reinstated_order_comes_back(recorded: Recorded) -> None:
    row = recorded.restatement(1, "reinstated", "reinstated")

    assert_says(row, {"order_reinstated"}, {"status"}, [recorded.files["reinstated"]])
    assert (row["order_value_before"], row["order_value_after"]) == (None, Decimal("10.00"))


def test_a_new_order_restates_a_settled_message_and_is_growth_of_an_open_one(recorded: Recorded) -> None:
    settled = recorded.restatement(1, "bought", "bought")
    growth = recorded.restatement(1, "open", "bought in time")

    assert_says(settled, {"order_new"}, set(), [recorded.files["bought"]])
    assert_says(growth, {"order_new"}, set(), [recorded.files["bought in time"]], was_settled=False)


def test_a_late_message_takes_over_the_credit_of_an_older_one(recorded: Recorded) -> None:
    of_late = [recorded.files["overtaking"]]
    overtaken = recorded.restatement(1, "overtaken", "overtaken")
    overtaking = recorded.restatement(1, "overtaking", "overtaken")

    assert_says(recorded.restatement(1, "late"), {"message_late"}, set(), [recorded.files["late"]])
    assert_says(recorded.restatement(1, "overtaking"), {"message_late"}, set(), of_late)
    assert_says(overtaken, {"message_late"}, set(), of_late)
    assert_says(overtaking, {"message_late"}, set(), of_late)
    assert (overtaken["is_last_touch_before"], overtaken["is_last_touch_after"]) == (True, False)
    assert (overtaking["is_last_touch_before"], overtaking["is_last_touch_after"]) == (None, True)


def test_a_message_of_a_new_day_is_growth_that_is_not_written(recorded: Recorded) -> None:
    versions = recorded.rows("select new_days from versions order by version")

    assert [row["new_days"] or [] for row in versions[1:3]] == [[KNOWN_DAY.date()], [NEW_DAY.date()]]
    for after, name in ((1, "early"), (2, "on a new day")):
        assert recorded.restatements(after, name) == []
        (row,) = why(recorded, after - 1, after, "messages_sent", name)
        assert (row["difference"], row["was_settled"], row["causes"]) == (1, False, ["message_new"])


def test_a_message_that_comes_after_the_as_of_day_is_new(recorded: Recorded) -> None:
    row = recorded.restatement(2, "on a known day")

    assert_says(row, {"message_new"}, set(), [recorded.files["on a known day"]], was_settled=False)


def test_the_as_of_day_closes_a_window(recorded: Recorded) -> None:
    row = recorded.restatement(2, "open")

    assert_says(row, {"as_of_moved"}, set(), [], was_settled=False)
    assert (row["is_in_open_window_before"], row["is_in_open_window_after"]) == (True, False)


def test_a_message_that_was_sent_after_all_opens_a_window_by_its_change(recorded: Recorded) -> None:
    row = recorded.restatement(1, "sent after all")

    of_change = [recorded.files["sent after all"]]
    assert_says(row, {"message_changed"}, {"status"}, of_change, was_settled=False)
    assert (row["is_in_open_window_before"], row["is_in_open_window_after"]) == (False, True)


def test_another_zone_closes_a_window_by_its_setting(recorded: Recorded) -> None:
    row = recorded.restatement(3, "last night")

    assert_says(row, {"setting_changed"}, set(), [], was_settled=False)
    assert (row["is_in_open_window_before"], row["is_in_open_window_after"]) == (True, False)


def test_what_was_taken_back_is_removed(recorded: Recorded) -> None:
    touch = recorded.restatement(2, "without its order", "without its order")

    assert_says(
        recorded.restatement(2, "taken back"), {"message_removed"}, set(), [recorded.files["taken back"]]
    )
    assert_says(touch, {"order_removed"}, set(), [recorded.files["order taken back"]])


def test_a_correction_that_was_taken_back_changes_the_message_again(recorded: Recorded) -> None:
    row = recorded.restatement(2, "corrected for a while")

    assert_says(row, {"message_changed"}, {"queue_id"}, [recorded.files["correction taken back"]])
    assert (row["queue_id_before"], row["queue_id_after"]) == ("q2", "q1")


def test_another_zone_is_a_changed_setting(recorded: Recorded) -> None:
    row = recorded.restatement(3, "at night")

    assert_says(row, {"setting_changed"}, set(), [])
    assert_says(recorded.restatement(3, "at night", "at night"), {"setting_changed"}, set(), [])
    assert (row["message_date_before"], row["message_date_after"]) == (date(2026, 1, 6), date(2026, 1, 5))
    assert recorded.restatements(3, "late") == []


def test_other_models_are_changed_software(recorded: Recorded) -> None:
    row = recorded.restatement(4, "refunded", "refunded")
    (figure,) = why(recorded, 3, 4, "revenue_refunded", "refunded")

    assert_says(row, {"software_changed"}, set(), [])
    assert (row["refunded_value_before"], row["refunded_value_after"]) == (Decimal("4.00"), Decimal("0.00"))
    assert (figure["difference"], figure["causes"]) == (Decimal("-4.00"), ["software_changed"])


def test_a_version_names_the_newest_file_that_it_was_made_from(recorded: Recorded) -> None:
    versions = recorded.rows("from versions order by version")
    published = recorded.hub.versions

    assert [row["version"] for row in versions] == [version.name for version in published]
    assert [row["refresh_number"] for row in versions] == [1, 2, 3, 4, 5]
    for row, version in zip(versions[:3], published[:3], strict=True):
        assert LandedContent(**row["newest_file"]) in version.moved


def test_a_version_can_be_named_by_an_instant(recorded: Recorded) -> None:
    at = [row["published_at"] for row in recorded.rows("from versions order by version")]
    name = recorded.hub.versions[1].name
    (expected,) = recorded.rows("from figures_as_of(?, ?, ?)", name, *ALL_DAYS)

    for instant in (at[1], at[2] - timedelta(microseconds=1), str(at[1]), f"{at[1].isoformat()}Z"):
        assert recorded.rows("from figures_as_of(?, ?, ?)", instant, *ALL_DAYS) == [expected]
    rows = recorded.rows("from why(?, ?, ?, ?) order by all", *at[:2], *ALL_DAYS)
    assert rows == recorded.rows(
        "from why(?, ?, ?, ?) order by all", recorded.hub.versions[0].name, name, *ALL_DAYS
    )


@pytest.mark.parametrize("version", ["no version", "2020-01-01", "20200101T000000.000000Z"])
@pytest.mark.parametrize("asked", ["why(?, $1, ?, ?)", "why_figures($1, ?, ?, ?)", "figures_as_of($1, ?, ?)"])
def test_a_version_that_is_not_kept_ends_with_those_that_are(
    recorded: Recorded, version: str, asked: str
) -> None:
    other = recorded.hub.versions[-1].name
    query = asked.replace("$1", "'" + version + "'").replace("?", f"'{other}'", asked.count("?") - 2)
    with pytest.raises(duckdb.Error) as raised:
        recorded.rows(f"from {query}", *ALL_DAYS)

    assert version in str(raised.value)
    # As DuckDB writes an instant, without zeros at its end.
    query = "select cast(published_at as varchar) as instant from versions order by version"
    first, *_ = recorded.rows(query)
    assert f"{first['instant']} on" in str(raised.value)


def test_a_version_does_not_differ_from_itself(recorded: Recorded) -> None:
    for version in recorded.hub.versions:
        assert recorded.rows("from why(?, ?, ?, ?)", version.name, version.name, *ALL_DAYS) == []


def test_settled_days_that_a_version_restated_are_told_in_one_line(recorded: Recorded) -> None:
    told = [restated_days(version.file) for version in recorded.hub.versions]

    assert told == [
        None,
        "3 settled days changed by -26.00 USD: 1 order cancelled, 4 corrected, 2 refunded, 1 reinstated, "
        "1 added, 2 messages late, 7 corrected; see make why",
        "1 settled day changed by -10.00 USD: 1 order removed, 1 message corrected, 1 removed; see make why",
        "2 settled days changed by 0.00 USD: the settings changed; see make why",
        "1 settled day changed by 0.00 USD: the software changed; see make why",
    ]


def test_the_rows_behind_the_figures_are_printed(recorded: Recorded) -> None:
    stream = io.StringIO()
    names = [version.name for version in recorded.hub.versions[:2]]
    found = compare(recorded.hub.versions[-1].file, *names)
    print_why(found, Console(file=stream, width=120, soft_wrap=True))
    lines = stream.getvalue().splitlines()

    assert "Settled days outside" not in stream.getvalue()
    for line in (
        "          -10.00  revenue_generated, order cancelled: 10.00 -> 0.00, settled, "
        "order_cancelled (status), landing/orders/cancelled.jsonl",
        "          +10.00  revenue_generated, order bought in time: 0.00 -> 10.00, growth, order_new, "
        "landing/orders/bought in time.jsonl",
    ):
        assert line in lines


def why(recorded: Recorded, before: int, after: int, figure: str, name: str) -> list[dict[str, Any]]:
    """The rows of a figure that are about a message or an order of this name."""
    names = [recorded.hub.versions[number].name for number in (before, after)]
    return [
        row
        for row in recorded.rows("from why(?, ?, ?, ?)", *names, *ALL_DAYS)
        if row["figure"] == figure and row[f"{row['entity']}_id"] == name
    ]


def assert_says(
    row: dict[str, Any] | None,
    causes: set[str],
    fields: set[str],
    files: list[LandedContent],
    was_settled: bool = True,
) -> None:
    """The causes, the changed fields and the files of a restatement, in any order, each once."""
    assert row is not None
    said = (row["causes"], row["changed_fields"] or [], row["files"] or [])
    assert sorted(said[0]) == sorted(causes)
    assert sorted(said[1]) == sorted(fields)
    assert [LandedContent(**file) for file in said[2]] == files
    assert row["was_settled"] == was_settled
