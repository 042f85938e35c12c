"""Commands of the project in processes of their own, without the import of Dagster in each of them.

Importing Dagster takes a fifth of a refresh of a small hub, so commands are forked from a process that has
imported the libraries. Each imports the project itself, in the environment of its hub.

Belongs here: how tests run a command whose words and exit status they look at. Does not belong here:
processes that are watched, frozen or killed (test_killed.py), and those whose interpreter, encoding or end is
what a test looks at (test_commands.py, test_terminal.py).
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


def run_forked(settings: Settings, *arguments: str) -> CompletedProcess[str]:
    """Run a command of the project for a hub, as a person would."""
    environment = {**os.environ, **settings.as_environment(), "COLUMNS": "120"}
    os.umask(umask := os.umask(0))
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder) / "stdout", Path(folder) / "stderr"
        process = FORKING.Process(target=_command, args=(environment, umask, arguments, outputs))
        process.start()
        process.join(PATIENCE_SECONDS)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired([*arguments], PATIENCE_SECONDS)
        stdout, stderr = (output.read_text(encoding="utf-8") for output in outputs)
    return CompletedProcess([*arguments], process.exitcode, stdout, stderr)


def _command(
    environment: dict[str, str], umask: int, arguments: tuple[str, ...], outputs: tuple[Path, Path]
) -> None:
    """Become the command: its environment, umask, working directory, arguments and outputs."""
    os.environ.clear()
    os.environ.update(environment)
    os.umask(umask)
    os.chdir(REPOSITORY)
    # What tests import, the project does not find.
    sys.path.remove(str(REPOSITORY / "tests"))
    for name, number, output in zip(("stdout", "stderr"), (1, 2), outputs, strict=True):
        with output.open("w") as stream:
            os.dup2(stream.fileno(), number)
        # As Python opens them: stdout buffers blocks, stderr lines.
        opened = os.fdopen(number, "w", encoding="utf-8", buffering=-1 if number == 1 else 1, closefd=False)
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)
    sys.argv[1:] = arguments
    runpy.run_module("orchestration.cli", run_name="__main__", alter_sys=True)
