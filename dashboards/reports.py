"""The dashboard as code: what Superset imports, built from what is published.

Belongs here: tabs, their charts, the filter bar. Does not belong here: how a chart looks (charts.py), what it
asks (datasets.py), and words (words.py).
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from sqlalchemy.exc import SQLAlchemyError

from dashboards import words
from dashboards.charts import (
    Chart,
    behind_the_changes,
    breakdown,
    figures_before_and_after,
    hero,
    members_over_time,
    orders,
    over_time,
    texts,
)
from dashboards.connection import Database, DatabaseError
from dashboards.datasets import DATASETS, without_filters
from dashboards.days import DEFAULT_PERIOD
from dashboards.versions import NEWEST, ONE_BEFORE
from orchestration.faults import first_line

TITLE = "Contact reports"
SLUG = "contact-reports"
ADDRESS = f"/superset/dashboard/{SLUG}/"
DATABASE = "Contact reports"

# An open dashboard asks again this often, so that it shows what was published since.
SECONDS_BETWEEN_UPDATES = 60

# How the pages of the dashboard differ from Superset's own.
STYLE = Path(__file__).with_name("dashboard.css")

VERSION = {"version": "1.0.0"}

MONEY = ("revenue_generated", "revenue_refunded", "revenue_credited", "revenue_per_message")
RATES = ("conversion_rate",)
# Always written with a sign.
SIGNED = ("difference",)

# Metrics of a dataset besides the figures: their SQL, and whether they are money.
FURTHER_METRICS = {
    "strongest_members_over_time": {"messages_sent": ("sum(messages_sent)", False)},
    "orders_behind_the_figures": {
        "order_value": ("sum(order_value)", True),
        "refunded_value": ("sum(refunded_value)", True),
        # The newest order first; of orders of one instant always the same one, so that no page repeats a row.
        "newest_first": ('max(cast(ordered_at as varchar) || "Order")', False),
    },
    **{
        f"changed_{kind}": {
            **{name: (f"max({name})", kind == "amounts") for name in ("before", "after", "difference")},
            "largest_first": ("-min(place)", False),
        }
        for kind in ("amounts", "counts")
    },
    "versions_to_choose": {"position": ("min(place)", False)},
    "periods": {"place": ("min(position)", False)},
    "days": {"latest_first": ("max(day)", False)},
}


# Above the tabs, for all of them.
HEAD = Chart("What is shown", "shown", texts("days_shown", "data_up_to", "refreshed", "timezone"), 12, 12)

WHAT_CHANGED = "What changed"

# The tabs, their rows, and the charts of each row.
TABS: dict[str, list[list[Chart]]] = {
    "Overview": [
        [
            hero("Total messages sent", "messages_sent", 2),
            hero("Revenue generated", "revenue_generated", 3),
            hero("Conversion rate", "conversion_rate", 2),
            hero("Share of all revenue", "share_of_all_revenue", 3, "share_in_words"),
            hero("Messages still open", "messages_in_open_window", 2),
        ],
        [over_time("Total messages sent over time")],
        [breakdown("Queue breakdown", "queue_breakdown", "queue")],
        [orders("Orders behind the figures of the overview")],
    ],
    "Team engagement": [
        [
            hero("Active users", "active_users", 6),
            hero("Revenue per message", "revenue_per_message", 6),
        ],
        [members_over_time("Total messages sent over time per team member")],
        [breakdown("User breakdown", "user_breakdown", "agent")],
        [orders("Orders behind the figures of the team")],
    ],
    WHAT_CHANGED: [
        [Chart("Versions compared", "versions_compared", texts("compared", "outcome"), 12, 12)],
        [figures_before_and_after("Figures before and after")],
        [behind_the_changes("Amounts behind the changes", "amounts")],
        [behind_the_changes("Counts behind the changes", "counts")],
    ],
}


@dataclass(frozen=True)
class Published:
    """What the dashboard takes from what is published.

    Attributes:
        address: of the database that it is read from, without a password.
        currency: of all money.
        window_days: the length of the attribution window.
        columns: of each dataset, with their types.
    """

    address: str
    currency: str
    window_days: int
    columns: Mapping[str, list[tuple[str, str]]] = field(repr=False)

    @classmethod
    def read(cls, database: Database) -> Published:
        """Read the settings, and the columns of each dataset.

        Raises:
            DatabaseError: when what is published is of another version of this software.
        """
        try:
            with database.engine().connect() as connected:
                of_all = "select currency, attribution_window_days from report_info"
                row: Sequence[Any] = connected.exec_driver_sql(of_all).one()
                currency, window_days = row
                columns = {
                    name: database.columns(connected, without_filters(sql, database.dialect))
                    for name, sql in DATASETS.items()
                }
        except (SQLAlchemyError, psycopg2.Error) as error:
            raise DatabaseError(
                f"What is published is of another version of the software: {first_line(error)}. Refresh it "
                "with this version, or start the dashboard of that one."
            ) from None
        return cls(database.address, currency, window_days, columns)

    def say(self, text: str) -> str:
        """A text of words.py, with the days of the attribution window."""
        return text.format(days=self.window_days)

    def meaning(self, figure: str) -> str:
        """What a figure means."""
        return self.say(words.MEANINGS[figure])


def write(published: Published, folder: Path) -> None:
    """Write the assets that Superset imports.

    Args:
        published: what is published.
        folder: where to; what is there is removed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    documents = {
        "metadata.yaml": {**VERSION, "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        "databases/contact_reports.yaml": _database(published.address),
        "dashboards/contact_reports.yaml": _dashboard(published),
    }
    for name in DATASETS:
        documents[f"datasets/contact_reports/{name}.yaml"] = _dataset(name, published)
    for chart in _charts():
        documents[f"charts/{_slug(chart.name)}.yaml"] = _chart(chart, published)
    for path, document in documents.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _charts() -> Iterator[Chart]:
    yield HEAD
    for title in TABS:
        yield from _charts_of(title)


def _charts_of(title: str) -> Iterator[Chart]:
    """The charts of a tab."""
    for row in TABS[title]:
        yield from row


TITLES_OF_CHARTS = frozenset(chart.name for chart in _charts())


def _database(address: str) -> dict[str, Any]:
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": address,
        "cache_timeout": None,
        "expose_in_sqllab": False,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_file_upload": False,
        "extra": {
            "allows_virtual_table_explore": True,
        },
        "uuid": _id("database"),
        **VERSION,
    }


