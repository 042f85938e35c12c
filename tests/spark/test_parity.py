"""Spark publishes what DuckDB does, to the cent and row for row: by full and by incremental refreshes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

from hubs import assert_equal, assert_ledger_tells_earlier_figures, empty_hub, refresh
from support.landed_histories import Batch, land_batch
from support.landing import land_bytes
from support.strategies import drawn, histories, of_history

# With daylight saving, both ways, among the days of the histories.
TIMEZONE = "America/New_York"

HISTORIES = 40
BATCHES = 3

REFUSED_AND_ODD_ROWS = '''\
message_id,customer_id,queue_id,user_id,status,occurred_at,updated_at
,c1,q1,u1,sent,2026-03-08T10:00:00Z,
refused,c1,q1,u1,posted,2026-02-30T10:00:00Z,
 007 ,"c,""1""",,,sent,20260308T0659+0000,
'''


def write_messages(file: Path, batches: Sequence[Batch]) -> None:
    """Some of the messages of batches as one file; none at all without a batch."""
    file.unlink(missing_ok=True)
    if batches:
        messages = [message for batch in batches for message in batch["messages"][::3]]
        lines = [json.dumps(asdict(message), default=str) + "\n" for message in messages]
        land_bytes(file, "".join(lines))


def test_spark_publishes_what_duckdb_does(tmp_path: Path) -> None:
    several = drawn(histories(max_messages=8, max_orders=8, zones=(TIMEZONE,)), HISTORIES, drawn_from=1)
    hub = empty_hub(tmp_path, timezone=TIMEZONE, as_of=several[0].as_of, currency="USD")
    land_bytes(hub.landing / "messages" / "odd.csv", REFUSED_AND_ODD_ROWS)
    land_bytes(hub.landing / "orders" / "broken.csv.gz", b"no gzip")
    chance = random.Random(1)
    batches: list[Batch] = [{"messages": [], "orders": []} for _ in range(BATCHES)]
    for number, history in enumerate(several):
        for entity in ("messages", "orders"):
            for event in getattr(history, entity):
                # Versions land late, early, and more than once.
                for batch in chance.sample(batches, chance.choice([1, 1, 2])):
                    batch[entity].append(of_history(event, number))

    for number, batch in enumerate(batches):
        land_batch(hub, batch, number)
        # One file grows, one is overwritten, one is there at first only.
        for name, events in (
            ("grows", batches[: number + 1]),
            ("overwritten", [batch]),
            ("leaves", [batch] if number == 0 else []),
        ):
            write_messages(hub.landing / "messages" / f"{name}.jsonl", events)
        hub = replace(hub, as_of=hub.as_of + timedelta(days=number))
        printed = refresh(hub)

        assert ("Rebuilt with all downstream" in printed) == (number == 0), printed
        assert_equal(hub)
        assert_ledger_tells_earlier_figures(hub)
