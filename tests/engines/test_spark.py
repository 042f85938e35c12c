"""What the pipeline says where Spark cannot be used, seen without Spark."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from support.landing import land_csv
from support.pipeline import refresh

from orchestration import cli
from orchestration.engines import spark
from orchestration.settings import Engine, Settings
from orchestration.warehouse import databases
from orchestration.warehouse.errors import WarehouseError

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T10:00:00Z"}


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "hub", "UTC", date(2026, 1, 31), "USD", engine=Engine.SPARK)


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Packages that are installed, and a Java that says that it is of some version."""
    monkeypatch.setattr(spark, "_is_installed", lambda package: True)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def of_version(version: str) -> None:
        program = tmp_path / "bin" / "java"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        program.chmod(0o755)

    return of_version


def test_missing_package_is_named_with_how_to_get_it(
    hub: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(spark, "_is_installed", lambda package: package != "pyspark")
    for name, value in hub.as_environment().items():
        monkeypatch.setenv(name, value)

    assert cli.main(["run"]) == 1
    printed = capfd.readouterr().out
    assert "CONTACT_ENGINE is spark, but pyspark is not installed in this environment." in printed
    assert "requirements-spark.lock" in printed


@pytest.mark.usefixtures("java")
def test_missing_java_is_named_with_how_to_get_it(hub: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(spark.SparkError, match=r"there is no java on the PATH\. Install Java 17 or later"):
        spark.require_ready(hub)

    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    with pytest.raises(spark.SparkError, match="JAVA_HOME names /nowhere, which has no bin/java"):
        spark.require_ready(hub)


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2"])
def test_java_that_is_too_old_is_refused(
    hub: Settings, java: Callable[[str], None], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark, "version", lambda: "4")
    java(version)

    with pytest.raises(spark.SparkError, match=r"needs Java 17 or later; .*/java is (8|11)\."):
        spark.require_ready(hub)


def test_java_that_is_new_enough_is_accepted(hub: Settings, java: Callable[[str], None]) -> None:
    java("17.0.15")

    spark.require_ready(hub)


@pytest.mark.parametrize("setting", ["CONTACT_SPARK_MASTER", "CONTACT_SPARK_THRIFT"])
def test_cluster_that_does_not_answer_is_named(
    hub: Settings, java: Callable[[str], None], setting: str
) -> None:
    java("21.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        hub = (
            replace(hub, spark_master=f"spark://{address}")
            if setting == "CONTACT_SPARK_MASTER"
            else replace(hub, spark_thrift=address)
        )

        with pytest.raises(spark.SparkError, match=f"{setting} names {address}, which does not answer"):
            spark.require_ready(hub)


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", "ran out of memory"),
        (
            "ExecutorLostFailure (executor 1 exited ...) Reason: Command exited with code 137",
            "ran out of memory",
        ),
        (
            "ExecutorLostFailure (executor 1 exited ...) Reason: Command exited with code 52",
            "ran out of memory",
        ),
        ("ExecutorLostFailure (executor 1 exited ...) Reason: worker lost", "Workers were lost"),
        ("All masters are unresponsive! Giving up.", "does not answer"),
        ("ModuleNotFoundError: No module named 'duckdb'", "The workers need the Python of this environment"),
    ],
)
def test_what_spark_says_comes_with_what_to_do(said: str, advised: str) -> None:
    assert advised in (spark.advice_on(said) or "")


def test_what_spark_says_comes_without_the_stack_of_java() -> None:
    said = """\
Runtime Error in model fct_orders (../models/facts/fct_orders.sql)
  An error occurred while calling o44.sql.
  : org.apache.spark.SparkException: Job aborted due to stage failure: Task 4 in stage 49.0 failed
  
  Driver stacktrace:
  \tat org.apache.spark.scheduler.DAGScheduler.failJobAndIndependentStages(DAGScheduler.scala:3122)
        at java.base/java.lang.Thread.run(Thread.java:840)
        ... 22 more
  Caused by: java.lang.OutOfMemoryError: Java heap space
  """

    assert spark.without_stack(said).splitlines() == [
        "Runtime Error in model fct_orders (../models/facts/fct_orders.sql)",
        "  An error occurred while calling o44.sql.",
        "  : org.apache.spark.SparkException: Job aborted due to stage failure: Task 4 in stage 49.0 failed",
        "  Caused by: java.lang.OutOfMemoryError: Java heap space",
    ]


def test_an_error_of_the_models_comes_without_advice_on_the_cluster() -> None:
    assert spark.advice_on("[UNRESOLVED_COLUMN] A column with name `day` cannot be resolved") is None


def test_a_warehouse_of_the_other_engine_is_refused_with_what_to_do(hub: Settings) -> None:
    of_duckdb = replace(hub, engine=Engine.DUCKDB)
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    refresh(of_duckdb)

    with pytest.raises(WarehouseError, match="was loaded by the engine duckdb, and CONTACT_ENGINE is spark"):
        databases.connect(hub)
    databases.connect(of_duckdb).close()


def test_spark_is_started_with_the_settings_of_the_hub(hub: Settings) -> None:
    arguments = spark.environment_of(replace(hub, memory_limit="2GiB"))["PYSPARK_SUBMIT_ARGS"]

    assert "spark.driver.memory=2048m" in arguments
    assert "spark.driver.bindAddress=127.0.0.1" in arguments
    assert os.fspath(hub.spark / "metastore") in arguments
