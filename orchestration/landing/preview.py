"""What would become of a file, without loading it: ``make preview``.

The file is loaded into a database in memory, by the code that a refresh loads it with. Nothing is written to
the data directory, and no lock is taken.

Belongs here: which file is meant, how it would be read, what would become of its rows. Does not belong here:
what a proposed table says (proposals.py), how a preview is printed (terminal/printed_preview.py).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestration.hub import landing_tables
from orchestration.hub.landing_tables import LandingTable
from orchestration.landing import batch_loader, discovery, records
from orchestration.landing.arrivals import Load
from orchestration.landing.batch_loader import DueFile
from orchestration.landing.contracts import CONTRACTS, EventContract
from orchestration.landing.discovery import Signature, recordable
from orchestration.landing.first_rows import read_first_rows
from orchestration.landing.formats import LandedFile
from orchestration.landing.in_memory import load_in_memory
from orchestration.landing.inspection import inspect
from orchestration.landing.mappings import PLAIN
from orchestration.landing.proposals import Proposal, pattern_for, propose, suits
from orchestration.landing.quarantine import RejectedRow
from orchestration.printable import PATH_CHARACTERS, shown
from orchestration.settings import Settings
from orchestration.sql import literal, one_row

ACCEPTED_SHOWN = 5
REJECTED_SHOWN = 3

CHANGED = "it changed while it was read: preview it again when its writer has come to the end"


class PreviewError(RuntimeError):
    """A file of which there is no preview; the message says why."""


@dataclass(frozen=True)
class Outcome:
    """What would become of the rows of a file.

    Attributes:
        error: why the file would not be loaded; None when it would be.
        is_complete: whether the file ends as its format does.
        reasons: how many rows are rejected for each reason, the most frequent first.
        accepted: the first accepted rows by their numbers, as the warehouse would have them.
        rejected: the first rejected rows.
    """

    error: str | None = None
    rows_landed: int = 0
    rows_accepted: int = 0
    rows_rejected: int = 0
    rows_skipped: int = 0
    is_complete: bool = True
    reasons: Mapping[str, int] = field(default_factory=dict)
    accepted: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    rejected: tuple[RejectedRow, ...] = ()


@dataclass(frozen=True)
class Preview:
    """How a file would be read.

    Attributes:
        path: its path of the record; of a file that lies elsewhere, the one that it would have.
        contract: the contract of its entity.
        is_landed: whether it lies in the landing folder.
        is_passed_over: whether its name is one that writers leave while they work.
        table: the table of ``hub.toml`` that names it, with its number from 1 on; None when none does.
        outcome: what would become of it as things are.
        proposal: a table that would read it; None when none is needed, or none was found.
        proposed: what would become of it by that table; None when the table is incomplete.
    """

    path: str
    contract: EventContract
    is_landed: bool
    is_passed_over: bool
    table: tuple[int, LandingTable] | None
    outcome: Outcome
    proposal: Proposal | None
    proposed: Outcome | None


def preview_file(settings: Settings, typed: str) -> Preview:
    """How a file would be read.

    Args:
        settings: the settings of the hub.
        typed: the file as a person types it: a path as the shell has it, or one of the record.

    Raises:
        PreviewError: when there is no such file, or it cannot be read at all.
    """
    location = _locate(settings, typed)
    path = _landed_path(settings, location)
    is_landed = path is not None
    contract = _contract_of(settings, location, path)
    path = path or _path_below(contract, location)
    if not LandedFile(path, location).is_supported:
        raise PreviewError(f"{_named(location)} {discovery.why_unsupported(location.name)}.")
    table = _numbered_table_of(settings, path)
    file = LandedFile(path, location, table[1].reading if table else PLAIN)
    try:
        outcome = _outcome(settings, contract, file, is_named=table is not None)
        proposal, proposed = _proposal(settings, contract, file, table, outcome)
    except OSError as error:
        raise PreviewError(f"{_named(location)} cannot be read: {error.strerror or error}.") from None
    return Preview(
        recordable(path),
        contract,
        is_landed,
        is_landed and any(step.startswith(discovery.AT_WORK) for step in path.split("/")),
        table,
        outcome,
        proposal,
        proposed,
    )


def _locate(settings: Settings, typed: str) -> Path:
    if not typed:
        raise PreviewError("Which file? Name it: `make preview FILE=landing/orders/a.csv`.")
    candidates = (Path(typed), settings.data_dir / typed, settings.landing / typed)
    location = next(filter(os.path.lexists, candidates), None)
    if location is None:
        raise PreviewError(
            f"There is no file {shown(typed, PATH_CHARACTERS)}, neither from the current folder on nor from "
            f"{settings.data_dir} on."
        )
    try:
        if location.is_dir():
            raise PreviewError(f"{_named(location)} is a folder: name one of the files in it.")
        if not location.is_file():
            raise PreviewError(f"{_named(location)} is no regular file.")
    except OSError as error:
        raise PreviewError(f"{_named(location)} cannot be read: {error.strerror or error}.") from None
    return location


def _landed_path(settings: Settings, location: Path) -> str | None:
    """The path of the record of a file in the landing folder; None of one that lies elsewhere."""
    # A link that lies there is a file of the landing folder too, wherever it leads.
    absolute, real = Path(os.path.normpath(Path.cwd() / location)), location.resolve()
    for place, root in ((absolute, settings.data_dir), (real, settings.data_dir.resolve())):
        for contract in CONTRACTS:
            if place.is_relative_to(root / settings.landing.name / contract.entity):
                return place.relative_to(root).as_posix()
    return None


def _path_below(contract: EventContract, location: Path) -> str:
    """The path of the record that a file would have once it has landed."""
    return f"landing/{contract.entity}/{location.name}"


def _contract_of(settings: Settings, location: Path, path: str | None) -> EventContract:
    """The contract of the folder that a file lies in, of a table that names it, or that its columns suit."""
    if path is not None:
        return next(one for one in CONTRACTS if path.startswith(f"landing/{one.entity}/"))
    named = [one for one in CONTRACTS if discovery.table_of(settings, _path_below(one, location))]
    if len(named) == 1:
        return named[0]

    def suitability(contract: EventContract) -> int:
        file = discovery.landed_file(settings, _path_below(contract, location))
        first = read_first_rows(LandedFile(file.path, location, file.reading), contract)
        return suits(contract, first) if first else 0

    return max(CONTRACTS, key=suitability)


def _numbered_table_of(settings: Settings, path: str) -> tuple[int, LandingTable] | None:
    table = discovery.table_of(settings, path)
    return (settings.hub.landing.index(table) + 1, table) if table else None


def _outcome(settings: Settings, contract: EventContract, file: LandedFile, *, is_named: bool) -> Outcome:
    """What would become of a file that is read in some way, and named by a table or not."""
    if not is_named and not file.path.lower().endswith(discovery.SUPPORTED):
        return Outcome(f"it {discovery.why_unsupported(file.path)}")
    signature, inspection = Signature.of(file.location.stat()), inspect(file)
    with load_in_memory(settings, contract) as load:
        load.connection.execute(f"set memory_limit = {literal(settings.memory_limit)}")
        batch_loader.load_files(load, [DueFile(file, signature, inspection)])
        status, error, landed, accepted, rejected, skipped = one_row(
            load.connection,
            "select status, error, rows_landed, rows_accepted, rows_rejected, rows_skipped "
            "from raw.landed_files",
        )
        if status != records.LOADED:
            return Outcome(CHANGED if status == records.ARRIVING else error)
        return Outcome(None, landed, accepted, rejected, skipped, inspection.is_complete, *_rows(load))


def _rows(load: Load) -> tuple[dict[str, int], dict[int, Mapping[str, Any]], tuple[RejectedRow, ...]]:
    """How often each reason is there, the first accepted rows, and the first rejected ones."""
    reasons = load.connection.execute(
        """
        select reason, count(*) as rows
        from (select unnest(reasons) as reason from quarantine.rejected_events)
        group by reason
        order by rows desc, reason
        """
    ).fetchall()
    fields = [field.name for field in load.contract.kept_fields]
    accepted = load.connection.execute(
        f"select row_number, {', '.join(fields)} from {load.table} order by row_number limit {ACCEPTED_SHOWN}"
    ).fetchall()
    rejected = load.connection.execute(
        "select path, row_number, reasons, raw_text from quarantine.rejected_events "
        f"order by row_number limit {REJECTED_SHOWN}"
    ).fetchall()
    return (
        dict(reasons),
        {number: dict(zip(fields, row, strict=True)) for number, *row in accepted},
        tuple(RejectedRow(path, number, tuple(codes), text) for path, number, codes, text in rejected),
    )


def _proposal(
    settings: Settings,
    contract: EventContract,
    file: LandedFile,
    table: tuple[int, LandingTable] | None,
    outcome: Outcome,
) -> tuple[Proposal | None, Outcome | None]:
    """A table that reads a file of which nothing is accepted otherwise, and what would become of it then."""
    is_read = outcome.rows_accepted or not (outcome.error or outcome.rows_landed)
    # Under a name that is no text nothing is loaded, whatever a table says.
    if is_read or not file.reading.is_of_the_contract or recordable(file.path) != file.path:
        return None, None
    first = read_first_rows(file, contract)
    if first is None:
        return None, None
    former = table[1] if table else None
    files = former.files if former else pattern_for(file.path.removeprefix("landing/"))
    proposal = propose(contract, files, first, former)
    if not proposal.columns:
        return None, None
    if proposal.missing:
        return proposal, None
    parsed = landing_tables.parse(tomllib.loads(proposal.toml)["landing"][0])
    proposed = _outcome(
        settings, contract, LandedFile(file.path, file.location, parsed.reading), is_named=True
    )
    helps = (proposed.error, proposed.reasons) != (outcome.error, outcome.reasons)
    return (proposal, proposed) if helps else (None, None)


def _named(location: Path) -> str:
    return shown(location, PATH_CHARACTERS)
