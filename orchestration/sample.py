"""A made-up half year of messages and orders, landed as the files of a real hub would be.

Belongs here: what the sample looks like and how its files are written. Does not belong here: how
files are loaded (``ingest``), when the sample is landed (the demo does so, when nothing has landed
yet), and the names of its queues and users (``seeds/queue_names.csv``, ``seeds/user_names.csv``).

The sample is the same, byte for byte, for the same as-of day, zone and currency. Nobody in it is
real. All of it lies in a folder ``sample`` under ``landing/messages`` and ``landing/orders``::

    messages/sample/2026-05/messages-2026-05-04.csv.gz   the messages of a day
    messages/sample/corrections/messages-2026-05-04.csv  messages corrected weeks later
    orders/sample/2026-05/orders-2026-05-04.parquet      the orders placed or changed on a day
    orders/sample/corrections/orders-2026-05-04.ndjson   orders corrected weeks later

In the frames below, days count from 0 (the first day of the sample), instants are UTC in whole
seconds, and money is whole cents until it becomes text.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.settings import Settings

# A file that is still being written has an ending that no loader picks up.
PART_ENDING = ".part"

SEED = 20_180

# Size: all report periods up to 90 days are full and can be compared with the days before them,
# while everything is written and loaded within seconds.
DAYS = 180
MESSAGES = 50_000
ORDERS = 120_000
CUSTOMERS = 40_000

# Monday to Sunday. Few work on Saturday and hardly anyone on Sunday; shoppers come on Saturday.
MESSAGE_WEEKDAYS = np.array([1.05, 1.10, 1.00, 1.05, 1.10, 0.55, 0.06])
ORDER_WEEKDAYS = np.array([0.90, 0.90, 0.95, 1.00, 1.20, 1.45, 0.45])
# The business grows by this much from the first to the last day.
GROWTH = 0.2

# A few messages come from lists or people that the source no longer knows.
UNASSIGNED_SHARE = 0.002
DAY_OFF_SHARE = 0.08
# Read by nobody: it shows that a column beyond the contract does no harm.
MESSAGE_CHANNELS = ("email", "sms", "chat")
MESSAGE_CHANNEL_SHARES = np.array([0.6, 0.3, 0.1])

# Spread of the logarithm: a few customers order very often, a few orders are very large.
ACTIVITY_SPREAD = 1.0
BASKET_SPREAD = 0.6
ORDER_SPREAD = 0.7
MEDIAN_ORDER_CENTS = 5_200
ZERO_VALUE_SHARE = 0.004  # gifts and replacements: purchases all the same
GUEST_SHARE = 0.08
ONLINE_SHARE = 0.6

# Half of the responses come within a day, about one in sixteen after the 7 days of the window.
RESPONSE_MEDIAN_HOURS = 20.0
RESPONSE_SPREAD = 1.4
NIGHT_ENDS_HOUR = 7

CANCELLED_SHARE = 0.03
CANCEL_MEDIAN_HOURS, CANCEL_SPREAD = 5.0, 1.0
REFUNDED_SHARE = 0.09
FULL_REFUND_SHARE = 0.4
# Most refunds come within two weeks, some months later.
REFUND_MEDIAN_HOURS, REFUND_SPREAD = 8 * 24.0, 1.0

# Days before the as-of day on which corrections land, and the ending of their file.
MESSAGE_CORRECTIONS = ((110, ".csv"), (40, ".ndjson"))
ORDER_CORRECTIONS = ((120, ".csv"), (75, ".ndjson"), (20, ".csv"))
MESSAGES_A_CORRECTION = 12
ORDERS_A_CORRECTION = 30
CORRECTED_AGE_DAYS = (14, 60)
CORRECTION_HOUR = 6

# Rows that land twice, half of them in the file of the next day: sources do repeat themselves.
REPEATED_ROWS = 40

# Bad rows, each a good row with one field spoilt, so that a first refresh has something to reject.
# They have ids of their own: the good row lands as well. None has a refund, so that a spoilt value
# is the one fault of its row.
BAD_ID = 990_001
FOREIGN = "(another currency than the reporting one)"
BAD_MESSAGES = (
    ("customer_id", ""),
    ("status", "delivered"),
    ("occurred_at", "30/02 at 10:15"),
    ("message_id", ""),
    ("occurred_at", ""),
    ("occurred_at", "1970-01-01T00:00:00Z"),  # the zero of a clock, not an instant
)
BAD_ORDERS = (
    ("status", "returned"),
    ("order_value", "-25.00"),
    ("currency", FOREIGN),
    ("refunded_value", "99999.00"),
    ("sales_channel", "marketplace"),
)
# What a typed Parquet column cannot hold lands in the text files; one row each.
BAD_CORRECTED_ORDERS = (
    ("order_value", "19.995"),
    ("ordered_at", "30/02 at 10:15"),
    ("order_value", "n/a"),
)

MESSAGE_COLUMNS = [
    "message_id",
    "customer_id",
    "queue_id",
    "user_id",
    "status",
    "channel",
    "occurred_at",
]
MONEY = pa.decimal128(18, 2)
INSTANT = pa.timestamp("us", tz="UTC")
ORDER_SCHEMA = pa.schema(
    {
        "order_id": pa.string(),
        "customer_id": pa.string(),
        "ordered_at": INSTANT,
        "order_value": MONEY,
        "refunded_value": MONEY,
        "currency": pa.string(),
        "sales_channel": pa.string(),
        "status": pa.string(),
        "updated_at": INSTANT,
    }
)


@dataclass(frozen=True)
class Queue:
    """A worklist: its share of all messages, what they bring, and whom it reaches."""

    queue_id: str
    share: float
    response: float  # chance that a sent message brings an order that would not have come
    reach: float  # 0: any customer alike; above: the active ones more often; below: the lapsed ones


@dataclass(frozen=True)
class User:
    """A team member: strength, and the days of the sample between which messages are sent."""

    user_id: str
    volume: float  # messages on a normal working day, relative to the others
    response: float  # factor on the response of the queue
    skips: float  # share of messages skipped
    first_day: int = 0
    last_day: int = DAYS - 1


QUEUES = (
    Queue("abandoned-basket", share=0.22, response=0.160, reach=0.3),
    Queue("after-purchase", share=0.24, response=0.035, reach=0.6),
    Queue("birthday", share=0.12, response=0.080, reach=0.0),
    Queue("new-arrivals", share=0.18, response=0.055, reach=0.2),
    Queue("vip-care", share=0.08, response=0.130, reach=1.2),
    Queue("win-back", share=0.16, response=0.040, reach=-0.4),
)
USERS = (
    User("u-01", volume=44, response=1.30, skips=0.08),
    User("u-02", volume=38, response=0.90, skips=0.10),
    User("u-03", volume=36, response=1.00, skips=0.14),
    User("u-04", volume=30, response=1.80, skips=0.17),
    User("u-05", volume=30, response=0.45, skips=0.06),
    User("u-06", volume=28, response=1.00, skips=0.12, last_day=101),
    User("u-07", volume=26, response=1.10, skips=0.12),
    User("u-08", volume=24, response=0.65, skips=0.15),
    User("u-09", volume=22, response=1.50, skips=0.20, first_day=37),
    User("u-10", volume=20, response=0.40, skips=0.09, last_day=151),
    User("u-11", volume=32, response=1.05, skips=0.11, first_day=80),
    User("u-12", volume=14, response=2.20, skips=0.22),
    User("u-13", volume=18, response=0.55, skips=0.13, first_day=128),
    User("u-14", volume=8, response=0.95, skips=0.18, first_day=157),
)


def land_sample(settings: Settings) -> int:
    """Land the sample that ends on the as-of day; returns the number of files written.

    All files are written under another name first and then renamed, so that a refresh never sees
    half a file and hardly ever half a sample. Landing the same sample again writes what is missing.

    Raises:
        FileExistsError: when a sample with other settings has landed; a landed file never changes.
    """
    missing = {}
    for path, content in _files(settings).items():
        if not path.exists():
            missing[path] = content
        elif path.read_bytes() != content:
            raise FileExistsError(
                f"{path} holds a sample of another as-of day, zone or currency. "
                "Land the sample in an empty data directory."
            )
    parts = {path: path.with_name(path.name + PART_ENDING) for path in missing}
    for path, content in missing.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        parts[path].write_bytes(content)
    for path, part in parts.items():
        part.replace(path)
    return len(missing)


def _files(settings: Settings) -> dict[Path, bytes]:
    """The whole sample: the content of each file."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    days = [settings.as_of - timedelta(days=back) for back in reversed(range(DAYS))]
    starts = _day_starts(days, settings.timezone)
    customers = _customers(rng)
    messages = _messages(rng, days, starts, customers)
    orders = _orders(rng, days, starts, customers, messages)
    orders["currency"] = settings.currency
    return _message_files(rng, settings, days, starts, messages) | _order_files(
        rng, settings, days, starts, orders
    )


