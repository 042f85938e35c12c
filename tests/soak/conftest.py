"""How long to soak."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--minutes", type=float, default=3, help="how long files land and things die (default: 3)"
    )
    parser.addoption("--soak-seed", type=int, default=0, help="the seed of what happens (default: 0)")
