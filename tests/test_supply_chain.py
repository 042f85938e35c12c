"""What make installs, removes and hands over: what has a hash, what is of this repository, names as typed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orchestration.settings import REPOSITORY

LOCKS = [
    *sorted(path.name for path in REPOSITORY.glob("*.lock")),
    "dashboards/requirements.lock",
    "dashboards/requirements-dev.lock",
    "tests/readers/duckdb-1.5.lock",
    "examples/dlt/requirements.lock",
]
ENVIRONMENTS = (
    ".venv/ready-dev",
    ".venv/ready-object-storage",
    ".venv-dashboard/ready-dev",
    ".venv-spark/ready-dev",
    ".venv-dlt/ready",
)
# Of these there is no wheel; whatever else comes as a source archive is refused.
SOURCE_ARCHIVES = {"odfpy", "wtforms-json", "pure-sasl", "pyhive", "pyspark", "thrift"}


def make(*arguments: str, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    pins = re.split(r"(?<!\\)\n", (REPOSITORY / lock).read_text().strip())
    pins = [pin for pin in pins if pin and not pin.startswith("#")]

    assert pins
    assert [
        pin for pin in pins if not re.match(r"[^=\n]+==\S+.* --hash=sha256:[0-9a-f]{64}", pin, re.DOTALL)
    ] == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_install_wants_hashes_and_builds_with_pinned_tools(environment: str) -> None:
    printed = make("--dry-run", "--always-make", environment)
    installs = [line for line in printed.stdout.splitlines() if "pip install" in line]

    assert installs
    for install in installs:
        assert "--require-hashes" in install
        assert "--no-deps" in install
        assert "--only-binary :all:" in install
        if sources := re.search(r"--no-binary (\S+)", install):
            assert set(sources[1].split(",")) <= SOURCE_ARCHIVES
            assert "--no-build-isolation" in install
            assert "requirements-build.lock" in printed.stdout.partition(install)[0]


def test_nothing_else_installs() -> None:
    places = [REPOSITORY / "Makefile", REPOSITORY / ".ci" / "run"]
    lines = [line for place in places for line in place.read_text().splitlines() if "pip install" in line]

    assert len(lines) == 1
    assert "PIP_REQUIRE_HASHES=1" in (REPOSITORY / ".ci" / "run").read_text()


def test_an_install_without_a_hash_fails_in_ci(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "harmless-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            "harmless-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: harmless\nVersion: 1.0\n"
        )
        wheel.writestr("harmless-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("harmless-1.0.dist-info/RECORD", "")

    def install(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--dry-run",
                "--no-index",
                "--find-links",
                tmp_path,
                "harmless",
            ],
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    # CI runs this test under the very setting that it is about.
    inherited = {name: value for name, value in os.environ.items() if name != "PIP_REQUIRE_HASHES"}
    (setting,) = re.findall(r"^export (PIP_\w+)=(1)$", (REPOSITORY / ".ci" / "run").read_text(), re.MULTILINE)

    assert install().returncode == 0
    refused = install(**dict([setting]))
    assert refused.returncode != 0
    assert "--require-hashes" in refused.stderr


def test_clean_removes_nothing_of_another_folder(tmp_path: Path) -> None:
    for name in (".venv", "dbt_project/target"):
        (tmp_path / name).mkdir(parents=True)
    cleaned = make("-f", str(REPOSITORY / "Makefile"), "clean", folder=tmp_path)

    assert cleaned.returncode != 0
    assert "nothing was done" in cleaned.stderr
    assert (tmp_path / ".venv").exists()
    assert (tmp_path / "dbt_project" / "target").exists()


@pytest.mark.parametrize(
    ("target", "variable"),
    [("preview", "FILE"), ("retract", "FILE"), ("backup", "TO"), ("restore", "FROM")],
)
@pytest.mark.parametrize(
    "name", ["$(shell touch ran)", "`touch ran`", "$$(touch ran)", "';touch ran;'", '"$x']
)
def test_the_name_of_a_file_is_handed_over_as_it_was_typed(
    tmp_path: Path, target: str, variable: str, name: str
) -> None:
    (tmp_path / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    (tmp_path / "requirements.lock").touch()
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\" >arguments\n")
    python.chmod(0o700)
    (tmp_path / ".venv" / "ready").touch()
    given = make("CONTACT_ENGINE=duckdb", target, f"{variable}={name}", folder=tmp_path)

    assert given.returncode == 0, given.stderr
    assert (tmp_path / "arguments").read_text().splitlines()[-2:] == ["--", name]
    assert not (tmp_path / "ran").exists()


STUB_OF_PYTHON = """#!/bin/bash
case $1 in
  -c) echo {version} ;;
  -m)
    echo "made by {name}"
    mkdir -p "$3/bin"; printf '#!/bin/bash\\n' >"$3/bin/pip"; chmod +x "$3/bin/pip"
    ;;
