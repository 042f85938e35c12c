"""A refresh may be killed at any instant: readers lose nothing, and the next refresh finishes the work.

A long run: `pytest tests/test_killed.py --kills 50 -s`. Without the option there are a few kills, enough to
notice that something broke.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from support.landing import land
from support.pipeline import reading
from test_incremental_refresh import assert_equals_a_rebuild

from orchestration.landing.contracts import CONTRACTS
from orchestration.operations import runs
from orchestration.publishing.publish import VERSIONS_KEPT
from orchestration.settings import REPOSITORY, Settings

Command = Callable[..., subprocess.CompletedProcess[str]]
Row = dict[str, Any]

SEED = 20260131

# The lines with which a refresh says that a step begins, in their order.
STEPS = ("Loading messages", "Loading orders", "Building and checking the models", "Publishing")

# What it says when the first of the models is built.
MODELS_AT_WORK = "✓ staging stg_messages"

# How many refreshes are killed in a row before one is left to finish.
IN_A_ROW = (1, 2, 3, 4)

PATIENCE_SECONDS = 600


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "America/New_York", date(2026, 1, 31), "USD")


@pytest.mark.long
def test_refreshes_killed_at_random_instants_leave_what_one_never_killed_leaves(
    hub: Settings, tmp_path: Path, command: Command, pytestconfig: pytest.Config
) -> None:
    wanted = pytestconfig.getoption("--kills")
    rng = random.Random(SEED)
    print(f"\nseed {SEED}, {wanted} kills")
    outside = Outside(rng)
    for _ in range(3):
        outside.land_a_batch(hub)
    outside.land_a_batch(measured := replace(hub, data_dir=tmp_path / "measured"))
    seconds = seconds_of_each_stretch(measured)

    killed_in: Counter[str] = Counter()
    was_published = False
    while killed_in.total() < wanted:
        for _ in range(min(rng.choice(IN_A_ROW), wanted - killed_in.total())):
            outside.land_a_batch(hub)
            hub = replace(hub, as_of=hub.as_of + timedelta(days=rng.choice((0, 0, 1))))
            moment, delay = an_instant(rng, seconds, killed_in.total())
            with started(hub) as refresh:
                refresh.wait_until_it_says(moment)
                refresh.wait_until_it_ends(delay)
                was_killed = refresh.kill()
            which = f"seed {SEED}, kill {killed_in.total() + 1}: {delay:.2f} s after {moment!r}"
            if was_killed:
                killed_in[refresh.step] += 1
                print(f"{which}, in {refresh.step!r}")
            else:
                print(f"{which} came too late")
                assert refresh.process.returncode == 0, f"{which} came too late:\n{refresh.said}"
            was_published = was_published or os.path.lexists(hub.published)
            if was_published:
                assert_whole(hub.published, which)
        outside.land_a_batch(hub)
        finished = command(hub, "run")
        assert finished.returncode == 0, f"after {which}:\n{finished.stdout}{finished.stderr}"
        print(f"refresh number {assert_finished(hub)} finished")
        was_published = True
    print(f"killed in: {dict(killed_in)}")


@pytest.mark.parametrize(
    "moment", [STEPS[2], MODELS_AT_WORK], ids=["dbt_starts", "dbt_has_the_warehouse_open"]
)
def test_the_next_refresh_copes_with_a_dbt_that_outlived_its_refresh(hub: Settings, moment: str) -> None:
    outside = Outside(random.Random(SEED))
    outside.land_a_batch(hub)
    with started(hub) as first:
        first.wait_until_it_says(moment)
        if moment == STEPS[2]:
            first.wait_until_it_ends(1)
        # Frozen, dbt is as one that has much to do yet.
        first.signal_all(signal.SIGSTOP)
        first.process.kill()
        assert first.step == STEPS[2], first.said
        outside.land_a_batch(hub)

        with started(hub) as following:
            following.wait_until_it_says("\n", times=2)
            following.wait_until_it_ends(5)
            first.signal_all(signal.SIGCONT)
            following.wait_until_it_ends(PATIENCE_SECONDS)

    assert following.process.returncode == 0, following.said
    assert_finished(hub)


class Outside:
    """The systems around a hub: they land what is new, and what they know better now, in files."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._messages: dict[str, Row] = {}
        self._orders: dict[str, Row] = {}
        self._batches = 0

    def land_a_batch(self, hub: Settings) -> None:
        """Land new events, corrections of earlier ones, rows that repeat, and a bad row of each entity."""
        self._batches += 1
        # Corrections first: they are of what landed before.
        files = {
            "messages": [self._corrected_messages(), [self._new_message() for _ in range(12)]],
            "orders": [self._corrected_orders(), [self._new_order() for _ in range(12)]],
        }
        for entity, parts in files.items():
            parts[1] += self._rng.sample(parts[1], 2)
            parts[1].append({**parts[1][0], "status": "lost"})
            for number, rows in enumerate(rows for rows in parts if rows):
                ending = self._rng.choice((".csv", ".csv.gz", ".jsonl", ".parquet"))
                land(hub.landing / entity / f"{self._batches:03}-{number}{ending}", rows)

    def _corrected_messages(self) -> list[Row]:
        corrections = (
            {"status": "skipped"},
            {"status": "sent"},
            {"customer_id": self._customer()},
            {"queue_id": self._rng.choice("abc")},
            {"occurred_at": _text(self._instant())},
        )
        return self._corrected(self._messages, "message_id", corrections)

    def _corrected_orders(self) -> list[Row]:
        corrections = (
            {"status": "cancelled"},
            {"status": "placed"},
            {"customer_id": self._customer()},
            {"customer_id": None},
            {"order_value": self._money(), "refunded_value": "0"},
            {"refunded_value": "0.01"},
            {"ordered_at": _text(self._instant())},
        )
        return self._corrected(self._orders, "order_id", corrections)

    def _corrected(self, known: dict[str, Row], key: str, corrections: tuple[Row, ...]) -> list[Row]:
        """One known event for each kind of correction, if there are so many."""
        chosen = self._rng.sample(sorted(known), min(len(corrections), len(known)))
        for event_id, correction in zip(chosen, corrections, strict=False):
            known[event_id] = {**known[event_id], **correction, "updated_at": self._now()}
        return [known[event_id] for event_id in chosen]

    def _new_message(self) -> Row:
        message_id = f"m{len(self._messages):05}"
        self._messages[message_id] = {
            "message_id": message_id,
            "customer_id": self._customer(),
            "queue_id": self._rng.choice(("a", "b", "c", None)),
            "user_id": self._rng.choice(("u-01", "u-02", None)),
            "status": self._rng.choice(("sent", "sent", "sent", "skipped")),
            "occurred_at": _text(self._instant()),
            "updated_at": self._now(),
        }
        return self._messages[message_id]

    def _new_order(self) -> Row:
        order_id = f"o{len(self._orders):05}"
        seen = self._rng.choice(list(self._messages.values()))
        lag = timedelta(seconds=self._rng.randint(-86_400, 8 * 86_400))
        self._orders[order_id] = {
            "order_id": order_id,
            "customer_id": self._rng.choice((seen["customer_id"],) * 4 + (self._customer(), None)),
            "ordered_at": _text(datetime.fromisoformat(seen["occurred_at"]) + lag),
            "order_value": self._money(),
            "refunded_value": "0",
            "sales_channel": self._rng.choice(("online", "in_store")),
            "status": "placed",
            "updated_at": self._now(),
        }
        return self._orders[order_id]

    def _customer(self) -> str:
        return f"c{self._rng.randrange(20):02}"

    def _instant(self) -> datetime:
        return datetime(2026, 1, 1) + timedelta(seconds=self._rng.randrange(40 * 86_400))

    def _money(self) -> str:
        return f"{self._rng.randint(1, 99)}.{self._rng.randint(0, 99):02}"

    def _now(self) -> str:
        return _text(datetime(2026, 3, 1) + timedelta(hours=self._batches))


