"""Landing the sample, so that no refresh sees half a file.

Belongs here: writing files under their names. Does not belong here: what is in them (sample_files.py).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np

from orchestration.sample.assumptions import DAYS, SEED
from orchestration.sample.events import draw_customers, draw_messages, draw_orders, find_day_starts
from orchestration.sample.sample_files import make_message_files, make_order_files
from orchestration.settings import Settings

# A file that is still being written has an ending that no loader picks up.
PART_ENDING = ".part"


def land_sample(settings: Settings) -> int:
    """Land the sample that ends on the as-of day; returns the number of files written.

    All files are written under another name first and then renamed, so that a refresh never sees
    half a file and hardly ever half a sample. Landing the same sample again writes what is missing.

    Raises:
        FileExistsError: when a sample with other settings has landed; a landed file never changes.
    """
    missing = {}
    for path, content in _files(settings).items():
        if not path.exists():
            missing[path] = content
        elif path.read_bytes() != content:
            raise FileExistsError(
                f"{path} holds a sample of another as-of day, zone or currency. "
                "Land the sample in an empty data directory."
            )
    parts = {path: path.with_name(path.name + PART_ENDING) for path in missing}
    for path, content in missing.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        parts[path].write_bytes(content)
    for path, part in parts.items():
        part.replace(path)
    return len(missing)


def _files(settings: Settings) -> dict[Path, bytes]:
    """The whole sample: the content of each file."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    days = [settings.as_of - timedelta(days=back) for back in reversed(range(DAYS))]
    starts = find_day_starts(days, settings.timezone)
    customers = draw_customers(rng)
    messages = draw_messages(rng, days, starts, customers)
    orders = draw_orders(rng, days, starts, customers, messages)
    orders["currency"] = settings.currency
    return make_message_files(rng, settings, days, starts, messages) | make_order_files(
        rng, settings, days, starts, orders
    )
