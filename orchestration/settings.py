"""The settings of a hub, read once from the environment and hub.toml; every path is derived here.

Belongs here: the environment variables of the README's "Settings", where they contradict hub.toml, and the
layout of the data directory. Does not belong here: what hub.toml may say (hub/hub_toml.py), anything that
reads or writes data.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestration.hub import hub_toml
from orchestration.hub.hub_toml import Hub, HubFile, SettingsError
from orchestration.landing.contracts import FIRST_YEAR, LAST_YEAR

REPOSITORY = Path(__file__).resolve().parent.parent

# How what readers open is stored: many drivers still carry DuckDB 1.x, which cannot read what DuckDB 2 writes
# unless asked to. dbt_project/profiles.yml says the same.
STORAGE_VERSION = "v1.2.0"

# Files of the data directory that are looked at before there are settings.
HUB_FILE = "hub.toml"
WAREHOUSE_FILE = "warehouse.duckdb"
PUBLISHED_FILE = "published/contact_reports.duckdb"

# How much memory a refresh may use, when nothing is said: enough for a history of ten million messages.
DEFAULT_MEMORY_LIMIT = "3GB"


# Where Spark runs, when nothing is said: on all cores of this machine.
DEFAULT_SPARK_MASTER = "local[*]"


class Engine(Enum):
    """What computes the models; what readers open is the same."""

    DUCKDB = "duckdb"
    SPARK = "spark"


class Audience(Enum):
    """Who of the machine may read what is published."""

    OWNER = "owner"
    GROUP = "group"
    EVERYBODY = "everybody"


@dataclass(frozen=True)
class Pattern:
    """A variable whose values match a regular expression, and what to do about one that does not."""

    variable: str
    default: str
    expression: str
    advice: str


MEMORY_LIMIT = Pattern(
    "CONTACT_MEMORY_LIMIT",
    DEFAULT_MEMORY_LIMIT,
    r"[1-9][0-9]*(\.[0-9]+)? ?[MGT]i?B",
    "which is not an amount of memory. Set it to one such as '3GB' or '500MB'.",
)
SPARK_MASTER = Pattern(
    "CONTACT_SPARK_MASTER",
    DEFAULT_SPARK_MASTER,
    r"local(\[[*0-9,]+\])?|yarn|(spark|k8s)://\S+",
    "which is no cluster of Spark. Set it to one such as 'local[*]', 'spark://host:7077' or 'yarn'.",
)
SPARK_THRIFT = Pattern(
    "CONTACT_SPARK_THRIFT",
    "",
    r"([^\s:]+:[0-9]{1,5})?",
    "which is no host and port. Set it to one such as '127.0.0.1:10000', or leave it unset.",
)


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
        hub: the limits and landing tables of ``hub.toml``.
        published_to: who may read what is published; all else is the owner's alone.
        landing_url: the folder in object storage that the landing folder mirrors; None without one.
        copies_url: the folder in object storage that published versions are copied to; None without one.
        postgres_url: the PostgreSQL database that is brought to each published version; None without one.
    """

    data_dir: Path
    timezone: str
    as_of: date
    currency: str
    memory_limit: str = DEFAULT_MEMORY_LIMIT
    engine: Engine = Engine.DUCKDB
    spark_master: str = DEFAULT_SPARK_MASTER
    spark_thrift: str | None = None
    hub: Hub = field(default_factory=Hub)
    published_to: Audience = Audience.GROUP
    landing_url: str | None = None
    copies_url: str | None = None
    # It may hold a password.
    postgres_url: str | None = field(default=None, repr=False)

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, now: datetime | None = None
    ) -> Settings:
        """Read the ``CONTACT_*`` variables and ``hub.toml``; an unset or blank variable has its default.

        Zone and currency are those of ``hub.toml``. Where it lacks one, a hub that has been refreshed before
        keeps that of its last refresh; only a new hub takes it from the environment.

        Args:
            environment: the variables, by default those of the process.
            now: the instant from which the default as-of day is taken, by default the present.

        Raises:
            SettingsError: when a variable or key has a value that cannot be used, or a variable contradicts
                the hub.
        """
        environment = os.environ if environment is None else environment
        data_dir = _data_dir(environment)
        file = hub_toml.read(data_dir / HUB_FILE)
        timezone, currency = _zone_and_currency(environment, data_dir, file)
        landing_url = _url_of_folder(environment, "CONTACT_LANDING")
        copies_url = _url_of_folder(environment, "CONTACT_PUBLISH_TO")
        _require_apart(landing_url, copies_url)
        return cls(
            data_dir=data_dir,
            timezone=timezone,
            as_of=_as_of(environment, (now or datetime.now(UTC)).astimezone(ZoneInfo(timezone)).date()),
            currency=currency,
            memory_limit=_matching(environment, MEMORY_LIMIT),
            engine=_engine(environment),
            spark_master=_matching(environment, SPARK_MASTER),
            spark_thrift=_matching(environment, SPARK_THRIFT) or None,
            hub=file.hub,
            published_to=_audience(environment),
            landing_url=landing_url,
            copies_url=copies_url,
            postgres_url=_url_of_database(environment),
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
            "CONTACT_PUBLISHED_TO": self.published_to.value,
            "CONTACT_LANDING": self.landing_url or "",
            "CONTACT_PUBLISH_TO": self.copies_url or "",
            "CONTACT_POSTGRES": self.postgres_url or "",
        }

    @property
    def as_of_ends_at(self) -> datetime:
        """The instant at which the as-of day ends in the reporting zone, in UTC as the databases store it.

        Of two midnights it is the first, as for dbt.
        """
        midnight = datetime.combine(self.as_of + timedelta(days=1), time(), ZoneInfo(self.timezone))
        return midnight.astimezone(UTC).replace(tzinfo=None)

    @property
    def hub_file(self) -> Path:
        """What belongs to the hub, whoever starts its refreshes: zone, currency, limits."""
        return self.data_dir / HUB_FILE

    @property
    def landing(self) -> Path:
        """Where the outside world lands files; nothing here writes to it but the sample and the mirror."""
        return self.data_dir / "landing"

    @property
    def mirror_record(self) -> Path:
        """What the landing folder holds of the objects of :attr:`landing_url`, and in which version."""
        return self.data_dir / "landing_mirror.jsonl"

    @property
    def kept(self) -> Path:
        """What is kept of contents that have left the landing folder or were overwritten."""
        return self.data_dir / "kept"

    @property
    def retracted(self) -> Path:
        """The files that were taken back, with what was kept of them."""
        return self.data_dir / "retracted"

    @property
    def warehouse(self) -> Path:
        """The database of what landed, and of what is known of it: raw, quarantine, staging."""
        return self.data_dir / WAREHOUSE_FILE

    @property
    def record_of_files(self) -> Path:
        """A copy of the record of landed files, for who must not wait for the warehouse."""
        return self.data_dir / "landed_files.parquet"

    @property
    def rejected_rows(self) -> Path:
        """A copy of the quarantine, for who must not wait for the warehouse."""
        return self.data_dir / "rejected_rows.parquet"

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
    def dropped(self) -> Path:
        """What a rebuild hands over to the new warehouse: the ids of events that somebody wanted gone."""
        return self.data_dir / "dropped"

    @property
    def published(self) -> Path:
        """The file that readers open: a symbolic link to the newest published version."""
        return self.data_dir / PUBLISHED_FILE

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


