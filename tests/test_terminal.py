"""What is said never stops the work: another encoding, a closed pipe, a full disk behind the output."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

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