# --- what happens -------------------------------------------------------------------------------


def _day_starts(days: list[date], timezone: str) -> np.ndarray:
    """The instants at which the days begin in the zone, and the end of the last: (DAYS + 1,)."""
    zone = ZoneInfo(timezone)
    midnights = [datetime.combine(day, time(), zone) for day in days]
    midnights.append(datetime.combine(days[-1] + timedelta(days=1), time(), zone))
    return np.array(
        [midnight.astimezone(UTC).replace(tzinfo=None) for midnight in midnights],
        dtype="datetime64[s]",
    )


def _customers(rng: np.random.Generator) -> pd.DataFrame:
    """One row per customer: how often they order, relative to each other, and their usual cents."""
    basket = rng.lognormal(np.log(MEDIAN_ORDER_CENTS), BASKET_SPREAD, CUSTOMERS)
    return pd.DataFrame(
        {
            "customer_id": _ids("c", np.arange(1, CUSTOMERS + 1), digits=5),
            "activity": rng.lognormal(0.0, ACTIVITY_SPREAD, CUSTOMERS),
            "basket": basket,
        }
    )


def _messages(
    rng: np.random.Generator, days: list[date], starts: np.ndarray, customers: pd.DataFrame
) -> pd.DataFrame:
    """One row per message, in order of time; ``queue``, ``user``, ``customer`` are positions."""
    day, user = _worked(rng, days)
    count = len(day)
    queue = _queues_of(rng, user)
    skipped = rng.random(count) < np.array([user.skips for user in USERS])[user]
    messages = pd.DataFrame(
        {
            "day": day,
            "occurred_at": starts[day] + _office_seconds(rng, count),
            "user": user,
            "queue": queue,
            "customer": _reached(rng, queue, customers["activity"].to_numpy()),
            "status": np.where(skipped, "skipped", "sent"),
            "channel": np.array(MESSAGE_CHANNELS)[_pick(rng, MESSAGE_CHANNEL_SHARES, count)],
        }
    ).sort_values("occurred_at", kind="stable", ignore_index=True)
    messages["message_id"] = _ids("m", np.arange(1, count + 1))
    messages["customer_id"] = customers["customer_id"].to_numpy()[messages["customer"]]
    for column, ids in (
        ("queue", [queue.queue_id for queue in QUEUES]),
        ("user", [user.user_id for user in USERS]),
    ):
        unassigned = rng.random(count) < UNASSIGNED_SHARE
        messages[f"{column}_id"] = np.where(unassigned, "", np.array(ids)[messages[column]])
    return messages


