"""What the last version restated: credited revenue of settled days that is other than in the version before.

Credited revenue adds up over days, so the rows of the ledger alone tell it. Belongs here: what the check of a
limit and the metadata of a version say. Does not belong here: the rows behind it, which the
published functions give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb

LEAST_ORDERS = 100

BY_PERIOD = """
with versions_compared as (
    select
        versions.version,
        previous.as_of - previous.settings.attribution_window_days as last_settled_day
    from versions
    inner join versions as previous on versions.previous_version = previous.version
    where versions.is_linked_to_previous
    order by versions.version desc
    limit 1
),
touches as (
    select restatements.*
    from restatements
    inner join versions_compared on restatements.to_version = versions_compared.version
    where entity = 'touch' and was_settled
),
credits as (
    select order_id, message_date_after as message_date, order_value_after as credit
    from touches
    where is_last_touch_after
    union all
    select order_id, message_date_before, -order_value_before
    from touches
    where is_last_touch_before
),
moved_by_order as (
    select periods.period, credits.order_id, sum(credits.credit) as moved
    from credits
    inner join mart_overview as periods
        on credits.message_date between periods.period_start and periods.period_end
    group by all
    having moved <> 0
),
settled_now as (
    select periods.period, sum(days.revenue_credited) as revenue
    from mart_overview as periods
    inner join mart_overview_daily as days
        on days.message_date between periods.period_start and periods.period_end
    inner join versions_compared on days.message_date <= versions_compared.last_settled_day
    group by all
)
select
    periods.period,
    coalesce(any_value(settled_now.revenue), 0) - coalesce(sum(moved_by_order.moved), 0) as settled_revenue,
    coalesce(sum(abs(moved_by_order.moved)), 0) as moved_revenue,
    count(moved_by_order.order_id) as orders
from mart_overview as periods
left join settled_now on periods.period = settled_now.period
left join moved_by_order on periods.period = moved_by_order.period
group by periods.period
order by periods.period
"""


@dataclass(frozen=True)
class RestatedPeriod:
    """How much of a period the last version restated.

    Attributes:
        period: its name, as in mart_overview.
        settled_revenue: the credited revenue of its settled days, as the version before showed it.
        moved_revenue: the sum of what each order added to it or took from it, as positive amounts.
        orders: how many orders these are.
    """

    period: str
    settled_revenue: Decimal
    moved_revenue: Decimal
    orders: int

    def is_more_than(self, share: float) -> bool:
        """Whether more than this share of the settled revenue moved, by more than a few orders."""
        return self.orders > LEAST_ORDERS and self.moved_revenue > Decimal(share) * self.settled_revenue


def restated_periods(published: duckdb.DuckDBPyConnection) -> Sequence[RestatedPeriod]:
    """The periods of the reports by name; nothing moved in them when there is no version before.

    Args:
        published: a connection to the published file.
    """
    return [RestatedPeriod(*row) for row in published.execute(BY_PERIOD).fetchall()]
