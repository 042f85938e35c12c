"""Tables of hub.toml that map exports: those of the documents, and short ones for a test.

Belongs here: the tables, and a row that they read. Does not belong here: what becomes of the row.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from orchestration.hub import hub_toml
from orchestration.landing.contracts import ORDERS
from orchestration.settings import REPOSITORY, Settings

EXPORTS = REPOSITORY / "tests" / "landing" / "exports"

SECTION = "## Exports of other systems"


def documented_mappings() -> str:
    """The tables that docs/data-contract.md lists."""
    text = (REPOSITORY / "docs" / "data-contract.md").read_text(encoding="utf-8")
    section = text[text.index(SECTION) :]
    return str(re.findall(r"```toml\n(.*?)```", section, re.DOTALL)[0])


def with_tables(hub: Settings, tables: str) -> Settings:
    """The hub with these tables in its hub.toml."""
    hub.data_dir.mkdir(exist_ok=True)
    file = hub.data_dir / "hub.toml"
    file.write_text(tables, encoding="utf-8")
    return replace(hub, hub=hub_toml.read(file).hub)


def table(fields: str, files: str = "orders/*") -> str:
    """A table with the required fields of orders, as columns of their own names, and others."""
    given = re.findall(r"^(\w+) =", fields, re.MULTILINE)
    own = [f'{name} = "{name}"' for name in ORDERS.required_columns if name not in given]
    return "\n".join(["[[landing]]", f'files = "{files}"', *own, fields])


def order(**values: Any) -> dict[str, Any]:
    """An order whose columns are named as the contract has them."""
    given = {
        "order_id": "o1",
        "ordered_at": "2026-11-20T10:00:00Z",
        "order_value": "10.00",
        "sales_channel": "online",
    }
    return given | values
