"""What a load says to people: what became of files, what was kept, and what to do.

Belongs here: sentences. Does not belong here: what is decided (arrivals.py, load.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestration.landing.fall import TooManyGone
from orchestration.landing.load_report import LoadReport, TooManyRejected
from orchestration.printable import PATH_CHARACTERS, quoted, shown

NAMES_SHOWN = 5


def notices(report: LoadReport) -> Iterator[str]:
    """The sentences on a load, one for each kind of thing that people should know."""
    yield from _on_unread(report)
    yield from _on_changed(report)
    yield from _on_validated(report)
    if report.at_work:
        yield f"Passed over, since writers leave such names while they work: {listed(report.at_work)}."
    if report.left_alone:
        alone = [f"{named(path)} ({named(reason)})" for path, reason in report.left_alone.items()]
        yield f"Not read: {listed(alone)}."


def _on_unread(report: LoadReport) -> Iterator[str]:
    for path, reason in report.failed.items():
        yield f"{named(path)} was not loaded: {named(reason)}. It is tried again at the next refresh."
    if report.arriving:
        yield (
            f"Still being written, to be loaded once their writers have come to the end: "
            f"{listed(report.arriving)}."
        )


def _on_changed(report: LoadReport) -> Iterator[str]:
    for path, rows in report.overwritten.items():
        yield (
            f"{named(path)} was overwritten. {rows} of its former rows are not in the new content and stay, "
            "in kept/. If such files replace what they held, declare it in hub.toml:\n"
            + declaration(path, "replaces")
        )
    for path, rows in report.dropped.items():
        yield (
            f"{named(path)} was overwritten. {rows} of its former rows are not in the new content and were "
            "dropped."
        )
    if report.left:
        yield (
            f"{len(report.left)} files have left the landing folder: {listed(report.left)}. Their rows stay, "
            "in kept/, unless the files have other names now. `make retract FILE=...` takes a file back."
        )
    for path, (missing, ids) in report.left_behind.items():
        yield left_behind(path, missing, ids)


def _on_validated(report: LoadReport) -> Iterator[str]:
    for path, reason in report.not_one_accepted.items():
        yield (
            f"{named(path)}: not one row was accepted; the most frequent reason is {reason}. `make preview "
            'FILE=...` shows how it is read. Where a system exports it so, see "Exports of other systems" in '
            "docs/data-contract.md."
        )
    if report.all_skipped:
        yield (
            f"Every row was skipped, as skip_blank or only in their [[landing]] tables say: "
            f"{listed(report.all_skipped)}."
        )
    if report.validated_before:
        yield (
            "Read by other code than today's, and gone from the landing folder since, so that they cannot be "
            f"read again: {listed(report.validated_before)}. Their rows stay. Land the files "
            "again to have them validated by today's."
        )


def left_behind(path: str, missing: int, ids: int) -> str:
    """What holds publishing back when an overwritten file has lost too many ids, and the line to write."""
    return (
        f"{named(path)} was overwritten, and {missing} of its {ids} former ids are in no landed file. "
        "Nothing is published until hub.toml says what that means. If each such file adds to the ones before "
        "it:\n"
        f"{declaration(path, 'adds')}\nIf it replaces what it held, so that these rows are to go:\n"
        f"{declaration(path, 'replaces')}"
    )


def too_many_rejected(entity: str, found: TooManyRejected) -> str:
    """What holds publishing back when too many new rows were rejected, and what to do."""
    files = "; ".join(
        f"{named(path)}: {bad:,} of {rows:,}, most often {reason}"
        for path, (bad, rows, reason) in found.files.items()
    )
    return (
        f"{found.rejected:,} of the {found.rows:,} new rows of {entity} were rejected, more than "
        f"max_rejected_share = {found.share} in hub.toml allows. Nothing is published until they are "
        f"corrected, or the limit is raised there. {files}."
    )


def too_many_gone(entity: str, found: TooManyGone) -> str:
    """What holds publishing back when too many published events are gone, and what to do."""
    files = "".join(f" {named(path)}: {rows:,}, {reason}." for path, (rows, reason) in found.files.items())
    return (
        f"{found.gone:,} of the {found.published:,} published {entity} are in no accepted row any more, more "
        f"than max_fall = {found.share} in hub.toml allows (what was retracted, or dropped because a file "
        "replaces what it held, does not count). Nothing is published until they are back, or the limit is "
        f"raised there.{files or ' No landed file says why: look at kept/.'}"
    )


def declaration(path: str, meaning: str) -> str:
    """The lines of hub.toml that say what overwriting a path means."""
    return f'[[landing]]\nfiles = {quoted(path.removeprefix("landing/"))}\noverwritten = "{meaning}"'


def named(path: str) -> str:
    """A path, or a reason that quotes a file, on one line, so that none looks like a message."""
    return shown(path, PATH_CHARACTERS)


def listed(names: Sequence[str]) -> str:
    """Names, the first few of them where there are many."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(named(name) for name in names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
