"""What is wrong with a seed is said with its file, line and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration.dbt_runner.seeds import SeedError, require_text, require_usable
from orchestration.settings import REPOSITORY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "_seeds.yml").write_text((REPOSITORY / "seeds" / "_seeds.yml").read_text(encoding="utf-8"))
    return seeds


def test_the_seeds_of_this_project_are_usable() -> None:
    require_usable()


@pytest.mark.parametrize(
    "content",
    [
        "queue_id,queue_name\nq1,One\n",
        "\ufeffqueue_id,queue_name\r\nq1,One\r\n",
        'queue_id,queue_name,note\nq1,"One, two\nand three",\n\n',
        "queue_name,queue_id\nOne,q1\nOne,q2\n",
        "queue_id,queue_name\n",
    ],
)
def test_what_dbt_reads_is_usable(folder: Path, content: str) -> None:
    (folder / "queue_names.csv").write_bytes(content.encode())

    require_usable(folder)


@pytest.mark.parametrize(
    ("content", "saying"),
    [
        (
            "queue_id,queue_name\nq1,One\nq2,Café\n".encode("latin-1"),
            "is not UTF-8 (line 3: byte 0xe9). Save it in that encoding.",
        ),
        ("queue_id,queue_name\n".encode("utf-16"), "is not UTF-8 (line 1: byte 0xff)"),
        (
            b"queue_id;queue_name\nq1;One\n",
            "is separated by semicolons. Its header is 'queue_id;queue_name'. Save it with commas.",
        ),
        (b"queue_id\tqueue_name\nq1\tOne\n", "is separated by tabs."),
        (
            b"queue_id,name\nq1,One\n",
            "lacks the column queue_name. Its header is 'queue_id,name'. Begin it with the line "
            "'queue_id,queue_name'.",
        ),
        (b"", "lacks the column queue_id and queue_name. It is empty."),
        (b"queue_id,queue_name\nq1,One\nq2,Two\nq1,Three\n", "has the queue_id 'q1' in lines 2 and 4."),
        (
            "queue_id,queue_name\nq1,One\n\u200bq1\u00a0,Two\n".encode(),
            "has the queue_id 'q1' in lines 2 and 3.",
        ),
        (b"queue_id,queue_name\n ,One\n", "has no queue_id in line 2."),
        (b"queue_id,queue_name\nq1,\n", "has no queue_name in line 2."),
        (b"queue_id,queue_name\nq1,One,two\n", "has 3 fields in line 2, and 2 in its header."),
        (b'queue_id,queue_name\nq1,"One\n', "is not CSV (line 2: "),
    ],
)
def test_a_seed_that_cannot_be_used_is_named_with_what_was_found(
    folder: Path, content: bytes, saying: str
) -> None:
    (folder / "queue_names.csv").write_bytes(content)

    with pytest.raises(SeedError, match=rf"^seeds/queue_names\.csv {re.escape(saying)}"):
        require_usable(folder)


def test_a_seed_that_is_not_utf_8_is_named_before_dbt_reads_its_project(folder: Path) -> None:
    (folder / "queue_names.csv").write_bytes("queue_id;queue_name\nq1;Café\n".encode("latin-1"))

    with pytest.raises(SeedError, match=r"^seeds/queue_names\.csv is not UTF-8 \(line 2: byte 0xe9\)"):
        require_text(folder)
