"""Commands in the documents run when they are pasted into a shell in the folder of the project.

Each command block, and each command in running text, is run by a shell that has functions and a handler in
the place of all programs: they record how they are called. What was recorded is held against the project:
targets and variables of make, modules and their options, names that dbt selects. A block that holds no
commands says in what language it is.
"""

from __future__ import annotations

import configparser
import functools
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.documents import DOCUMENTS, FENCED, IN_CODE, text_of

from orchestration.settings import REPOSITORY

BLOCK = re.compile(r"^ *(`{3,})(\w*)\n(.*?)^ *\1", re.MULTILINE | re.DOTALL)

# The languages of blocks that hold commands; none is given for most.
SHELL = ("", "bash", "sh")

# Where a command in running text begins, perhaps with variables of the environment before it.
BEGINS = re.compile(r"(?:[A-Z_]+=\S* )*(?:make|dbt|pre-commit|\.venv\S*/bin/\S+) |\.ci/run$")

# A program of the project, as it is called.
PROGRAM = re.compile(r"(?<![\w/.-])(?:\.venv[\w-]*/bin/[\w-]+|\.ci/run)")

# A setting, as the code names it.
SETTING = re.compile(r"\"(CONTACT_[A-Z_]+)\"")

# What would be written outside of the folder that a test has.
WRITES = re.compile(r">\s*[/~$]")


def commands() -> Iterator[tuple[str, str]]:
    """Each document with each of its command blocks, and each command in its running text."""
    for document in DOCUMENTS:
        text = text_of(document)
        yield from ((document, code) for _, language, code in BLOCK.findall(text) if language in SHELL)
        for code in IN_CODE.findall(FENCED.sub("", text)):
            if BEGINS.match(code):
                yield document, code


COMMANDS = list(dict.fromkeys(commands()))


