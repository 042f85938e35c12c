"""A real cluster on this machine: master, workers and Thrift server, each a process of its own on 127.0.0.1.

Belongs here: starting and ending them. Does not belong here: what is computed on them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from orchestration.settings import Settings

WAIT_SECONDS = 120

# What a program of the cluster gets: an executor on each of the two workers.
PROGRAM = """\
spark.cores.max 2
spark.executor.cores 1
spark.executor.memory 700m
spark.python.worker.reuse false
spark.network.timeout 60s
"""


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs.

    Attributes:
        workers: the processes of the workers.
        environment: what a refresh needs in its environment to use it.
    """

    workers: list[subprocess.Popen[bytes]]
    environment: dict[str, str]


@contextmanager
def cluster(hub: Settings, folder: Path) -> Iterator[Cluster]:
    """A cluster with two workers, whose Thrift server keeps the list of the tables of a hub."""
    configuration = folder / "conf"
    configuration.mkdir(parents=True)
    (configuration / "spark-defaults.conf").write_text(PROGRAM)
    master, web, thrift = _free_port(), _free_port(), _free_port()
    address = f"spark://127.0.0.1:{master}"
    environment = {
        **os.environ,
        "SPARK_CONF_DIR": str(configuration),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "512m",
        "SPARK_WORKER_DIR": str(folder / "work"),
        "PYSPARK_PYTHON": sys.executable,
    }
    with ExitStack() as running:

        def start(*command: str) -> subprocess.Popen[bytes]:
            return running.enter_context(_process(command, environment, folder))

        log = folder / "cluster.log"
        start(
            "spark-class",
            "org.apache.spark.deploy.master.Master",
            "--host",
            "127.0.0.1",
            "--port",
            str(master),
            "--webui-port",
            str(web),
        )
        _wait_for(master, log)
        workers = [
            start(
                "spark-class",
                "org.apache.spark.deploy.worker.Worker",
                "--host",
                "127.0.0.1",
                "--cores",
                "2",
                "--memory",
                "1500m",
                "--webui-port",
                "0",
                address,
            )
            for _ in range(2)
        ]
        tables = f"jdbc:derby:;databaseName={hub.spark / 'metastore'};create=true"
        settings = {
            "spark.master": address,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "8",
            "spark.sql.warehouse.dir": str(hub.spark / "warehouse"),
            "spark.hadoop.javax.jdo.option.ConnectionURL": tables,
            "spark.driver.extraJavaOptions": "-Dderby.stream.error.file=/dev/null",
            "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
            "spark.hadoop.hive.server2.thrift.port": str(thrift),
            "spark.hadoop.hive.server2.authentication": "NOSASL",
            "spark.hadoop.hive.server2.logging.operation.enabled": "false",
        }
        given = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
        server = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"
        start("spark-submit", *given, "--class", server, "spark-internal")
        _wait_for(thrift, log)
        yield Cluster(
            workers,
            {
                "CONTACT_SPARK_MASTER": address,
                "CONTACT_SPARK_THRIFT": f"127.0.0.1:{thrift}",
                "SPARK_CONF_DIR": str(configuration),
            },
        )


@contextmanager
def _process(
    command: Sequence[str], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    spark = find_spec("pyspark")
    assert spark
    assert spark.origin
    package = Path(spark.origin).parent
    with (folder / "cluster.log").open("ab") as log:
        # A group of its own, since scripts start the machine of Java below them.
        process = subprocess.Popen(
            [str(package / "bin" / command[0]), *command[1:]],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port: int, log: Path) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, f"nothing answers on port {port}:\n{log.read_text()}"
            time.sleep(0.2)
