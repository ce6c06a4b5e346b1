"""A PostgreSQL server of the tests' own, and databases on it and in SQLite.

What is in the databases does not belong here.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

USER, PASSWORD = "fpe", "s3cret/@word"  # what a URL must quote
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL on 127.0.0.1."""

    port: int

    def url(self, database: str, password: str = PASSWORD) -> str:
        return f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb else None


def _as_user() -> list[str]:
    """PostgreSQL refuses root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    programs = _programs()
    if programs is None:
        pytest.skip("missing: PostgreSQL (Debian's package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="fpe-postgres-"))
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        shutil.chown(secret, "postgres")
    data, port = folder / "data", _free_port()
    options = f"-p {port} -h 127.0.0.1 -k {folder} -c fsync=off -c full_page_writes=off"
    control = [*_as_user(), str(programs / "pg_ctl"), "-D", str(data), "-w"]
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", USER, "-A", "scram-sha-256", "-N"]
    try:
        _run([*_as_user(), *initdb, "-E", "UTF8", "--locale=C", f"--pwfile={secret}"], folder)
        _run([*control, "-l", str(folder / "log"), "-o", options, "start"], folder)
        yield Server(port)
        _run([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture
def postgres_url(postgres_server: Server) -> str:
    """The URL, with its password, of a fresh and empty database."""
    import psycopg

    name = f"fpe{next(NUMBERS)}"
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres_server.url(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; every test that asks for it runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fpe.db'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def database(database_address: str) -> Iterator[object]:
    """An engine of a database with all tables and no rows, SQLite and PostgreSQL in turn."""
    from pipelines.fpe.database import connect

    engine = connect(database_address, migrate=True)
    yield engine
    engine.dispose()
