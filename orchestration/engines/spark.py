"""Spark as the engine: how it is reached, how its tasks load landed files, where it keeps its tables.

Landed files are read and checked by the same code whichever engine is at work: a task of Spark loads its
portion of the files into a database of its own, in memory, and leaves what became of them as Parquet. So a
row is good or bad by one set of rules. A load counts when the warehouse has its record, as everywhere.

Belongs here: all that Python knows of Spark. Does not belong here: the models and how they are refreshed in
part (dbt_project/macros/spark), what is published (publishing/publish.py).
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from importlib.util import find_spec
from pathlib import Path

import duckdb

from orchestration.engines import portions as portions_of
from orchestration.landing import arrivals, batch_loader, records, warehouse_rows
from orchestration.landing.arrivals import Load
from orchestration.landing.batch_loader import DueFile
from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.landing.kept import KeptRows
from orchestration.settings import REPOSITORY, Engine, Settings
from orchestration.sql import identifier, literal, one_row
from orchestration.warehouse import run_log, stamps

# What one task loads: it has this much of text in memory, several times over, while it is judged.
PORTION_BYTES = 64 * 1024 * 1024
PORTION_FILES = 64

# What became of the files of a portion.
LEFT_BY_TASKS = ("raw.landed_files", "raw.contents", "quarantine.rejected_events")

LEAST_JAVA = 17

LOGGING = REPOSITORY / "orchestration" / "engines" / "log4j2.properties"

CONNECT_SECONDS = 10

STAMP = "last_refresh.json"

# What Spark says of faults that are the user's to mend, and what to do then.
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


class SparkError(RuntimeError):
    """Spark cannot do its work; the message says why and what to do."""


@dataclass(frozen=True)
class Portion:
    """Files that one task loads.

    Attributes:
        first_id, last_id: the numbers that the files may be given.
    """

    files: tuple[DueFile, ...]
    first_id: int

    @property
    def last_id(self) -> int:
        return self.first_id + len(self.files) - 1

    @property
    def name(self) -> str:
        return f"{self.first_id}-{self.last_id}"


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


def load_files(load: Load, files: Sequence[DueFile]) -> None:
    """Load files of an entity by tasks of Spark; see :func:`orchestration.landing.batch_loader.load_files`.

    Raises:
        SparkError: when Spark cannot be started, or loses its workers.
    """
    if not files:
        return
    settings, contract = load.settings, load.contract
    portions = list(_portions(files, records.next_file_id(load.connection)))
    # In a process of its own, with which the machine of Java ends.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_run_tasks, settings, contract, portions).result()
    for portion in portions:
        _record_portion(load, portion)
    shutil.rmtree(portions_of.left_by_tasks(settings), ignore_errors=True)


def _record_portion(load: Load, portion: Portion) -> None:
    """Record what a task left, and settle what its files had before."""
    left = {table: str(_left_by_task(load, portion, table)) for table in LEFT_BY_TASKS}
    by_path = {due.path: due for due in portion.files}
    unread = load.connection.execute(
        "select path, status, error from read_parquet(?) where status <> 'loaded'",
        [left["raw.landed_files"]],
    ).fetchall()
    for path, status, error in unread:
        records.record_unread(load, path, status, error, by_path[path].inspection)
    with records.settling(load) as segments:
        load.connection.execute(
            "delete from raw.landed_files "
            "where path in (select path from read_parquet(?) where status = 'loaded')",
            [left["raw.landed_files"]],
        )
        for table, file in left.items():
            chosen = "where status = 'loaded'" if table == "raw.landed_files" else ""
            load.connection.execute(f"insert into {table} by name from read_parquet(?) {chosen}", [file])
        numbers = load.connection.execute(
            "select path, file_id from read_parquet(?)", [left["raw.contents"]]
        ).fetchall()
        arrived = {number: by_path[path].arrival for path, number in numbers}
        if arrived:
            segments.append(arrivals.settle(load, arrived))
            records.count_rows(load, [arrival.path for arrival in arrived.values()])


def show_events(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let the warehouse show the events that the tasks left: the tables of raw, as views."""
    for contract in CONTRACTS:
        folder = portions_of.landed_folder(settings, f"raw.{contract.table}")
        folder.mkdir(parents=True, exist_ok=True)
        # A table without any file has no columns, so there is one without rows.
        empty = folder / "0-0.parquet"
        if not empty.exists():
            columns = ", ".join(
                f"null::{column_type} as {name}"
                for name, column_type in warehouse_rows.columns_of_raw(contract)
            )
            portions_of.write(connection, f"select {columns} limit 0", empty)
        portions_of.show_events(connection, settings, contract)


