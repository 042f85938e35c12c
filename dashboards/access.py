"""What Superset does for whom, beyond what its roles can say.

Whoever is no admin may send the requests of our charts, with filters, and nothing in which the sender writes
SQL; the roles of Superset know no such right. And only admins and the members of our role see the published
data, where Superset's own Alpha sees all of every database.

Belongs here: what is refused to a user who is signed in. Does not belong here: how many requests, and for how
long (limits.py), roles and their permissions (provision.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask import Flask

if TYPE_CHECKING:
    from superset.common.query_context import QueryContext
    from superset.common.query_object import QueryObject
    from superset.security import SupersetSecurityManager

# What is done with the rows of a line over time after they are read, and the one step of days in it.
STEPS_AFTER_READING = ("pivot", "rename", "flatten", "resample")
DAY_OF_A_LINE = "P1D"
STEP_OF_A_LINE = "1D"

# Parts of a request that none of our charts has: each carries SQL, or multiplies the queries.
NEVER_ASKED = (
    "annotation_layers",
    "time_offsets",
    "time_shift",
    "inner_from_dttm",
    "inner_to_dttm",
)


class OnlyOurReaders:
    """For a security manager of Superset: who sees all data is admin, and nobody else."""

    is_admin: Callable[[], bool]

    def can_access_all_databases(self) -> bool:
        return self.is_admin()

    def can_access_all_datasources(self) -> bool:
        return self.is_admin()


def with_our_readers(manager: type[SupersetSecurityManager] | None) -> type[SupersetSecurityManager]:
    """The security manager of Superset, or that of a company, with the rule of :class:`OnlyOurReaders`."""
    from superset.security import SupersetSecurityManager

    return type("ContactSecurityManager", (OnlyOurReaders, manager or SupersetSecurityManager), {})


def refuse_expressions(_application: Flask) -> None:
    """Check each request for data before anything of it is read.

    Superset renders Jinja in a request before it looks at the rights of the sender, so its own hook, a method
    of the security manager, comes too late.
    """
    # Superset's modules need its configuration, which names this one.
    from superset.common.query_context import QueryContext

    raise_for_access = QueryContext.raise_for_access

    def checked(query_context: QueryContext) -> None:
        from superset import security_manager

        if not security_manager.is_admin():
            for query in query_context.queries:
                for refused in _refused(query, query_context.datasource):
                    raise _refusal(refused)
        raise_for_access(query_context)

    QueryContext.raise_for_access = checked


def _refusal(refused: object) -> Exception:
    from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
    from superset.exceptions import SupersetSecurityException

    return SupersetSecurityException(
        SupersetError(
            error_type=SupersetErrorType.DATASOURCE_SECURITY_ACCESS_ERROR,
            message="Only the charts of the dashboard can be requested, with its filters. "
            f"Refused: {refused!s:.200}",
            level=ErrorLevel.WARNING,
        )
    )


def _refused(query: QueryObject, dataset: Any) -> Iterator[object]:
    """What of a query names more than columns and metrics of the dataset, or does more than our charts do."""
    columns = {column.column_name for column in dataset.columns}
    metrics = {metric.metric_name for metric in dataset.metrics}
    if query.datasource is not None and query.datasource.id != dataset.id:
        yield "another dataset"
    yield from (name for name in NEVER_ASKED if getattr(query, name))
    yield from (column for column in _columns_of(query) if not _is_column(column, columns))
    yield from (metric for metric in query.metrics or () if not _is_name(metric, metrics))
    yield from (order for order in query.orderby if not _is_order(order, columns | metrics))
    yield from (given for given in query.filter if not _is_filter(given, columns))
    for name, known in (("series_limit_metric", columns | metrics), ("granularity", columns)):
        value = getattr(query, name)
        if value and not _is_name(value, known):
            yield value
    yield from ((name, value) for name, value in query.extras.items() if not _is_extra(name, value))
    yield from (step for step in query.post_processing if not _is_step(step))


def _columns_of(query: QueryObject) -> Sequence[Any]:
    return [*query.columns, *query.series_columns]


def _is_name(value: Any, known: set[str]) -> bool:
    return isinstance(value, str) and value in known


def _is_column(column: Any, known: set[str]) -> bool:
    """A column by its name. Superset writes the axis of a line as an expression, which is the name."""
    if not isinstance(column, Mapping):
        return _is_name(column, known)
    return (
        column.get("columnType") == "BASE_AXIS"
        and _is_name(column.get("sqlExpression"), known)
        and column.get("label") == column["sqlExpression"]
        and column.get("timeGrain") in (None, DAY_OF_A_LINE)
    )


def _is_order(order: Any, known: set[str]) -> bool:
    return isinstance(order, Sequence) and len(order) == 2 and _is_name(order[0], known)


def _is_filter(given: Mapping[str, Any], known: set[str]) -> bool:
    return _is_name(given.get("col"), known) and not given.get("grain")


def _is_extra(name: str, value: Any) -> bool:
    return not value or (name == "time_grain_sqla" and value == DAY_OF_A_LINE)


def _is_step(step: Mapping[str, Any]) -> bool:
    options = step.get("options") or {}
    return (
        step.get("operation") in STEPS_AFTER_READING and options.get("rule", STEP_OF_A_LINE) == STEP_OF_A_LINE
    )
