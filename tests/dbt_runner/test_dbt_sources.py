"""Content decides whether the sources of dbt are parsed again, never the times of files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from support.landing import land_csv
from support.pipeline import reading

from orchestration.dbt_runner import sources
from orchestration.dbt_runner.sources import copy_parse, hash_of_sources, is_parsed, record_parsed
from orchestration.settings import REPOSITORY, Engine, Settings

LONG_AGO = 1_000_000_000

# What a refresh needs of this repository.
DEPLOYED = ("orchestration", "dbt_project", "models", "seeds", "tests/dbt")

MESSAGE = {
    "message_id": "m1",
    "customer_id": "c1",
    "queue_id": "birthday",
    "status": "sent",
    "occurred_at": "2026-01-10T10:00:00Z",
}
ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "ordered_at": "2026-01-18T10:00:00Z",
    "order_value": "5.00",
    "sales_channel": "online",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a source of each kind, whose parse is recorded."""
    monkeypatch.setattr(sources, "REPOSITORY", tmp_path)
    for name in ("models/marts/a.sql", "models/marts/a.yml", "dbt_project/macros/b.sql", "seeds/c.csv"):
        write(tmp_path / name, "as it was")
    for name in sources.PARSED:
        write(tmp_path / "target" / name, "parsed")
    record_parsed(tmp_path / "target", hash_of_sources(Engine.DUCKDB))
    return tmp_path


def write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    os.utime(file, (LONG_AGO, LONG_AGO))


def test_sources_that_did_not_change_are_not_parsed_again(tree: Path) -> None:
    os.utime(tree / "models" / "marts" / "a.sql")

    assert is_parsed(tree / "target", Engine.DUCKDB)


@pytest.mark.parametrize("name", ["models/marts/a.sql", "models/marts/a.yml", "dbt_project/macros/b.sql"])
def test_another_content_of_the_same_size_and_time_is_noticed(tree: Path, name: str) -> None:
    write(tree / name, "as it is.")

    assert not is_parsed(tree / "target", Engine.DUCKDB)


def test_a_source_that_came_went_or_moved_is_noticed(tree: Path) -> None:
    model = tree / "models" / "marts" / "a.sql"
    write(model.with_name("d.sql"), "new")
    assert not is_parsed(tree / "target", Engine.DUCKDB)

    model.with_name("d.sql").unlink()
    assert is_parsed(tree / "target", Engine.DUCKDB)

    model.rename(model.with_name("e.sql"))
    assert not is_parsed(tree / "target", Engine.DUCKDB)


def test_another_version_of_dbt_or_of_its_adapter_is_noticed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for changed in ("dbt-core", "dbt-duckdb"):
        with monkeypatch.context() as upgraded:
            upgraded.setattr(sources, "version", lambda name, new=changed: "2" if name == new else "1")
            assert not is_parsed(tree / "target", Engine.DUCKDB)


@pytest.mark.parametrize("name", sources.PARSED)
def test_what_dbt_wrote_that_was_called_by_hand_is_noticed(tree: Path, name: str) -> None:
    write(tree / "target" / name, "by hand")
    assert not is_parsed(tree / "target", Engine.DUCKDB)

    (tree / "target" / name).unlink()
    assert not is_parsed(tree / "target", Engine.DUCKDB)


def test_without_a_record_that_can_be_read_all_is_parsed(tree: Path) -> None:
    (tree / "target" / sources.RECORD).write_bytes(b"\xff{")
    assert not is_parsed(tree / "target", Engine.DUCKDB)
    assert not is_parsed(tree / "nowhere", Engine.DUCKDB)


@pytest.mark.parametrize("copied", range(4))
def test_a_copied_parse_counts_once_it_is_whole(
    tree: Path, monkeypatch: pytest.MonkeyPatch, copied: int
) -> None:
    parsed, target = tree / "target", tree / "taken over"
    # What was parsed of the same sources before others came and went.
    shutil.copytree(parsed, target)
    for name in sources.PARSED:
        write(parsed / name, "parsed again")
    record_parsed(parsed, hash_of_sources(Engine.DUCKDB))
    copies = iter(range(copied))

    def copy_until_killed(source: Path, to: Path) -> None:
        if next(copies, None) is None:
            raise KeyboardInterrupt
        to.write_bytes(source.read_bytes())

    monkeypatch.setattr(shutil, "copyfile", copy_until_killed)
    with nullcontext() if copied == 3 else pytest.raises(KeyboardInterrupt):
        copy_parse(parsed, target)

    # Killed before the first copy, all is as it was.
    assert is_parsed(target, Engine.DUCKDB) == (copied in (0, 3))


def test_a_model_a_macro_and_a_seed_put_back_with_older_times_count_in_the_next_refresh(
    tmp_path: Path,
) -> None:
    hub = Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD")
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    land_csv(hub.landing / "orders" / "a.csv", [ORDER])
    deployed = tmp_path / "deployed"
    for folder in DEPLOYED:
        ignored = shutil.ignore_patterns("target*", "__pycache__")
        shutil.copytree(REPOSITORY / folder, deployed / folder, ignore=ignored)
    changes = {
        "models/staging/stg_orders.sql": ("events.sales_channel,", "'in_store' as sales_channel,"),
        "dbt_project/macros/cross_db/attribution_window.sql": ("* 24 }} hour", "* 48 }} hour"),
        "seeds/queue_names.csv": ("Birthday", "Birthdays"),
    }
    before = {name: (deployed / name).read_text() for name in changes}
    for name, (old, new) in changes.items():
        assert old in before[name], name
        (deployed / name).write_text(before[name].replace(old, new))
    assert refreshed(deployed, hub) == ("in_store", Decimal("5.00"), "Birthdays")

    for name, content in before.items():
        write(deployed / name, content)

    assert refreshed(deployed, hub) == ("online", Decimal("0.00"), "Birthday")


def refreshed(tree: Path, hub: Settings) -> tuple[str, Decimal, str]:
    """Refresh by the code of a tree; channel of the order, revenue and name of the queue, as published."""
    ended = subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run"],
        cwd=tree,
        env={**os.environ, **hub.as_environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with reading(hub.published) as connection:
        (found,) = connection.sql(
            "select sales_channel, revenue_generated, queue_name "
            "from fct_orders cross join mart_queue_breakdown where period = 'all_time'"
        ).fetchall()
    return found
