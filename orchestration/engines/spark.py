"""Spark: how it is reached, what it says, and where the events and tables of a hub lie for it.

Belongs here: what Python knows of Spark. Does not belong here: how its tasks load files (spark_loading.py),
the models and how they are refreshed (dbt_project/macros/spark).
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

import duckdb

from orchestration.engines import portions as portions_of
from orchestration.engines.engine import EngineError
from orchestration.landing.contracts import CONTRACTS
from orchestration.settings import REPOSITORY, Settings
from orchestration.sql import identifier, literal, one_row
from orchestration.warehouse import schema, stamps

LEAST_JAVA = 17

LOGGING = REPOSITORY / "orchestration" / "engines" / "log4j2.properties"

CONNECT_SECONDS = 10

STAMP = "last_refresh.json"

# What Spark says of faults that are the user's to fix, and what to do then.
ADVICE = (
    (
        r"OutOfMemoryError|\bcode (52|137)\b|\bOOM\b|Container killed|GC overhead",
        "A worker ran out of memory. Give the workers more of it (`spark.executor.memory`; where Spark runs "
        "on this machine alone, CONTACT_MEMORY_LIMIT), or let each task do less (a greater "
        "`spark.sql.shuffle.partitions`).",
    ),
    (
        r"All masters are unresponsive|Could not connect|Connection refused|TTransportException",
        "The cluster does not answer. See that it runs, and that CONTACT_SPARK_MASTER and "
        "CONTACT_SPARK_THRIFT name it.",
    ),
    (
        r"ExecutorLostFailure|executor lost|Max number of executor failures|Executor heartbeat timed out",
        "Workers were lost more often than Spark repeats a task. See their logs, then run the refresh again.",
    ),
    (
        r"ModuleNotFoundError: No module named|PYTHON_VERSION_MISMATCH",
        "The workers need the Python of this environment, with its packages, under the same path "
        "(requirements-spark.lock; PYSPARK_PYTHON names another one).",
    ),
    (
        r"Another instance of Derby may have already booted",
        "Another program of Spark has the list of its tables open. Close it, then run the refresh again.",
    ),
)

# Where in Java's code an error was passed on, line by line, and what is left empty around that.
STACK = re.compile(r"\s*(at .+\(.*\)|\.\.\. \d+ more|Driver stacktrace:)?\s*")


class SparkError(EngineError):
    """Spark cannot do its work; the message says why and what to do."""


def version() -> str:
    """The version of Spark that the models run on."""
    return version_of("pyspark")


def require_ready(settings: Settings) -> None:
    """See that Spark can be started, before anything is done.

    Raises:
        SparkError: when a package, Java or the cluster is missing.
    """
    missing = [package for package in ("pyspark", "dbt.adapters.spark") if not _is_installed(package)]
    if missing:
        raise SparkError(
            f"CONTACT_ENGINE is spark, but {' and '.join(missing)} is not installed in this "
            "environment. `make` sets up .venv-spark when CONTACT_ENGINE is set; elsewhere install "
            "requirements-spark.lock."
        )
    _require_java()
    if settings.spark_master.startswith("spark://"):
        _require_answer("CONTACT_SPARK_MASTER", settings.spark_master.removeprefix("spark://").split(",")[0])
    if settings.spark_thrift:
        _require_answer("CONTACT_SPARK_THRIFT", settings.spark_thrift)


def advice_on(message: str) -> str | None:
    """What to do about an error of Spark, where that is known."""
    return next((advice for sign, advice in ADVICE if re.search(sign, message)), None)


def without_stack(message: str) -> str:
    """An error of Spark without the places in Java's code, which help nobody who uses it."""
    return "\n".join(line for line in message.splitlines() if not STACK.fullmatch(line))


def environment_of(settings: Settings) -> dict[str, str]:
    """What a process needs in its environment to start Spark as this hub does."""
    given = [
        part for name, value in _configuration(settings).items() for part in ("--conf", f"{name}={value}")
    ]
    return {
        "PYSPARK_SUBMIT_ARGS": shlex.join([*given, "pyspark-shell"]),
        "PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable),
    }


