"""Spark as the engine: events and tables are files of Parquet, and programs of a cluster compute.

Belongs here: what Spark does of what every engine does (engine.py). Does not belong here: how (spark.py,
spark_loading.py, spark_reports.py, portions.py).
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from orchestration.dbt_runner.project import dbt_executable, environment_of, project_arguments
from orchestration.engines import portions, spark, spark_loading, spark_reports
from orchestration.landing.arrivals import Load
from orchestration.landing.batch_loader import DueFile
from orchestration.landing.contracts import EventContract
from orchestration.publishing.publish import PUBLISHED_LAYERS
from orchestration.settings import Settings
from orchestration.warehouse.errors import WarehouseError
from orchestration.warehouse.schema import columns_of_raw, digest_of


class SparkEngine:
    """The protocol of :class:`orchestration.engines.engine.ComputeEngine`, for Spark."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def version(self) -> dict[str, str]:
        return {"Spark": spark.version()}

    def environment(self) -> dict[str, str]:
        return spark.environment_of(self.settings)

    def open_events(self, connection: duckdb.DuckDBPyConnection) -> None:
        if why := spark.why_events_are_of_another_day(connection, self.settings):
            raise WarehouseError(
                f"{why}. Nothing was changed, and readers keep what was published. Put back what belongs "
                "together, or let `make rebuild` load the landed files again."
            )
        spark.show_events(connection, self.settings)

    def renew_events(self, connection: duckdb.DuckDBPyConnection) -> None:
        # A file is written once, with the hashes of the task that wrote it.
        return

    def load_files(self, load: Load, files: Sequence[DueFile]) -> None:
        spark_loading.load_files(load, files)

    def insert_events(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: EventContract,
        rows: str,
        file_ids: Collection[int],
    ) -> None:
        values = {"id_digest": digest_of(contract)}
        columns = ", ".join(
            f"{values.get(name, name)}::{column_type} as {name}"
            for name, column_type in columns_of_raw(contract)
        )
        file = portions.portion_file(self.settings, contract, min(file_ids), max(file_ids))
        portions.write(connection, f"select {columns} from ({rows})", file)

    def delete_events(
        self,
        connection: duckdb.DuckDBPyConnection,
        contract: EventContract,
        condition: str,
        parameters: Mapping[str, object],
    ) -> None:
        # The view leaves removed rows out; its files are written again without them when they are tidied.
        return

    def tidy_events(self, connection: duckdb.DuckDBPyConnection, contract: EventContract) -> None:
        portions.tidy(connection, self.settings, contract)

    def explain(self, message: str) -> tuple[str, str | None]:
        message = spark.without_stack(message)
        return message, spark.advice_on(message)

    def failing_rows(self, query: str, limit: int) -> str:
        # By dbt, which reaches Spark in whichever way the models do.
        with environment_of(self.settings):
            shown = subprocess.run(
                [
                    *(dbt_executable(), "show", "--quiet", "--inline", f"{{% raw %}}{query}{{% endraw %}}"),
                    *("--limit", str(limit)),
                    *project_arguments(self.settings.data_dir / "dbt-show"),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        return shown.stdout.strip()

    def collect_reports(self) -> None:
        spark_reports.collect(self.settings)

    def has_built_reports(self, connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
        # They were collected just now.
        return True

    def published_files(self, tables: Collection[str]) -> Iterator[tuple[Path, Path]]:
        for schema in PUBLISHED_LAYERS:
            for table in tables:
                folder = spark.folder_of(self.settings, schema, table)
                for file in spark.files_of(self.settings, schema, table):
                    yield file, Path(table) / file.relative_to(folder)
