"""A PostgreSQL server of this machine, and a hub of several versions that databases are brought to.

Belongs here: what the tests of PostgreSQL share. Does not belong here: what they hold.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest
from support import pipeline
from support.compared_hub import ComparedHub
from support.hub_life import batches_of, live
from support.landed_histories import landed_histories
from support.ledger_hub import Published
from support.postgres_server import address, admin, running_server
from support.strategies import TIMEZONES, drawn

from orchestration.postgres import function_bodies
from orchestration.postgres.bring_up import BroughtUp, bring_up
from orchestration.settings import Settings

HISTORIES = 30


@pytest.fixture(scope="session")
def server() -> Iterator[Path]:
    """The folder of the socket of a server."""
    with running_server() as folder:
        yield folder


@pytest.fixture(scope="session")
def new_database(server: Path) -> Callable[[], str]:
    """Makes an empty database; gives its address."""
    numbers = itertools.count()

    def make() -> str:
        name = f"reports_{next(numbers)}"
        with admin(server) as cursor:
            cursor.execute(f"create database {name}")
        return address(server, name)

    return make


@pytest.fixture
def database(new_database: Callable[[], str]) -> str:
    """The address of an empty database."""
    return new_database()


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """dbt compiles the functions once, not for each database: they are the same in all."""
    compiled: dict[str, str] = {}
    compile_all = function_bodies._compiled

    def compile_once(settings: Settings, names: Iterable[str], folder: Path) -> dict[str, str]:
        compiled.update(compiled or compile_all(settings, names, folder))
        return compiled

    with patch.object(function_bodies, "_compiled", compile_once):
        yield


@pytest.fixture(scope="session")
def hub(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]
) -> ComparedHub:
    """A hub of random histories in several refreshes, after each of which its database was right."""
    seed = request.config.getoption("--histories-seed")
    chance = random.Random(f"{seed} postgres")
    database = new_database()
    folder = tmp_path_factory.mktemp("versions") / "hub"
    zone = chance.choice(TIMEZONES)
    hub = ComparedHub(Settings(folder, zone, date.max, "USD", postgres_url=database))
    steps = live(hub, batches_of(drawn(landed_histories(), HISTORIES, seed)), chance)
    print(f"\nseed {seed}: {', '.join(steps)}")
    return hub


@pytest.fixture(scope="session")
def bring_to(hub: ComparedHub) -> Callable[[str, Published], BroughtUp]:
    """Brings a database to a version of the hub, as if that were the one that was just published."""
    published = hub.settings.published
    newest = published.readlink()

    def bring(database: str, version: Published) -> BroughtUp:
        point_to(published, newest.parent.with_name(version.name) / newest.name)
        try:
            done = bring_up(replace(hub.settings, postgres_url=database), pipeline.manifest())
        finally:
            point_to(published, newest)
        assert done is not None
        return done

    return bring


def point_to(link: Path, target: Path) -> None:
    link.unlink()
    link.symlink_to(target)
