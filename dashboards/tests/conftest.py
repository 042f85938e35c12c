"""One hub with the sample, one dashboard on it, and one browser, for all tests."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from serving import PATIENCE, Dashboard, free_port, refresh, start


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a hub in which the sample is published."""
    environment = {
        **os.environ,
        "CONTACT_DATA_DIR": str(tmp_path_factory.mktemp("hub")),
        "CONTACT_TIMEZONE": "UTC",
        "CONTACT_CURRENCY": "USD",
        "CONTACT_AS_OF": "",
    }
    refresh(environment, "demo")
    return environment


@pytest.fixture(scope="session")
def dashboard(hub: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    port = free_port()
    process, said = start(hub, port, tmp_path_factory.mktemp("dashboard") / "log")
    passwords = dict(re.findall(r"user (\w+), password (\S+)", said))
    folder = Path(hub["CONTACT_DATA_DIR"])
    served = Dashboard(
        f"http://127.0.0.1:{port}", folder, folder / "published" / "contact_reports.duckdb", passwords, said
    )
    admin = served.signed_in("admin")
    passwords["outsider"] = admin.add_user("outsider", "Gamma")
    yield served
    process.send_signal(signal.SIGINT)
    process.wait(60)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1200}, locale="en-US", timezone_id="UTC")
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()
