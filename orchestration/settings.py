"""The settings of a hub, read once from the environment; every path is derived here.

Belongs here: the environment variables of the README's "Settings" and the layout of the data
directory. Does not belong here: anything that reads or writes data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from pathlib import Path
from zoneinfo import ZoneInfo

REPOSITORY = Path(__file__).resolve().parent.parent

# The years that events may lie in, and with them the last day of a report.
FIRST_YEAR, LAST_YEAR = 2000, 2099

# How what readers open is stored: many drivers still carry DuckDB 1.x, which cannot read what DuckDB 2 writes
# unless asked to. dbt_project/profiles.yml says the same.
STORAGE_VERSION = "v1.2.0"

# How much memory a refresh may use, when nothing is said: enough for a history of ten million messages.
DEFAULT_MEMORY_LIMIT = "3GB"


# Where Spark runs, when nothing is said: on all cores of this machine.
DEFAULT_SPARK_MASTER = "local[*]"


class Engine(Enum):
    """What computes the models; what readers open is the same."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class SettingsError(ValueError):
    """A setting that cannot be used; the message names the variable and what it takes."""


@dataclass(frozen=True)
class Settings:
    """One hub: one data directory, one reporting time zone, one currency, one as-of day.

    Attributes:
        memory_limit: how much memory a database may use before it moves what it holds to the disk, as DuckDB
            writes it.
        engine: what computes the models.
        spark_master: the cluster that Spark's programs are sent to, as Spark writes it.
        spark_thrift: host and port of the Thrift server that the models are sent to; without one, they are a
            program of the cluster.
    """

    data_dir: Path
    timezone: str
    as_of: date
    currency: str
    memory_limit: str = DEFAULT_MEMORY_LIMIT
    engine: Engine = Engine.DUCKDB
    spark_master: str = DEFAULT_SPARK_MASTER
    spark_thrift: str | None = None

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, now: datetime | None = None
    ) -> Settings:
        """Read the ``CONTACT_*`` variables; a variable that is unset or blank has its default.

        Args:
            environment: the variables, by default those of the process.
            now: the instant from which the default as-of day is taken, by default the present.

        Raises:
            SettingsError: when a variable has a value that cannot be used.
        """
        environment = os.environ if environment is None else environment

        def value(name: str, default: str) -> str:
            return environment.get(name, "").strip() or default

        data_dir = Path(value("CONTACT_DATA_DIR", str(REPOSITORY / "data"))).expanduser().absolute()

        unusable = set("#%?*[]") & set(str(data_dir))
        if unusable:
            raise SettingsError(
                f"CONTACT_DATA_DIR is {str(data_dir)!r}, which has {' '.join(sorted(unusable))} in it; the "
                "databases below it could not be opened. Choose a path without."
            )

        timezone = value("CONTACT_TIMEZONE", "UTC")
        try:
            if timezone == "localtime":
                raise KeyError("the zone of the machine is no name that every machine knows")
            zone = ZoneInfo(timezone)
        except (KeyError, ValueError, OSError) as error:
            raise SettingsError(
                f"CONTACT_TIMEZONE is {timezone!r}, which is not an IANA time zone. "
                "Set it to a name such as 'Europe/Paris' or 'America/New_York'."
            ) from error

        yesterday = (now or datetime.now(UTC)).astimezone(zone).date() - timedelta(days=1)
        as_of_text = value("CONTACT_AS_OF", yesterday.isoformat())
        try:
            as_of = datetime.strptime(as_of_text, "%Y-%m-%d").date()
        except ValueError as error:
            raise SettingsError(
                f"CONTACT_AS_OF is {as_of_text!r}, which is not a day. Set it to a day such as "
                "'2026-01-31', or leave it unset for yesterday."
            ) from error
        if not FIRST_YEAR <= as_of.year <= LAST_YEAR:
            raise SettingsError(
                f"CONTACT_AS_OF is {as_of_text!r}; it must lie between {FIRST_YEAR} and {LAST_YEAR}."
            )

        currency = value("CONTACT_CURRENCY", "USD")
        if not re.fullmatch(r"[A-Z]{3}", currency):
            raise SettingsError(
                f"CONTACT_CURRENCY is {currency!r}, which is not an ISO 4217 code. "
                "Set it to three capital letters such as 'EUR'."
            )

        memory_limit = value("CONTACT_MEMORY_LIMIT", DEFAULT_MEMORY_LIMIT)
        if not re.fullmatch(r"[1-9][0-9]*(\.[0-9]+)? ?[MGT]i?B", memory_limit):
            raise SettingsError(
                f"CONTACT_MEMORY_LIMIT is {memory_limit!r}, which is not an amount of memory. "
                "Set it to one such as '3GB' or '500MB'."
            )

        engine = value("CONTACT_ENGINE", Engine.DUCKDB.value)
        if engine not in {known.value for known in Engine}:
            raise SettingsError(f"CONTACT_ENGINE is {engine!r}; it may be 'duckdb' (the default) or 'spark'.")

        spark_master = value("CONTACT_SPARK_MASTER", DEFAULT_SPARK_MASTER)
        if not re.fullmatch(r"local(\[[*0-9,]+\])?|yarn|(spark|k8s)://\S+", spark_master):
            raise SettingsError(
                f"CONTACT_SPARK_MASTER is {spark_master!r}, which is no cluster of Spark. Set it to one "
                "such as 'local[*]', 'spark://host:7077' or 'yarn'."
            )

        spark_thrift = value("CONTACT_SPARK_THRIFT", "") or None
        if spark_thrift and not re.fullmatch(r"[^\s:]+:[0-9]{1,5}", spark_thrift):
            raise SettingsError(
                f"CONTACT_SPARK_THRIFT is {spark_thrift!r}, which is no host and port. Set it to one such as "
                "'127.0.0.1:10000', or leave it unset."
            )
        return cls(
            *(data_dir, timezone, as_of, currency, memory_limit),
            *(Engine(engine), spark_master, spark_thrift),
        )

    def as_environment(self) -> dict[str, str]:
        """The same settings as environment variables, for the processes that the pipeline starts."""
        return {
            "CONTACT_DATA_DIR": str(self.data_dir),
            "CONTACT_TIMEZONE": self.timezone,
            "CONTACT_AS_OF": self.as_of.isoformat(),
            "CONTACT_CURRENCY": self.currency,
            "CONTACT_MEMORY_LIMIT": self.memory_limit,
            "CONTACT_ENGINE": self.engine.value,
            "CONTACT_SPARK_MASTER": self.spark_master,
            "CONTACT_SPARK_THRIFT": self.spark_thrift or "",
        }

    @property
    def landing(self) -> Path:
        """Where the outside world lands files; nothing here ever writes to it but the sample."""
        return self.data_dir / "landing"

    @property
    def warehouse(self) -> Path:
        """The database of what landed, and of what is known of it: raw, quarantine, staging."""
        return self.data_dir / "warehouse.duckdb"

    @property
    def reports(self) -> Path:
        """The database of what readers need, as a refresh makes it: attribution, facts and marts."""
        return self.data_dir / "reports.duckdb"

    @property
    def databases(self) -> tuple[Path, ...]:
        """The files that only a refresh writes, and that a rebuild makes anew."""
        return (self.warehouse, log_of(self.warehouse), self.reports, log_of(self.reports))

    @property
    def spark(self) -> Path:
        """What Spark keeps: landed events and the tables of the models, as files."""
        return self.data_dir / "spark"

    @property
    def folders_of_spark(self) -> tuple[Path, ...]:
        """What of it a rebuild makes anew. A Thrift server has a list of its tables of its own."""
        own = () if self.spark_thrift else ("metastore", "warehouse")
        return tuple(self.spark / name for name in ("landed", "tables", *own))

    @property
    def published(self) -> Path:
        """The file that readers open: a symbolic link to the newest published version."""
        return self.data_dir / "published" / "contact_reports.duckdb"

    @property
    def published_parquet(self) -> Path:
        """The same tables as files of Parquet, where Spark computes them: a link as well."""
        return self.published.with_name("parquet")

    @property
    def versions(self) -> Path:
        """The published versions, one folder each."""
        return self.data_dir / "published" / "versions"

    @property
    def exported(self) -> Path:
        """What is published, as files of other formats."""
        return self.data_dir / "export"

    @property
    def dbt_target(self) -> Path:
        """Where dbt leaves its artifacts of the last refresh."""
        return self.data_dir / "dbt"

    @property
    def dagster_home(self) -> Path:
        """Dagster's record of runs and events."""
        return self.data_dir / "dagster"

    @property
    def lock(self) -> Path:
        """The file that the one refresh at work holds locked."""
        return self.data_dir / "refresh.lock"


def log_of(database: Path) -> Path:
    """The file in which DuckDB keeps what it has not written to a database yet."""
    return database.with_name(database.name + ".wal")
