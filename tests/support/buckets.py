"""A bucket of a server on this machine, for what reads and writes object storage.

Belongs here: starting the server, and putting objects there by another library than the project's. Does not
belong here: what is tested.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

SECRET = "SECRET-OF-THE-BUCKET"


@dataclass(frozen=True)
class Bucket:
    """A bucket, and the folder in it that is used."""

    client: Any
    name: str
    folder: str = "shop/landed"

    @property
    def url(self) -> str:
        return f"s3://{self.name}/{self.folder}"

    def put(self, key: str, content: bytes | str) -> None:
        """Write an object below the folder."""
        self.client.put_object(Bucket=self.name, Key=f"{self.folder}/{key}", Body=content)

    def put_in_parts(self, key: str, content: bytes) -> None:
        """Write an object whose ETag is not the hash of its bytes."""
        at = {"Bucket": self.name, "Key": f"{self.folder}/{key}"}
        upload = self.client.create_multipart_upload(**at)["UploadId"]
        part = self.client.upload_part(**at, UploadId=upload, PartNumber=1, Body=content)
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        self.client.complete_multipart_upload(**at, UploadId=upload, MultipartUpload=parts)

    def delete(self, *keys: str) -> None:
        """Delete objects below the folder."""
        for key in keys:
            self.client.delete_object(Bucket=self.name, Key=f"{self.folder}/{key}")

    def objects(self) -> dict[str, bytes]:
        """The objects below the folder, by their keys."""
        found = self.client.list_objects_v2(Bucket=self.name, Prefix=f"{self.folder}/").get("Contents", [])
        return {
            one["Key"].removeprefix(f"{self.folder}/"): self.client.get_object(
                Bucket=self.name, Key=one["Key"]
            )["Body"].read()
            for one in found
        }


@contextmanager
def server() -> Iterator[str]:
    """A server of object storage on a free port; gives its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        started.stop()


def bucket_at(address: str, name: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, with what opens it in the environment, as an operator sets it."""
    for variable, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key-of-the-bucket",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        # A proxy of this machine does not lead to a server on it.
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(variable, value)
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=name)
    return Bucket(client, name)
