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
from datetime import date, timedelta
from pathlib import Path

import pytest
from support.finished_hubs import assert_finished, assert_whole
from support.outside_systems import Outside

from orchestration.settings import REPOSITORY, Settings

Command = Callable[..., subprocess.CompletedProcess[str]]

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
