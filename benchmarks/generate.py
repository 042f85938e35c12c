"""Benchmark events: landed files of a day each, as many as asked for, the same every time.

Belongs here: the shape of the benchmark's data, one DuckDB statement per entity. Does not belong
here: the measuring, and anything that reads the files that are landed here.

    python -m benchmarks.generate --messages 1000000 --orders 2000000 --days 730 --out DIR

The row number of an event is all there is to it: its instant, its customer and the rest are drawn
from a hash of that number. So any day can be written on its own, in any order and side by side,
with no sorting and nothing kept in memory; and an order that answers a message works the message
out from its number instead of joining it.

The data, in shares that hold at every size:

- events are spread evenly over the days, in the order of their row numbers;
- as many customers as give each 4 messages a year; the heaviest tenth of them has nearly half of
  all events, the heaviest single one about fifty times the average;
- 10 queues, some larger than others, and 50 users; 10 % of the messages are skipped;
- 25 % of the orders answer a sent message within 7 days, most of them early; the others fall on
  any customer and any instant, 3 % of all on no customer at all (guests);
- 2 % of the orders are cancelled, 5 % are refunded in part or in full. A file holds the events of
  its day in their last state: a cancelled or refunded order is up to 3 days newer than its instant.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Literal, get_args

import duckdb

Format = Literal["parquet", "csv"]

# Raise it with every change of what is generated: older folders are then no longer "the same data".
RECIPE = 1

DEFAULT_LAST_DAY = date(2025, 12, 31)
MESSAGES_PER_CUSTOMER_AND_YEAR = 4
EARLIEST_DAY = date(2000, 1, 1)  # the contract takes no event before it
MICROSECONDS_PER_DAY = 24 * 60 * 60 * 1_000_000

# Instants are microseconds since the first midnight ("offsets"). Each row has a slot of equal
# length (its "step") and lies at a drawn place in it, so the number gives the instant and the
# instant gives the number.
MACROS = """
create macro draw(row_number, purpose) as
    (hash(xor(hash(row_number), hash(purpose))) >> 1)::bigint;

create macro draw_fraction(row_number, purpose) as
    draw(row_number, purpose) / 9223372036854775807;

-- A cube, so that few customers have many events, and a straight part, so that the share of the
-- heaviest one does not grow with their number.
create macro customer(fraction, customers) as
    'customer-' || floor(customers * fraction * (0.02 + 0.98 * fraction * fraction))::bigint;

create macro message_offset(message_number, step) as
    message_number * step + draw(message_number, 'message instant') % step;

create macro message_customer(message_number, customers) as
    customer(draw_fraction(message_number, 'message customer'), customers);

create macro is_skipped(message_number) as message_number % 10 = 9;

-- Multiplied by an odd number: every id occurs once, and ids that follow each other in time do not
-- in their text.
create macro scrambled_id(prefix, row_number) as
    prefix || lpad(to_hex((row_number * 2654435761) % 4294967296), 8, '0');
"""

# One row per message of the rows first_row <= row < end_row whose instant lies on the day.
MESSAGES = """
with numbered as (
    select
        range as message_number,
        message_offset(range, $message_step) as occurred_offset,
        draw_fraction(range, 'queue') as queue_fraction,
    from range($first_row, $end_row)
)

select
    scrambled_id('message-', message_number) as message_id,
    message_customer(message_number, $customers) as customer_id,
    'queue-' || lpad(
        (1 + floor(10 * queue_fraction * queue_fraction)::bigint)::text, 2, '0'
    ) as queue_id,
    'user-' || lpad((1 + draw(message_number, 'user') % 50)::text, 2, '0') as user_id,
    if(is_skipped(message_number), 'skipped', 'sent') as status,
    $first_midnight + to_microseconds(occurred_offset) as occurred_at,
    $first_midnight + to_microseconds(occurred_offset) as updated_at,
