"""The kinds of charts of the dashboard: what each hands to Superset.

Belongs here: how a chart looks. Does not belong here: which charts there are and where they stand
(reports.py), and what they ask (datasets.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards import words
from dashboards.datasets import LINES

# Colours of lines: what is drawn after another shows it through.
STRONG = "#1a85a0"
PALE = "rgba(90,105,120,0.35)"
NONE = "rgba(0,0,0,0)"

BREAKDOWN = ("messages_sent", "messages_skipped", "revenue_generated", "revenue_per_message")


@dataclass(frozen=True)
class Chart:
    """One chart of the dashboard.

    Attributes:
        name: its title.
        dataset: the dataset it asks.
        params: what Superset's chart of that kind takes.
        width: of the twelve columns of a row.
        height: in units of eight pixels.
        figure: the figure it shows, whose words it carries.
        hint: what can be done with it, shown above it.
    """

    name: str
    dataset: str
    params: Mapping[str, Any]
    width: int
    height: int
    figure: str | None = None
    hint: str | None = None


# Landed names are text, whatever they look like: a cell never renders them.
PLAIN_TABLE = {"viz_type": "table", "allow_render_html": False, "show_cell_bars": False}


def hero(name: str, figure: str, width: int, dataset: str = "overview_in_words") -> Chart:
    """A big figure with its change, what the change is against, and what the figure means."""
    params = texts(figure, f"{figure}_change", f"{figure}_against", f"{figure}_meaning")
    return Chart(name, dataset, params, width, 26, figure)


DAYS_OF_MESSAGES = {
    "x_axis": "message_date",
    "time_grain_sqla": "P1D",
    "x_axis_sort_asc": True,
    "x_axis_time_format": "%d %b %Y",
    "tooltipTimeFormat": "%A, %d %B %Y",
    "rich_tooltip": True,
    "y_axis_format": ",d",
    "truncateYAxis": False,
}


def over_time(name: str) -> Chart:
    """A strong line of the days and a pale one of their base; the tooltip of a day shows further figures.

    Superset draws two queries: the lines, and what is in the tooltip alone, which has a scale of its own and
    no colour. Series are in the order of their names: each figure, and after it that of the base.
    """
    lines = ("messages_sent",)
    in_tooltip_alone = ("conversion_rate", "messages_skipped", "revenue_generated")
    params = {
        **DAYS_OF_MESSAGES,
        "viz_type": "mixed_timeseries",
        "show_legend": False,
        "metrics": _with_base(lines),
        "metrics_b": _with_base(in_tooltip_alone),
        "row_limit": 50_000,
        "row_limit_b": 50_000,
        **{f"sort_series_type{query}": "name" for query in ("", "B")},
        **{f"sort_series_ascending{query}": True for query in ("", "B")},
        "tooltipSortByMetric": False,
        "yAxisIndex": 0,
        "yAxisIndexB": 1,
        "markerEnabled": True,
        "markerSize": 4,
        "markerEnabledB": False,
        # Each figure as its metric is formatted.
        "y_axis_format_secondary": None,
        "echart_options": json.dumps(
            {
                "yAxis": [{"type": "value", "minInterval": 1}, {"type": "value", "show": False}],
                "visualMap": [
                    _all_of_colour(STRONG, [0]),
                    _all_of_colour(PALE, [1]),
                    _all_of_colour(NONE, [2 + place for place in range(2 * len(in_tooltip_alone))]),
                ],
            }
        ),
    }
    return Chart(name, "messages_over_time", params, 12, 44, "messages_sent", words.HINTS["days"])


def _with_base(figures: Sequence[str]) -> list[str]:
    return [name for figure in figures for name in (figure, f"{figure}_base")]


def _all_of_colour(colour: str, series: Sequence[int]) -> dict[str, Any]:
    """What makes ECharts draw series in one colour, by their places: of any value."""
    whole = {"color": [colour, colour]}
    return {
        "type": "continuous",
        "show": False,
        "seriesIndex": list(series),
        "min": 0,
        "max": 1,
        "inRange": whole,
        "outOfRange": whole,
    }


def members_over_time(name: str) -> Chart:
    """A line for each of the agents with the most messages."""
    params = {
        **DAYS_OF_MESSAGES,
        "viz_type": "echarts_timeseries_line",
        "metrics": ["messages_sent"],
        "groupby": ["agent"],
        "show_legend": True,
        "row_limit": 50_000,
        "tooltipSortByMetric": True,
        "markerEnabled": True,
        # A day without messages is a zero, not a line drawn past it.
        "resample_rule": "1D",
        "resample_method": "zerofill",
    }
    hint = words.HINTS["members"].format(lines=LINES)
    return Chart(name, "strongest_members_over_time", params, 12, 44, "messages_sent", hint)


def breakdown(name: str, dataset: str, column: str) -> Chart:
    """A row for each queue or agent, the one with the most messages first."""
    params = {
        **PLAIN_TABLE,
        "query_mode": "aggregate",
        "groupby": [column],
        "metrics": list(BREAKDOWN),
        "timeseries_limit_metric": "messages_sent",
        "order_desc": True,
        "row_limit": 10_000,
        "page_length": 0,
        "include_search": True,
    }
    return Chart(name, dataset, params, 12, 60, hint=words.HINTS["breakdown"])


def orders(name: str) -> Chart:
    """The orders behind the figures, page by page."""
    params = {
        **PLAIN_TABLE,
        "query_mode": "aggregate",
        "groupby": [
            *("Order", "ordered_at", "Channel", "Customer"),
            *("messages_before", "First message on", "queue", "agent"),
        ],
        "metrics": ["order_value", "refunded_value"],
        "timeseries_limit_metric": "newest_first",
        "order_desc": True,
        "show_totals": True,
        "include_search": True,
        "server_pagination": True,
        "server_page_length": 20,
        "table_timestamp_format": "%d %b %Y, %H:%M",
    }
    return Chart(name, "orders_behind_the_figures", params, 12, 60, hint=words.HINTS["orders"])


def texts(*columns: str) -> dict[str, Any]:
    """A table of a few rows of text, as they are."""
    return {**PLAIN_TABLE, "query_mode": "raw", "all_columns": list(columns), "row_limit": 10}


def figures_before_and_after(name: str) -> Chart:
    """The big figures of two versions."""
    amounts = ("Before", "After", "Growth", "Restatement")
    params = {
        **texts("Figure", *amounts),
        "order_by_cols": ['["place", true]'],
        "column_config": {column: {"horizontalAlign": "right"} for column in amounts},
    }
    return Chart(name, "changed_figures", params, 12, 30)


def behind_the_changes(name: str, kind: str) -> Chart:
    """What moved the figures between two versions, the largest difference first."""
    params = {
        **PLAIN_TABLE,
        "query_mode": "aggregate",
        "groupby": ["Figure", "What", "Kind", "Why", "Changed fields", "Files"],
        "metrics": ["before", "after", "difference"],
        "timeseries_limit_metric": "largest_first",
        "order_desc": True,
        "include_search": True,
        "server_pagination": True,
        "server_page_length": 20,
    }
    return Chart(name, f"changed_{kind}", params, 12, 60, hint=words.HINTS[f"changed {kind}"])