def _worked(rng: np.random.Generator, days: list[date]) -> tuple[np.ndarray, np.ndarray]:
    """Day and user of each message: two arrays of about ``MESSAGES``."""
    day = np.arange(DAYS)[:, None]
    at_work = (day >= [user.first_day for user in USERS]) & (day <= [u.last_day for u in USERS])
    at_work &= rng.random(at_work.shape) >= DAY_OFF_SHARE
    expected = _day_weights(days, MESSAGE_WEEKDAYS)[:, None] * [user.volume for user in USERS]
    expected = np.where(at_work, expected, 0.0)
    sent = rng.poisson(expected * MESSAGES / expected.sum())
    days_and_users = np.repeat(np.arange(sent.size), sent.ravel())
    return days_and_users // len(USERS), days_and_users % len(USERS)


def _queues_of(rng: np.random.Generator, user: np.ndarray) -> np.ndarray:
    """The queue of each message: every user works all queues, in a mix of their own."""
    mixes = rng.dirichlet([queue.share * 20 for queue in QUEUES], len(USERS))
    limits = mixes.cumsum(axis=1)[:, :-1]
    return (rng.random(len(user))[:, None] > limits[user]).sum(axis=1)


def _reached(rng: np.random.Generator, queue: np.ndarray, activity: np.ndarray) -> np.ndarray:
    """The customer of each message, as the queue reaches them."""
    customer = np.empty(len(queue), dtype=np.int64)
    for position, which in enumerate(QUEUES):
        of_queue = queue == position
        customer[of_queue] = _pick(rng, activity**which.reach, of_queue.sum())
    return customer


