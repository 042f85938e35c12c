"""Landed files by tasks of Spark -> portions of the events, and the records of what became of the files.

Landed files are read and checked by the same code whichever engine is at work: a task of Spark loads its
portion of the files into a database of its own, in memory, and leaves what became of them as Parquet. So a
row is good or bad by one set of rules. A load counts when the warehouse has its record, as everywhere.

Belongs here: portions, tasks, and recording what they left. Does not belong here: how a file is loaded
(landing/batch_loader.py), where the events lie (portions.py).
"""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from orchestration.engines import portions as portions_of
from orchestration.engines.spark import SparkError, advice_on, environment_of
from orchestration.landing import arrivals, batch_loader, records
from orchestration.landing.arrivals import Load
from orchestration.landing.batch_loader import DueFile
from orchestration.landing.contracts import EventContract
from orchestration.landing.in_memory import load_in_memory
from orchestration.settings import REPOSITORY, Settings
from orchestration.sql import one_row
from orchestration.warehouse import run_log

# What one task loads: it has this much of text in memory, several times over, while it is validated.
PORTION_BYTES = 64 * 1024 * 1024
PORTION_FILES = 64

# What became of the files of a portion.
LEFT_BY_TASKS = ("raw.landed_files", "raw.contents", "quarantine.rejected_events")


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
    """Record what a task loaded, and keep the former rows of its files."""
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
            segments.append(arrivals.keep_former_rows(load, arrived))
            records.count_rows(load, [arrival.path for arrival in arrived.values()])


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
    with load_in_memory(settings, contract) as load:
        connection = load.connection
        run_log.begin(connection, portion.name, settings)
        # Contents are numbered from here on.
        run_log.record_plan(connection, 1, portion.first_id - 1, [])
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
