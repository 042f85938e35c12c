"""One ordinary day after a generated history: its events, and what it changes of earlier days.

Belongs here: the shape of that day. Does not belong here: the history (generate.py), and the measuring.

The day after the history lands as any day of it does; files beside it hold what is corrected and what comes
late. All of it is drawn from hashes of row numbers and ids, so it is the same every time:

- as many messages and orders as on any other day;
- newer versions of earlier orders, a tenth as many as a day has orders, spread over the last 90 days:
  half of them refunds, the others corrections of the value, the customer, the status or the time;
- newer versions of earlier messages, a fiftieth as many as a day has messages, spread over the same
  days: half of them were skipped after all, the others belong to another queue and another user;
- 100 orders that were not known before, from the older half of the history: of a history of two years,
  more than a year old. Half of them answer a message of that time.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from benchmarks.generate import MACROS, MICROSECONDS_PER_DAY, Recipe, write_day

DAYS_CORRECTED = 90
LATE_ORDERS = 100
WINDOW_DAYS = 7

# Newer versions of messages that landed before; their updates lie on the day.
CORRECTED_MESSAGES = """
with chosen as (
    select
        *,
        row_number() over (order by draw(message_id, 'corrected'), message_id) as place,
    from read_parquet($history)
    where status = 'sent'
    qualify place <= $corrections
)

select * exclude (place) replace (
    if(place % 2 = 1, 'skipped', status) as status,
    if(place % 2 = 1, queue_id, if(queue_id = 'queue-01', 'queue-02', 'queue-01')) as queue_id,
    if(place % 2 = 1, user_id, if(user_id = 'user-01', 'user-02', 'user-01')) as user_id,
    $midnight + to_microseconds(draw(message_id, 'correction') % $day) as updated_at
)
from chosen
order by place
"""

# Newer versions of orders that landed before; their updates lie on the day.
CORRECTED_ORDERS = """
with chosen as (
    select
        *,
        row_number() over (order by draw(order_id, 'corrected'), order_id) as place,
        -- Of eight in a row, four are refunds, and one each is a correction of another kind.
        if(place % 2 = 1, 'refund', ['value', 'customer', 'status', 'time'][1 + place // 2 % 4]) as kind,
    from read_parquet($history)
    -- As they were at first; the others have had their change, a few of them one that is newer than the day.
    where status = 'placed' and refunded_value = 0
    qualify place <= $corrections
)

select * exclude (place, kind) replace (
    case
        when kind = 'customer' then customer(draw_fraction(order_id, 'other customer'), $customers)
        else customer_id
    end as customer_id,
    case
        when kind = 'time' then ordered_at - to_microseconds(1 + draw(order_id, 'earlier') % (2 * $day))
        else ordered_at
    end as ordered_at,
    case
        when kind = 'value' then order_value + (1 + draw(order_id, 'more cents') % 10000) * 0.01
        else order_value
    end::decimal(18, 2) as order_value,
    case
        when kind = 'refund' then (1 + draw(order_id, 'refunded cents') % (order_value * 100)::bigint) * 0.01
        else refunded_value
    end::decimal(18, 2) as refunded_value,
    if(kind = 'status', 'cancelled', status) as status,
    $midnight + to_microseconds(draw(order_id, 'correction') % $day) as updated_at
)
from chosen
order by place
"""

# Orders that happened long ago and land only now; the second half of them answer messages.
LATE = """
with answered as (
    select
        customer_id,
        occurred_at,
        row_number() over (order by draw(message_id, 'answered late'), message_id) as place,
    from read_parquet($old_messages)
    where status = 'sent' and occurred_at < $last_answered_at
    qualify place <= $late_orders // 2
),

numbered as (
    select
        range as late_number,
        draw(range, 'late price') % 40000 + 300 as value_in_cents,
        $older_half // $late_orders as step,
        range * step + draw(range, 'late instant') % step as ordered_offset,
    from range($late_orders)
)

select
    -- From numbers that the orders of the days never reach.
    scrambled_id('order-', 3221225472 + late_number) as order_id,
    coalesce(
        answered.customer_id, customer(draw_fraction(late_number, 'late customer'), $customers)
    ) as customer_id,
    coalesce(
        answered.occurred_at + to_microseconds(draw(late_number, 'late delay') % $window),
        $first_midnight + to_microseconds(ordered_offset)
    ) as ordered_at,
    (value_in_cents * 0.01)::decimal(18, 2) as order_value,
    0::decimal(18, 2) as refunded_value,
    'USD' as currency,
    if(draw(late_number, 'late channel') % 10 < 6, 'online', 'in_store') as sales_channel,
    'placed' as status,
    ordered_at as updated_at,
from numbered
left join answered on numbered.late_number = $late_orders - answered.place
order by late_number
"""


def day_after(recipe: Recipe) -> date:
    """The day that follows the history."""
    return recipe.last_day + timedelta(days=1)


def land(recipe: Recipe, landing: Path) -> None:
    """Write the files of the day beside those of the history.

    Args:
        recipe: what the landed history was made of.
        landing: the folder with the folders ``messages`` and ``orders`` of the history.

    Raises:
        ValueError: when the history is too short to correct its last days and complete its older half, or
            when it is not in Parquet.
    """
    if recipe.days < 2 * DAYS_CORRECTED or recipe.format != "parquet":
        raise ValueError(f"the history must have at least {2 * DAYS_CORRECTED} days, in Parquet")
    remove(recipe, landing)
    with duckdb.connect() as connection:
        connection.execute(MACROS)
        write_day(connection, recipe, recipe.days, landing)

        def copy(entity: str, what: str, query: str, **parameters: object) -> None:
            path = landing / entity / f"{day_after(recipe)}-{what}.parquet"
            connection.execute(f"copy ({query}) to $path (format parquet)", {"path": str(path), **parameters})

        midnight = datetime.combine(day_after(recipe), time.min)
        corrected_days = range(recipe.days - DAYS_CORRECTED, recipe.days)
        copy(
            "messages",
            "corrections",
            CORRECTED_MESSAGES,
            history=_files(recipe, landing, "messages", corrected_days),
            corrections=max(recipe.messages // recipe.days // 50, 2),
            midnight=midnight,
            day=MICROSECONDS_PER_DAY,
        )
        copy(
            "orders",
            "corrections",
            CORRECTED_ORDERS,
            history=_files(recipe, landing, "orders", corrected_days),
            corrections=max(recipe.orders // recipe.days // 10, 8),
            customers=recipe.customers,
            midnight=midnight,
            day=MICROSECONDS_PER_DAY,
        )
        older_days = range(recipe.days // 2)
        first_midnight = datetime.combine(recipe.first_day, time.min)
        copy(
            "orders",
            "late",
            LATE,
            old_messages=_files(recipe, landing, "messages", older_days),
            late_orders=LATE_ORDERS,
            customers=recipe.customers,
            first_midnight=first_midnight,
            older_half=len(older_days) * MICROSECONDS_PER_DAY,
            last_answered_at=first_midnight + timedelta(days=len(older_days) - WINDOW_DAYS),
            window=WINDOW_DAYS * MICROSECONDS_PER_DAY,
        )


def remove(recipe: Recipe, landing: Path) -> None:
    """Remove the files of the day, if they are there."""
    for path in landing.glob(f"*/{day_after(recipe)}*.parquet"):
        path.unlink()


def _files(recipe: Recipe, landing: Path, entity: str, days: range) -> list[str]:
    """The landed files of days of the history, which are counted from 0."""
    return [str(landing / entity / f"{recipe.first_day + timedelta(days=number)}.parquet") for number in days]
