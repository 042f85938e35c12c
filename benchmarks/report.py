"""A table of results, and the file that they are kept in.

Belongs here: how tables are shown and kept. Does not belong here: what is in them (results.py).
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
from rich.console import Console
from rich.table import Table

TITLE = (
    "# Results of the benchmarks\n\n"
    "Medians of fresh processes, unless a column says otherwise; memory is that of the largest process. Each "
    "section\nsays on what machine it was measured: seconds of different machines cannot be compared.\n\n"
)


@dataclass(frozen=True)
class Section:
    """A table under a heading, with what there is to know to read it."""

    heading: str
    text: str
    columns: Sequence[str]
    lines: Sequence[Sequence[str]]

    def as_markdown(self, measured: str) -> str:
        rule = ["---"] + ["---:"] * (len(self.columns) - 1)
        table = "\n".join("| " + " | ".join(line) + " |" for line in [self.columns, rule, *self.lines])
        return f"## {self.heading}\n\n{self.text} {measured}\n\n{table}\n"

    def print_to(self, console: Console) -> None:
        table = Table(title=self.heading, title_justify="left", caption=self.text, caption_justify="left")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=not number)
        for line in self.lines:
            table.add_row(*line)
        console.print(table)
        console.print()


def write(sections: Sequence[Section], runs: int, file: Path) -> None:
    """Write sections to a file, each in the place of what was there under its heading.

    So the benchmarks can be run part by part, and long ones on another machine: each section says which.
    """
    written = file.read_text(encoding="utf-8") if file.exists() else ""
    texts = {
        _heading(text): text.rstrip()
        for text in re.split(r"^(?=## )", written, flags=re.MULTILINE)
        if text.startswith("## ")
    }
    for section in sections:
        text = section.as_markdown(f"Measured on {date.today()} with `--runs {runs}`: {machine()}.")
        texts[_heading(text)] = text.rstrip()
    file.write_text(TITLE + "\n\n".join(texts.values()) + "\n", encoding="utf-8")


def machine() -> str:
    """What a section was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB of memory, {_system()}, Python "
        f"{platform.python_version()}, DuckDB {duckdb.__version__}"
    )


def _system() -> str:
    try:
        return (
            f"{platform.freedesktop_os_release()['PRETTY_NAME']} ({platform.system()} {platform.release()})"
        )
    except OSError:
        return f"{platform.system()} {platform.release()}"


def _heading(text: str) -> str:
    return text.splitlines()[0]