def _orders(
    rng: np.random.Generator,
    days: list[date],
    starts: np.ndarray,
    customers: pd.DataFrame,
    messages: pd.DataFrame,
) -> pd.DataFrame:
    """One row per order as it was placed, in order of time; guests have customer id None."""
    responses = _responses(rng, starts, messages)
    others = _other_orders(rng, days, starts, customers, ORDERS - len(responses))
    orders = pd.concat([responses, others])
    # The last responses are still to come, and the day that clocks go forward lacks an hour.
    orders = orders[orders["ordered_at"] < starts[-1]]
    orders = orders.sort_values("ordered_at", kind="stable", ignore_index=True)
    basket = customers["basket"].to_numpy()[orders["customer"]]
    cents = np.rint(basket * rng.lognormal(0.0, ORDER_SPREAD, len(orders))).astype(np.int64)
    cents[rng.random(len(orders)) < ZERO_VALUE_SHARE] = 0
    ids = customers["customer_id"].to_numpy(dtype=object)[orders["customer"]]
    return pd.DataFrame(
        {
            "order_id": _ids("o", np.arange(1, len(orders) + 1)),
            "customer_id": np.where(orders["guest"], None, ids),
            "ordered_at": orders["ordered_at"],
            "cents": cents,
            "refunded_cents": 0,
            "sales_channel": np.where(orders["online"], "online", "in_store"),
            "status": "placed",
            "updated_at": orders["ordered_at"],
        }
    )


def _responses(rng: np.random.Generator, starts: np.ndarray, messages: pd.DataFrame) -> pd.DataFrame:
    """The orders that messages bring: ``ordered_at, customer, online, guest``."""
    chance = np.array([queue.response for queue in QUEUES])[messages["queue"]]
    chance *= np.array([user.response for user in USERS])[messages["user"]]
    answered = messages[(messages["status"] == "sent") & (rng.random(len(messages)) < chance)]
    ordered_at = answered["occurred_at"].to_numpy() + _lags(
        rng, RESPONSE_MEDIAN_HOURS, RESPONSE_SPREAD, len(answered)
    )
    day = starts.searchsorted(ordered_at, side="right") - 1
    night = ordered_at - starts[day] < np.timedelta64(NIGHT_ENDS_HOUR, "h")
    ordered_at = ordered_at + night * np.timedelta64(NIGHT_ENDS_HOUR * 3600, "s")
    return pd.DataFrame(
        {
            "ordered_at": ordered_at,
            "customer": answered["customer"].to_numpy(),
            "online": rng.random(len(answered)) < ONLINE_SHARE,
            "guest": False,
        }
    )


