"""What happens in the half year of the sample: messages, orders, and what becomes of orders later.

Belongs here: events as they are. Does not belong here: how they land, and what is wrong with the files
(sample_files.py).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from orchestration.sample.assumptions import (
    ACTIVITY_SPREAD,
    BASKET_SPREAD,
    CANCEL_MEDIAN_HOURS,
    CANCEL_SPREAD,
    CANCELLED_SHARE,
    CUSTOMERS,
    DAY_OFF_SHARE,
    DAYS,
    FULL_REFUND_SHARE,
    GUEST_SHARE,
    MEDIAN_ORDER_CENTS,
    MESSAGE_CHANNEL_SHARES,
    MESSAGE_CHANNELS,
    MESSAGE_WEEKDAYS,
    MESSAGES,
    NIGHT_ENDS_HOUR,
    ONLINE_SHARE,
    ORDER_SPREAD,
    ORDER_WEEKDAYS,
    ORDERS,
    QUEUES,
    REFUND_MEDIAN_HOURS,
    REFUND_SPREAD,
    REFUNDED_SHARE,
    RESPONSE_MEDIAN_HOURS,
    RESPONSE_SPREAD,
    UNASSIGNED_SHARE,
    USERS,
    ZERO_VALUE_SHARE,
)
from orchestration.sample.draws import (
    day_weights,
    draw_lags,
    draw_office_seconds,
    make_ids,
    pick,
    whole_seconds,
)


def find_day_starts(days: list[date], timezone: str) -> np.ndarray:
    """The instants at which the days begin in the zone, and the end of the last: (DAYS + 1,)."""
    zone = ZoneInfo(timezone)
    midnights = [datetime.combine(day, time(), zone) for day in days]
    midnights.append(datetime.combine(days[-1] + timedelta(days=1), time(), zone))
    return np.array(
        [midnight.astimezone(UTC).replace(tzinfo=None) for midnight in midnights],
        dtype="datetime64[s]",
    )


def draw_customers(rng: np.random.Generator) -> pd.DataFrame:
    """One row per customer: how often they order, relative to each other, and their usual cents."""
    basket = rng.lognormal(np.log(MEDIAN_ORDER_CENTS), BASKET_SPREAD, CUSTOMERS)
    return pd.DataFrame(
        {
            "customer_id": make_ids("c", np.arange(1, CUSTOMERS + 1), digits=5),
            "activity": rng.lognormal(0.0, ACTIVITY_SPREAD, CUSTOMERS),
            "basket": basket,
        }
    )


def draw_messages(
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
            "occurred_at": starts[day] + draw_office_seconds(rng, count),
            "user": user,
            "queue": queue,
            "customer": _reached(rng, queue, customers["activity"].to_numpy()),
            "status": np.where(skipped, "skipped", "sent"),
            "channel": np.array(MESSAGE_CHANNELS)[pick(rng, MESSAGE_CHANNEL_SHARES, count)],
        }
    ).sort_values("occurred_at", kind="stable", ignore_index=True)
    messages["message_id"] = make_ids("m", np.arange(1, count + 1))
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
    expected = day_weights(days, MESSAGE_WEEKDAYS)[:, None] * [user.volume for user in USERS]
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
        customer[of_queue] = pick(rng, activity**which.reach, of_queue.sum())
    return customer


def draw_orders(
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
            "order_id": make_ids("o", np.arange(1, len(orders) + 1)),
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
    ordered_at = answered["occurred_at"].to_numpy() + draw_lags(
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
    day = pick(rng, day_weights(days, ORDER_WEEKDAYS) * busy, count)
    online = rng.random(count) < ONLINE_SHARE
    # Shops are open from 9 to 20; online most come in the evening.
    hours = np.where(online, 7 + 17 * rng.beta(2.4, 1.6, count), 9 + 11 * rng.beta(2, 2, count))
    return pd.DataFrame(
        {
            "ordered_at": starts[day] + whole_seconds(hours),
            "customer": pick(rng, customers["activity"].to_numpy(), count),
            "online": online,
            "guest": rng.random(count) < GUEST_SHARE,
        }
    )


def draw_changes(rng: np.random.Generator, orders: pd.DataFrame, end: np.datetime64) -> pd.DataFrame:
    """Later versions of orders: cancelled or refunded, as far as that happened before ``end``."""
    fate = rng.random(len(orders))
    cancelled = orders[fate < CANCELLED_SHARE].copy()
    cancelled["status"] = "cancelled"
    cancelled["updated_at"] += draw_lags(rng, CANCEL_MEDIAN_HOURS, CANCEL_SPREAD, len(cancelled))

    is_refunded = (fate >= CANCELLED_SHARE) & (fate < CANCELLED_SHARE + REFUNDED_SHARE)
    refunded = orders[is_refunded & (orders["cents"] > 0)].copy()
    refunded["refunded_cents"] = draw_refunds(rng, refunded["cents"].to_numpy())
    refunded["updated_at"] += draw_lags(rng, REFUND_MEDIAN_HOURS, REFUND_SPREAD, len(refunded))

    changes = pd.concat([cancelled, refunded])
    return changes[changes["updated_at"] < end]


def draw_refunds(rng: np.random.Generator, cents: np.ndarray) -> np.ndarray:
    """A full or partial refund of each value, in cents: at least 1, at most the value."""
    share = np.where(rng.random(len(cents)) < FULL_REFUND_SHARE, 1.0, rng.uniform(0.1, 0.9, len(cents)))
    return np.rint(cents * share).astype(np.int64).clip(1, cents)
