"""The yardstick: one hand-written script from the landed files to the facts and the daily marts.

Belongs here: how the script is run, and measured. Does not belong here: the script (yardsticks/), and the
full refresh that it is held against (history.py).

    python -m benchmarks.yardstick LANDING OUT --as-of 2025-12-31 [--memory-limit 6GB]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from benchmarks.measure import Usage, measured
from orchestration.settings import Settings

SCRIPT = Path(__file__).parent / "yardsticks" / "hand_written.sql"


def measure(hub: Settings, memory_limit: str | None = None) -> Usage:
    """What the script takes in a fresh process for what has landed in a hub in UTC."""
    out = hub.data_dir / "yardstick.duckdb"
    command = [
        sys.executable,
        "-m",
        "benchmarks.yardstick",
        str(hub.landing),
        str(out),
        f"--as-of={hub.as_of}",
    ]
    if memory_limit:
        command.append(f"--memory-limit={memory_limit}")
    out.unlink(missing_ok=True)  # what a killed run left
    try:
        return measured(command)
    finally:
        out.unlink(missing_ok=True)


def build(landing: Path, out: Path, as_of: date, memory_limit: str | None = None) -> None:
    """Write the facts and daily marts of landed Parquet files into a new database."""
    with duckdb.connect(str(out)) as connection:
        connection.execute("set preserve_insertion_order = false")
        if memory_limit:
            connection.execute(f"set memory_limit = '{memory_limit}'")
        connection.execute("set variable landing = ?", [str(landing)])
        as_of_ends_at = datetime.combine(as_of + timedelta(days=1), time.min)
        connection.execute("set variable as_of_ends_at = ?", [as_of_ends_at])
        connection.execute(SCRIPT.read_text(encoding="utf-8"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute the figures by one plain script; the result is the exit status of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.yardstick")
    parser.add_argument("landing", type=Path, help="folder with the folders messages and orders")
    parser.add_argument("out", type=Path, help="the database to write; must not exist")
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--memory-limit")
    options = parser.parse_args(arguments)
    build(options.landing, options.out, options.as_of, options.memory_limit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
