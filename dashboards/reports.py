"""The dashboard as code: what Superset imports, built from what is published.

Belongs here: datasets, charts, tabs, the filter bar. Does not belong here: any figure. Figures come from the
table functions of the published file, and their words from its comments, which are those of the dbt docs.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import jinja2
import yaml

from dashboards.connection import address_of

TITLE = "Contact reports"
SLUG = "contact-reports"
DATABASE = "Contact reports"
DEFAULT_DAYS = "Last 30 days"

# An open dashboard asks again this often, so that it shows what was published since.
SECONDS_BETWEEN_UPDATES = 60

VERSION = {"version": "1.0.0"}

# Where each figure's description is found: the columns of this table carry those of the dbt docs.
DESCRIBED = "mart_overview"

LABELS = {
    "messages_sent": "Messages sent",
    "messages_skipped": "Messages skipped",
    "customers_messaged": "Customers messaged",
    "customers_converted": "Customers converted",
    "conversion_rate": "Conversion rate",
    "orders_generated": "Orders generated",
    "revenue_generated": "Revenue generated",
    "revenue_refunded": "Revenue refunded",
    "revenue_credited": "Revenue credited",
    "active_users": "Active users",
    "revenue_per_message": "Revenue per message",
    "messages_in_open_window": "Messages with an open window",
}
MONEY = ("revenue_generated", "revenue_refunded", "revenue_credited", "revenue_per_message")
RATES = ("conversion_rate",)
BREAKDOWN = ("messages_sent", "messages_skipped", "revenue_generated", "revenue_per_message")

# What people choose from. Two queues or agents of one name are told apart by their identifiers.
NAMES = {
    label: f"""(
    select
        {entity}_id,
        case
            when count(*) over (partition by {entity}_name) = 1 then {entity}_name
            else {entity}_name || ' (' || {entity}_id || ')'
        end as {label}
    from dim_{entity}s
)"""
    for label, entity in (("queue", "queue"), ("agent", "user"))
}

# The filter bar. Superset gives half-open ranges of instants, the table functions take the days of both ends.
# Names are handed over as hexadecimal digits: Superset would take braces in a literal for Jinja, and write %
# and backslashes twice.
FILTERS = """
{%- macro texts(names) -%}
    {%- for name in names -%}
        decode(from_hex('{{ (name | string).encode().hex() }}')){{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
{%- set range = get_time_filter('message_date', strftime='%Y-%m-%d %H:%M:%S', remove_filter=True) -%}
{%- set queues = filter_values('queue', remove_filter=True) -%}
{%- set agents = filter_values('agent', remove_filter=True) -%}
{%- set first_day -%}
    cast(timestamp '{{ range.from_expr or '0001-01-01 00:00:00' }}' as date)
{%- endset -%}
{%- set last_day -%}
    cast(timestamp '{{ range.to_expr or '9999-12-31 00:00:00' }}' - interval 1 microsecond as date)
{%- endset -%}
{%- set queue_ids -%}
    (select coalesce(list(queue_id), []) from QUEUES where queue in ({{ texts(queues) }}))
{%- endset -%}
{%- set user_ids -%}
    (select coalesce(list(user_id), []) from AGENTS where agent in ({{ texts(agents) }}))
{%- endset -%}
""".replace("QUEUES", NAMES["queue"]).replace("AGENTS", NAMES["agent"])

ARGUMENTS = """(
    {{ first_day }},
    {{ last_day }},
    queues := {{ queue_ids if queues else 'null' }},
    users := {{ user_ids if agents else 'null' }}
)"""

# Each order once, however many of the messages asked for touched it.
ORDERS = f"""{FILTERS}
select
    touches.order_id,
    touches.ordered_at,
    touches.sales_channel,
    touches.order_value,
    touches.refunded_value,
    touches.customer_id,
    count(*) as touches,
    min(touches.message_date) as message_date,
    strftime(min(touches.message_date), '%Y-%m-%d') as first_message_on,
    string_agg(distinct queues.queue, ', ' order by queues.queue) as queue,
    string_agg(distinct agents.agent, ', ' order by agents.agent) as agent
from fct_message_orders as touches
inner join {NAMES["queue"]} as queues on touches.queue_id = queues.queue_id
inner join {NAMES["agent"]} as agents on touches.user_id = agents.user_id
where
    touches.message_date between {{{{ first_day }}}} and {{{{ last_day }}}}
    {{% if queues %}}and list_contains({{{{ queue_ids }}}}, touches.queue_id){{% endif %}}
    {{% if agents %}}and list_contains({{{{ user_ids }}}}, touches.user_id){{% endif %}}
group by all"""

NO_DAY = "cast(null as date) as message_date"
NO_QUEUE = "cast(null as varchar) as queue"
NO_AGENT = "cast(null as varchar) as agent"


def _of_function(name: str, given: str, names: str = "") -> str:
    """A dataset of a table function; columns of the filter bar that it does not give are empty."""
    return f"{FILTERS}\nselect figures.*, {given}\nfrom {name}{ARGUMENTS} as figures{names}"


OF_QUEUES = f"\ninner join {NAMES['queue']} as queues on figures.queue_id = queues.queue_id"
OF_AGENTS = f"\ninner join {NAMES['agent']} as agents on figures.user_id = agents.user_id"

# Each dataset's columns besides the figures, and its SQL.
DATASETS = {
    "overview": _of_function("overview", f"{NO_DAY}, {NO_QUEUE}, {NO_AGENT}"),
    "messages_over_time": _of_function("messages_over_time", f"{NO_QUEUE}, {NO_AGENT}"),
    "queue_breakdown": _of_function("queue_breakdown", f"{NO_DAY}, queues.queue, {NO_AGENT}", OF_QUEUES),
    "user_messages_over_time": _of_function(
        "user_messages_over_time", f"{NO_QUEUE}, agents.agent", OF_AGENTS
    ),
    "user_breakdown": _of_function("user_breakdown", f"{NO_DAY}, {NO_QUEUE}, agents.agent", OF_AGENTS),
    "orders_behind_the_figures": ORDERS,
    "queues": f"select * from {NAMES['queue']} as queues",
    "agents": f"select * from {NAMES['agent']} as agents",
    "freshness": """
select
    strftime(as_of, '%Y-%m-%d') as as_of,
    refreshed_at,
    newest_event_at,
    timezone,
    currency
from report_info""",
}


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
    """

    name: str
    dataset: str
    params: Mapping[str, Any]
    width: int
    height: int
    figure: str | None = None


# Landed names are text, whatever they look like: a cell never renders them.
PLAIN_TABLE = {"viz_type": "table", "allow_render_html": False, "show_cell_bars": False}

DAYS_ASKED_FOR = {
    "adhoc_filters": [
        {
            "clause": "WHERE",
            "expressionType": "SIMPLE",
            "subject": "message_date",
            "operator": "TEMPORAL_RANGE",
            "comparator": DEFAULT_DAYS,
        }
    ]
}


def _hero(name: str, figure: str, dataset: str = "overview", width: int = 3) -> Chart:
    params = {"viz_type": "big_number_total", "metric": figure, "header_font_size": 0.4, **DAYS_ASKED_FOR}
    return Chart(name, dataset, params, width, 18, figure)


def _over_time(name: str, dataset: str, groupby: list[str]) -> Chart:
    params = {
        "viz_type": "echarts_timeseries_line",
        "x_axis": "message_date",
        "time_grain_sqla": "P1D",
        "metrics": ["messages_sent"],
        "groupby": groupby,
        "row_limit": 50_000,
        "x_axis_sort_asc": True,
        "x_axis_time_format": "%d %b %Y",
        "tooltipTimeFormat": "%A, %d %B %Y",
        "rich_tooltip": True,
        "show_legend": bool(groupby),
        "markerEnabled": True,
        "y_axis_format": ",d",
        "truncateYAxis": False,
        # A day without messages is a zero, not a line drawn past it.
        "resample_rule": "1D",
        "resample_method": "zerofill",
        **DAYS_ASKED_FOR,
    }
    return Chart(name, dataset, params, 12, 44, "messages_sent")


def _breakdown(name: str, dataset: str, column: str) -> Chart:
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
        **DAYS_ASKED_FOR,
    }
    return Chart(name, dataset, params, 12, 60)


def _orders(name: str) -> Chart:
    params = {
        **PLAIN_TABLE,
        "query_mode": "raw",
        "all_columns": [
            *("order_id", "ordered_at", "sales_channel", "order_value", "refunded_value", "customer_id"),
            *("touches", "first_message_on", "queue", "agent"),
        ],
        "order_by_cols": ['["ordered_at", false]', '["order_id", true]'],
        "server_pagination": True,
        "server_page_length": 20,
        "table_timestamp_format": "%Y-%m-%d %H:%M:%S",
        **DAYS_ASKED_FOR,
    }
    return Chart(name, "orders_behind_the_figures", params, 12, 60)


FRESHNESS = {
    **PLAIN_TABLE,
    "query_mode": "raw",
    "all_columns": ["as_of", "refreshed_at", "newest_event_at", "timezone", "currency"],
    "row_limit": 10,
    "table_timestamp_format": "%Y-%m-%d %H:%M",
}

# The tabs, their rows, and the charts of each row.
TABS: dict[str, list[list[Chart]]] = {
    "Overview": [
        [
            _hero("Total messages sent", "messages_sent"),
            _hero("Revenue generated", "revenue_generated"),
            _hero("Conversion rate", "conversion_rate"),
            _hero("Messages with an open window", "messages_in_open_window"),
        ],
        [_over_time("Total messages sent over time", "messages_over_time", [])],
        [_breakdown("Queue breakdown", "queue_breakdown", "queue")],
        [_orders("Orders behind the figures of the overview")],
        [Chart("Data of the overview", "freshness", FRESHNESS, 12, 20)],
    ],
    "Team engagement": [
        [
            _hero("Active users", "active_users", width=6),
            _hero("Revenue per message", "revenue_per_message", width=6),
        ],
        [_over_time("Total messages sent over time per team member", "user_messages_over_time", ["agent"])],
        [_breakdown("User breakdown", "user_breakdown", "agent")],
        [_orders("Orders behind the figures of the team")],
        [Chart("Data of the team", "freshness", FRESHNESS, 12, 20)],
    ],
}


@dataclass(frozen=True)
class Published:
    """What the dashboard takes from the published file."""

    file: Path
    currency: str
    words: Mapping[str, str]
    columns: Mapping[str, list[tuple[str, str]]] = field(repr=False)

    @classmethod
    def read(cls, file: Path) -> Published:
        """Read the currency, what the figures mean, and the columns of each dataset."""
        with duckdb.connect(str(file), read_only=True) as connection:
            (currency,) = connection.execute("select currency from report_info").fetchone()
            words = dict(
                connection.execute(
                    "select column_name, comment from duckdb_columns() where table_name = ?", [DESCRIBED]
                ).fetchall()
            )
            columns = {
                name: [
                    (column, kind)
                    for column, kind, *_ in connection.execute(f"describe {_plain(sql)}").fetchall()
                ]
                for name, sql in DATASETS.items()
            }
        return cls(file, currency, words, columns)


def _plain(sql: str) -> str:
    """A dataset's SQL when nothing is filtered."""
    return (
        jinja2.Environment()
        .from_string(sql)
        .render(
            get_time_filter=lambda *_, **__: SimpleNamespace(from_expr=None, to_expr=None),
            filter_values=lambda *_, **__: [],
        )
    )


def write(published: Published, folder: Path) -> None:
    """Write the assets that Superset imports.

    Args:
        published: what is published.
        folder: where to; what is there is removed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    documents = {
        "metadata.yaml": {**VERSION, "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
        "databases/contact_reports.yaml": _database(published.file),
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
    for rows in TABS.values():
        for row in rows:
            yield from row


def _database(file: Path) -> dict[str, Any]:
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": address_of(file),
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
    figures = [column for column, _ in columns if column in LABELS]
    return {
        "table_name": name,
        "main_dttm_col": "message_date" if "message_date" in dict(columns) else None,
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
        "metrics": [_metric(figure, published) for figure in figures],
        "columns": [
            {
                "column_name": column,
                "verbose_name": LABELS.get(column, column.replace("_", " ").capitalize()),
                "is_dttm": kind.startswith(("DATE", "TIMESTAMP")),
                "is_active": True,
                "type": kind,
                "advanced_data_type": None,
                "groupby": True,
                "filterable": True,
                "expression": None,
                "description": published.words.get(column),
                "python_date_format": None,
                "extra": None,
            }
            for column, kind in columns
        ],
        **VERSION,
        "database_uuid": _id("database"),
    }


def _metric(figure: str, published: Published) -> dict[str, Any]:
    """A figure as Superset's metric. The table function computed it: a group holds one row of it."""
    is_money = figure in MONEY
    return {
        "metric_name": figure,
        "verbose_name": LABELS[figure],
        "metric_type": None,
        "expression": f"max({figure})",
        "description": published.words[figure],
        "d3format": ".2%" if figure in RATES else ",.2f" if is_money else ",d",
        "currency": {"symbol": published.currency, "symbolPosition": "prefix"} if is_money else None,
        "extra": None,
        "warning_text": None,
    }


def _chart(chart: Chart, published: Published) -> dict[str, Any]:
    return {
        "slice_name": chart.name,
        "description": published.words[chart.figure] if chart.figure else None,
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
        "css": "",
        "slug": SLUG,
        "certified_by": None,
        "certification_details": None,
        "published": True,
        "uuid": _id("dashboard"),
        "position": _position(numbers, published),
        "metadata": {
            "color_scheme": "supersetColors",
            "refresh_frequency": SECONDS_BETWEEN_UPDATES,
            "filter_bar_orientation": "HORIZONTAL",
            "cross_filters_enabled": True,
            "chart_configuration": _cross_filters(numbers),
            "global_chart_configuration": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                "chartsInScope": [],
            },
            "native_filter_configuration": _filter_bar(numbers),
        },
        **VERSION,
    }


