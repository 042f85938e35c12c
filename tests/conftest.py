"""Fixtures that several test modules share."""

from __future__ import annotations

import gc
import hashlib
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from orchestration.settings import Settings

if TYPE_CHECKING:
    from support.buckets import Bucket


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, default=4, help="how many refreshes tests/test_killed.py kills (default: 4)"
    )
    parser.addoption(
        "--fuzz",
        type=int,
        default=2,
        help="how many files tests/landing/test_csv_fuzz.py generates (default: 2)",
    )
    parser.addoption("--fuzz-seed", type=int, default=0, help="the seed of the first of them (default: 0)")
    parser.addoption(
        "--histories",
        type=int,
        default=50,
        help="how many histories the tests of refreshes and of the ledger go through (default: 50)",
    )
    parser.addoption(
        "--histories-seed", type=int, default=0, help="the seed that they are drawn from (default: 0)"
    )
    parser.addoption(
        "--arrivals",
        type=int,
        default=200,
        help="how many histories of the landing folder tests/landing/test_arrivals.py loads (default: 200)",
    )
    parser.addoption(
        "--arrivals-seed", type=int, default=0, help="the seed that they are drawn from (default: 0)"
    )


# An assertion of theirs that fails shows its values, as one of a test does.
pytest.register_assert_rewrite("support")

# What a module imports from whose tests refresh hubs or start dbt.
REFRESHING = (
    *("orchestration.definitions", "orchestration.dbt_runner.project"),
    *(
        f"support.{name}"
        for name in ("finished_hubs", "hub_life", "ledger_hub", "pipeline", "rebuilds", "small_hub")
    ),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a refresh, which `make check` leaves out; begin with the longest tests."""
    for item in items:
        if isinstance(item, pytest.Function) and (
            "command" in item.fixturenames or _imports_from_any(item.module, REFRESHING)
        ):
            item.add_marker(pytest.mark.refresh)
    # Begun last, one of them would keep a single worker busy while the others have nothing left to do.
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_configure() -> None:
    """Look for garbage seldom, and hear interrupts also where a shell runs the tests in the background."""
    # It took a tenth of each refresh in this process, and there is little.
    gc.set_threshold(100_000, 20, 20)
    # A shell without job control starts background processes with SIGINT ignored. Dagster then ignores
    # SIGTERM too, so a test that terminates a process would never end.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _imports_from_any(module: ModuleType, names: Sequence[str]) -> bool:
    """Whether a module holds one of the modules, or what one of them defines."""
    return any(
        (value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)) in names
        for value in vars(module).values()
    )


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that do not end as their format does are read at once, so that tests do not wait."""
    monkeypatch.setattr("orchestration.landing.load.REST_SECONDS", 0.0)


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[str]:
    """The address of a server of object storage on this machine."""
    from support.buckets import server

    with server() as address:
        yield address


@pytest.fixture
def bucket(bucket_server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Bucket:
    """An empty bucket of a test's own."""
    from support.buckets import bucket_at

    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:40]
    return bucket_at(bucket_server, f"b{name}", monkeypatch)


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command of the project for a hub, in a process of its own, as a person would."""
    from support.commands import run_forked

    return run_forked


@pytest.fixture
def refresh(command: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., Path]:
    """Runs one refresh of a data directory and returns the published file."""

    def run(
        data_dir: Path,
        timezone: str = "UTC",
        as_of: date = date(2026, 1, 31),
        currency: str = "USD",
    ) -> Path:
        settings = Settings(data_dir, timezone, as_of, currency)
        finished = command(settings, "run")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return settings.published

    return run


@pytest.fixture(scope="session")
def refreshed_hub(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A hub with a message and an order, refreshed once; each test takes a copy (support.small_hub)."""
    from support.pipeline import refresh
    from support.small_hub import landed_hub

    hub = landed_hub(tmp_path_factory.mktemp("refreshed") / "hub")
    refresh(hub)
    return hub
