"""Alerts reach a receiver on this machine: what is sent, when it is, and what holds nothing of it.

Belongs here: the three sensors, and their delivery. Does not belong here: `make status` (test_status.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from orchestration.defs import alert_sensors as sensors
from orchestration.defs.schedules import refresh
from orchestration.operations import alerts
from orchestration.settings import Settings

NOW = datetime(2026, 2, 1, 12, tzinfo=UTC)


class Receiver(ThreadingHTTPServer):
    """Takes what is posted to it, or refuses it."""

    def __init__(self) -> None:
        self.received: list[dict[str, str]] = []
        self.answer = 200
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def address(self) -> str:
        return f"json://user:secret@127.0.0.1:{self.server_address[1]}/hook"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def hub(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONTACT_ALERTS", receiver.address)
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


def publish(hub: Settings, messages: list[datetime], orders: list[datetime]) -> None:
    hub.published.parent.mkdir(exist_ok=True)
    with duckdb.connect(str(hub.published)) as connection:
        connection.execute("create or replace table fct_messages (occurred_at timestamp)")
        connection.execute("create or replace table fct_orders (ordered_at timestamp)")
        for table, instants in (("fct_messages", messages), ("fct_orders", orders)):
            for instant in instants:
                connection.execute(f"insert into {table} values (?)", [instant.replace(tzinfo=None)])


def look(hub: Settings, instance: dg.DagsterInstance, cursor: str | None) -> str | None:
    """One look for data; returns what the sensor remembers."""
    context = dg.build_sensor_context(instance, cursor=cursor)
    (sensor,) = [one for one in sensors.build_alert_sensors(lambda: hub) if "no_data" in one.name]
    sensor(context)
    return context.cursor


def run_refresh(
    instance: dg.DagsterInstance, is_success: bool, warned: str = ""
) -> dg.ExecuteInProcessResult:
    """A refresh that fails, or whose checks warn."""

    @dg.asset
    def published() -> None:
        if not is_success:
            raise RuntimeError("<b>landed text</b>")

    @dg.asset_check(asset=published)
    def customers_meet() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed="customers_meet" not in warned, severity=dg.AssetCheckSeverity.WARN)

    @dg.asset_check(asset=published)
    def equal_versions() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed="equal_versions" not in warned, severity=dg.AssetCheckSeverity.WARN)

    job = dg.define_asset_job(refresh.name)
    definitions = dg.Definitions(
        assets=[published], asset_checks=[customers_meet, equal_versions], jobs=[job]
    )
    return definitions.resolve_job_def(refresh.name).execute_in_process(
        instance=instance, raise_on_error=False
    )


def end_refresh(hub: Settings, instance: dg.DagsterInstance, is_success: bool, warned: str = "") -> None:
    """A refresh ends, and its sensor looks."""
    result = run_refresh(instance, is_success, warned)
    on_failure, on_warnings, _ = sensors.build_alert_sensors(lambda: hub)
    sensor = on_warnings if is_success else on_failure
    context = dg.build_run_status_sensor_context(
        sensor.name,
        dagster_event=result.get_run_success_event() if is_success else result.get_run_failure_event(),
        dagster_instance=instance,
        dagster_run=result.dagster_run,
    )
    sensor(context if is_success else context.for_run_failure())


def test_a_failed_refresh_is_reported_once_until_one_succeeds(hub: Settings, receiver: Receiver) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for is_success in (True, False, False, True, False):
            end_refresh(hub, instance, is_success)

    assert [one["title"] for one in receiver.received] == ["Contact reporting: a refresh failed"] * 2
    assert str(hub.data_dir) in receiver.received[0]["message"]
    assert "make status" in receiver.received[0]["message"]
    assert "landed text" not in str(receiver.received)


def test_a_refresh_of_the_command_line_is_reported_too(hub: Settings, receiver: Receiver) -> None:
    on_failure, *_ = sensors.build_alert_sensors(lambda: hub)
    definitions = dg.Definitions(sensors=[on_failure])
    with dg.DagsterInstance.ephemeral() as instance:
        cursor = None
        for _ in range(2):
            context = dg.build_sensor_context(
                instance,
                cursor=cursor,
                repository_name="of the daemon",
                sensor_name=on_failure.name,
                definitions=definitions,
            )
            cursor = on_failure.evaluate_tick(context).cursor
            # After the first look, which says from when on runs are looked at.
            if not receiver.received:
                run_refresh(instance, is_success=False)

    assert [one["title"] for one in receiver.received] == ["Contact reporting: a refresh failed"]


@pytest.mark.parametrize(
    ("hours_before", "is_reported"),
    [([], True), ([1], False), ([1, 23], False), ([1, 25], False), ([2, 24], True), ([24], True)],
)
def test_refreshes_that_keep_failing_are_reported_each_day(
    hours_before: list[int], is_reported: bool
) -> None:
    failed_before = [NOW - timedelta(hours=hours) for hours in hours_before]

    assert sensors.is_first_of_its_day(NOW, failed_before) is is_reported


def test_checks_are_reported_when_they_begin_to_warn(hub: Settings, receiver: Receiver) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for warned in ("", "customers_meet", "customers_meet", "customers_meet equal_versions"):
            end_refresh(hub, instance, is_success=True, warned=warned)

    assert [one["title"] for one in receiver.received] == ["Contact reporting: a check warns"] * 2
    assert "- customers_meet\n" in receiver.received[0]["message"]
    assert "- equal_versions\n" in receiver.received[1]["message"]
    assert "customers_meet" not in receiver.received[1]["message"]


def test_each_silence_is_reported_once(
    hub: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "now", lambda: NOW)
    old, new, later = NOW - timedelta(hours=37), NOW - timedelta(hours=1), NOW + timedelta(days=30)
    cursor = None
    with dg.DagsterInstance.ephemeral() as instance:
        for messages, orders in (
            ([new], [new]),
            # An event that is dated later than now is no sign of life.
            ([old, later], [new]),
            ([old, later], [new]),
            ([old, later], []),
            ([new], [new]),
            ([old], [new]),
        ):
            publish(hub, messages, orders)
            cursor = look(hub, instance, cursor)

    assert [one["title"] for one in receiver.received] == [
        "Contact reporting: no new messages for 36 hours",
        "Contact reporting: no new orders for 36 hours",
        "Contact reporting: no new messages for 36 hours",
    ]
    assert "the newest is of 2026-01-30 23:00 UTC" in receiver.received[0]["message"]
    assert "none at all" in receiver.received[1]["message"]


def test_what_was_not_delivered_is_sent_at_the_next_look(
    hub: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "now", lambda: NOW)
    publish(hub, [NOW - timedelta(days=9)], [NOW])
    receiver.answer = 500
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(alerts.AlertError, match=r"number 1 \(json\)") as refused:
            look(hub, instance, None)
        receiver.answer = 200
        look(hub, instance, None)

    assert len(receiver.received) == 2
    assert "secret" not in str(refused.value)


def test_one_address_that_cannot_be_used_keeps_no_other_from_the_alert(receiver: Receiver) -> None:
    with pytest.raises(alerts.AlertError, match=r"1 of 3 addresses .*number 2 \(which is no address\)"):
        alerts.deliver(alerts.Alert("title", "body"), [receiver.address, "nowhere", receiver.address])

    assert [one["message"] for one in receiver.received] == ["body", "body"]


def test_without_an_address_nothing_is_sent(
    hub: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONTACT_ALERTS")
    with dg.DagsterInstance.ephemeral() as instance:
        end_refresh(hub, instance, is_success=False)
        end_refresh(hub, instance, is_success=True, warned="customers_meet")
        look(hub, instance, None)

    assert receiver.received == []


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "a day"])
def test_hours_that_are_none_are_refused(hours: str) -> None:
    with pytest.raises(alerts.AlertError, match="CONTACT_ALERT_AFTER_HOURS"):
        alerts.hours_without_data({"CONTACT_ALERT_AFTER_HOURS": hours})


def test_all_sensors_that_alert_are_off_at_first(hub: Settings) -> None:
    built = sensors.build_alert_sensors(lambda: hub)

    assert len(built) == 3
    assert {sensor.default_status for sensor in built} == {dg.DefaultSensorStatus.STOPPED}