def _value(environment: Mapping[str, str], name: str, default: str = "") -> str:
    return environment.get(name, "").strip() or default


def _matching(environment: Mapping[str, str], pattern: Pattern) -> str:
    value = _value(environment, pattern.variable, pattern.default)
    if not re.fullmatch(pattern.expression, value):
        raise SettingsError(f"{pattern.variable} is {value!r}, {pattern.advice}")
    return value


def _url_of_folder(environment: Mapping[str, str], variable: str) -> str | None:
    """The URL of a folder in object storage, without the slash at its end.

    Raises:
        SettingsError: when it is none. Its value is not repeated, because a password may be part of it.
    """
    value = _value(environment, variable)
    if value and not re.fullmatch(
        r"((s3|gs|az)://[^\s/@?#:]+(/[^\s@?#]*)?|file:///[^\s/@?#][^\s@?#]*)", value
    ):
        raise SettingsError(
            f"{variable} is no URL of a folder in object storage. Set it to one such as "
            "'s3://bucket/folder', 'gs://bucket/folder', 'az://container/folder' or 'file:///folder', "
            "without a user, a password or a query: credentials come from the environment of the cloud."
        )
    return value.rstrip("/") or None


def _url_of_database(environment: Mapping[str, str]) -> str | None:
    """The address of a PostgreSQL database.

    Raises:
        SettingsError: when it is none. Its value is not repeated, because a password may be part of it.
    """
    value = _value(environment, "CONTACT_POSTGRES")
    if value and not re.fullmatch(r"postgres(ql)?://[^\s/]*/[^\s/?]+(\?\S*)?", value):
        raise SettingsError(
            "CONTACT_POSTGRES is no address of a PostgreSQL database. Set it to one such as "
            "'postgresql://contact_owner@host:5432/database'; the password may stand in PGPASSWORD or "
            "~/.pgpass."
        )
    return value or None