class Started:
    """A refresh in a process group of its own, and what it has said so far."""

    def __init__(self, hub: Settings) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "run"],
            cwd=REPOSITORY,
            env={**os.environ, **hub.as_environment(), "COLUMNS": "120"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[tuple[float, str]] = []
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def said(self) -> str:
        return "".join(line for _, line in self.lines)

    @property
    def step(self) -> str:
        """The step that it said last to be at."""
        begun = [step for step in STEPS if step in self.said]
        return begun[-1] if begun else "Starting"

    def wait_until_it_says(self, words: str, times: int = 1) -> None:
        """Return as soon as it has said the words, or has ended."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.said.count(words) < times and self.process.poll() is None:
            assert time.monotonic() < deadline, f"never said {words!r}:\n{self.said}"
            time.sleep(0.005)

    def wait_until_it_ends(self, seconds: float) -> None:
        """Return as soon as it has ended, but after so many seconds at the latest."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
            self._listener.join(10)

    def kill(self) -> bool:
        """Kill it with all processes that it started; false when it had ended by itself."""
        self.signal_all(signal.SIGKILL)
        self.process.wait()
        self._listener.join(10)
        return self.process.returncode == -signal.SIGKILL

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of its group, unless its end has been seen.

        From then on the number of the group may be that of another one.
        """
        # Some systems refuse where all of them have ended just now.
        with suppress(ProcessLookupError, PermissionError):
            if self.process.returncode is None:
                os.killpg(self.process.pid, number)

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))


@contextmanager
def started(hub: Settings) -> Iterator[Started]:
    """A refresh that has been started; nothing of it is left behind."""
    refresh = Started(hub)
    try:
        yield refresh
    finally:
        refresh.kill()


def seconds_of_each_stretch(hub: Settings) -> dict[str, float]:
    """How long each stretch of a refresh takes that is not killed, by the words that it begins with.

    The stretches are the steps, the longest of them in two: before and after dbt has begun to build. The
    reports in the end belong to the last.
    """
    with started(hub) as refresh:
        refresh.wait_until_it_ends(PATIENCE_SECONDS)
        ended = time.monotonic()
    assert refresh.process.returncode == 0, refresh.said
    moments = (*STEPS[:3], MODELS_AT_WORK, *STEPS[3:])
    begun = [next(at for at, line in refresh.lines if moment in line) for moment in moments]
    return {moment: until - at for moment, at, until in zip(moments, begun, [*begun[1:], ended], strict=True)}


def an_instant(rng: random.Random, seconds: dict[str, float], number: int) -> tuple[str, float]:
    """When to kill: the words that a stretch begins with, and a delay, any within the stretch.

    Of three kills one falls anywhere in a refresh, one while models are built, where most is left half done,
    and one in any stretch, since some of them are short and would seldom be hit.
    """
    weights = (
        seconds,
        {moment: float(moment == MODELS_AT_WORK) for moment in seconds},
        dict.fromkeys(seconds, 1.0),
    )[number % 3]
    (moment,) = rng.choices(list(weights), list(weights.values()))
    return moment, rng.uniform(0, seconds[moment])


def assert_whole(published: Path, which: str) -> None:
    """The published file opens and holds everything, and its figures agree."""
    with reading(published) as connection:
        tables = [name for (name,) in connection.sql("select table_name from duckdb_tables()").fetchall()]
        rows = {name: len(connection.sql(f'from "{name}"').fetchall()) for name in tables}
        counted = {name: connection.sql(f'select count(*) from "{name}"').fetchall()[0][0] for name in tables}
        answered = connection.sql("from overview('2026-01-01', '2026-12-31')").fetchall()
        sums = connection.sql(
            """
            select
                (select count(*) from fct_messages where status = 'sent'),
                (select sum(messages_sent) from mart_overview_daily),
                (select sum(messages_sent) from mart_queue_daily),
                (select sum(messages_sent) from mart_user_daily)
            """
        ).fetchall()[0]
        unfinished = connection.sql(
            "select count(*) from refreshes where version_published is not null and finished_at is null"
        ).fetchall()
    assert rows == counted, which
    assert (rows["report_info"], rows["mart_overview"]) == (1, 5), which
    assert len(answered) == 1, which
    assert len(set(sums)) == 1, f"{which}: {sums}"
    assert unfinished == [(0,)], which


def assert_finished(hub: Settings) -> int:
    """The hub is as if no refresh had ever been killed. Returns the number of its last refresh."""
    assert_equals_a_rebuild(hub)
    assert_each_row_was_loaded_once(hub)
    assert_whole(hub.published, "finished")
    with duckdb.connect() as connection:
        connection.execute(f"attach '{hub.warehouse}' as warehouse (read_only)")
        connection.execute(f"attach '{hub.reports}' as reports (read_only)")
        connection.execute(f"attach '{hub.published}' as published (read_only)")
        tables = connection.sql(
            "select table_name from information_schema.tables "
            "where table_catalog = 'reports' and table_schema = 'main'"
        ).fetchall()
        assert tables
        for (table,) in tables:
            ours, theirs = f'reports."{table}"', f'published."{table}"'
            for one, two in ((ours, theirs), (theirs, ours)):
                only = connection.sql(f"from {one} except all from {two}").fetchall()
                assert not only, f"only in {one}: {only}"
        unknown = connection.sql(
            "select version_published from warehouse.raw.refreshes where finished_at is not null "
            "except select version from published.versions"
        ).fetchall()
        newest = connection.sql("select max(version) from published.versions").fetchall()
        numbers = connection.sql(
            "select refresh_number, finished_at is not null, version_published "
            "from warehouse.raw.refreshes order by refresh_number"
        ).fetchall()
    assert unknown == []
    assert newest == [(hub.published.resolve().parent.name,)]
    assert [number for number, _, _ in numbers] == list(range(1, len(numbers) + 1))
    assert numbers[-1][1:] == (True, hub.published.resolve().parent.name)
    with dg.DagsterInstance.from_config(str(hub.dagster_home)) as instance:
        assert not runs.is_any_unfinished(instance), "a killed refresh is still at work by Dagster's record"
    # What killed refreshes began to publish is gone.
    versions = list(hub.versions.iterdir())
    # One more when it has become midnight meanwhile: the last one of each day stays.
    assert len(versions) <= VERSIONS_KEPT + 1
    assert not [version.name for version in versions if version.name.startswith(".")]
    return len(numbers)


def assert_each_row_was_loaded_once(hub: Settings) -> None:
    """Each landed file is recorded once, and the rows that it is said to have are there."""
    with duckdb.connect(str(hub.warehouse), read_only=True) as connection:
        for contract in CONTRACTS:
            landed = sorted(
                path.relative_to(hub.data_dir).as_posix()
                for path in (hub.landing / contract.entity).rglob("*")
                if path.is_file()
            )
            records = connection.execute(
                "select path, status from raw.landed_files where entity = ? order by path", [contract.entity]
            ).fetchall()
            assert records == [(path, "loaded") for path in landed]
            counts = connection.execute(
                f"""
                select
                    sum(rows_landed),
                    sum(rows_accepted),
                    sum(rows_rejected),
                    (select count(*) from raw.{contract.table}),
                    (select count(*) from quarantine.rejected_events where entity = $entity)
                from raw.landed_files
                where entity = $entity
                """,
                {"entity": contract.entity},
            ).fetchall()[0]
            rows_landed, accepted, rejected, loaded, quarantined = counts
            assert accepted == loaded, f"{contract.entity}: {counts}"
            assert rejected == quarantined, f"{contract.entity}: {counts}"
            assert rows_landed == accepted + rejected, f"{contract.entity}: {counts}"
            wrong = connection.sql(
                f"""
                select files.path, files.rows_accepted, count(events.file_id)
                from raw.landed_files as files
                left join raw.contents on files.path = contents.path
                left join raw.{contract.table} as events on contents.file_id = events.file_id
                where files.entity = '{contract.entity}'
                group by all
                having files.rows_accepted <> count(events.file_id)
                """
            ).fetchall()
            assert not wrong, f"{contract.entity}: {wrong}"


def _text(instant: datetime) -> str:
    return instant.isoformat()