def show_events(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let the warehouse show the events that the tasks left: the tables of raw, as views."""
    for contract in CONTRACTS:
        folder = portions_of.landed_folder(settings, f"raw.{contract.table}")
        folder.mkdir(parents=True, exist_ok=True)
        # A table without any file has no columns, so there is one without rows.
        empty = folder / "0-0.parquet"
        if not empty.exists():
            columns = ", ".join(
                f"null::{column_type} as {name}" for name, column_type in schema.columns_of_raw(contract)
            )
            portions_of.write(connection, f"select {columns} limit 0", empty)
        portions_of.show_events(connection, settings, contract)


def show_records(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let Spark see what the models and checks ask of the records of files, rejected rows and refreshes."""
    for table, columns in (
        ("raw.landed_files", "path, status, rows_landed, rows_accepted, rows_rejected, rows_skipped"),
        ("raw.contents", "file_id, path"),
        *((f"raw.removed_{contract.table}", "*") for contract in CONTRACTS),
        ("raw.refreshes", "refresh_number"),
        ("quarantine.rejected_events", "entity, path, row_number"),
    ):
        folder = portions_of.landed_folder(settings, table)
        folder.mkdir(parents=True, exist_ok=True)
        portions_of.write(connection, f"select {columns} from {table}", folder / "records.parquet")


def stamps_of(settings: Settings) -> tuple[Path, Path]:
    """The files that say which refresh has written the landed events last, and which the tables."""
    return settings.spark / "landed" / STAMP, settings.spark / "tables" / STAMP


def why_events_are_of_another_day(connection: duckdb.DuckDBPyConnection, settings: Settings) -> str | None:
    """Why the events that the tasks left are not those of the warehouse's records; None if they are."""
    stamp, _ = stamps_of(settings)
    planned = stamps.last_planned(connection)
    (loaded,) = one_row(connection, "select count(*) from raw.landed_files where status = 'loaded'")
    if loaded:
        return stamps.why_not_of(connection, str(stamp.parent), stamps.of_file(stamp))
    # Nothing to compare with yet. From now on there is, also when the first load is killed.
    if planned:
        stamps.write_to_file(stamp, stamps.stamp_of(connection, planned, is_complete=True))
    return None


def folder_of(settings: Settings, schema: str, name: str) -> Path:
    """Where a table lies: dbt_project/macros/spark/incremental.sql says the same."""
    return settings.spark / "tables" / schema / name


def files_of(settings: Settings, schema: str, name: str) -> list[Path]:
    """The files of a table; none when it has no rows."""
    return sorted(folder_of(settings, schema, name).rglob("*.parquet"))


def rows_of(settings: Settings, schema: str, name: str) -> str | None:
    """The rows of a table, as DuckDB reads them; None when it has none."""
    folder, files = folder_of(settings, schema, name), files_of(settings, schema, name)
    if not files:
        return None
    # The day of a table that is kept by day stands in the names of its folders.
    levels = files[0].relative_to(folder).parent.parts
    days = ", ".join(f"{identifier(level.partition('=')[0])}: date" for level in levels)
    options = f"hive_partitioning = true, hive_types = {{{days}}}" if days else "hive_partitioning = false"
    return f"read_parquet({literal(str(folder / '**' / '*.parquet'))}, {options})"


def forget_table(settings: Settings, schema: str, name: str) -> None:
    """Remove the files of a table."""
    shutil.rmtree(folder_of(settings, schema, name), ignore_errors=True)


def forget_tables(settings: Settings, schema: str) -> None:
    """Remove the files of all tables of a schema."""
    shutil.rmtree(settings.spark / "tables" / schema, ignore_errors=True)


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    install = (
        f"Install Java {LEAST_JAVA} or later (Debian: openjdk-17-jre-headless), or let JAVA_HOME name it."
    )
    if not java or not Path(java).exists():
        where = f"JAVA_HOME names {home}, which has no bin/java" if home else "there is no java on the PATH"
        raise SparkError(f"Spark runs on Java, but {where}. {install}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(1\.)?(\d+)', said.stderr)
    if not found or int(found[2]) < LEAST_JAVA:
        which = found[2] if found else f"of an unknown version ({said.stderr.strip()[:100]})"
        raise SparkError(f"Spark {version()} needs Java {LEAST_JAVA} or later; {java} is {which}. {install}")


def _require_answer(setting: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        raise SparkError(
            f"{setting} names {address}, which does not answer: {error}. Nothing was done. Start it "
            "there, or set the variable to where it is."
        ) from None


def _configuration(settings: Settings) -> dict[str, str]:
    configuration = {
        "spark.master": settings.spark_master,
        "spark.app.name": "contact-reporting",
        "spark.driver.memory": f"{_megabytes(settings.memory_limit)}m",
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(settings.spark / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": (
            f"jdbc:derby:;databaseName={settings.spark / 'metastore'};create=true"
        ),
        "spark.driver.extraJavaOptions": (
            f"-Dderby.stream.error.file=/dev/null -Dlog4j2.configurationFile={shlex.quote(LOGGING.as_uri())}"
        ),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    if settings.spark_master.startswith("local") or "//127.0.0.1:" in settings.spark_master:
        # All on one machine, so nobody else has to reach it, and few pieces of work are enough.
        configuration |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(4 * (os.cpu_count() or 1)),
        }
    return configuration


def _megabytes(memory: str) -> int:
    """An amount of memory as DuckDB writes it, in the megabytes of Java."""
    number, unit = re.findall(r"([0-9.]+) ?([A-Za-z]+)", memory)[0]
    powers = {"MB": 1000**2, "GB": 1000**3, "TB": 1000**4, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
    return int(float(number) * powers[unit]) >> 20
