"""Dagster's run launcher, which also ends runs whose process is gone.

Belongs here: what Dagster asks of a launcher (dagster.yaml names it). Does not belong here: which runs are
lost (runs.py).
"""

from __future__ import annotations

from dagster._core.launcher.default_run_launcher import DefaultRunLauncher

from orchestration.operations import runs
from orchestration.settings import Settings


class RefreshRunLauncher(DefaultRunLauncher):
    """Dagster's own launcher, which asks the server that started a run to end it, and fails without that."""

    def terminate(self, run_id: str) -> bool:
        """End a run, as Terminate in the web UI does; returns whether it ends."""
        for unfinished in runs.unfinished_runs(self._instance, Settings.from_environment()):
            if unfinished.run.run_id == run_id and unfinished.why_lost:
                return runs.end_lost_run(self._instance, unfinished, is_canceled=True)
        # The base class declares no types.
        return super().terminate(run_id)  # type: ignore[no-untyped-call]
