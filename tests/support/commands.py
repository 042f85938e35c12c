"""Commands of the project in processes of their own, without the imports of Dagster in each of them.

They take a fifth of what a refresh of a small hub does. So processes are forked from one that has imported
what others made, and each imports the project itself, in the environment of its hub.

Belongs here: how tests run a command whose words and exit status they look at. Does not belong here:
processes that are watched, frozen or killed, or whose output is no file (test_killed.py, test_terminal.py).
"""

from __future__ import annotations

import os
import runpy
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

from orchestration.settings import REPOSITORY, Settings

PATIENCE_SECONDS = 600

FORKING = get_context("forkserver")
FORKING.set_forkserver_preload(["tests.support.imported_libraries"])


def run_command(settings: Settings, *arguments: str) -> CompletedProcess[str]:
    """Run a command of the project for a hub, as a person would."""
    environment = {**os.environ, **settings.as_environment(), "COLUMNS": "120"}
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder) / "stdout", Path(folder) / "stderr"
        process = FORKING.Process(target=_command, args=(environment, arguments, outputs))
        process.start()
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired([*arguments], PATIENCE_SECONDS)
        said, complained = (output.read_text(encoding="utf-8") for output in outputs)
    return CompletedProcess([*arguments], process.exitcode, said, complained)


def _command(environment: dict[str, str], arguments: tuple[str, ...], outputs: tuple[Path, Path]) -> None:
    """Become the command: its environment, working directory, arguments and outputs."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(REPOSITORY)
    for name, number, output in zip(("stdout", "stderr"), (1, 2), outputs, strict=True):
        with output.open("w") as stream:
            os.dup2(stream.fileno(), number)
        # As Python opens them: a file's lines are written when there are enough of them, errors at once.
        opened = os.fdopen(number, "w", encoding="utf-8", buffering=-1 if number == 1 else 1, closefd=False)
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    sys.argv[1:] = arguments
    runpy.run_module("orchestration.cli", run_name="__main__", alter_sys=True)
