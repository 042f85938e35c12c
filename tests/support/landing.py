"""Small helpers that land files, as the systems around a hub would.

Belongs here: rows to bytes in each format, and writing them below a landing folder; loading what has landed
and looking at what became of it. Does not belong here: what a good row is, and anything beyond the load.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from backports import zstd

from orchestration.landing.contracts import EventContract
from orchestration.landing.load import load_entity
from orchestration.landing.load_report import LoadReport
from orchestration.settings import Settings
from orchestration.warehouse import databases

Row = Mapping[str, Any]
Content: TypeAlias = bytes | str | pa.Table | Sequence[Row]
"""What a file holds: its very bytes, or rows that are written in the format that its name ends in."""


def csv_text(rows: Sequence[Row], *, line_end: str = "\n") -> str:
    """A header and the rows; a field that a row lacks, or that is None, is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _columns(rows), lineterminator=line_end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def json_lines_text(rows: Sequence[Row]) -> str:
    """A line for each row, with the fields that the row has."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def parquet_bytes(rows: Sequence[Row] | pa.Table) -> bytes:
    """A Parquet file; each column has the type that its values have, or that the table gives it."""
    if not isinstance(rows, pa.Table):
        rows = pa.table({name: [row.get(name) for row in rows] for name in _columns(rows)})
    buffer = io.BytesIO()
    pq.write_table(rows, buffer)
    return buffer.getvalue()


def gzipped(content: bytes | str) -> bytes:
    """The content compressed, the same bytes whenever it is done."""
    return gzip.compress(_encoded(content), mtime=0)


def zstd_compressed(content: bytes | str) -> bytes:
    """The content compressed with a checksum, as the command line does it."""
    return zstd.compress(_encoded(content), options={zstd.CompressionParameter.checksum_flag: 1})


COMPRESSIONS = {".gz": gzipped, ".zst": zstd_compressed}


def compressed_for(name: str, content: bytes | str) -> bytes:
    """The content compressed as a name says."""
    return next((do(content) for end, do in COMPRESSIONS.items() if name.endswith(end)), _encoded(content))


def land_bytes(location: Path, content: bytes | str) -> Path:
    """Write a file and the folders above it."""
    location.parent.mkdir(parents=True, exist_ok=True)
    location.write_bytes(_encoded(content))
    return location


def land_csv(location: Path, rows: Sequence[Row]) -> Path:
    """Write rows as CSV, compressed when the name says so."""
    return land_bytes(location, compressed_for(location.name, csv_text(rows)))


def land_json_lines(location: Path, rows: Sequence[Row]) -> Path:
    """Write rows as JSON lines."""
    return land_bytes(location, json_lines_text(rows))


def land_parquet(location: Path, rows: Sequence[Row] | pa.Table) -> Path:
    """Write rows as Parquet."""
    return land_bytes(location, parquet_bytes(rows))


def land(location: Path, content: Content) -> Path:
    """Write bytes as they are, and rows in the format that the name ends in."""
    if isinstance(content, bytes | str):
        return land_bytes(location, content)
    if location.name.endswith(".parquet"):
        return land_parquet(location, content)
    if location.name.endswith((".jsonl", ".ndjson")):
        return land_json_lines(location, content)
    return land_csv(location, content)


@dataclass(frozen=True)
class Rejected:
    """A row of the quarantine."""

    path: str
    row_number: int
    raw: dict[str, str | None]
    reasons: list[str]


@dataclass(frozen=True)
class FileRecord:
    """A row of ``raw.landed_files``."""

    status: str
    rows_landed: int
    rows_accepted: int
    rows_rejected: int
    rows_skipped: int
    rows_kept: int
    error: str | None
    content_hash: str | None
    loaded_at: datetime


@dataclass(frozen=True)
class Loaded:
    """What the warehouse holds of one entity after a load. Paths are those below the entity's folder.

    Attributes:
        report: what the load said it did.
        files: the records of the entity's files.
        by_file: the rows of the entity's table in ``raw`` by the file that they came in.
        rejected: the entity's rows in the quarantine, by file and row number.
    """

    report: LoadReport
    files: dict[str, FileRecord]
    by_file: dict[str, list[dict[str, Any]]]
    rejected: list[Rejected]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The rows of the entity's table in ``raw``."""
        return [event for events in self.by_file.values() for event in events]

    def column(self, name: str) -> list[Any]:
        """The sorted values of one field of the events."""
        return sorted(event[name] for event in self.events)

    @property
    def failed(self) -> dict[str, str | None]:
        """Why each file that is recorded as failed could not be loaded."""
        return {path: record.error for path, record in self.files.items() if record.status == "failed"}

    @property
    def reasons(self) -> dict[tuple[str, int], list[str]]:
        """The reasons by file and row number."""
        return {(row.path, row.row_number): row.reasons for row in self.rejected}


