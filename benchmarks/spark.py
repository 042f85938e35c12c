"""What a refresh costs on Spark, at three sizes: a rebuild and an ordinary day. For orchestration/SPARK.md.

Belongs here: the sizes, and the table that is printed. Does not belong here: what a larger hub would need,
which the docs reckon.

Run by `.venv-spark/bin/python -m benchmarks.spark`, on this machine alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from benchmarks import ordinary_day
from benchmarks.generate import Recipe
from benchmarks.history import History
from benchmarks.measure import Measurement, refresh
from benchmarks.state import clear
from orchestration.settings import Engine, Settings

DAYS = 90

# Messages; there are twice as many orders.
SIZES = (500_000, 1_000_000, 2_000_000)


def main() -> None:
    """Measure, and print a row of a table for each refresh."""
    console = Console(soft_wrap=True)
    console.print(
        "| messages | refresh | wall s | CPU s | loading s | models s | checks s | publishing s "
        "| MB raw | MB tables | MB landed |"
    )
    for messages in SIZES:
        history = History(Recipe(messages=messages, orders=2 * messages, days=DAYS), 0, lambda said: None)
        hub = replace(history.hub, engine=Engine.SPARK)
        clear(hub)
        _print(console, messages, "rebuild", refresh(hub), hub)
        with history.landing_beside(ordinary_day.land):
            day = replace(hub, as_of=ordinary_day.day_after(history.recipe))
            _print(console, messages, "ordinary day", refresh(day), hub)


def _print(console: Console, messages: int, what: str, measured: Measurement, hub: Settings) -> None:
    shares = measured.shares
    sizes = (_megabytes(hub.spark / "landed"), _megabytes(hub.spark / "tables"), _megabytes(hub.landing))
    figures = (
        measured.wall,
        measured.cpu,
        *(shares[share] for share in ("loading", "models", "checks", "publishing")),
        *sizes,
    )
    console.print(f"| {messages:,} | {what} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |")


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 1e6


if __name__ == "__main__":
    main()
