"""A refresh on a real cluster, which loses a worker in the middle, publishes what DuckDB does."""

from __future__ import annotations

import random
from pathlib import Path

from cluster import cluster, kill
from hubs import assert_equal, empty_hub, refreshing
from support.landed_histories import land_history
from support.strategies import drawn, histories, side_by_side

TIMEZONE = "Europe/Paris"

HISTORIES = 20

LOSES_A_WORKER_AFTER = "fct_message_orders"


def test_a_refresh_that_loses_a_worker_publishes_what_duckdb_does(tmp_path: Path) -> None:
    history = side_by_side(drawn(histories(max_messages=8, max_orders=8, zones=(TIMEZONE,)), HISTORIES, 2))
    hub = empty_hub(tmp_path, timezone=TIMEZONE, as_of=history.as_of, currency="USD")
    land_history(hub, history, random.Random(2))

    with cluster(hub, tmp_path / "cluster") as running:
        run = refreshing(hub, PYTHONUNBUFFERED="1", **running.environment)
        assert run.stdout
        printed = ""
        for line in run.stdout:
            printed += line
            if LOSES_A_WORKER_AFTER in line:
                kill(running.workers[0])

        assert run.wait() == 0, printed
        assert running.workers[0].poll() is not None
        assert running.workers[1].poll() is None
        assert_equal(hub)
