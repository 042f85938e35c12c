"""What people would write instead of the model's join: the same touches found in other ways.

Belongs here: each way, on the same two Parquet files of typed, latest events. Does not belong here: the whole
way from the landed files to the marts (yardstick.py).

    python -m benchmarks.alternatives METHOD FOLDER

reads `messages.parquet` (sent ones) and `orders.parquet` (eligible ones) of a folder and writes
`METHOD.parquet` there: the message that each order is credited to, and where a method gives all touches, how
many an order has.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.measure import Usage, measured

# From the landed files of a generated history, in which each event has one version.
INPUTS = {
    "messages": """
        select message_id, customer_id, occurred_at as sent_at
        from read_parquet($landed)
        where status = 'sent'
    """,
    "orders": """
        select order_id, customer_id, ordered_at
        from read_parquet($landed)
        where status = 'placed' and customer_id is not null
    """,
}

INEQUALITY = """
select messages.message_id, messages.sent_at, orders.order_id
from messages
inner join orders
    on
        messages.customer_id = orders.customer_id
        and messages.sent_at <= orders.ordered_at
        and messages.sent_at + interval 168 hour > orders.ordered_at
"""

# As models/attribution/order_touches.sql joins them.
BUCKETS = """
with messages_by_stretch as (
    select *, epoch_us(sent_at) // 604800000000 + unnest([0, 1]) as stretch
    from messages
),

orders_by_stretch as (
    select *, epoch_us(ordered_at) // 604800000000 as stretch
    from orders
)

select messages.message_id, messages.sent_at, orders.order_id
from messages_by_stretch as messages
inner join orders_by_stretch as orders
    on
        messages.customer_id = orders.customer_id
        and messages.stretch = orders.stretch
        and messages.sent_at <= orders.ordered_at
        and messages.sent_at + interval 168 hour > orders.ordered_at
"""

CREDITED_OF_TOUCHES = """
select
    order_id,
    message_id,
    count(*) over (partition by order_id) as touch_count,
from ({touches})
qualify row_number() over (partition by order_id order by sent_at desc, message_id desc) = 1
"""

# The last message before an order is the one that is credited, if its window is still open.
ASOF = """
select orders.order_id, messages.message_id
from orders
asof join messages
    on
        orders.customer_id = messages.customer_id
        and orders.ordered_at >= messages.sent_at
where messages.sent_at + interval 168 hour > orders.ordered_at
"""


def in_duckdb(query: str) -> Callable[[Path, Path], None]:
    """The way of one DuckDB query for what is credited."""

    def credit(folder: Path, out: Path) -> None:
        with duckdb.connect() as connection:
            connection.execute("set preserve_insertion_order = false")
            for entity in INPUTS:
                connection.execute(f"create view {entity} as from '{folder / entity}.parquet'")
            connection.execute(f"copy ({query}) to '{out}' (format parquet)")

    return credit


def in_pandas(folder: Path, out: Path) -> None:
    """`merge_asof` takes the last of equal instants, so they are sorted by id."""
    import pandas as pd

    messages = pd.read_parquet(folder / "messages.parquet").sort_values(["sent_at", "message_id"])
    orders = pd.read_parquet(folder / "orders.parquet").sort_values("ordered_at")
    credited = pd.merge_asof(orders, messages, left_on="ordered_at", right_on="sent_at", by="customer_id")
    credited = credited[credited["ordered_at"] < credited["sent_at"] + pd.Timedelta(days=7)]
    credited[["order_id", "message_id"]].to_parquet(out, index=False)


def in_polars(folder: Path, out: Path) -> None:
    """`join_asof` takes the last of equal instants, so they are sorted by id."""
    import polars as pl

    messages = pl.read_parquet(folder / "messages.parquet").sort("sent_at", "message_id")
    orders = pl.read_parquet(folder / "orders.parquet").sort("ordered_at")
    (
        orders.join_asof(
            messages,
            left_on="ordered_at",
            right_on="sent_at",
            by="customer_id",
            coalesce=False,
            # It cannot be checked by customer, and would only be warned of.
            check_sortedness=False,
        )
        .filter(pl.col("ordered_at") < pl.col("sent_at") + pl.duration(days=7))
        .select("order_id", "message_id")
        .write_parquet(out)
    )


@dataclass(frozen=True)
class Method:
    """One way.

    Attributes:
        name: in words.
        gives_all: gives all touches of an order; otherwise only the credited one.
        exact_on_ties: of messages of one instant, the greatest id is credited.
        credit: reads the folder and writes the file.
    """

    name: str
    gives_all: bool
    exact_on_ties: bool
    credit: Callable[[Path, Path], None]


METHODS = {
    "buckets": Method(
        "the model's join: customer and stretch of 7 days",
        True,
        True,
        in_duckdb(CREDITED_OF_TOUCHES.format(touches=BUCKETS)),
    ),
    "inequality": Method(
        "inequality join, DuckDB", True, True, in_duckdb(CREDITED_OF_TOUCHES.format(touches=INEQUALITY))
    ),
    "asof": Method("ASOF join, DuckDB", False, False, in_duckdb(ASOF)),
    "merge_asof": Method("merge_asof, pandas", False, True, in_pandas),
    "join_asof": Method("join_asof, Polars", False, True, in_polars),
}


@dataclass(frozen=True)
class Found:
    """What a method found: credited orders, those where it differs from the model's join, all touches."""

    credited: int
    differing: int
    touches: int | None


def prepare(landing: Path, folder: Path) -> None:
    """Write the input of the methods from the landed files of a generated history."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        for entity, query in INPUTS.items():
            connection.execute(
                f"copy ({query}) to $out (format parquet)",
                {"landed": str(landing / entity / "*.parquet"), "out": str(folder / f"{entity}.parquet")},
            )


def measure(method: str, folder: Path) -> Usage:
    """What a method takes in a fresh process."""
    return measured([sys.executable, "-m", "benchmarks.alternatives", method, str(folder)])


def found(folder: Path) -> dict[str, Found]:
    """What each method found, held against the model's join.

    Raises:
        SystemExit: when methods that are exact do not agree.
    """
    finds = {}
    with duckdb.connect() as connection:
        model = f"(from '{folder / 'buckets'}.parquet')"
        for key, method in METHODS.items():
            own = f"(from '{folder / key}.parquet')"
            ((credited, differing),) = connection.execute(
                f"""
                select
                    count(own.order_id),
                    count(*) filter (own.message_id is distinct from model.message_id)
                from {own} as own
                full join {model} as model using (order_id)
                """
            ).fetchall()
            touches = None
            if method.gives_all:
                ((touches,),) = connection.execute(f"select sum(touch_count) from {own}").fetchall()
            finds[key] = Found(credited, differing, touches)
            if method.exact_on_ties and differing:
                raise SystemExit(f"{method.name} credits {differing} orders otherwise than the model's join")
    return finds


def main(arguments: Sequence[str] | None = None) -> int:
    """Credit the orders by one method; the result is the exit status of the process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alternatives")
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args(arguments)
    METHODS[options.method].credit(options.folder, options.folder / f"{options.method}.parquet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