def _other_orders(
    rng: np.random.Generator,
    days: list[date],
    starts: np.ndarray,
    customers: pd.DataFrame,
    count: int,
) -> pd.DataFrame:
    """Orders that come without a message: ``ordered_at, customer, online, guest``."""
    busy = rng.gamma(40.0, 1 / 40.0, DAYS)  # no two Mondays are alike
    day = _pick(rng, _day_weights(days, ORDER_WEEKDAYS) * busy, count)
    online = rng.random(count) < ONLINE_SHARE
    # Shops are open from 9 to 20; online most come in the evening.
    hours = np.where(online, 7 + 17 * rng.beta(2.4, 1.6, count), 9 + 11 * rng.beta(2, 2, count))
    return pd.DataFrame(
        {
            "ordered_at": starts[day] + _seconds(hours),
            "customer": _pick(rng, customers["activity"].to_numpy(), count),
            "online": online,
            "guest": rng.random(count) < GUEST_SHARE,
        }
    )


def _changes(rng: np.random.Generator, orders: pd.DataFrame, end: np.datetime64) -> pd.DataFrame:
    """Later versions of orders: cancelled or refunded, as far as that happened before ``end``."""
    fate = rng.random(len(orders))
    cancelled = orders[fate < CANCELLED_SHARE].copy()
    cancelled["status"] = "cancelled"
    cancelled["updated_at"] += _lags(rng, CANCEL_MEDIAN_HOURS, CANCEL_SPREAD, len(cancelled))

    is_refunded = (fate >= CANCELLED_SHARE) & (fate < CANCELLED_SHARE + REFUNDED_SHARE)
    refunded = orders[is_refunded & (orders["cents"] > 0)].copy()
    refunded["refunded_cents"] = _refunds(rng, refunded["cents"].to_numpy())
    refunded["updated_at"] += _lags(rng, REFUND_MEDIAN_HOURS, REFUND_SPREAD, len(refunded))

    changes = pd.concat([cancelled, refunded])
    return changes[changes["updated_at"] < end]


def _refunds(rng: np.random.Generator, cents: np.ndarray) -> np.ndarray:
    """A full or partial refund of each value, in cents: at least 1, at most the value."""
    share = np.where(rng.random(len(cents)) < FULL_REFUND_SHARE, 1.0, rng.uniform(0.1, 0.9, len(cents)))
    return np.rint(cents * share).astype(np.int64).clip(1, cents)


# --- what lands ---------------------------------------------------------------------------------


def _message_files(
    rng: np.random.Generator,
    settings: Settings,
    days: list[date],
    starts: np.ndarray,
    messages: pd.DataFrame,
) -> dict[Path, bytes]:
    """The files of messages: one a day, and the corrections."""
    folder = settings.landing / "messages" / "sample"
    rows = _with_repeats(rng, messages.assign(file_day=messages["day"]))
    rows["occurred_at"] = _instant_text(rows["occurred_at"])
    rows = pd.concat([rows, _spoilt(rows, BAD_MESSAGES, "message_id", "m")])
    files = {
        _daily_path(folder, days[day], ".csv.gz"): gzip.compress(_csv(of_day[MESSAGE_COLUMNS]), mtime=0)
        for day, of_day in rows.groupby("file_day")
    }
    for back, ending in MESSAGE_CORRECTIONS:
        day = DAYS - 1 - back
        sent = messages[messages["status"] == "sent"]
        corrected = _some_weeks_old(rng, sent, sent["day"], day, MESSAGES_A_CORRECTION)
        corrected["status"] = "skipped"
        corrected["updated_at"] = _instant_text(_correction_instants(starts[day], len(corrected)))
        corrected["occurred_at"] = _instant_text(corrected["occurred_at"])
        path = folder / "corrections" / f"messages-{days[day]}{ending}"
        files[path] = _text(corrected[[*MESSAGE_COLUMNS, "updated_at"]], ending)
    return files