def _dataset(name: str, published: Published) -> dict[str, Any]:
    columns = published.columns[name]
    further = FURTHER_METRICS.get(name, {})
    figures = [
        column
        for column, kind in columns
        if words.figure_of(column) in words.LABELS and column not in further and kind != "VARCHAR"
    ]
    return {
        "table_name": name,
        "main_dttm_col": None,
        "description": None,
        "default_endpoint": None,
        "offset": 0,
        "cache_timeout": None,
        "catalog": None,
        "schema": None,
        "sql": DATASETS[name],
        "params": None,
        "template_params": None,
        "filter_select_enabled": True,
        "fetch_values_predicate": None,
        "extra": None,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "uuid": _id("dataset", name),
        "metrics": [
            # The table function computed a figure: a group holds one row of it.
            *(
                _metric(figure, f"max({figure})", words.figure_of(figure) in MONEY, published)
                for figure in figures
            ),
            *(_metric(metric, sql, is_money, published) for metric, (sql, is_money) in further.items()),
        ],
        "columns": [
            {
                "column_name": column,
                "verbose_name": words.label(column),
                "is_dttm": kind.startswith(("DATE", "TIMESTAMP")),
                "is_active": True,
                "type": kind,
                "advanced_data_type": None,
                "groupby": True,
                "filterable": True,
                "expression": None,
                "description": published.meaning(column) if column in words.MEANINGS else None,
                "python_date_format": None,
                "extra": None,
            }
            for column, kind in columns
        ],
        **VERSION,
        "database_uuid": _id("database"),
    }


