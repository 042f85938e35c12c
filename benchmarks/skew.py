"""Two customers with far more events than any other, beside a generated history.

Belongs here: the events of these customers. Does not belong here: the history (generate.py), and the
measuring.

A till that books all purchases without a card on one account has a hundredth of all orders and is messaged
200 times; a customer who is messaged all the time, and always buys, has 5,000 messages and 5,000 orders. Both
are spread evenly over the days. Their orders are placed, and their messages are sent: every one of them is
joined.
"""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path

import duckdb

from benchmarks.generate import MACROS, MICROSECONDS_PER_DAY, Recipe

# How many messages and orders; None is a hundredth of the orders of the history.
CUSTOMERS = {"shared-till": (200, None), "heavy-account": (5_000, 5_000)}

# Each event lies at a drawn place in a slot of equal length.
NUMBERED = """
select
    customer_id || '-' || event_number as event_id,
    customer_id,
    span // events as step,
    $first_midnight + to_microseconds(event_number * step + draw(event_id, $entity) % step) as instant,
from (select unnest($customers) as customer_id, unnest($events) as events, $span as span),
    lateral (select unnest(range(events)) as event_number)
"""

MESSAGES = f"""
select
    event_id as message_id,
    customer_id,
    'queue-01' as queue_id,
    'user-01' as user_id,
    'sent' as status,
    instant as occurred_at,
    instant as updated_at,
from ({NUMBERED})
"""

ORDERS = f"""
select
    event_id as order_id,
    customer_id,
    instant as ordered_at,
    ((300 + draw(event_id, 'price') % 40000) * 0.01)::decimal(18, 2) as order_value,
    0::decimal(18, 2) as refunded_value,
    'USD' as currency,
    'in_store' as sales_channel,
    'placed' as status,
    instant as updated_at,
from ({NUMBERED})
"""


def land(recipe: Recipe, landing: Path) -> None:
    """Write the files of the two customers, one of each entity, beside those of the history."""
    messages, orders = zip(*CUSTOMERS.values(), strict=True)
    events = {
        "messages": (MESSAGES, messages),
        "orders": (ORDERS, [number or recipe.orders // 100 for number in orders]),
    }
    with duckdb.connect() as connection:
        connection.execute(MACROS)
        for entity, (query, numbers) in events.items():
            connection.execute(
                f"copy ({query}) to $path (format parquet)",
                {
                    "path": str(landing / entity / "skew.parquet"),
                    "entity": entity,
                    "customers": list(CUSTOMERS),
                    "events": list(numbers),
                    "span": recipe.days * MICROSECONDS_PER_DAY,
                    "first_midnight": datetime.combine(recipe.first_day, time.min),
                },
            )