esac
"""
STUB_OF_UV = """#!/bin/bash
echo "uv was asked: $*"; folder="${@: -1}"
mkdir -p "$folder/bin"; printf '#!/bin/bash\\n' >"$folder/bin/pip"; chmod +x "$folder/bin/pip"
"""


def path_of(program: str) -> str:
    """Where a program of this machine is."""
    found = shutil.which(program)
    assert found, program
    return found


def set_up_with(folder: Path, stubs: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """What `make .venv/ready` does on a machine that has these programs and no other Python."""
    machine = folder / "bin"
    machine.mkdir()
    for tool in ("bash", "mkdir", "chmod", "touch", "test", "id"):
        (machine / tool).symlink_to(path_of(tool))
    for name, stub in stubs.items():
        (machine / name).write_text(stub)
        (machine / name).chmod(0o700)
    (folder / "Makefile").write_bytes((REPOSITORY / "Makefile").read_bytes())
    (folder / "requirements.lock").touch()
    return subprocess.run(
        [path_of("make"), ".venv/ready", *arguments],
        cwd=folder,
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        ({"python3.12": "3.12", "python3": "3.13"}, "python3.12"),
        ({"python3.14": "3.14", "python3": "3.13"}, "python3"),
        ({"python3.13": "3.13", "python3.11": "3.11", "uv": ""}, "python3.11"),
    ],
)
def test_an_environment_is_made_by_a_python_that_the_locks_are_for(
    tmp_path: Path, versions: dict[str, str], chosen: str
) -> None:
    stubs = {name: STUB_OF_PYTHON.format(version=version, name=name) for name, version in versions.items()}
    done = set_up_with(tmp_path, stubs)

    assert done.returncode == 0, done.stderr
    assert f"made by {chosen}\n" in done.stdout
    assert "uv" not in done.stdout


def test_uv_is_asked_for_a_python_where_none_fits(tmp_path: Path) -> None:
    older = STUB_OF_PYTHON.format(version="3.9", name="python3")
    done = set_up_with(tmp_path, {"python3": older, "uv": STUB_OF_UV})

    assert done.returncode == 0, done.stderr
    assert re.search(r"uv was asked: venv .*--python 3\.11 \.venv\n", done.stdout)


@pytest.mark.parametrize("given", [(), ("PYTHON=python3",)])
def test_without_a_fitting_python_nothing_is_done(tmp_path: Path, given: tuple[str, ...]) -> None:
    stubs = {"python3": STUB_OF_PYTHON.format(version="3.9", name="python3")}
    done = set_up_with(tmp_path, stubs | ({"uv": STUB_OF_UV} if given else {}), *given)

    assert done.returncode != 0
    assert "3.11 3.12 3.13" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_the_versions_of_python_are_stated_alike() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    stated = re.search(r"^PYTHONS := (.*)$", makefile, re.MULTILINE)
    assert stated
    versions = stated[1].split()
    first, beyond = f"3.{versions[0][2:]}", f"3.{int(versions[-1][2:]) + 1}"

    assert f'requires-python = ">={first},<{beyond}"' in (REPOSITORY / "pyproject.toml").read_text()
