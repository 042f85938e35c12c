"""The sample keeps its promises: the same each time, of the promised size, believable, a bit dirty.

Belongs here: what the landed files of the sample hold, read as any outsider would read them. Does
not belong here: how they are loaded and what the reports make of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.landing.discovery import something_has_landed
from orchestration.sample.land import land_sample
from orchestration.settings import REPOSITORY, Settings

pytestmark = pytest.mark.slow

ENDINGS = (".csv", ".csv.gz", ".jsonl", ".ndjson", ".parquet")
DAYS = 180

RowTest = Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Landed:
    """A landed sample: all rows as text, with where each came from.

    ``instant`` is the event's instant and ``version`` its ``updated_at`` (missing where malformed),
    ``is_good`` the judgement of the contract, ``path`` the file below the landing folder.
    """

    settings: Settings
    files_written: int
    messages: pd.DataFrame
    orders: pd.DataFrame

    @property
    def good_messages(self) -> pd.DataFrame:
        return self.messages[self.messages["is_good"]]

    @property
    def good_orders(self) -> pd.DataFrame:
        return self.orders[self.orders["is_good"]]


def a_hub(folder: Path, as_of: date, timezone: str = "UTC", currency: str = "USD") -> Settings:
    return Settings(data_dir=folder, timezone=timezone, as_of=as_of, currency=currency)


def contents(settings: Settings) -> dict[str, bytes]:
    return {
        path.relative_to(settings.landing).as_posix(): path.read_bytes()
        for path in settings.landing.rglob("*")
        if path.is_file()
    }


def read_rows(path: Path) -> pd.DataFrame:
    """The rows of a landed file, all as text, blank where there is nothing."""
    if path.name.endswith(".parquet"):
        table = pq.read_table(path)
        columns = [column.cast(pa.string()) for column in table.columns]
        return pa.table(columns, names=table.column_names).to_pandas().fillna("")
    if path.name.endswith(".ndjson"):
        return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def read_entity(settings: Settings, entity: str) -> pd.DataFrame:
    paths = [path for path in (settings.landing / entity).rglob("*") if path.is_file()]
    rows = pd.concat(
        [read_rows(p).assign(path=p.relative_to(settings.landing).as_posix()) for p in paths],
        ignore_index=True,
    ).fillna("")
    instant = "occurred_at" if entity == "messages" else "ordered_at"
    rows["instant"] = as_instants(rows[instant])
    rows["version"] = as_instants(rows["updated_at"].where(rows["updated_at"] != "", rows[instant]))
    rows["is_good"] = (
        rows["instant"].ge(pd.Timestamp("2000-01-01", tz="UTC"))
        & rows["version"].notna()
        & (rows[f"{entity.removesuffix('s')}_id"] != "")
    )
    if entity == "messages":
        rows["is_good"] &= (rows["customer_id"] != "") & rows["status"].isin(["sent", "skipped"])
        return rows
    two_places = r"\d+\.\d\d"
    rows["value"] = pd.to_numeric(rows["order_value"], errors="coerce")
    rows["refund"] = pd.to_numeric(rows["refunded_value"], errors="coerce")
    rows["is_good"] &= (
        rows["order_value"].str.fullmatch(two_places)
        & rows["refunded_value"].str.fullmatch(two_places)
        & (rows["refund"] <= rows["value"])
        & (rows["currency"] == settings.currency)
        & rows["sales_channel"].isin(["online", "in_store"])
        & rows["status"].isin(["placed", "cancelled"])
    )
    return rows


def as_instants(text: pd.Series) -> pd.Series:
    return pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce")


def land(settings: Settings) -> Landed:
    files_written = land_sample(settings)
    return Landed(
        settings,
        files_written,
        read_entity(settings, "messages"),
        read_entity(settings, "orders"),
    )


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    return land(a_hub(tmp_path_factory.mktemp("hub"), date(2026, 3, 31)))


@pytest.fixture(scope="module")
def landed_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Landed:
    """Another as-of day, in a zone far ahead of UTC and in another currency."""
    folder = tmp_path_factory.mktemp("elsewhere")
    return land(a_hub(folder, date(2026, 5, 13), "Pacific/Auckland", "NZD"))


@pytest.fixture(params=["landed", "landed_elsewhere"])
def either(request: pytest.FixtureRequest) -> Landed:
    return request.getfixturevalue(request.param)


# --- files --------------------------------------------------------------------------------------


def test_the_same_as_of_day_gives_byte_identical_files(landed: Landed, tmp_path: Path) -> None:
    again = replace(landed.settings, data_dir=tmp_path)

    land_sample(again)

    assert contents(again) == contents(landed.settings)


def test_another_as_of_day_shifts_the_days(either: Landed) -> None:
    last = either.settings.as_of
    expected = {str(last - timedelta(days=back)) for back in range(DAYS)}

    for rows in (either.messages, either.orders):
        daily = rows.loc[~rows["path"].str.contains("/corrections/"), "path"]
        assert set(daily.str.extract(r"(\d{4}-\d\d-\d\d)\.", expand=False)) == expected


def test_the_number_of_files_written_is_returned(landed: Landed) -> None:
    assert landed.files_written == len(contents(landed.settings)) >= 2 * DAYS


def test_every_file_has_an_ending_of_the_contract_and_lies_in_a_folder_of_its_month(
    landed: Landed,
) -> None:
    paths = pd.Series(list(contents(landed.settings)))

    assert paths.str.endswith(ENDINGS).all()
    daily = paths[~paths.str.contains("/corrections/")]
    assert daily.str.fullmatch(r"(messages|orders)/sample/(\d{4}-\d\d)/\1-\2-\d\d\.(csv\.gz|parquet)").all()


def test_all_formats_of_the_sample_occur(landed: Landed) -> None:
    for entity, endings in {
        "messages": (".csv.gz", ".csv", ".ndjson"),
        "orders": (".parquet", ".csv", ".ndjson"),
    }.items():
        names = [path for path in contents(landed.settings) if path.startswith(entity)]
        for ending in endings:
            assert any(name.endswith(ending) for name in names), (entity, ending)


def test_money_in_parquet_is_decimal_with_two_places(landed: Landed) -> None:
    path = next((landed.settings.landing / "orders").rglob("*.parquet"))
    schema = pq.read_schema(path)

    assert schema.field("order_value").type == pa.decimal128(18, 2)
    assert schema.field("refunded_value").type == pa.decimal128(18, 2)


def test_messages_have_a_column_that_the_contract_does_not_read(landed: Landed) -> None:
    assert landed.messages["channel"].isin(["email", "sms", "chat"]).all()


# --- landing ------------------------------------------------------------------------------------


def test_landing_again_writes_nothing(landed: Landed) -> None:
    before = contents(landed.settings)

    assert land_sample(landed.settings) == 0
    assert contents(landed.settings) == before


def test_a_landed_file_is_never_changed_by_another_sample(landed: Landed) -> None:
    before = contents(landed.settings)
    a_day_later = replace(landed.settings, as_of=landed.settings.as_of + timedelta(days=1))

    with pytest.raises(FileExistsError, match="another as-of day"):
        land_sample(a_day_later)

    assert contents(landed.settings) == before


def test_nothing_has_landed_when_writing_breaks_off_and_the_next_landing_is_whole(
    landed: Landed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(landed.settings, data_dir=tmp_path)
    write_bytes: Callable[[Path, bytes], int] = Path.write_bytes

    def full_disk_at_a_correction(path: Path, content: bytes) -> int:
        if "corrections" in path.parts:
            raise OSError("No space left on device")
        return write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_disk_at_a_correction)
        with pytest.raises(OSError, match="No space left"):
            land_sample(settings)

    assert contents(settings)
    assert not something_has_landed(settings)
    land_sample(settings)
    assert contents(settings) == contents(landed.settings)


def test_something_has_landed_once_the_sample_has(landed: Landed) -> None:
    assert something_has_landed(landed.settings)


@pytest.mark.parametrize("entity", ["messages", "orders"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_something_has_landed_with_any_ending_of_the_contract(
    entity: str, ending: str, tmp_path: Path
) -> None:
    settings = a_hub(tmp_path, date(2026, 3, 31))
    file = settings.landing / entity / "deep" / f"file{ending}"
    file.parent.mkdir(parents=True)
    file.touch()

    assert something_has_landed(settings)


@pytest.mark.parametrize(
    "ignored", ["messages/a.csv.part", "orders/a.txt", "orders/a.parquet.tmp", "other/a.csv"]
)
def test_nothing_has_landed_with_files_that_the_contract_ignores(ignored: str, tmp_path: Path) -> None:
    settings = a_hub(tmp_path, date(2026, 3, 31))
    (settings.landing / "orders" / "a-folder.csv").mkdir(parents=True)
    file = settings.landing / ignored
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()

    assert not something_has_landed(settings)


def test_nothing_has_landed_where_there_is_no_landing_folder(tmp_path: Path) -> None:
    assert not something_has_landed(a_hub(tmp_path / "absent", date(2026, 3, 31)))


# --- size and shape -----------------------------------------------------------------------------


def test_the_counts_are_within_the_promised_ranges(either: Landed) -> None:
    assert 48_000 <= either.good_messages["message_id"].nunique() <= 52_000
    assert 115_000 <= either.good_orders["order_id"].nunique() <= 125_000
    skipped = (either.good_messages["status"] == "skipped").mean()
    assert 0.10 <= skipped <= 0.15


def test_working_days_are_busy_and_sundays_are_not(either: Landed) -> None:
    zone = either.settings.timezone
    for rows, saturday, sunday in (
        (either.good_messages, (0.3, 0.8), (0.0, 0.15)),
        (either.good_orders, (1.2, 2.5), (0.2, 0.8)),
    ):
        per_weekday = rows["instant"].dt.tz_convert(zone).dt.day_of_week.value_counts()
        working_day = per_weekday[[0, 1, 2, 3, 4]].mean()
        assert saturday[0] < per_weekday[5] / working_day < saturday[1]
        assert sunday[0] < per_weekday[6] / working_day < sunday[1]


def test_messages_are_sent_in_the_hours_of_work_of_the_hub(either: Landed) -> None:
    hours = either.good_messages["instant"].dt.tz_convert(either.settings.timezone).dt.hour

    assert hours.between(7, 19).all()


def test_no_event_lies_outside_the_days_of_the_sample(either: Landed) -> None:
    zone = ZoneInfo(either.settings.timezone)
    as_of = either.settings.as_of
    begin = datetime.combine(as_of - timedelta(days=DAYS - 1), time(), zone)
    end = datetime.combine(as_of + timedelta(days=1), time(), zone)

    for rows in (either.good_messages, either.good_orders):
        assert rows["instant"].min() >= begin
        assert rows["version"].max() < end
        assert rows["instant"].max() > end - timedelta(hours=12)


def test_no_file_holds_a_version_from_after_its_day(either: Landed) -> None:
    for rows in (either.good_messages, either.good_orders):
        day = rows["version"].dt.tz_convert(either.settings.timezone).dt.strftime("%Y-%m-%d")
        assert (day <= rows["path"].str.extract(r"(\d{4}-\d\d-\d\d)\.", expand=False)).all()


def test_names_in_the_seeds_cover_exactly_the_ids_that_occur(landed: Landed) -> None:
    for kind in ("queue", "user"):
        names = pd.read_csv(REPOSITORY / "seeds" / f"{kind}_names.csv", dtype=str)
        assert list(names.columns) == [f"{kind}_id", f"{kind}_name"]
        assert names[f"{kind}_id"].is_unique
        assert names[f"{kind}_name"].is_unique
        occurring = set(landed.messages[f"{kind}_id"]) - {""}
        assert set(names[f"{kind}_id"]) == occurring


def test_users_differ_in_volume_and_some_joined_late_or_left(landed: Landed) -> None:
    rows = landed.good_messages[landed.good_messages["user_id"] != ""]
    users = rows.groupby("user_id")["instant"].agg(["count", "min", "max"])
    begin, end = rows["instant"].min(), rows["instant"].max()

    daily = users["count"] / ((users["max"] - users["min"]).dt.days + 1)
    assert daily.max() > 4 * daily.min()
    assert (users["min"] > begin + timedelta(days=30)).sum() >= 2
    assert (users["max"] < end - timedelta(days=20)).sum() >= 2


def test_few_customers_and_few_orders_make_much_of_the_revenue(landed: Landed) -> None:
    placed = landed.good_orders.drop_duplicates("order_id")
    of_customers = placed[placed["customer_id"] != ""]
    orders_each = of_customers.groupby("customer_id").size().sort_values(ascending=False)
    values = placed["value"].sort_values(ascending=False)

    assert orders_each.head(len(orders_each) // 10).sum() > 0.25 * orders_each.sum()
    assert values.head(len(values) // 10).sum() > 0.25 * values.sum()


def test_responses_decay_over_the_days_after_a_message(landed: Landed) -> None:
    messages = landed.good_messages
    messages = messages[
        (messages["status"] == "sent")
        & (messages["instant"] < messages["instant"].max() - timedelta(days=10))
    ].drop_duplicates("message_id")
    orders = landed.good_orders.drop_duplicates("order_id")
    orders = orders[orders["customer_id"] != ""]

    pairs = messages.merge(orders, on="customer_id", suffixes=("_message", "_order"))
    lag = pairs["instant_order"] - pairs["instant_message"]

    def between(first_day: int, last_day: int) -> int:
        return int(lag.between(timedelta(first_day), timedelta(last_day), inclusive="left").sum())

    assert between(0, 1) > 1.3 * between(1, 2)
    assert between(0, 2) > 1.8 * between(5, 7)
    assert between(7, 10) > 0


# --- the untidy parts ---------------------------------------------------------------------------


def test_there_are_a_few_bad_rows_spread_over_some_files(either: Landed) -> None:
    bad_messages = either.messages[~either.messages["is_good"]]
    bad_orders = either.orders[~either.orders["is_good"]]

    assert 10 <= len(bad_messages) + len(bad_orders) <= 20
    assert bad_messages["path"].nunique() >= 4
    assert bad_orders["path"].nunique() >= 4


MESSAGE_FAULTS: dict[str, RowTest] = {
    "no customer": lambda rows: rows["customer_id"] == "",
    "no id": lambda rows: rows["message_id"] == "",
    "unknown status": lambda rows: ~rows["status"].isin(["sent", "skipped"]),
    "no instant": lambda rows: rows["occurred_at"] == "",
    "malformed instant": lambda rows: (rows["occurred_at"] != "") & rows["instant"].isna(),
    "long before its time": lambda rows: rows["instant"].dt.year < 2000,
}
ORDER_FAULTS: dict[str, RowTest] = {
    "unknown status": lambda rows: ~rows["status"].isin(["placed", "cancelled"]),
    "negative value": lambda rows: rows["value"] < 0,
    "foreign currency": lambda rows: ~rows["currency"].isin(["USD", "NZD"]),
    "refund above value": lambda rows: (rows["value"] >= 0) & (rows["refund"] > rows["value"]),
    "unknown channel": lambda rows: ~rows["sales_channel"].isin(["online", "in_store"]),
    "three decimals": lambda rows: rows["order_value"].str.fullmatch(r"\d+\.\d{3}"),
    "no number": lambda rows: rows["value"].isna(),
    "malformed instant": lambda rows: rows["instant"].isna(),
}


@pytest.mark.parametrize("fault", MESSAGE_FAULTS)
def test_each_fault_of_a_message_occurs_once(either: Landed, fault: str) -> None:
    assert MESSAGE_FAULTS[fault](either.messages).sum() == 1


@pytest.mark.parametrize("fault", ORDER_FAULTS)
def test_each_fault_of_an_order_occurs_once(either: Landed, fault: str) -> None:
    assert ORDER_FAULTS[fault](either.orders).sum() == 1


ORDER_KINDS: dict[str, tuple[RowTest, float, float]] = {
    "guest": (lambda rows: rows["customer_id"] == "", 0.05, 0.12),
    "of no value": (lambda rows: rows["value"] == 0, 0.001, 0.01),
    "cancelled": (lambda rows: rows["status"] == "cancelled", 0.01, 0.06),
    "refunded in part": (
        lambda rows: (rows["refund"] > 0) & (rows["refund"] < rows["value"]),
        0.03,
        0.10,
    ),
    "refunded in full": (
        lambda rows: (rows["refund"] > 0) & (rows["refund"] == rows["value"]),
        0.01,
        0.08,
    ),
    "refunded after a month": (
        lambda rows: (rows["refund"] > 0) & (rows["version"] - rows["instant"] > timedelta(30)),
        0.001,
        0.05,
    ),
    "online": (lambda rows: rows["sales_channel"] == "online", 0.4, 0.8),
    "in a shop": (lambda rows: rows["sales_channel"] == "in_store", 0.2, 0.6),
}


@pytest.mark.parametrize("kind", ORDER_KINDS)
def test_each_kind_of_order_has_its_share(landed: Landed, kind: str) -> None:
    newest = landed.good_orders.sort_values("version").drop_duplicates("order_id", keep="last")
    is_of_kind, at_least, at_most = ORDER_KINDS[kind]

    assert at_least <= is_of_kind(newest).mean() <= at_most


@pytest.mark.parametrize("column", ["queue_id", "user_id"])
def test_a_few_messages_have_no_queue_or_no_user(landed: Landed, column: str) -> None:
    assert 20 <= (landed.good_messages[column] == "").sum() <= 500


@pytest.mark.parametrize("entity", ["messages", "orders"])
def test_a_few_rows_land_twice_in_one_file_or_in_two(landed: Landed, entity: str) -> None:
    rows = landed.good_messages if entity == "messages" else landed.good_orders
    fields = [column for column in rows.columns if column != "path"]

    twice = rows.duplicated(fields).sum()
    twice_in_a_file = rows.duplicated([*fields, "path"]).sum()

    assert 10 <= twice_in_a_file < twice <= 100


def test_some_messages_are_corrected_weeks_later_from_sent_to_skipped(landed: Landed) -> None:
    corrected = corrected_rows(landed.good_messages, "message_id")

    assert len(corrected) >= 10
    assert (corrected["status"] == "skipped").all()
    assert (corrected["status_before"] == "sent").all()
    assert (corrected["instant"] == corrected["instant_before"]).all()


def test_some_orders_are_corrected_weeks_later_in_value_status_or_refund(landed: Landed) -> None:
    corrected = corrected_rows(landed.good_orders, "order_id")

    changed = pd.DataFrame(
        {
            column: corrected[column] != corrected[f"{column}_before"]
            for column in ("value", "status", "refund")
        }
    )
    assert (changed.sum() >= 10).all()
    assert (changed.sum(axis="columns") == 1).all()
    for column in ("instant", "customer_id", "sales_channel"):
        assert (corrected[column] == corrected[f"{column}_before"]).all()


def corrected_rows(rows: pd.DataFrame, id_column: str) -> pd.DataFrame:
    """The correcting rows beside the row that was the newest version of the same id before.

    Each of them is checked to be newer by two weeks at least and to land in a file of its own day.
    """
    is_correction = rows["path"].str.contains("/corrections/")
    before = rows[~is_correction].sort_values("version").drop_duplicates(id_column, keep="last")
    corrected = rows[is_correction].merge(before, on=id_column, suffixes=("", "_before"))
    assert len(corrected) == is_correction.sum()
    assert (corrected["version"] > corrected["version_before"] + timedelta(days=13)).all()
    file_day = corrected["path"].str.extract(r"(\d{4}-\d\d-\d\d)\.", expand=False)
    assert (file_day == corrected["version"].dt.strftime("%Y-%m-%d")).all()
    return corrected
