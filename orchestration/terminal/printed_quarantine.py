"""The rejected rows in a terminal.

Belongs here: how they are printed, in a preview too. Does not belong here: where they come from
(landing/quarantine.py, landing/preview.py).
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from orchestration.landing.notices import named
from orchestration.landing.quarantine import Quarantine, RejectedRow
from orchestration.printable import shown

# So much of a rejected row is shown.
RAW_CHARACTERS = 400

MOST_REJECTIONS = 20


def print_quarantine(quarantine: Quarantine, console: Console) -> None:
    """Print how many rows of each file are rejected for each reason, and the newest rows."""
    if not quarantine.rejections:
        console.print("No row is rejected.")
        return
    console.print("Rejected rows by file and reason, the newest first:\n")
    for one in quarantine.rejections[:MOST_REJECTIONS]:
        console.print(Text(f"  {one.rows:>9,}  {named(one.path)}: {one.reason}"))
    more = len(quarantine.rejections) - MOST_REJECTIONS
    if more > 0:
        console.print(f"  and {more:,} more files and reasons")
    console.print("\nThe newest rows. To correct one, land it again, in the same file or in another.\n")
    for row in quarantine.rows:
        console.print(Text(f"  {named(row.path)}"))
        print_row(row, console)


def print_row(row: RejectedRow, console: Console) -> None:
    """Print a row with its reasons, as it was landed."""
    console.print(f"  row {row.row_number}: {', '.join(row.reasons)}")
    console.print(Text(f"    {shown(row.raw_text, RAW_CHARACTERS)}"))
