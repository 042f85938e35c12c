"""The files of the sample: which rows land where, in which format, repeated, corrected or spoilt.

Belongs here: rows to bytes. Does not belong here: what happened (events.py), writing the files (land.py).
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.sample.assumptions import DAYS
from orchestration.sample.draws import day_of, make_ids
from orchestration.sample.events import draw_changes, draw_refunds
from orchestration.settings import Settings

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


def make_message_files(
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


def make_order_files(
    rng: np.random.Generator,
    settings: Settings,
    days: list[date],
    starts: np.ndarray,
    orders: pd.DataFrame,
) -> dict[Path, bytes]:
    """The files of orders: one a day with all that was placed or changed, and the corrections."""
    folder = settings.landing / "orders" / "sample"
    bad = [(field, _foreign_currency(settings) if text == FOREIGN else text) for field, text in BAD_ORDERS]
    changes = draw_changes(rng, orders, starts[-1])
    versions = pd.concat([orders, changes], ignore_index=True)
    versions = versions.sort_values("updated_at", kind="stable", ignore_index=True)
    versions["file_day"] = day_of(versions["updated_at"], starts)
    rows = _with_money_as_text(_with_repeats(rng, versions))
    rows = pd.concat([rows, _spoilt(rows[rows["refunded_cents"] == 0], bad, "order_id", "o")])
    files = {
        _daily_path(folder, days[day], ".parquet"): _parquet(of_day[ORDER_SCHEMA.names])
        for day, of_day in rows.groupby("file_day")
    }

    # A correction of an order that was cancelled or refunded meanwhile would undo that, and
    # one of no value has nothing to correct.
    unchanged = orders[~orders["order_id"].isin(changes["order_id"]) & (orders["cents"] > 0)]
    placed_day = day_of(unchanged["ordered_at"], starts)
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
    corrected["refunded_cents"] = np.where(kind == 2, draw_refunds(rng, cents), 0)
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
    spoilt[id_column] = make_ids(prefix, BAD_ID + first + np.arange(len(faults))).to_numpy()
    for row, (field, text) in enumerate(faults):
        spoilt.iloc[row, spoilt.columns.get_loc(field)] = text
    return spoilt


def _foreign_currency(settings: Settings) -> str:
    return "EUR" if settings.currency != "EUR" else "GBP"


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