from numbered
where occurred_offset >= $day_start and occurred_offset < $day_end
order by message_number
"""

# One row per order of the rows first_row <= row < end_row whose instant lies on the day.
ORDERS = """
with numbered as (
    select
        range as order_number,
        range * $order_step + draw(range, 'order instant') % $order_step as ordered_offset,
        draw(range, 'kind of order') % 100 as kind,
        -- The least of three even draws: a third of the delays are within the first day.
        least(
            draw(range, 'delay, first') % $window,
            draw(range, 'delay, second') % $window,
            draw(range, 'delay, third') % $window
        ) as delay,
        300 + (draw(range, 'price') % 200) * (draw(range, 'quantity') % 200) as value_in_cents,
        draw(range, 'refund') % 100 < 5 as is_refunded,
        draw(range, 'cancellation') % 100 < 2 as is_cancelled,
    from range($first_row, $end_row)
),

with_the_message_before_the_delay as (
    select
        *,
        (ordered_offset - delay) // $message_step as candidate,
        if(is_skipped(candidate), candidate - 1, candidate) as message_number,
        message_offset(message_number, $message_step) as sent_offset,
    from numbered
    where ordered_offset >= $day_start and ordered_offset < $day_end
),

with_response as (
    select
        *,
        -- False before the first message and where messages are so few that none lies in reach.
        kind < 25
        and ordered_offset >= delay
        and message_number between 0 and $messages - 1
        and sent_offset <= ordered_offset
        and ordered_offset < sent_offset + $window as is_response,
    from with_the_message_before_the_delay
)

select
    scrambled_id('order-', order_number) as order_id,
    case
        when is_response then message_customer(message_number, $customers)
        when kind >= 97 then null
        else customer(draw_fraction(order_number, 'order customer'), $customers)
    end as customer_id,
    $first_midnight + to_microseconds(ordered_offset) as ordered_at,
    (value_in_cents * 0.01)::decimal(18, 2) as order_value,
    case
        when not is_refunded then 0
        when draw(order_number, 'part of the refund') % 2 = 0 then value_in_cents * 0.01
        else (draw(order_number, 'refunded cents') % value_in_cents) * 0.01
    end::decimal(18, 2) as refunded_value,
    'USD' as currency,
    if(draw(order_number, 'channel') % 10 < 6, 'online', 'in_store') as sales_channel,
    if(is_cancelled, 'cancelled', 'placed') as status,
    ordered_at + to_microseconds(
        if(is_refunded or is_cancelled, draw(order_number, 'update') % $update_delay, 0)
    ) as updated_at,
