"""What a refresh costs on Spark, at three sizes: a rebuild, and one more day. For orchestration/SPARK.md.

Belongs here: the sizes, and the table that is printed. Does not belong here: what a larger hub would need,
which the docs reckon.

Run by `.venv-spark/bin/python -m benchmarks.spark`, on this machine alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from benchmarks.generate import Recipe
from benchmarks.history import History
from benchmarks.measure import Measurement, refresh
from benchmarks.state import clear
from orchestration.settings import Engine, Settings

DAYS = 10

# Messages; there are twice as many orders.
SIZES = (250_000, 500_000, 1_000_000)

SHARES = ("start-up", "loading", "models", "checks", "planning and recording", "publishing")


def main() -> None:
    """Measure, and print a row of a table for each refresh."""
    console = Console(soft_wrap=True)
    console.print(
        f"| messages | refresh | wall s | {' s | '.join(SHARES)} s | MB landed | MB raw | MB tables |"
    )
    for messages in SIZES:
        history = History(Recipe(messages=messages, orders=2 * messages, days=DAYS), 0, lambda said: None)
        hub = replace(history.hub, engine=Engine.SPARK)
        clear(hub)
        with _last_day_not_landed_yet(hub):
            before = replace(hub, as_of=hub.as_of - timedelta(days=1))
            _print(console, messages, f"rebuild of {DAYS - 1} days", refresh(before), hub)
        _print(console, messages, "one more day", refresh(hub), hub)


@contextmanager
def _last_day_not_landed_yet(hub: Settings) -> Iterator[None]:
    landed = sorted(hub.landing.glob(f"*/{hub.as_of}.parquet"))
    aside = [path.rename(hub.data_dir / f"{path.parent.name}-{path.name}") for path in landed]
    try:
        yield
    finally:
        for path, kept in zip(landed, aside, strict=True):
            kept.rename(path)


def _print(console: Console, messages: int, what: str, measured: Measurement, hub: Settings) -> None:
    seconds = (measured.wall, *(measured.shares[share] for share in SHARES))
    sizes = map(_megabytes, (hub.landing, hub.spark / "landed", hub.spark / "tables"))
    console.print(
        f"| {messages:,} | {what} | " + " | ".join(f"{figure:.0f}" for figure in (*seconds, *sizes)) + " |"
    )


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 1e6


if __name__ == "__main__":
    main()
