"""Where the dashboard keeps what is its own: users, passwords' hashes, the secret key, charts.

Belongs here: the layout of the folder. Does not belong here: what is written to it (cli.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import Settings


@dataclass(frozen=True)
class DashboardHome:
    """The folder of the dashboard in the data directory of a hub."""

    folder: Path

    @classmethod
    def of(cls, settings: Settings) -> DashboardHome:
        """The dashboard of a hub."""
        return cls(settings.data_dir / "dashboard")

    @property
    def database(self) -> Path:
        """Superset's own database: users, roles, charts, never a figure."""
        return self.folder / "superset.db"

    @property
    def secret_key(self) -> Path:
        """The key that signs the sessions; made at first, readable by its owner alone."""
        return self.folder / "secret_key"

    @property
    def trial_passwords(self) -> Path:
        """The passwords of the trial users, until somebody removes the file; readable by its owner alone."""
        return self.folder / "trial_passwords"

    @property
    def assets(self) -> Path:
        """The reports as Superset imports them, written anew each time."""
        return self.folder / "assets"
