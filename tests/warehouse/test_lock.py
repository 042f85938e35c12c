"""One writer at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.lock_holder import hold

from orchestration.warehouse.lock import LockedError, refresh_lock


def test_the_second_refresh_says_who_holds_the_lock_and_gives_up_in_time(tmp_path: Path) -> None:
    said: list[str] = []
    with hold(tmp_path / "lock") as holder:
        with (
            pytest.raises(LockedError, match=f"process {holder.pid}"),
            refresh_lock(tmp_path / "lock", notify=said.append, wait_seconds=0),
        ):
            pytest.fail("two refreshes hold the lock")
        holder.kill()

    assert [f"process {holder.pid}" in line for line in said] == [True]


def test_a_killed_refresh_leaves_no_lock_behind(tmp_path: Path) -> None:
    with hold(tmp_path / "lock") as holder:
        holder.kill()
    with refresh_lock(tmp_path / "lock", notify=pytest.fail, wait_seconds=0):
        assert f'"process": {os.getpid()}' in (tmp_path / "lock").read_text()


def test_the_next_refresh_waits_until_the_lock_is_free(tmp_path: Path) -> None:
    said: list[str] = []
    with hold(tmp_path / "lock") as holder:

        def say(line: str) -> None:
            said.append(line)
            holder.kill()

        with refresh_lock(tmp_path / "lock", notify=say, wait_seconds=60):
            assert len(said) == 1
