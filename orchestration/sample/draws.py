"""What both messages and orders of the sample are drawn by: places, times, ids.

Belongs here: small functions over a generator of random numbers. Does not belong here: what they are drawn
for (events.py).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from orchestration.sample.assumptions import DAYS, GROWTH


def day_weights(days: list[date], weekdays: np.ndarray) -> np.ndarray:
    """How much happens on each day, relative to the others: weekday and growth, (DAYS,)."""
    growth = np.linspace(1 - GROWTH / 2, 1 + GROWTH / 2, DAYS)
    return weekdays[[day.weekday() for day in days]] * growth


def pick(rng: np.random.Generator, weights: np.ndarray, count: int) -> np.ndarray:
    """``count`` positions in ``weights``, each as often as its weight says."""
    limits = weights.cumsum() / weights.sum()
    return limits[:-1].searchsorted(rng.random(count), side="right")


def day_of(instants: pd.Series, starts: np.ndarray) -> np.ndarray:
    """The day on which each instant lies."""
    return starts.searchsorted(instants.to_numpy(), side="right") - 1


def draw_office_seconds(rng: np.random.Generator, count: int) -> np.ndarray:
    """Times after midnight: mornings from 8:30 and afternoons to 18:30, a lull at noon."""
    morning = rng.random(count) < 0.55
    hours = np.where(morning, 8.5 + 4.5 * rng.beta(2, 2.5, count), 13 + 5.5 * rng.beta(2, 2.5, count))
    return whole_seconds(hours)


def draw_lags(rng: np.random.Generator, median_hours: float, spread: float, count: int) -> np.ndarray:
    """Times until something follows: most of them soon, a few very late."""
    return whole_seconds(rng.lognormal(np.log(median_hours), spread, count))


def whole_seconds(hours: np.ndarray) -> np.ndarray:
    """Hours as whole seconds, rounded down."""
    return (hours * 3600).astype("timedelta64[s]")


def make_ids(prefix: str, numbers: np.ndarray, digits: int = 6) -> pd.Series:
    """Ids such as ``m-000001``."""
    return prefix + "-" + pd.Series(numbers).astype(str).str.zfill(digits)