def _order_files(
    rng: np.random.Generator,
    settings: Settings,
    days: list[date],
    starts: np.ndarray,
    orders: pd.DataFrame,
) -> dict[Path, bytes]:
    """The files of orders: one a day with all that was placed or changed, and the corrections."""
    folder = settings.landing / "orders" / "sample"
    bad = [(field, _foreign_currency(settings) if text == FOREIGN else text) for field, text in BAD_ORDERS]
    changes = _changes(rng, orders, starts[-1])
    versions = pd.concat([orders, changes], ignore_index=True)
    versions = versions.sort_values("updated_at", kind="stable", ignore_index=True)
    versions["file_day"] = _day_of(versions["updated_at"], starts)
    rows = _with_money_as_text(_with_repeats(rng, versions))
    rows = pd.concat([rows, _spoilt(rows[rows["refunded_cents"] == 0], bad, "order_id", "o")])
    files = {
        _daily_path(folder, days[day], ".parquet"): _parquet(of_day[ORDER_SCHEMA.names])
        for day, of_day in rows.groupby("file_day")
    }

    # A correction of an order that was cancelled or refunded meanwhile would undo that, and
    # one of no value has nothing to correct.
    unchanged = orders[~orders["order_id"].isin(changes["order_id"]) & (orders["cents"] > 0)]
    placed_day = _day_of(unchanged["ordered_at"], starts)
    for number, (back, ending) in enumerate(ORDER_CORRECTIONS):
        day = DAYS - 1 - back
        some = _some_weeks_old(rng, unchanged, placed_day, day, ORDERS_A_CORRECTION)
        corrected = _with_money_as_text(_corrected(rng, some, starts[day]))
        for column in ("ordered_at", "updated_at"):
            corrected[column] = _instant_text(corrected[column])
        one_bad = _spoilt(
            corrected[corrected["refunded_cents"] == 0],
            BAD_CORRECTED_ORDERS[number : number + 1],
            "order_id",
            "o",
            first=len(bad) + number,
        )
        path = folder / "corrections" / f"orders-{days[day]}{ending}"
        files[path] = _text(pd.concat([corrected, one_bad])[ORDER_SCHEMA.names], ending)
    return files


def _corrected(rng: np.random.Generator, orders: pd.DataFrame, day_start: np.datetime64) -> pd.DataFrame:
    """The orders as corrected: a third each in their value, their status, their refund."""
    corrected = orders.copy()
    kind = np.arange(len(corrected)) % 3
    cents = corrected["cents"].to_numpy()
    new_value = np.rint(cents * rng.uniform(0.6, 1.2, len(cents))).astype(np.int64)
    corrected["cents"] = np.where(kind == 0, new_value, cents)
    corrected["status"] = np.where(kind == 1, "cancelled", corrected["status"])
    corrected["refunded_cents"] = np.where(kind == 2, _refunds(rng, cents), 0)
    corrected["updated_at"] = _correction_instants(day_start, len(corrected))
    return corrected


def _some_weeks_old(
    rng: np.random.Generator, rows: pd.DataFrame, row_day: pd.Series | np.ndarray, day: int, n: int
) -> pd.DataFrame:
    """``n`` of the rows that were some weeks old on the day."""
    age = day - np.asarray(row_day)
    candidates = np.flatnonzero((age >= CORRECTED_AGE_DAYS[0]) & (age <= CORRECTED_AGE_DAYS[1]))
    return rows.iloc[np.sort(rng.choice(candidates, n, replace=False))].copy()


def _correction_instants(day_start: np.datetime64, count: int) -> np.ndarray:
    """One instant per corrected row, a second apart, early on the day."""
    return day_start + np.timedelta64(CORRECTION_HOUR * 3600, "s") + np.arange(count)


