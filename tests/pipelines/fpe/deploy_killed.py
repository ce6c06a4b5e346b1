"""Forks that deploy and are killed, each at another of its writes; test_deploy.py runs it.

A program of its own: a fork of pytest would inherit its threads. What is deployed stands in test_deploy.py.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from pipelines.fpe import deploy
from pipelines.fpe.storage import UPLOADING
from pipelines.program import run

#: C functions that write: files, rows, requests to S3.
WRITES = {
    "replace", "rename", "mkdir", "rmdir", "unlink", "sendfile", "TextIOWrapper.write", "Connection.commit",
    "socket.send",
}  # fmt: skip


class Place:
    """The database and the storage, looked at without the code under test."""

    def __init__(self, root: Path):
        self.root = root
        url = os.environ.get("FPE_DATABASE_URL", f"sqlite:///{root / 'fpe.db'}")
        url = url.replace("postgresql:", "postgresql+psycopg:")
        self.engine = create_engine(url, poolclass=NullPool)
        self.storage = os.environ.get("FPE_STORAGE_URL", str(root / "storage"))

    def reset(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("DELETE FROM models"))
        if self.storage.startswith("s3:"):
            bucket, _ = self._bucket()
            bucket.objects.all().delete()
        shutil.rmtree(self.storage, ignore_errors=True)
        for path in self.root.glob("*stations-models-*"):
            path.unlink()

    def rows(self) -> list[tuple[object, ...]]:
        query = 'SELECT station_id, code, uuid, status, "default" FROM models ORDER BY station_id'
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def files(self) -> dict[str, bytes]:
        """All of the storage, hidden ones, too."""
        if self.storage.startswith("s3:"):
            bucket, prefix = self._bucket()
            return {
                one.key.removeprefix(f"{prefix}/"): one.get()["Body"].read() for one in bucket.objects.all()
            }
        paths = [path for path in Path(self.storage).rglob("*") if path.is_file()]
        return {path.relative_to(self.storage).as_posix(): path.read_bytes() for path in paths}

    def beside(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.root.glob("*stations*") if path.is_file()}

    def _bucket(self):
        import boto3

        name, _, prefix = self.storage.removeprefix("s3://").partition("/")
        return boto3.resource("s3").Bucket(name), prefix


def deployed(words: list[str], deadly: int | None = None) -> int:
    """The exit status of a fork that deploys, killed at its write number ``deadly``."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        writes = itertools.count()

        def watch(_frame: object, event: str, function: object) -> None:
            if event == "c_call" and function.__qualname__ in WRITES and next(writes) == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

        if deadly is not None:
            threading.setprofile(watch)
            sys.setprofile(watch)
        try:
            run(deploy.command, words)
        except SystemExit as stop:
            sys.setprofile(None)
            os._exit(int(stop.code or 0))
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def check_visible(place: Place, whole: Mapping[str, bytes]) -> None:
    """No row without both its files, none of them twice, and no file in part."""
    rows, files = place.rows(), place.files()
    assert len({row[:2] for row in rows}) == len(rows)
    for _, code, uuid, status, default in rows:
        assert (status, default) == ("DONE", True)
        assert {f"models/{uuid}/predictions.csv", f"models/{uuid}/{code}.html"} <= set(files)
    for key in set(files):
        assert key.startswith(f"{UPLOADING}/") or files[key] == whole[key]


def _load(place: Place, root: Path) -> None:
    """Import here what each of the forks would, and start no thread."""
    from pipelines.fpe import database, deploy_lists, deploying, evaluate  # noqa: F401

    if place.storage.startswith("s3:"):
        import boto3  # noqa: F401
        import s3fs  # noqa: F401
    database.connect(root=root).dispose()
    evaluate.read_predictions(next(root.glob("29/models/*/transform/predictions.csv")))


def main(root: str, code: str, every: str) -> None:
    """Print how many of the forks were killed."""
    place = Place(Path(root))
    _load(place, Path(root))
    words = ["-d", root, "-c", code, str(Path(root) / "stations.txt")]
    assert deployed(words) == 0
    rows, files, beside = place.rows(), place.files(), place.beside()
    killed = 0
    for deadly in itertools.count(0, int(every)):
        place.reset()
        status = deployed(words, deadly)
        check_visible(place, files)
        if status == 0:
            break
        assert status == -signal.SIGKILL, status
        killed += 1
        assert deployed(words) == 0
        assert (place.rows(), place.files(), place.beside()) == (rows, files, beside), deadly
    print(killed)


if __name__ == "__main__":
    main(*sys.argv[1:])