def show_records(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Let Spark see what the models and checks ask of the records of files, refused rows and refreshes."""
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
    number, unit = re.fullmatch(r"([0-9.]+) ?([A-Za-z]+)", memory).groups()
    powers = {"MB": 1000**2, "GB": 1000**3, "TB": 1000**4, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
    return int(float(number) * powers[unit]) >> 20


def _portions(files: Sequence[DueFile], first_id: int) -> Iterator[Portion]:
    for batch in batch_loader.batches(files, PORTION_FILES, PORTION_BYTES):
        yield Portion(tuple(batch), first_id)
        first_id += len(batch)


def _run_tasks(settings: Settings, contract: EventContract, portions: Sequence[Portion]) -> None:
    """Let a task of Spark load each portion, and wait for them."""
    os.environ |= environment_of(settings)
    # Java and the tasks print to where this process does, which belongs to the refresh.
    printed = settings.spark / "loading.log"
    printed.parent.mkdir(parents=True, exist_ok=True)
    with printed.open("wb") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())
    from pyspark import SparkContext

    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "orchestration.zip"
        with zipfile.ZipFile(code, "w") as archive:
            for file in (REPOSITORY / "orchestration").rglob("*.py"):
                archive.write(file, file.relative_to(REPOSITORY))
        try:
            with SparkContext(pyFiles=[str(code)]) as context:
                context.parallelize(portions, len(portions)).foreach(
                    lambda portion: _load_portion(settings, contract, portion)
                )
        except Exception as error:
            message = str(error)
            advice = advice_on(message) or f"See {printed}, then run the refresh again."
            reasons = [
                line for line in message.splitlines() if re.match(r"\s*[\w.]*(Error|Exception)\b.*: ", line)
            ]
            reason = reasons[-1].strip() if reasons else message.strip().partition("\n")[0]
            raise SparkError(
                f"Spark could not load the files of {contract.entity}: {reason} Nothing of them was "
                f"recorded. {advice}"
            ) from None


def _load_portion(settings: Settings, contract: EventContract, portion: Portion) -> None:
    """Load a portion, in a task of Spark. It may be repeated, also beside itself, and leaves the same."""
    with duckdb.connect() as connection, tempfile.TemporaryDirectory() as nothing_kept:
        connection.execute("set TimeZone = 'UTC'")
        records.make_record_tables(connection)
        records.make_event_tables(connection)
        run_log.begin(connection, portion.name, settings)
        # Contents are numbered from here on.
        run_log.record_plan(connection, 1, portion.first_id - 1, [])
        in_memory = replace(settings, engine=Engine.DUCKDB)
        load = Load(connection, in_memory, contract, KeptRows(Path(nothing_kept), contract))
        batch_loader.load_files(load, portion.files)
        (events,) = one_row(connection, f"select count(*) from raw.{contract.table}")
        if events:
            file = portions_of.portion_file(settings, contract, portion.first_id, portion.last_id)
            portions_of.write(connection, f"from raw.{contract.table}", file)
        for table in LEFT_BY_TASKS:
            left = _left_by_task(replace(load, settings=settings), portion, table)
            left.parent.mkdir(parents=True, exist_ok=True)
            portions_of.write(connection, f"from {table}", left)


def _left_by_task(load: Load, portion: Portion, table: str) -> Path:
    return portions_of.left_by_tasks(load.settings) / f"{load.contract.table}-{portion.name}-{table}.parquet"
