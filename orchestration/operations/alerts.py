"""What is told to people who are not looking, and how it reaches them: a webhook, a mail, a chat.

An alert names the hub, checks and counts. It holds no landed text, which a chat could take for markup or a
mention, and no error text, which can quote landed text.

Belongs here: the texts, what counts as news, and the delivery. Does not belong here: when Dagster looks
(defs/alert_sensors.py), and what else monitors read (status.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import duckdb

from orchestration.landing.contracts import CONTRACTS
from orchestration.settings import Settings
from orchestration.sql import one_row

# They may hold passwords, so they are in no settings, which runs and their records have.
ADDRESSES_VARIABLE = "CONTACT_ALERTS"
HOURS_VARIABLE = "CONTACT_ALERT_AFTER_HOURS"
DEFAULT_HOURS = 36

HOW_TO_SET = f"Set {ADDRESSES_VARIABLE} to where alerts go: docs/operations.md, Alerts."


class AlertError(RuntimeError):
    """An alert could not be sent; the message says where to and what to do, without passwords."""


@dataclass(frozen=True)
class Alert:
    """What happened, in one line, and what to do, in a few."""

    title: str
    body: str


def addresses(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Where alerts go, as addresses of Apprise; none when the variable is not set."""
    return environment.get(ADDRESSES_VARIABLE, "").split()


def hours_without_data(environment: Mapping[str, str] = os.environ) -> float:
    """After how many hours without a new event an alert is due.

    Raises:
        AlertError: when the variable is no positive number.
    """
    value = environment.get(HOURS_VARIABLE, "").strip()
    try:
        hours = float(value or DEFAULT_HOURS)
    except ValueError:
        hours = 0.0
    # Also false of what is no number at all, such as nan.
    if 0 < hours < float("inf"):
        return hours
    raise AlertError(
        f"{HOURS_VARIABLE} is {value!r}, which is no number of hours. Set it to one such as {DEFAULT_HOURS}."
    )


def deliver(alert: Alert, to: Sequence[str]) -> None:
    """Send an alert to each address.

    Raises:
        AlertError: when some address cannot be used or did not take it; all others have it.
    """
    # Only who alerts needs it, and every start-up would wait for it.
    import apprise

    refused = []
    for number, address in enumerate(to, 1):
        receiver = apprise.Apprise()
        is_taken = receiver.add(address) and receiver.notify(
            title=alert.title,
            body=alert.body,
            body_format=apprise.NotifyFormat.TEXT,
            notify_type=apprise.NotifyType.WARNING,
        )
        if not is_taken:
            kind = address.partition("://")[0] if "://" in address else "which is no address"
            refused.append(f"number {number} ({kind[:20]})")
    if refused:
        raise AlertError(
            f"The alert {alert.title!r} was not taken by {len(refused)} of {len(to)} addresses of "
            f"{ADDRESSES_VARIABLE}: {', '.join(refused)}. To see why: `.venv/bin/apprise -vv --body test "
            "ADDRESS`."
        )


def on_failure(settings: Settings, run_id: str) -> Alert:
    """A refresh has failed."""
    return Alert(
        "Contact reporting: a refresh failed",
        f"Hub: {settings.data_dir}\n"
        f"Run: {run_id}\n"
        "Readers keep what was published before. `make status` says why it failed and what to do; the "
        "page of the run in the web UI has the log. While refreshes keep failing, you hear of it once a day.",
    )


def on_warnings(settings: Settings, run_id: str, warned: Sequence[str]) -> Alert:
    """Checks that only warn have found something that they had not found the refresh before."""
    listed = "\n".join(f"- {check}" for check in warned)
    number = "a check warns" if len(warned) == 1 else f"{len(warned)} checks warn"
    return Alert(
        f"Contact reporting: {number}",
        f"Hub: {settings.data_dir}\n"
        f"Run: {run_id}\n"
        f"The figures were published. New since the refresh before:\n{listed}\n"
        "The page of each check in the web UI has its description and the rows that it found.",
    )


def on_silence(settings: Settings, newest: Mapping[str, datetime | None], hours: float) -> Alert:
    """No new event has been published for too long."""
    listed = "\n".join(
        f"- {entity}: the newest is of {instant:%Y-%m-%d %H:%M} UTC"
        if instant
        else f"- {entity}: none at all"
        for entity, instant in newest.items()
    )
    return Alert(
        f"Contact reporting: no new {' and '.join(newest)} for {hours:g} hours",
        f"Hub: {settings.data_dir}\n{listed}\n"
        "`make files` shows what has landed, `make status` whether refreshes succeed. If nothing has landed, "
        "ask whoever exports the events.",
    )


def silent_entities(settings: Settings, now: datetime, hours: float) -> dict[str, datetime | None]:
    """The entities of which no published event is newer than some hours, with the newest instant of each.

    Raises:
        duckdb.Error: when the published file cannot be read.
    """
    now = now.astimezone(UTC).replace(tzinfo=None)
    with duckdb.connect(str(settings.published), read_only=True) as connection:
        # An event that is dated later than now is no sign of life.
        newest = {
            contract.entity: one_row(
                connection,
                f"select max({contract.happened_at}) from fct_{contract.entity} "
                f"where {contract.happened_at} <= $now",
                {"now": now},
            )[0]
            for contract in CONTRACTS
        }
    limit = now - timedelta(hours=hours)
    return {entity: instant for entity, instant in newest.items() if instant is None or instant < limit}
