"""What is said never stops the work: another encoding, a closed pipe, a full disk behind the output.

Nobody waits for long without a word, and what is printed fits the terminal.
"""

from __future__ import annotations

import io
import os
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from orchestration.terminal import output, printed_reports
from orchestration.terminal.heartbeat import heartbeat
from orchestration.terminal.output import STAND_INS, Output


def written(encoding: str, text: str) -> str:
    stream = io.BytesIO()
    output = Output(io.TextIOWrapper(stream, encoding=encoding))
    output.write(text)
    output.flush()
    return stream.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_character_that_cannot_be_shown_is_shown_as_another(encoding: str) -> None:
    assert written(encoding, "✓ done, ✗ 漢 ▁█") == "+ done, x ? 18"


def test_all_stand_ins_can_be_shown_everywhere() -> None:
    assert all(stand_in.isascii() for stand_in in STAND_INS.values())


def test_where_all_can_be_shown_nothing_is_changed() -> None:
    assert written("utf-8", "✓ 漢 ▁█") == "✓ 漢 ▁█"


def test_a_lone_surrogate_is_shown_as_another() -> None:
    assert written("utf-8", "a\udcffb") == "a?b"


def test_a_pipe_that_nobody_reads_is_written_to_no_more() -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    stream = os.fdopen(writing_end, "w")
    output = Output(stream)

    for _ in range(2):
        output.write("said to nobody\n")
        output.flush()
    stream.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_output_is_no_error() -> None:
    with Path("/dev/full").open("w") as stream:
        output = Output(stream)
        output.write("x" * 100_000)
        output.flush()


def test_an_output_that_was_closed_is_no_error() -> None:
    stream = io.TextIOWrapper(io.BytesIO())
    stream.close()

    output = Output(stream)
    output.write("said to nobody")
    output.flush()


def test_a_step_that_says_nothing_is_said_to_be_at_work() -> None:
    stream = io.StringIO()
    has_been_said = threading.Event()
    said = Console(file=stream)
    print_line = said.print

    def print_and_tell(text: str) -> None:
        print_line(text)
        has_been_said.set()

    said.print = print_and_tell  # type: ignore[method-assign, assignment]
    with heartbeat(said, seconds=0.02):
        assert has_been_said.wait(60)

    assert stream.getvalue().startswith("  still at work, ")
    ended = stream.getvalue()
    has_been_said.clear()
    assert not has_been_said.wait(0.1)
    assert stream.getvalue() == ended


def test_whoever_reads_other_lines_is_told_no_such_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    looked = threading.Semaphore(0)

    def just_now() -> float:
        looked.release()
        return time.monotonic() + 60

    monkeypatch.setattr(output, "last_written_at", just_now)
    with heartbeat(Console(file=stream), seconds=0.02):
        for _ in range(20):
            assert looked.acquire(timeout=60)

    assert stream.getvalue() == ""


def test_an_output_knows_when_it_was_written_to_last() -> None:
    before = time.monotonic()
    written("utf-8", "a line")

    assert before <= output.last_written_at() <= time.monotonic()


@pytest.mark.parametrize("name", ["x" * 500, "two words " * 40, "漢" * 200])
def test_names_of_any_length_fit_a_table_of_80_columns_beside_whole_numbers(name: str) -> None:
    row = {
        "user_id": name,
        "user_name": name,
        "messages_sent": 12_345_678,
        "messages_skipped": 1_234_567,
        "revenue_generated": Decimal("123456789.10"),
        "revenue_per_message": Decimal("10.00"),
    }
    for over_time in (None, {name: "▁" * 15}):
        stream = io.StringIO()
        table = printed_reports._breakdown("User", "user_name", [row], "USD", over_time)
        Console(file=stream, width=80, soft_wrap=True).print(table)
        lines = stream.getvalue().splitlines()

        assert max(map(cell_len, lines)) <= 80
        for number in ("12,345,678", "1,234,567", "123,456,789.10", "10.00", *(over_time or {}).values()):
            assert any(number in line for line in lines), number
        # All that is shown of the name.
        assert stream.getvalue().count(name[0]) >= 59 / len(set(name)) - 1


@pytest.mark.parametrize(
    ("value", "base", "is_rate", "expected"),
    [
        (104, 100, False, "▲ 4.0% more"),
        (Decimal("75.00"), Decimal("100.00"), False, "▼ 25.0% less"),
        (100_000, 100_001, False, "= as before"),
        (0, 0, False, "= as before"),
        (0, 7, False, "▼ 100.0% less"),
        (7, 0, False, "nothing before"),
        (Decimal("1.50"), None, False, "nothing before"),
        (None, Decimal("1.50"), False, "none now"),
        (0.25, 0.20, True, "▲ 5.0 points more"),
        (0.20, 0.25, True, "▼ 5.0 points less"),
        (0.20, 0.0, True, "▲ 20.0 points more"),
        (0.2004, 0.2, True, "= as before"),
        (0.2, None, True, "nothing before"),
        (None, 0.2, True, "none now"),
    ],
)
def test_a_change_is_said_in_words_beside_its_arrow(
    value: float | Decimal | None, base: float | Decimal | None, is_rate: bool, expected: str
) -> None:
    assert printed_reports.change_of(value, base, is_rate) == expected