from with_response
order by order_number
"""


class OtherDataError(RuntimeError):
    """The folder holds landed files that are not the data asked for."""


@dataclass(frozen=True)
class Recipe:
    """What is generated: numbers of rows, days up to the last day inclusive, file format."""

    messages: int
    orders: int
    days: int
    last_day: date = DEFAULT_LAST_DAY
    format: Format = "parquet"

    def __post_init__(self) -> None:
        if min(self.messages, self.orders, self.days) < 1:
            raise ValueError("messages, orders and days must each be at least 1")
        if max(self.messages, self.orders) > 2**31:
            raise ValueError("messages and orders must each be at most 2**31")
        if self.days > (self.last_day - EARLIEST_DAY).days + 1:
            raise ValueError(f"the first day must not be before {EARLIEST_DAY}")
        if self.format not in get_args(Format):
            raise ValueError(f"format must be one of {', '.join(get_args(Format))}")

    @property
    def first_day(self) -> date:
        """The day of the first files."""
        return self.last_day - timedelta(days=self.days - 1)

    @property
    def customers(self) -> int:
        """How many customers the events are drawn from: a rate, whatever the number of days."""
        return max(self.messages * 365 // (self.days * MESSAGES_PER_CUSTOMER_AND_YEAR), 1)

    def as_marker(self) -> str:
        """The recipe as the text that is kept beside the data.

        It names DuckDB's version because a hash is only promised to be the same within one.
        """
        fields = asdict(self) | {
            "last_day": self.last_day.isoformat(),
            "recipe": RECIPE,
            "duckdb": duckdb.__version__,
        }
        return json.dumps(fields, indent=2, sort_keys=True) + "\n"


def generate(recipe: Recipe, out: Path) -> bool:
    """Write the recipe's files under ``out/landing/{messages,orders}``, one per day and entity.

    ``out/landing`` appears whole, at the end, or not at all; ``out/generated.json`` says what it
    was made of.

    Returns:
        True when the files were written, False when ``out`` held the same data already.

    Raises:
        OtherDataError: when ``out/landing`` exists and is anything else.
    """
    landing, unfinished = out / "landing", out / "landing.part"
    marker = out / "generated.json"

    if landing.exists():
        if marker.is_file() and marker.read_text(encoding="utf-8") == recipe.as_marker():
            return False
        raise OtherDataError(
            f"{landing} holds other data than asked for. Remove {out} or choose another folder."
        )

    out.mkdir(parents=True, exist_ok=True)
    if unfinished.exists():  # what a killed run left
        shutil.rmtree(unfinished)
    for entity in ("messages", "orders"):
        (unfinished / entity).mkdir(parents=True)

    with duckdb.connect() as connection:
        connection.execute(MACROS)

        def write(day_number: int) -> None:
            with connection.cursor() as cursor:
                write_day(cursor, recipe, day_number, unfinished)

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for _ in pool.map(write, range(recipe.days)):
                pass

    # The marker first: it says nothing as long as there is no landing folder.
    marker.write_text(recipe.as_marker(), encoding="utf-8")
    unfinished.rename(landing)
    return True


def write_day(cursor: duckdb.DuckDBPyConnection, recipe: Recipe, day_number: int, folder: Path) -> None:
    """Write the two files of one day, named by it, into ``folder/{messages,orders}``.

    Args:
        cursor: a connection with :data:`MACROS`.
        recipe: what the day is one of.
        day_number: counts from 0. Days after the recipe's last go on at its pace, with numbers of their own.
        folder: holds the two folders.
    """
    is_later = day_number >= recipe.days
    span = recipe.days * MICROSECONDS_PER_DAY
    day_start = day_number * MICROSECONDS_PER_DAY
    day_end = day_start + MICROSECONDS_PER_DAY
    day = recipe.first_day + timedelta(days=day_number)

    def copy(entity: str, query: str, rows: int, **parameters: int) -> None:
        step = span // rows
        numbers = sys.maxsize if is_later else rows
        options = "format parquet"
        if recipe.format == "csv":
            options = "format csv, header, timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'"
        cursor.execute(
            f"copy ({query}) to $path ({options})",
            {
                "path": str(folder / entity / f"{day.isoformat()}.{recipe.format}"),
                # The rows whose slots touch the day; the statement drops those just beside it.
                "first_row": min(day_start // step, numbers),
                "end_row": min((day_end - 1) // step + 1, numbers),
                "day_start": day_start,
                "day_end": day_end,
                "first_midnight": datetime.combine(recipe.first_day, time.min),
                "customers": recipe.customers,
                "message_step": span // recipe.messages,
                **parameters,
            },
        )

    copy("messages", MESSAGES, recipe.messages)
    copy(
        "orders",
        ORDERS,
        recipe.orders,
        messages=sys.maxsize if is_later else recipe.messages,
        order_step=span // recipe.orders,
        window=7 * MICROSECONDS_PER_DAY,
        update_delay=3 * MICROSECONDS_PER_DAY,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.generate",
        description="Generate benchmark events once, as landed files of a day each.",
    )
    parser.add_argument("--messages", type=int, required=True, help="number of messages")
    parser.add_argument("--orders", type=int, required=True, help="number of orders")
    parser.add_argument("--days", type=int, required=True, help="number of days, up to the last")
    parser.add_argument("--out", type=Path, required=True, help="folder: files go to OUT/landing")
    parser.add_argument("--format", choices=get_args(Format), default="parquet")
    parser.add_argument("--last-day", type=date.fromisoformat, default=DEFAULT_LAST_DAY)
    options = parser.parse_args(arguments)

    try:
        recipe = Recipe(
            messages=options.messages,
            orders=options.orders,
            days=options.days,
            last_day=options.last_day,
            format=options.format,
        )
        written = generate(recipe, options.out)
    except (ValueError, OtherDataError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{'written' if written else 'already there'}: {options.out / 'landing'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
