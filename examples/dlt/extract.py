"""The dlt pipeline: the shop's REST API into files of a bucket, changed records alone after the first time.

It runs in the environment of requirements.lock and imports nothing of the project:

    SHOP=http://... BUCKET=s3://bucket STATE=/a/folder .venv-dlt/bin/python examples/dlt/extract.py
"""

import os

import dlt
from dlt.sources.rest_api import rest_api_source

shop = rest_api_source(
    {
        "client": {
            "base_url": os.environ["SHOP"],
            "paginator": {"type": "page_number", "base_page": 1, "total_path": "pages"},
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "append",
            "endpoint": {
                "data_selector": "data",
                "incremental": {
                    "start_param": "changed_since",
                    "cursor_path": "updated_at",
                    "initial_value": "2000-01-01T00:00:00Z",
                },
            },
        },
        "resources": ["orders", "messages"],
    },
    name="shop",
)

pipeline = dlt.pipeline(
    pipeline_name="shop",
    pipelines_dir=os.environ["STATE"],
    # Files lie at <bucket>/landed/<table>/<load>.<file>.jsonl.gz; the folder is the one of CONTACT_LANDING.
    dataset_name="landed",
    destination=dlt.destinations.filesystem(
        bucket_url=os.environ["BUCKET"],
        credentials={
            "aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
            "endpoint_url": os.environ.get("AWS_ENDPOINT_URL"),
            "region_name": os.environ.get("AWS_REGION", "us-east-1"),
        },
    ),
)

if __name__ == "__main__":
    print(pipeline.run(shop, loader_file_format="jsonl"))
