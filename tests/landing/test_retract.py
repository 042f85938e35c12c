"""Taking files back, beyond what the histories of test_arrivals.py do."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from support.landing import land, load

from orchestration.landing import retract
from orchestration.landing.contracts import MESSAGES
from orchestration.landing.retract import REQUEST, RetractError
from orchestration.operations.runs import landing_fingerprint
from orchestration.settings import Settings
from orchestration.warehouse import databases

MESSAGE = {"customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")


def messages(*ids: str) -> list[dict[str, str]]:
    return [{"message_id": message_id, **MESSAGE} for message_id in ids]


def take_back(hub: Settings, path: str) -> list[str]:
    with databases.connect(hub) as connection:
        return retract.retract(connection, hub, path)


@pytest.mark.parametrize("grown", [messages("m1", "m2"), messages("m3")])
def test_a_file_that_has_changed_since_it_was_loaded_is_taken_back_with_what_it_holds_now(
    hub: Settings, grown: list[dict[str, str]]
) -> None:
    load(hub, MESSAGES, {"a.csv": messages("m1"), "b.csv": messages("m4")})
    land(hub.landing / "messages" / "a.csv", grown)

    assert take_back(hub, "landing/messages/a.csv") == ["landing/messages/a.csv"]

    assert not (hub.landing / "messages" / "a.csv").exists()
    assert len(list(hub.retracted.rglob("a.csv"))) == 1
    for _ in range(2):
        loaded = load(hub, MESSAGES, numbered=False)
        assert loaded.column("message_id") == ["m4"]
        assert loaded.files["a.csv"].status == "retracted"


def test_a_file_that_left_before_it_was_taken_back_makes_a_refresh_due(hub: Settings) -> None:
    load(hub, MESSAGES, {"a.csv": messages("m1"), "b.csv": messages("m2")})
    (hub.landing / "messages" / "a.csv").unlink()
    load(hub, MESSAGES, numbered=False)
    before = landing_fingerprint(hub)

    take_back(hub, "landing/messages/a.csv")

    assert landing_fingerprint(hub) != before


def test_a_request_that_cannot_be_read_is_named(hub: Settings) -> None:
    load(hub, MESSAGES, {"a.csv": messages("m1")})
    take_back(hub, "landing/messages/a.csv")
    (request,) = hub.retracted.rglob(REQUEST)
    request.write_text("no JSON")

    with pytest.raises(RetractError, match=f"{request}, which says what was taken back, cannot be read"):
        load(hub, MESSAGES, numbered=False)


def test_the_record_of_files_says_at_once_what_was_taken_back(
    hub: Settings, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    load(hub, MESSAGES, {"a.csv": messages("m1")})

    command(hub, "retract", "landing/messages/a.csv")

    assert "retracted   landing/messages/a.csv" in command(hub, "files").stdout
