"""Why the warehouse cannot be used, as errors whose message says what to do.

Belongs here: the kinds of error. Does not belong here: what finds one (databases.py, compatibility.py).
"""

from __future__ import annotations

from pathlib import Path

from orchestration.faults import advice_on, fault_of, first_line
from orchestration.settings import Settings


class WarehouseError(RuntimeError):
    """A warehouse that cannot be used; the message says why and what to do."""


class UnusableDatabaseError(WarehouseError):
    """A database that could not be opened or read.

    Attributes:
        file: which one.
        fault: what is wrong; None when that is not known.
    """

    def __init__(self, file: Path, error: Exception, settings: Settings) -> None:
        self.file = file
        self.fault = fault_of(error)
        super().__init__(
            f"{file} could not be opened: {first_line(error)}. Nothing was done, and readers keep what was "
            f"published. {advice_on(self.fault, file, settings)}"
        )


class WarehouseInUseError(WarehouseError):
    """A warehouse that another program has open."""


class NewerVersionError(WarehouseError):
    """A warehouse of a newer version, whose tables and files this one does not know."""
