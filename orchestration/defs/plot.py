"""The plot of messages per day that Dagster shows with each published version."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import date


def plot_of_messages(days: Sequence[tuple[date, int]]) -> str:
    """Messages sent per day as a Markdown image that carries its own bytes.

    Args:
        days: day and messages sent, by day.
    """
    # Imported here: only publishing draws, and the import is slow.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.5), layout="constrained")
    axes = figure.add_subplot()
    # Days are placed as such, though numbers are declared.
    axes.bar([day for day, _ in days], [sent for _, sent in days], width=1.0)  # type: ignore[arg-type]
    axes.set_ylabel("messages sent")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return f"![Messages sent per day](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
