"""What ``make files`` shows: each path of the landing folder with its state, and what to do about it.

Belongs here: the list, and the copy of it that is read while a refresh has the warehouse open. Does not
belong here: how states come about (load.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.contracts import CONTRACTS
from orchestration.landing.arrivals import Load
from orchestration.settings import Settings
from orchestration.sql import literal

LIST = """
    select path, status, rows_accepted, rows_rejected, rows_kept, error as reason
    from raw.landed_files
    where entity = {entity}
    union all
    select path, case when reason is null then 'passed over' else 'not read' end, 0, 0, 0, reason
    from raw.not_read
    where entity = {entity}
    order by path
"""

TO_DO = {
    "arriving": "wait for its writer, or write the rest",
    "failed": "replace it by a file that can be read; it is tried again at each refresh",
    "left": "nothing: its rows stay; `make retract FILE=...` takes them back",
    "retracted": "nothing; land it again to load it again",
    "passed over": "rename it when it is whole",
    "not read": "rename it, move it away, or see links_to in hub.toml",
}


def save(load: Load) -> None:
    """Write the list of an entity where it can be read while the warehouse is open elsewhere."""
    file = _saved(load.settings, load.contract.entity)
    file.parent.mkdir(parents=True, exist_ok=True)
    written = file.with_name(f".{file.name}")
    query = LIST.format(entity=literal(load.contract.entity))
    load.connection.execute(f"copy ({query}) to {literal(str(written))} (format parquet)")
    written.replace(file)


@dataclass(frozen=True)
class FileState:
    """A path and its state, as the last load left it.

    Attributes:
        reason: why it failed, or is not read.
    """

    path: str
    state: str
    rows_accepted: int
    rows_rejected: int
    rows_kept: int
    reason: str | None

    @property
    def to_do(self) -> str:
        """What to do about it; empty when nothing is wrong."""
        return TO_DO.get(self.state, "")


def saved(settings: Settings) -> list[FileState]:
    """The list of all entities, as the last load left it."""
    states = []
    with duckdb.connect() as connection:
        for contract in CONTRACTS:
            file = _saved(settings, contract.entity)
            if file.exists():
                rows = connection.execute("from read_parquet(?)", [[str(file)]]).fetchall()
                states += [FileState(*row) for row in rows]
    return states


def _saved(settings: Settings, entity: str) -> Path:
    return settings.data_dir / "files" / f"{entity}.parquet"
