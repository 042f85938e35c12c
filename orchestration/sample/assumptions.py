"""What the sample assumes of a hub: its size, its queues and users, how customers answer and order.

Belongs here: numbers that one may argue about. Does not belong here: how events follow from them (events.py),
what is wrong with the landed files (sample_files.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