def _metric(name: str, sql: str, is_money: bool, published: Published) -> dict[str, Any]:
    """A metric as Superset has it."""
    return {
        "metric_name": name,
        "verbose_name": words.label(name),
        "metric_type": None,
        "expression": sql,
        "description": published.meaning(name) if name in words.MEANINGS else None,
        "d3format": ("+" if name in SIGNED else "")
        + (".2%" if words.figure_of(name) in RATES else ",.2f" if is_money else ",d"),
        "currency": {"symbol": published.currency, "symbolPosition": "prefix"} if is_money else None,
        "extra": None,
        "warning_text": None,
    }


def _chart(chart: Chart, published: Published) -> dict[str, Any]:
    return {
        "slice_name": chart.name,
        "description": published.meaning(chart.figure) if chart.figure else chart.hint,
        "certified_by": None,
        "certification_details": None,
        "viz_type": chart.params["viz_type"],
        "params": dict(chart.params),
        "query_context": None,
        "cache_timeout": None,
        "uuid": _id("chart", chart.name),
        **VERSION,
        "dataset_uuid": _id("dataset", chart.dataset),
    }


def _dashboard(published: Published) -> dict[str, Any]:
    numbers = {chart.name: number for number, chart in enumerate(_charts(), start=1)}
    return {
        "dashboard_title": TITLE,
        "description": "What the messages to customers brought.",
        "css": STYLE.read_text(encoding="utf-8"),
        "slug": SLUG,
        "certified_by": None,
        "certification_details": None,
        "published": True,
        "uuid": _id("dashboard"),
        "position": _position(numbers, published),
        "metadata": {
            "color_scheme": "supersetColors",
            "refresh_frequency": SECONDS_BETWEEN_UPDATES,
            # Superset would ask for them again while another tab is shown.
            "timed_refresh_immune_slices": [numbers[chart.name] for chart in _charts_of(WHAT_CHANGED)],
            "filter_bar_orientation": "HORIZONTAL",
            "cross_filters_enabled": True,
            "chart_configuration": _cross_filters(numbers),
            "global_chart_configuration": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                "chartsInScope": [],
            },
            "native_filter_configuration": _filter_bar(),
        },
        **VERSION,
    }


def _cross_filters(numbers: Mapping[str, int]) -> dict[str, Any]:
    """A row of a breakdown that is clicked leads to its orders, and changes nothing else."""
    with_orders = {numbers[chart.name] for chart in _charts() if chart.dataset == "orders_behind_the_figures"}
    charts = set(numbers.values())
    alone = with_orders | {numbers[chart.name] for chart in _charts_of(WHAT_CHANGED)}
    return {
        str(number): {
            "id": number,
            "crossFilters": {
                "scope": {
                    "rootPath": ["ROOT_ID"],
                    "excluded": sorted(charts if number in alone else charts - with_orders),
                },
                "chartsInScope": [],
            },
        }
        for number in sorted(charts)
    }


def _filter_bar() -> list[dict[str, Any]]:
    """The versions, which one tab alone has, then the period and the days.

    Superset's own filter of time leaves the last day out, and says so.
    """
    return [
        *(
            _choice(name, column, "versions_to_choose", NEWEST_FIRST, [default])
            | {"scope": {"rootPath": [f"TAB-{_slug(WHAT_CHANGED)}"], "excluded": []}}
            for name, column, default in (
                ("From version", "from_version", ONE_BEFORE),
                ("To version", "to_version", NEWEST),
            )
        ),
        _choice("Period", "period", "periods", {"sortMetric": "place"}, [DEFAULT_PERIOD]),
        _choice("From", "from_day", "days", LATEST_FIRST) | {"cascadeParentIds": [_filter_id("Period")]},
        _choice("To", "to_day", "days", LATEST_FIRST) | {"cascadeParentIds": [_filter_id("Period")]},
        _choice("Queues", "queue", "queues", {"multiSelect": True}),
        _choice("Agents", "agent", "agents", {"multiSelect": True}),
    ]