def recorded(code: str, folder: Path) -> list[list[str]]:
    """The programs that a shell called, each with its arguments."""
    assert not WRITES.search(code)
    record = folder / "recorded"
    record.touch()
    write = f"printf '%s\\0' \"$@\" >> {record}; printf '\\n' >> {record}"
    recorders = [f"command_not_found_handle() {{ {write}; }}"]
    recorders += [
        f'function {program} {{ set -- {program} "$@"; {write}; }}' for program in PROGRAM.findall(code)
    ]
    ran = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join([*recorders, code])],
        cwd=folder,
        # No program is found, so that each one is recorded.
        env={"PATH": "/nowhere", "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return [line.split("\0")[:-1] for line in record.read_text().splitlines()]


def file_in(document: str, path: str) -> str:
    """The content of a file that a document prints below its path."""
    printed = re.search(
        rf"`{re.escape(path)}`.*?^```\w*\n(.*?)^```", text_of(document), re.MULTILINE | re.DOTALL
    )
    assert printed, f"{document} does not print {path}"
    return printed[1]


@functools.cache
def makefile() -> str:
    return (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def require_make(arguments: list[str]) -> None:
    variables = [name for name, is_set, _ in (part.partition("=") for part in arguments) if is_set]
    targets = [argument for argument in arguments if "=" not in argument and not argument.startswith("-")]

    assert len(targets) == 1
    assert re.search(rf"(?m)^{re.escape(targets[0])}:", makefile()), f"no target {targets[0]}"
    for name in variables:
        assert re.search(rf"\$\(?{name}\b", makefile()), f"the Makefile knows no variable {name}"


def require_python(arguments: list[str]) -> None:
    flag, module, *rest = arguments
    assert flag == "-m"
    found = importlib.util.find_spec(module)
    assert found, f"no module {module}"
    assert found.origin
    if module == "pytest":
        source = (REPOSITORY / "tests" / "conftest.py").read_text()
        assert all((REPOSITORY / argument).exists() for argument in rest if argument.startswith("tests/"))
    else:
        source = Path(found.origin).read_text()
    # The options of pytest itself have one letter here.
    for option in re.findall(r"--([a-z-]+)", " ".join(rest)):
        assert re.search(rf"[\"']--{option}[\"']", source), f"{module} knows no option --{option}"


@functools.cache
def names_of_dbt() -> frozenset[str]:
    """The models, seeds, checks and unit tests of the project, as they are written in its files."""
    written = [
        path for folder in ("models", "seeds", "tests/dbt") for path in (REPOSITORY / folder).rglob("*")
    ]
    unit_tests = {
        name
        for path in written
        if path.suffix == ".yml"
        for name in re.findall(r"(?m)^  - name: (\w+)$", path.read_text(encoding="utf-8"))
    }
    return frozenset({path.stem for path in written} | unit_tests)


def require_dbt(arguments: list[str]) -> None:
    if "--select" in arguments:
        for part in arguments[arguments.index("--select") + 1].split(","):
            method, _, value = part.rpartition(":")
            assert value in names_of_dbt() or method == "test_type", f"dbt knows no {part}"
    for option in ("--project-dir", "--profiles-dir"):
        assert (REPOSITORY / arguments[arguments.index(option) + 1] / "dbt_project.yml").exists()


REQUIRED = {"make": require_make, ".venv/bin/python": require_python, ".venv/bin/dbt": require_dbt}


@pytest.mark.parametrize(("document", "code"), COMMANDS)
def test_a_command_runs_when_it_is_pasted(document: str, code: str, tmp_path: Path) -> None:
    called = recorded(code, tmp_path)

    assert called
    for program, *arguments in called:
        if program in REQUIRED:
            REQUIRED[program](arguments)


def test_the_unit_of_systemd_starts_the_web_ui_of_the_hub_that_its_name_says() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=True)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string(file_in("docs/operations.md", "/etc/systemd/system/contact-reporting@.service"))
    service = unit["Service"]
    variables = dict(
        line.split("=", 1)
        for line in file_in("docs/operations.md", "/etc/contact-reporting/brand-a.env").splitlines()
    )
    program, *arguments = shlex.split(service["ExecStart"])

    assert unit.sections() == ["Unit", "Service", "Install"]
    assert program == f"{service['WorkingDirectory']}/.venv/bin/python"
    require_python(arguments)
    assert arguments[2:] == ["ui", "--port", "${PORT}"]
    assert int(variables.pop("PORT"))
    assert service["Environment"] == "CONTACT_DATA_DIR=/srv/contact/%i"
    assert service["EnvironmentFile"] == "/etc/contact-reporting/%i.env"
    known = {
        name
        for path in (REPOSITORY / "orchestration").rglob("*.py")
        for name in SETTING.findall(path.read_text())
    }
    assert variables.keys() <= known


def test_the_line_of_a_crontab_runs_a_refresh_of_a_hub(tmp_path: Path) -> None:
    (line,) = re.findall(r"(?m)^```crontab\n(.*)$", text_of("docs/operations.md"))
    schedule, command = line.split(maxsplit=5)[:5], line.split(maxsplit=5)[5]

    assert all(re.fullmatch(r"[\d*]+", part) for part in schedule)
    # Percent signs are ends of lines to cron.
    assert "%" not in command
    moved = command.replace("/opt/contact-reporting", ".").replace("/srv/contact/brand-a/refresh.log", "log")
    assert recorded(moved, tmp_path) == [["make", "run"]]


def test_commands_are_found_in_blocks_and_in_running_text() -> None:
    assert any(document == "README.md" and code.startswith("make demo ") for document, code in COMMANDS)
    assert ("CONTRIBUTING.md", "make lint") in COMMANDS
    assert len(COMMANDS) > 40


@pytest.mark.parametrize("cheap", ["make help", ".venv/bin/python -m orchestration.cli --help"])
def test_what_is_cheap_runs_for_real(cheap: str) -> None:
    command = cheap.replace(".venv/bin/python", sys.executable)
    ran = subprocess.run(["bash", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
    assert "quarantine" in ran.stdout
