"""The example from the shop to the reports, on this machine alone: a shop, a bucket, dlt, two refreshes.

python -m examples.dlt.run
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from examples.dlt import shop
from orchestration.settings import REPOSITORY

HERE = Path(__file__).parent
PYTHON_OF_DLT = REPOSITORY / ".venv-dlt" / "bin" / "python"
BUCKET = "shop"


@contextmanager
def serving_bucket(folder: Path) -> Iterator[dict[str, str]]:
    """A bucket on this machine, and an empty hub that mirrors it; gives the environment of both.

    Args:
        folder: an empty folder for the hub, and for what dlt remembers.
    """
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    hub = folder / "hub"
    hub.mkdir()
    shutil.copy(HERE / "hub.toml", hub)
    inherited = {name: value for name, value in os.environ.items() if name not in ("AWS_PROFILE", "NO_PROXY")}
    environment = {
        **inherited,
        # Both servers are on this machine.
        "NO_PROXY": host,
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "example",
        "AWS_SECRET_ACCESS_KEY": "example",
        "AWS_REGION": "us-east-1",
        "BUCKET": f"s3://{BUCKET}",
        "STATE": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "CONTACT_DATA_DIR": str(hub),
        "CONTACT_AS_OF": shop.SECOND_LOOK.date().isoformat(),
        "CONTACT_TIMEZONE": "UTC",
        "CONTACT_CURRENCY": "USD",
        "CONTACT_LANDING": f"s3://{BUCKET}/landed",
        "CONTACT_PUBLISH_TO": f"s3://{BUCKET}/reports",
    }
    try:
        client_of(environment).create_bucket(Bucket=BUCKET)
        yield environment
    finally:
        server.stop()


def client_of(environment: Mapping[str, str]) -> Any:
    """A client of the bucket's server."""
    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


def extract(environment: Mapping[str, str], instant: datetime) -> None:
    """Let dlt bring what the shop has at an instant, and did not have before, into the bucket."""
    with shop.serving(instant) as address:
        subprocess.run([PYTHON_OF_DLT, HERE / "extract.py"], env={**environment, "SHOP": address}, check=True)


def refresh(environment: Mapping[str, str]) -> None:
    """Refresh the hub, as `make run` does."""
    subprocess.run(
        [sys.executable, "-m", "orchestration.cli", "run", "--period", "all_time"],
        env=dict(environment),
        cwd=REPOSITORY,
        check=True,
    )


def main() -> None:
    """Both looks at the shop, each with a refresh."""
    folder = Path(tempfile.mkdtemp(prefix="contact-reporting-dlt-"))
    with serving_bucket(folder) as environment:
        for instant in (shop.FIRST_LOOK, shop.SECOND_LOOK):
            print(f"\nThe shop as of {instant:%Y-%m-%d}", flush=True)
            extract(environment, instant)
            refresh(environment)
    print(f"\nThe bucket is gone; the hub is in {folder / 'hub'}.")


if __name__ == "__main__":
    main()
