"""A hub of one message and one order, which is refreshed once for all tests that begin with such a hub.

Belongs here: what has landed in it, and its copies. Does not belong here: the refresh, which is a fixture of
the session (``refreshed_hub`` of conftest.py).
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

from orchestration.settings import Settings
from support.landing import land_csv

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}
ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": "2026-01-12T10:00:00Z",
    "order_value": "50.00",
    "sales_channel": "online",
}


def landed_hub(folder: Path) -> Settings:
    """A hub with the message and the order, not refreshed yet."""
    hub = Settings(folder, "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    land_csv(hub.landing / "orders" / "a.csv", [ORDER])
    return hub


def copied(hub: Settings, folder: Path) -> Settings:
    """The hub in another folder, as if it had always been there: its files keep their times and rights."""
    shutil.copytree(hub.data_dir, folder, symlinks=True)
    return replace(hub, data_dir=folder)
