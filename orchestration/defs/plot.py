"""The plot of messages per day that Dagster shows with each published version.

It is drawn as text, because a library that draws takes longer to import than all of publishing.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date

WIDTH, HEIGHT, MARGIN = 640, 200, 20


def plot_of_messages(days: Sequence[tuple[date, int]]) -> str:
    """Messages sent per day as a Markdown image that carries its own bytes.

    Args:
        days: day and messages sent, by day; days without messages may be left out.
    """
    svg = base64.b64encode(_drawing(days).encode()).decode()
    return f"![Messages sent per day](data:image/svg+xml;base64,{svg})"


def _drawing(days: Sequence[tuple[date, int]]) -> str:
    """A bar for each day, with the greatest number above and the first and last day below, as SVG."""
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    if days:
        first, last = days[0][0], days[-1][0]
        width = WIDTH / ((last - first).days + 1)
        most = max(sent for _, sent in days)
        unit = (HEIGHT - 2 * MARGIN) / max(most, 1)
        parts += [
            f'<rect x="{(day - first).days * width:.2f}" y="{HEIGHT - MARGIN - sent * unit:.2f}" '
            f'width="{width:.2f}" height="{sent * unit:.2f}" fill="steelblue"/>'
            for day, sent in days
        ]
        parts += [
            f'<text x="2" y="{MARGIN - 6}">most messages sent on a day: {most:,}</text>',
            f'<text x="2" y="{HEIGHT - 6}">{first}</text>',
            f'<text x="{WIDTH - 2}" y="{HEIGHT - 6}" text-anchor="end">{last}</text>',
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="12">{"".join(parts)}</svg>'
    )
