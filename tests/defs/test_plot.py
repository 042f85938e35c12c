"""The plot of messages per day that Dagster shows."""

from __future__ import annotations

import base64
from datetime import date
from xml.etree import ElementTree

from orchestration.defs.plot import plot_of_messages

SVG = "{http://www.w3.org/2000/svg}"


def drawing(days: list[tuple[date, int]]) -> ElementTree.Element:
    encoded = plot_of_messages(days).removeprefix("![Messages sent per day](data:image/svg+xml;base64,")
    return ElementTree.fromstring(base64.b64decode(encoded.removesuffix(")")))


def bars(days: list[tuple[date, int]]) -> list[tuple[float, float, float]]:
    """Where each bar begins, how wide it is, and how high, without the background."""
    rectangles = drawing(days).findall(f"{SVG}rect")[1:]
    return [
        (float(bar.attrib["x"]), float(bar.attrib["width"]), float(bar.attrib["height"]))
        for bar in rectangles
    ]


def test_bars_are_as_high_as_their_days_have_messages_and_days_without_leave_a_gap() -> None:
    days = [(date(2026, 1, 30), 10), (date(2026, 1, 31), 40), (date(2026, 2, 2), 0)]

    assert bars(days) == [(0, 160, 40), (160, 160, 160), (480, 160, 0)]
    said = [text.text for text in drawing(days).findall(f"{SVG}text")]
    assert said == ["most messages sent on a day: 40", "2026-01-30", "2026-02-02"]


def test_a_hub_without_messages_has_an_empty_plot() -> None:
    assert bars([]) == []
    assert bars([(date(2026, 1, 31), 0)]) == [(0, 640, 0)]
