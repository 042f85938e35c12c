"""What the rows of a file were validated by: the code, the reporting currency, and how the file is read.

A record that says otherwise than today makes a refresh read the file again, so that no row outlives the bug
that let it pass.

Belongs here: what such a record covers. Does not belong here: validating rows (contracts.py, casting.py).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

from orchestration.landing.contracts import EventContract
from orchestration.landing.mappings import Reading

# What makes a landed file into rows that are accepted, rejected or skipped. All that these modules import
# of this project validates too.
ROOTS = ("orchestration.landing.mapped_rows", "orchestration.landing.formats")

# The libraries that divide files into rows and cast their values.
LIBRARIES = ("duckdb", "numpy", "pyarrow")


def validator_of(contract: EventContract, currency: str, reading: Reading) -> str:
    """What the rows of a file are validated by, as its record says it."""
    return f"{validator_of_kept(contract, currency)} {_hash(repr(reading))}"


def validator_of_kept(contract: EventContract, currency: str) -> str:
    """The same of rows in ``kept/``, which are text already, however their file was read."""
    return f"{current_code_hash()} {contract.currency_of(currency) or '-'}"


def is_of_other_code(validated: str | None) -> bool:
    """Whether a record is of other code than today's."""
    return not (validated or "").startswith(f"{current_code_hash()} ")


@cache
def current_code_hash() -> str:
    """A hash of the code that validates rows, as it runs."""
    # Where tasks of Spark run, the code is in an archive.
    return hash_of_code(files("orchestration"))


def hash_of_code(package: Traversable) -> str:
    """A hash of the code of the package that validates rows, without its comments, and of its libraries."""
    modules = sorted(validation_modules(package).items())
    code = "".join(f"{module}\n{_meaning(file)}\n" for module, file in modules)
    return _hash(code + "".join(f"{library} {version(library)}\n" for library in LIBRARIES))


def validation_modules(package: Traversable) -> dict[str, Traversable]:
    """The files of :data:`ROOTS` and of all modules of the package that they import, by their names."""
    found: dict[str, Traversable] = {}
    pending = list(ROOTS)
    while pending:
        module = pending.pop()
        file = _file_of(package, module)
        if file and module not in found:
            found[module] = file
            pending += _imports(ast.parse(file.read_bytes()))
    return found


def _file_of(package: Traversable, module: str) -> Traversable | None:
    _, *path = module.split(".")
    if not path:
        return None
    module_file = package.joinpath(*path[:-1], f"{path[-1]}.py")
    return next(
        (file for file in (package.joinpath(*path, "__init__.py"), module_file) if file.is_file()), None
    )


def _imports(tree: ast.Module) -> Iterator[str]:
    """The names that a module imports from its package, those of modules among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("orchestration."))
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("orchestration."):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _meaning(file: Traversable) -> str:
    """The syntax tree of a module without docstrings; comments are not in it."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            node.body = body[1:]  # type: ignore[attr-defined]  # of the nodes that have a body
    return ast.dump(tree)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
