"""One small file after a generated history: what a refresh costs that has next to nothing to do.

Belongs here: what is in the file. Does not belong here: the history (generate.py), and the measuring.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from benchmarks.generate import Recipe

MESSAGES = 100

# The last messages of the history under new ids.
SMALL = """
copy (
    select * replace ('small-' || message_id as message_id)
    from read_parquet($history)
    order by occurred_at desc
    limit $messages
) to $path (format parquet)
"""


def land(recipe: Recipe, landing: Path) -> None:
    """Write the file beside those of the history, which is in Parquet."""
    folder = landing / "messages"
    parameters = {
        "history": [str(path) for path in folder.glob("*.parquet")],
        "messages": MESSAGES,
        "path": str(folder / "small.parquet"),
    }
    with duckdb.connect() as connection:
        connection.execute(SMALL, parameters)
