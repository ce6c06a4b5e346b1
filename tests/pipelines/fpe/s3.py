"""A moto server that speaks S3 over HTTP, and storages on it and in a directory.

What is in the storages does not belong here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    server = pytest.importorskip("moto.server", reason="missing: moto[server]").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty prefix of a fresh bucket; the environment leads there, programs' too."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"fpe-storage-{next(NUMBERS)}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}/some prefix"


@pytest.fixture(params=["directory", "s3"])
def storage_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty storage; every test that asks for it runs on a directory and on S3."""
    if request.param == "directory":
        return str(tmp_path / "the storage")
    return str(request.getfixturevalue("s3_url"))


@pytest.fixture
def storage(storage_address: str) -> object:
    from pipelines.fpe.storage import Storage

    return Storage(storage_address)
