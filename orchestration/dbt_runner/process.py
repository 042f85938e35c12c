"""dbt in a process of its own, for Dagster: it says what Dagster reads, and nothing more.

Run as a script with the arguments of dbt. Its own command writes each of its thousands of debug events twice,
on the way to where they are thrown away and in a log that nobody opens: a fifth of the time of a refresh with
nothing new. That log is written where DBT_LOG_LEVEL_FILE asks for it.
"""

import gc
import json
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import Any, cast

# The process ends in seconds and leaves little behind; looking for it costs a tenth of its time.
gc.disable()

from dbt.adapters.factory import FACTORY  # noqa: E402
from dbt.artifacts.schemas.results import NodeStatus  # noqa: E402
from dbt.cli.main import dbtRunner  # noqa: E402
from dbt.parser import manifest  # noqa: E402
from dbt.task import runnable  # noqa: E402
from dbt_common.events.base_types import EventMsg  # noqa: E402
from dbt_common.events.functions import msg_to_json  # noqa: E402
from dbt_common.exceptions import DbtBaseException  # noqa: E402

# What dbt makes a table of.
TABLES = ("table", "incremental", "seed", "change_set")


def leave_manifest() -> None:
    """Have dbt not write its manifest, which it does before and after each build.

    Where the sources are unchanged it is there already. Writing it twice took a sixth of the time.
    """
    for module in (manifest, runnable):
        vars(module)["write_manifest"] = lambda *_: None


def in_json(event: EventMsg) -> str:
    """An event in JSON; one of a table that was made has the number of its rows too."""
    text = msg_to_json(event)
    if event.info.name in ("LogModelResult", "LogSeedResult"):
        rows = row_count_of(event.data.node_info)
        if rows is not None:
            said = json.loads(text)
            said["data"]["node_info"]["row_count"] = rows
            return json.dumps(said)
    return text


def row_count_of(node: Any) -> int | None:
    """How many rows a table has, which DuckDB knows without reading it; None of a view, or on another engine.

    It is asked here, because nobody else can open the databases while dbt builds.
    """
    # Its protocol declares less than it has.
    adapter: Any = next(iter(FACTORY.adapters.values()))
    is_table = node.node_status == NodeStatus.Success and node.materialized in TABLES
    if adapter.type() != "duckdb" or not is_table:
        return None
    # What is only shown ends no build.
    with suppress(DbtBaseException), adapter.connection_named(f"rows of {node.node_name}"):
        _, found = adapter.execute(f"select count(*) from {node.node_relation.relation_name}", fetch=True)
        return int(found.rows[0][0])
    return None


def main(arguments: list[str]) -> int:
    """Run dbt; the result is the exit status of the process."""
    left_out = ("debug", "info") if "--quiet" in arguments else ("debug",)

    def say(event: EventMsg) -> None:
        if event.info.level not in left_out:
            try:
                # In one piece, since threads of dbt say things at the same time.
                sys.stdout.write(f"{in_json(event)}\n")
                sys.stdout.flush()
            except BrokenPipeError:
                # The refresh that called this was killed; the next one does its work. Of dbt only this thread
                # would end, and the others wait for it for ever, with the databases open.
                os._exit(1)

    # What Dagster reads, whatever the terminal shows.
    cast("TextIOWrapper", sys.stdout).reconfigure(encoding="utf-8", errors="backslashreplace")
    os.environ.setdefault("DBT_LOG_LEVEL_FILE", "none")
    if arguments[:1] == ["build"] and "--no-partial-parse" not in arguments:
        leave_manifest()
    result = dbtRunner(callbacks=[say]).invoke(arguments, log_level="none")
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