NEWEST_FIRST = {"sortMetric": "position", "sortAscending": True, "searchAllOptions": True}
LATEST_FIRST = {"sortMetric": "latest_first", "sortAscending": False, "searchAllOptions": True}


def _choice(
    name: str, column: str, dataset: str, controls: Mapping[str, Any], default: list[str] | None = None
) -> dict[str, Any]:
    """A filter: what is chosen of a list.

    Args:
        name: its title.
        column: what it filters, and is a list of.
        dataset: the dataset of the list.
        controls: how it differs from a list of which one is chosen.
        default: what is chosen at first, and after a reset.
    """
    return {
        "id": _filter_id(name),
        "type": "NATIVE_FILTER",
        "filterType": "filter_select",
        "name": name,
        "description": words.HINTS[name],
        "targets": [{"column": {"name": column}, "datasetUuid": _id("dataset", dataset)}],
        "defaultDataMask": {
            "extraFormData": {"filters": [{"col": column, "op": "IN", "val": default}]} if default else {},
            "filterState": {"value": default, "label": ", ".join(default)} if default else {},
            "ownState": {},
        },
        "controlValues": {
            "multiSelect": False,
            # Only what is in the list.
            "creatable": False,
            "enableEmptyFilter": False,
            "defaultToFirstItem": False,
            "inverseSelection": False,
            "searchAllOptions": False,
            "sortAscending": True,
            **controls,
        },
        "sortMetric": controls.get("sortMetric"),
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
        "chartsInScope": [],
        "tabsInScope": [],
    }


def _filter_id(name: str) -> str:
    return f"NATIVE_FILTER-{_slug(name)}"


def _position(numbers: Mapping[str, int], published: Published) -> dict[str, Any]:
    """Where everything stands: what is shown, tabs of rows of charts, and what the figures mean below."""
    layout: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": TITLE}},
    }

    def add(kind: str, name: str, parents: list[str], meta: Mapping[str, Any]) -> list[str]:
        """Put something into the last of its parents; the answer is the parents of what is put into it."""
        place = f"{kind}-{_slug(name)}"
        layout[place] = {"type": kind, "id": place, "children": [], "meta": dict(meta), "parents": parents}
        layout[parents[-1]]["children"].append(place)
        return [*parents, place]

    def add_row(name: str, parents: list[str], charts: list[Chart]) -> None:
        row = add("ROW", name, parents, {"background": "BACKGROUND_TRANSPARENT"})
        for chart in charts:
            meta = {
                "chartId": numbers[chart.name],
                "uuid": _id("chart", chart.name),
                "sliceName": chart.name,
                "width": chart.width,
                "height": chart.height,
            }
            add("CHART", chart.name, row, meta)

    def add_words(name: str, parents: list[str], text: str, height: int) -> None:
        row = add("ROW", name, parents, {"background": "BACKGROUND_TRANSPARENT"})
        add("MARKDOWN", name, row, {"width": 12, "height": height, "code": text})

    grid = ["ROOT_ID", "GRID_ID"]
    add_row("head", grid, [HEAD])
    tabs = add("TABS", SLUG, grid, {})
    meanings = "\n".join(
        f"- **{label}**: {published.meaning(figure)}" for figure, label in words.LABELS.items()
    )
    terms = "\n".join(f"- **{term}**: {published.say(text)}" for term, text in words.CHANGES.items())
    for title, rows in TABS.items():
        tab = add("TAB", title, tabs, {"text": title})
        for number, row in enumerate(rows):
            for chart in row:
                if chart.hint:
                    add_words(f"{chart.name} hint", tab, chart.hint, 6)
            add_row(f"{title} {number}", tab, row)
        if title == WHAT_CHANGED:
            add_words(f"{title} terms", tab, f"#### What the words mean\n\n{terms}", 24)
        add_words(f"{title} words", tab, f"#### What the figures mean\n\n{meanings}", 60)
    return layout


def _id(*path: str) -> str:
    """An identifier that stays the same, so that an import updates what is there."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("contact-reporting", *path))))


def _slug(name: str) -> str:
    return name.lower().replace(" ", "_")