def _require_apart(landing_url: str | None, copies_url: str | None) -> None:
    """What is published must not land again.

    Raises:
        SettingsError: when versions would be copied to where files land.
    """
    if landing_url and f"{copies_url}/".startswith((f"{landing_url}/messages/", f"{landing_url}/orders/")):
        raise SettingsError(
            f"CONTACT_PUBLISH_TO is {copies_url}, which is where files land: CONTACT_LANDING is "
            f"{landing_url}. What is published would land again. Use a folder beside it, such as 's3://bucket/reports'."
        )


def _data_dir(environment: Mapping[str, str]) -> Path:
    given = _value(environment, "CONTACT_DATA_DIR", str(REPOSITORY / "data"))
    try:
        data_dir = Path(given).expanduser().absolute()
    except RuntimeError:
        raise SettingsError(
            f"CONTACT_DATA_DIR is {given!r}, but that user has no home here. Write the path out."
        ) from None
    unusable = set("#%?*[]") & set(str(data_dir))
    if unusable:
        raise SettingsError(
            f"CONTACT_DATA_DIR is {str(data_dir)!r}, which has {' '.join(sorted(unusable))} in it; the "
            "databases below it could not be opened. Choose a path without."
        )
    return data_dir


def _zone_and_currency(environment: Mapping[str, str], data_dir: Path, file: HubFile) -> tuple[str, str]:
    """Those of hub.toml, of the last refresh, or of the environment, in this order.

    Raises:
        SettingsError: when a variable says another one.
    """
    location = data_dir / HUB_FILE
    known = {"timezone": file.timezone, "currency": file.currency}
    sources = {key: f"{location}{hub_toml.line_of(location, key)} says" for key in known}
    if None in known.values():
        last = hub_toml.of_last_refresh(data_dir / PUBLISHED_FILE, data_dir / WAREHOUSE_FILE)
        for key, value in zip(known, last or (), strict=False):
            if known[key] is None:
                known[key], sources[key] = value, "the last refresh of this hub had"
    settled = []
    for key, default, why_unusable in (
        ("timezone", "UTC", hub_toml.why_no_timezone),
        ("currency", "USD", hub_toml.why_no_currency),
    ):
        variable = f"CONTACT_{key.upper()}"
        value = _value(environment, variable, known[key] or default)
        if advice := why_unusable(value):
            raise SettingsError(f"{variable} is {value!r}. {advice}")
        if known[key] and value != known[key]:
            raise SettingsError(
                f'{variable} is {value!r}, but {sources[key]} {key} = "{known[key]}". Nothing was done. '
                f'Unset {variable}; or, to change the hub, write {key} = "{value}" into {location}.'
            )
        settled.append(value)
    return settled[0], settled[1]


def _audience(environment: Mapping[str, str]) -> Audience:
    value = _value(environment, "CONTACT_PUBLISHED_TO", Audience.GROUP.value)
    if value not in {known.value for known in Audience}:
        raise SettingsError(
            f"CONTACT_PUBLISHED_TO is {value!r}; it may be 'owner', 'group' (the default) or 'everybody'."
        )
    return Audience(value)


def _as_of(environment: Mapping[str, str], today: date) -> date:
    text = _value(environment, "CONTACT_AS_OF", (today - timedelta(days=1)).isoformat())
    try:
        as_of = datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise SettingsError(
            f"CONTACT_AS_OF is {text!r}, which is not a day. Set it to a day such as "
            "'2026-01-31', or leave it unset for yesterday."
        ) from error
    if not FIRST_YEAR <= as_of.year <= LAST_YEAR:
        raise SettingsError(f"CONTACT_AS_OF is {text!r}; it must lie between {FIRST_YEAR} and {LAST_YEAR}.")
    return as_of


def _engine(environment: Mapping[str, str]) -> Engine:
    engine = _value(environment, "CONTACT_ENGINE", Engine.DUCKDB.value)
    if engine not in {known.value for known in Engine}:
        raise SettingsError(f"CONTACT_ENGINE is {engine!r}; it may be 'duckdb' (the default) or 'spark'.")
    return Engine(engine)
