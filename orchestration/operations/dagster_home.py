"""Dagster's home in the data directory: its settings, and its instance as a command uses it.

Belongs here: what Dagster finds there. Does not belong here: runs and their records (runs.py).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from orchestration.settings import REPOSITORY, Settings

if TYPE_CHECKING:
    from dagster._core.instance.ref import InstanceRef


def prepare_dagster_home(settings: Settings) -> None:
    """Give Dagster its home in the data directory, with the instance settings of this project.

    A file that is there keeps all that stands in it; top-level settings that it lacks are added at its end.
    """
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    instance = settings.dagster_home / "dagster.yaml"
    ours = (REPOSITORY / "orchestration" / "dagster.yaml").read_text(encoding="utf-8")
    theirs = instance.read_text(encoding="utf-8") if instance.exists() else ""
    text = with_lacking_settings(theirs, ours)
    if text != theirs:
        beside = instance.with_name(".dagster.yaml")
        beside.write_text(text, encoding="utf-8")
        beside.replace(instance)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)


def with_lacking_settings(theirs: str, ours: str) -> str:
    """A Dagster instance's settings, with those of this project that it lacks added at its end.

    Args:
        theirs: the settings of the hub as YAML; empty when it has none yet.
        ours: the settings of this project, each a paragraph with its comment.
    """
    if not theirs:
        return ours
    present = set(re.findall(r"^(\w+):", theirs, flags=re.MULTILINE))
    # Older names of a setting, which Dagster does not take beside the new one.
    if present & {"run_queue", "run_coordinator"}:
        present.add("concurrency")
    lacking = [
        paragraph.strip("\n")
        for paragraph in ours.split("\n\n")
        if set(re.findall(r"^(\w+):", paragraph, flags=re.MULTILINE)) - present
    ]
    return "\n\n".join([theirs.rstrip("\n"), *lacking]) + "\n" if lacking else theirs


def instance_without_output(settings: Settings) -> InstanceRef:
    """Dagster's instance of the hub, which does not record what a refresh prints: it is printed here.

    The processes that would record it print their own errors into a terminal, as at Ctrl+C.
    """
    from dagster._core.instance.ref import InstanceRef

    recorder = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    return InstanceRef.from_dir(str(settings.dagster_home), overrides={"compute_logs": recorder})
