"""Generated CSV files of many megabytes, loaded and held against Python's csv module.

Rows of all kinds stand near every boundary at which a reader might divide a file. `pytest --fuzz 50`
generates more files, up to ten times as large, from `--fuzz-seed` on.
"""

from __future__ import annotations

import csv
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from support.landing import gzipped, load

from orchestration.landing.contracts import ORDERS
from orchestration.landing.formats.byte_streams import BLOCK_BYTES, MAX_ROW_BYTES
from orchestration.settings import Settings

pytestmark = pytest.mark.slow

COLUMNS = ("order_id", "customer_id", "ordered_at", "order_value", "sales_channel", "note")
FEWEST_BYTES, MOST_BYTES = 7_000_000, 70_000_000
SMALL_BYTES = 10_000_000

# Where readers divide a file: by blocks of this project and of others.
BOUNDARIES = sorted(
    {step * times for step in (BLOCK_BYTES, 8_000_000, 1 << 24) for times in range(1, MOST_BYTES // step + 1)}
)
# So near to a boundary, rows of all kinds are written; elsewhere long plain ones.
NEAR_BYTES = 3_000


@dataclass
class Writer:
    """Writes rows of a file, each with a number."""

    numbers: random.Random
    line_end: str
    rows: int = 0

    def row(self, *, customer: str = "c1", note: str = "", cells: tuple[str, ...] = ()) -> str:
        self.rows += 1
        fixed = ("2026-01-11T10:00:00Z", "1.00", "online")
        return ",".join((f"o{self.rows}", customer, *fixed, note, *cells)) + self.line_end

    def plain(self) -> str:
        return self.row(note="x" * self.numbers.randrange(600, 1200))

    def quoted(self) -> str:
        text = self.numbers.choice(['c, ""c"" c', f"c{self.line_end}c", "c\nc\rc", "c", 'c""', "c,,,c"])
        return self.row(customer=f'"{text}"', note='"a ""note"", of one"')

    def looks_like_rows(self) -> str:
        line = f"fake,c1,2026-01-11T10:00:00Z,999999.00,online,{self.line_end}"
        return self.row(note='"' + line * self.numbers.randrange(1, 60) + '"')

    def long_note(self) -> str:
        return self.row(note='"' + ('say ""hi"",\n' * self.numbers.randrange(100, 9000)) + '"')

    def text_with_quotes(self) -> str:
        return self.row(customer='c 5" c', note=' "not quoted"')

    def too_few(self) -> str:
        return f"few,c1{self.line_end}"

    def too_many(self) -> str:
        return self.row(cells=("one", '"two"'))

    def malformed(self) -> str:
        return self.row(customer=self.numbers.choice(['"c"c', '"c" ', '"c"",c"c']))

    def too_long(self) -> str:
        return self.row(note="x" * (MAX_ROW_BYTES + self.numbers.randrange(3_000_000)))

    def blank(self) -> str:
        return self.numbers.choice(["\n", "\r\n", "\n\n"])


REGULAR: tuple[Callable[[Writer], str], ...] = (
    *(Writer.plain, Writer.quoted, Writer.looks_like_rows, Writer.long_note),
    *(Writer.text_with_quotes, Writer.too_few, Writer.too_many, Writer.blank),
)


def generate(seed: int, size: int) -> str:
    """A file of about so many bytes. Every other one has rows that have to be read strictly."""
    numbers = random.Random(seed)
    writer = Writer(numbers, numbers.choice(["\n", "\r\n"]))
    kinds = REGULAR if seed % 2 else (*REGULAR, Writer.malformed, Writer.malformed)
    rows = [",".join(COLUMNS) + writer.line_end]
    written = len(rows[0])
    boundaries = iter([*BOUNDARIES, 2 * MOST_BYTES])
    boundary = next(boundaries)
    while written < size:
        is_near = written > boundary - NEAR_BYTES
        kind = numbers.choice(kinds) if is_near or numbers.random() < 0.01 else Writer.plain
        if kind is Writer.malformed and numbers.random() < 0.02:
            kind = Writer.too_long
        rows.append(kind(writer))
        written += len(rows[-1])
        while written > boundary + NEAR_BYTES:
            boundary = next(boundaries)
    return "".join(rows)


@dataclass(frozen=True)
class Expected:
    """What becomes of a file: accepted orders with their customers, and the reason of each other row."""

    accepted: Counter[tuple[str, str]]
    reasons: dict[int, str]


def read_by_csv_module(content: str) -> Expected:
    """The rows of a file whose malformed rows are of one line each."""
    csv.field_size_limit(2 * MOST_BYTES)
    lines = [line.decode() for line in content.encode().splitlines(keepends=True)]
    reader = csv.reader(lines, strict=True)
    next(reader)
    accepted: Counter[tuple[str, str]] = Counter()
    reasons: dict[int, str] = {}
    row_number = 0
    while reader.line_num < len(lines):
        first_line = reader.line_num
        try:
            row = next(reader)
        except csv.Error:
            row = None
        if row == []:
            continue
        row_number += 1
        if sum(map(len, lines[first_line : reader.line_num])) > MAX_ROW_BYTES:
            reasons[row_number] = "line_too_long"
        elif row is None:
            reasons[row_number] = "malformed_quotes"
        elif len(row) != len(COLUMNS):
            reasons[row_number] = "too_few_fields" if len(row) < len(COLUMNS) else "too_many_fields"
        else:
            accepted[row[0], row[1]] += 1
    return Expected(accepted, reasons)


def test_generated_files_of_many_megabytes_are_read_as_by_the_csv_module(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    files, first_seed = pytestconfig.getoption("--fuzz"), pytestconfig.getoption("--fuzz-seed")
    default = 2
    for seed in range(first_seed, first_seed + files):
        largest = MOST_BYTES if files > default else SMALL_BYTES
        content = generate(seed, random.Random(seed).randrange(FEWEST_BYTES, largest))
        expected = read_by_csv_module(content)
        hub = Settings(tmp_path / str(seed), "UTC", date(2026, 1, 31), "USD")
        name = "o.csv.gz" if seed % 4 in (1, 2) else "o.csv"

        loaded = load(hub, ORDERS, {name: gzipped(content) if name.endswith(".gz") else content})

        accepted = Counter((event["order_id"], event["customer_id"]) for event in loaded.events)
        assert accepted == expected.accepted, seed
        reasons = {row.row_number: row.reasons for row in loaded.rejected}
        assert reasons == {number: [reason] for number, reason in expected.reasons.items()}, seed
        assert loaded.files[name].rows_landed == accepted.total() + len(reasons), seed