def load(
    settings: Settings,
    contract: EventContract,
    files: Mapping[str, Content] | None = None,
    *,
    numbered: bool = True,
) -> Loaded:
    """Land files below the entity's folder, load, and read what the warehouse holds of the entity then.

    Whatever a test is about: no row of any file may be lost, so the books are checked each time. The numbers
    of rows are checked unless they are not ``numbered`` exactly, as in files with blank lines.
    """
    folder = settings.landing / contract.entity
    for name, content in (files or {}).items():
        land(folder / name, content)
    with databases.connect(settings) as connection:
        report = load_entity(connection, settings, contract)
        loaded = _read(connection, contract, report)
    for path, record in loaded.files.items():
        accepted = loaded.by_file.get(path, [])
        rejected = [row for row in loaded.rejected if row.path == path]
        assert (record.rows_accepted, record.rows_rejected) == (len(accepted), len(rejected)), path
        assert record.rows_landed == len(accepted) + len(rejected) + record.rows_skipped, path
        assert (record.status == "failed") == (record.error is not None), path
        if numbered:
            assert len({row.row_number for row in rejected}) == len(rejected), path
            assert all(1 <= row.row_number <= record.rows_landed for row in rejected), path
    assert loaded.by_file.keys() <= loaded.files.keys()
    assert {row.path for row in loaded.rejected} <= loaded.files.keys()
    return loaded


def _read(connection: duckdb.DuckDBPyConnection, contract: EventContract, report: LoadReport) -> Loaded:
    below = f"landing/{contract.entity}/"
    records = _rows(
        connection,
        """
        select path, status, rows_landed, rows_accepted, rows_rejected, rows_skipped, rows_kept, error,
            content_hash, loaded_at
        from raw.landed_files
        where entity = ?
        order by path
        """,
        [contract.entity],
    )
    files = {row.pop("path").removeprefix(below): FileRecord(**row) for row in records}
    assert len(files) == len(records), "a file has two records"
    by_file: dict[str, list[dict[str, Any]]] = {}
    for row in _rows(
        connection,
        f"""
        select
            coalesce(files.path, 'a file without a record') as path,
            events.* exclude (file_id, row_number, id_digest)
        from raw.{contract.table} as events
        left join raw.contents as files on events.file_id = files.file_id
        order by all
        """,
    ):
        by_file.setdefault(row.pop("path").removeprefix(below), []).append(row)
    rejected = [
        Rejected(
            row["path"].removeprefix(below), row["row_number"], json.loads(row["raw_text"]), row["reasons"]
        )
        for row in _rows(
            connection,
            """
            select path, row_number, raw_text, reasons
            from quarantine.rejected_events
            where entity = ?
            order by path, row_number
            """,
            [contract.entity],
        )
    ]
    return Loaded(report, files, by_file, rejected)


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[Any] = ()
) -> list[dict[str, Any]]:
    cursor = connection.execute(query, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _columns(rows: Iterable[Row]) -> list[str]:
    """The names in all rows, in the order in which they first appear."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _encoded(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content
