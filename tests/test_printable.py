"""Text from outside, as a person may be shown it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from support.hostile import CONTROLS, MARKUP, STEERING, TEXTS

from orchestration.printable import SHOWN_CHARACTERS, markup, printable, shown


@pytest.mark.parametrize("text", TEXTS)
def test_no_character_that_steers_a_terminal_is_printed(text: str) -> None:
    assert not STEERING & set(printable(text))


@pytest.mark.parametrize("text", CONTROLS)
def test_what_is_not_printed_is_written_as_its_escape(text: str) -> None:
    assert "\\" in printable(text)


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_printed_as_it_stands(text: str) -> None:
    output = io.StringIO()
    Console(file=output, emoji=False, soft_wrap=True).print(f"[bold]{markup(text)}[/]", end="")

    assert output.getvalue() == text


@pytest.mark.parametrize("text", ["Ana", "Zoë", "客服", "👩‍👩‍👧", "a\nb", "عربي"])
def test_letters_of_every_script_stay(text: str) -> None:
    assert printable(text) == text


def test_a_lone_surrogate_is_printed() -> None:
    assert printable("\udce9").encode() == b"\\udce9"


def test_a_long_id_is_cut_and_stays_on_one_line() -> None:
    assert shown("x" * 1_000) == "x" * (SHOWN_CHARACTERS - 1) + "…"
    assert shown("a\nb") == "a\\nb"
