"""A preview of a file in a terminal.

Landed text is printed as it stands, whatever it looks like.

Belongs here: the sentences and the tables. Does not belong here: how a preview comes about
(landing/preview.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.landing.formats.headers import HELP
from orchestration.landing.preview import Outcome, Preview
from orchestration.landing.proposals import Proposal
from orchestration.printable import PATH_CHARACTERS, printable, quoted, shown
from orchestration.settings import Settings
from orchestration.terminal.printed_quarantine import print_row


def print_preview(preview: Preview, settings: Settings, console: Console) -> bool:
    """Print a preview; whether the file can be read, perhaps by the proposed table.

    Args:
        preview: the preview.
        settings: the settings of the hub.
        console: where to print.
    """

    def say(sentences: Iterable[str]) -> None:
        for sentence in sentences:
            console.print(Text(printable(sentence)))

    outcome, proposal = preview.outcome, preview.proposal
    say(_on_file(preview))
    if proposal is None:
        _print_outcome(outcome, console)
        return outcome.error is None
    say(_on_reason(outcome))
    say(_on_proposal(preview, proposal, settings))
    say(["", *proposal.lines, ""])
    if preview.proposed is None:
        return True
    say(["By this table:"])
    _print_outcome(preview.proposed, console)
    return preview.proposed.error is None


def _on_file(preview: Preview) -> Iterator[str]:
    path, entity = shown(preview.path, PATH_CHARACTERS), preview.contract.entity
    if preview.is_landed:
        yield f"{path} is a file of {entity}. This preview loads nothing."
    else:
        yield (
            f"The file is outside of the landing folder. It is taken for one of {entity}, as it would be "
            f"at {path}. This preview loads nothing."
        )
    if preview.is_passed_over:
        yield "A refresh passes over it, since writers leave such names while they work."
    if preview.table:
        number, table = preview.table
        yield f"[[landing]] table {number} of hub.toml names it: files = {quoted(table.files)}."
    elif preview.proposal or preview.outcome.error:
        yield "No [[landing]] table of hub.toml names it."
    else:
        yield "No [[landing]] table of hub.toml names it: it is read by the contract alone."


def _on_reason(outcome: Outcome) -> Iterator[str]:
    """Why a table is proposed."""
    if outcome.error:
        yield _on_error(outcome.error)
    else:
        yield f"By the contract alone, no row would be accepted: {_counted(outcome.reasons)}."


def _on_error(error: str) -> str:
    # What leads here leads no further.
    return f"It would not be loaded: {shown(error.removesuffix(f'. {HELP}'), PATH_CHARACTERS)}."


def _on_proposal(preview: Preview, proposal: Proposal, settings: Settings) -> Iterator[str]:
    yield ""
    if preview.table:
        yield f"A proposal in place of table {preview.table[0]} in {settings.hub_file}, to be corrected:"
    else:
        yield f"A proposal, to be copied below everything else in {settings.hub_file} and corrected:"
    if proposal.missing:
        yield f"It is incomplete: name the columns of {', '.join(proposal.missing)}, then preview again."
    if proposal.repeated_id:
        event_id, amount = map(shown, proposal.repeated_id)
        yield (
            f"{event_id} repeats with a different {amount}, as where each row is a line item. A table adds "
            "nothing up across rows: prepare such a file, one row per order."
        )


def _print_outcome(outcome: Outcome, console: Console) -> None:
    if outcome.error:
        console.print(Text(_on_error(outcome.error)))
        return
    if not outcome.is_complete:
        console.print("It does not end as its format does: a refresh waits until its writer is done.")
    console.print(
        f"Rows: {outcome.rows_landed:,} in the file, {outcome.rows_accepted:,} accepted, "
        f"{outcome.rows_rejected:,} rejected, {outcome.rows_skipped:,} skipped."
    )
    if outcome.accepted:
        console.print(_side_by_side(outcome.accepted))
    if outcome.rejected:
        console.print(f"Rejected: {_counted(outcome.reasons)}. The first of them:\n")
    for row in outcome.rejected:
        print_row(row, console)


def _counted(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} ({rows:,})" for reason, rows in reasons.items())


def _side_by_side(rows: Mapping[int, Mapping[str, Any]]) -> Table:
    """Rows side by side, since their fields are too many for the width of a terminal."""
    table = Table(
        title="The first accepted rows", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("field", no_wrap=True)
    for number in rows:
        table.add_column(f"row {number}", overflow="fold")
    for name in next(iter(rows.values())):
        values = (row[name] for row in rows.values())
        table.add_row(name, *(Text("" if value is None else shown(value)) for value in values))
    return table