def _with_repeats(rng: np.random.Generator, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, some of them twice: in the same file or in that of the next day."""
    repeated = rows.iloc[np.sort(rng.choice(len(rows), REPEATED_ROWS, replace=False))].copy()
    next_day = repeated["file_day"] + np.arange(REPEATED_ROWS) % 2
    repeated["file_day"] = next_day.clip(upper=DAYS - 1)
    return pd.concat([rows, repeated], ignore_index=True)


def _spoilt(
    rows: pd.DataFrame,
    faults: Sequence[tuple[str, str]],
    id_column: str,
    prefix: str,
    first: int = 0,
) -> pd.DataFrame:
    """One bad row per fault: rows spread over the files, with new ids and one field replaced."""
    places = np.linspace(0, len(rows) - 1, len(faults) + 2).astype(int)[1:-1]
    spoilt = rows.iloc[places].copy()
    spoilt[id_column] = _ids(prefix, BAD_ID + first + np.arange(len(faults))).to_numpy()
    for row, (field, text) in enumerate(faults):
        spoilt.iloc[row, spoilt.columns.get_loc(field)] = text
    return spoilt


def _foreign_currency(settings: Settings) -> str:
    return "EUR" if settings.currency != "EUR" else "GBP"


# --- shared by both -----------------------------------------------------------------------------


def _day_weights(days: list[date], weekdays: np.ndarray) -> np.ndarray:
    """How much happens on each day, relative to the others: weekday and growth, (DAYS,)."""
    growth = np.linspace(1 - GROWTH / 2, 1 + GROWTH / 2, DAYS)
    return weekdays[[day.weekday() for day in days]] * growth


def _pick(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    """``count`` positions in ``weights``, each as often as its weight says."""
    limits = weights.cumsum() / weights.sum()
    return limits[:-1].searchsorted(rng.random(count), side="right")


def _day_of(instants: pd.Series, starts: np.ndarray) -> np.ndarray:
    """The day on which each instant lies."""
    return starts.searchsorted(instants.to_numpy(), side="right") - 1


def _office_seconds(rng: np.random.Generator, count: int) -> np.ndarray:
    """Times after midnight: mornings from 8:30 and afternoons to 18:30, a lull at noon."""
    morning = rng.random(count) < 0.55
    hours = np.where(morning, 8.5 + 4.5 * rng.beta(2, 2.5, count), 13 + 5.5 * rng.beta(2, 2.5, count))
    return _seconds(hours)


def _lags(rng: np.random.Generator, median_hours: float, spread: float, count: int) -> np.ndarray:
    """Times until something follows: most of them soon, a few very late."""
    return _seconds(rng.lognormal(np.log(median_hours), spread, count))


def _seconds(hours: np.ndarray) -> np.ndarray:
    """Hours as whole seconds, rounded down."""
    return (hours * 3600).astype("timedelta64[s]")


def _ids(prefix: str, numbers: np.ndarray, digits: int = 6) -> pd.Series:
    """Ids such as ``m-000001``."""
    return prefix + "-" + pd.Series(numbers).astype(str).str.zfill(digits)


def _with_money_as_text(orders: pd.DataFrame) -> pd.DataFrame:
    """The orders with ``order_value`` and ``refunded_value`` as text with two places."""
    return orders.assign(
        order_value=_money_text(orders["cents"]),
        refunded_value=_money_text(orders["refunded_cents"]),
    )


def _money_text(cents: pd.Series) -> pd.Series:
    """Whole cents, none negative, as text: 1205 is ``12.05``."""
    return (cents // 100).astype(str) + "." + (cents % 100).astype(str).str.zfill(2)


def _instant_text(instants: pd.Series | np.ndarray) -> np.ndarray:
    """Instants as text: ``2026-05-04T09:30:00Z``."""
    seconds = np.asarray(instants).astype("datetime64[s]")
    return np.datetime_as_string(seconds, unit="s", timezone="UTC").astype(object)


def _daily_path(folder: Path, day: date, ending: str) -> Path:
    return folder / f"{day:%Y-%m}" / f"{folder.parent.name}-{day}{ending}"


def _text(rows: pd.DataFrame, ending: str) -> bytes:
    """The content of a text file with this ending."""
    return _csv(rows) if ending == ".csv" else _ndjson(rows)


def _csv(rows: pd.DataFrame) -> bytes:
    return rows.to_csv(index=False, lineterminator="\n").encode()


def _ndjson(rows: pd.DataFrame) -> bytes:
    return rows.to_json(orient="records", lines=True).encode()


def _parquet(orders: pd.DataFrame) -> bytes:
    """The orders as Parquet, typed by ``ORDER_SCHEMA``."""
    columns = [pa.array(orders[field.name]).cast(field.type) for field in ORDER_SCHEMA]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(columns, schema=ORDER_SCHEMA), sink, compression="zstd")
    return sink.getvalue().to_pybytes()