def _cross_filters(numbers: Mapping[str, int]) -> dict[str, Any]:
    """A row of a breakdown that is clicked leads to its orders, and changes nothing else."""
    orders = {numbers[chart.name] for chart in _charts() if chart.dataset == "orders_behind_the_figures"}
    others = [number for number in numbers.values() if number not in orders]
    return {
        str(number): {
            "id": number,
            "crossFilters": {
                "scope": {"rootPath": ["ROOT_ID"], "excluded": others},
                "chartsInScope": [],
            },
        }
        for number in numbers.values()
    }


def _filter_bar(numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    def choice(name: str, column: str, dataset: str) -> dict[str, Any]:
        return {
            "filterType": "filter_select",
            "name": name,
            "targets": [{"column": {"name": column}, "datasetUuid": _id("dataset", dataset)}],
            "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
            "controlValues": {
                "multiSelect": True,
                "enableEmptyFilter": False,
                "defaultToFirstItem": False,
                "inverseSelection": False,
                "searchAllOptions": False,
                "sortAscending": True,
            },
        }

    days = {
        "filterType": "filter_time",
        "name": "Date range",
        "targets": [{}],
        "defaultDataMask": {
            "extraFormData": {"time_range": DEFAULT_DAYS},
            "filterState": {"value": DEFAULT_DAYS},
            "ownState": {},
        },
        "controlValues": {"enableEmptyFilter": False},
    }
    unfiltered = [numbers[chart.name] for chart in _charts() if chart.dataset == "freshness"]
    filters = [days, choice("Queues", "queue", "queues"), choice("Agents", "agent", "agents")]
    return [
        {
            "id": f"NATIVE_FILTER-{_slug(given['name'])}",
            "type": "NATIVE_FILTER",
            "description": "",
            "cascadeParentIds": [],
            "scope": {"rootPath": ["ROOT_ID"], "excluded": unfiltered},
            "chartsInScope": [],
            "tabsInScope": [],
            **given,
        }
        for given in filters
    ]


def _position(numbers: Mapping[str, int], published: Published) -> dict[str, Any]:
    """Where everything stands: tabs of rows of charts, and what the figures mean below."""
    tabs = f"TABS-{SLUG}"
    layout: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": [tabs]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": TITLE}},
        tabs: {"type": "TABS", "id": tabs, "children": [], "meta": {}, "parents": ["ROOT_ID"]},
    }

    def add(kind: str, name: str, parents: list[str], meta: Mapping[str, Any]) -> str:
        place = f"{kind}-{_slug(name)}"
        layout[place] = {"type": kind, "id": place, "children": [], "meta": dict(meta), "parents": parents}
        layout[parents[-1]]["children"].append(place)
        return place

    for title, rows in TABS.items():
        tab = add("TAB", title, ["ROOT_ID", tabs], {"text": title})
        for number, row in enumerate(rows):
            line = add(
                "ROW", f"{title} {number}", ["ROOT_ID", tabs, tab], {"background": "BACKGROUND_TRANSPARENT"}
            )
            for chart in row:
                meta = {
                    "chartId": numbers[chart.name],
                    "uuid": _id("chart", chart.name),
                    "sliceName": chart.name,
                    "width": chart.width,
                    "height": chart.height,
                }
                add("CHART", chart.name, ["ROOT_ID", tabs, tab, line], meta)
        line = add("ROW", f"{title} words", ["ROOT_ID", tabs, tab], {"background": "BACKGROUND_TRANSPARENT"})
        meaning = "\n".join(f"- **{label}**: {published.words[figure]}" for figure, label in LABELS.items())
        add(
            "MARKDOWN",
            f"{title} words",
            ["ROOT_ID", tabs, tab, line],
            {"width": 12, "height": 60, "code": f"#### What the figures mean\n\n{meaning}"},
        )
    return layout


def _id(*path: str) -> str:
    """An identifier that stays the same, so that an import updates what is there."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("contact-reporting", *path))))


def _slug(name: str) -> str:
    return name.lower().replace(" ", "_")
