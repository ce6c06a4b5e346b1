"""Connecting to the database, SQLite or PostgreSQL, and bringing its schema up to date.

The tables stand in tables.py, which URL is meant in settings.py.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.fpe.settings import database_url

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).with_name("migrations")
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
TURN = 0x66706501  # the advisory lock of writers in PostgreSQL: any number, the same in all programs
PATIENCE = 60  # seconds that a writer waits for its turn in SQLite; 10 to reach PostgreSQL


def connect(
    url: str | None = None, root: str | os.PathLike[str] | None = None, *, migrate: bool = False
) -> Engine:
    """The database at ``url``, else where `settings.database_url` says, tried out and of this schema.

    Args:
        migrate: make the tables, or bring them up to date; without it they must be.

    Raises:
        BadInput: no such database, unreachable, wrong credentials, or a schema older or newer than ours.
            No message holds a password.
    """
    address = _parse(url or database_url(None, root or "."))
    if address.get_backend_name() == "sqlite":
        _check_file(address, migrate)
    engine = _engine(address)
    try:
        with told(engine):
            if migrate:
                upgrade(engine)
            else:
                _check_schema(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def upgrade(engine: Engine) -> None:
    """Run the migrations that are missing, all of them or none; two at once take turns.

    Raises:
        BadInput: the schema is newer than ours.
    """
    from alembic import command

    with _writing(engine) as connection:
        _known(connection)
        command.upgrade(_config(connection), "head")


@contextlib.contextmanager
def transaction(engine: Engine) -> Iterator[Session]:
    """A session whose rows all come to stay when the block ends, or none when it fails.

    Writers take turns, on PostgreSQL as on SQLite: what one reads here, no other changes until it ends.
    """
    from sqlalchemy.orm import Session

    with _writing(engine) as connection, Session(connection) as session:
        yield session
        session.flush()


def described(engine: Engine) -> str:
    """Where the database is, without user, password and options."""
    return _described(engine.url)


@contextlib.contextmanager
def told(engine: Engine) -> Iterator[None]:
    """Turn the driver's failures to reach, read or write the database into BadInput; faults of ours stay."""
    from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        reason = _reason(str(error.orig))
        if reason is None and not isinstance(error, (OperationalError, InterfaceError)):
            raise
        raise BadInput(reason or "cannot be reached", where=described(engine)) from None


@contextlib.contextmanager
def _writing(engine: Engine) -> Iterator[Connection]:
    from sqlalchemy import func, select

    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(TURN)))
        yield connection


def _parse(text: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        address = make_url(text)
    except (ArgumentError, ValueError):
        raise BadInput("is not a URL", where="database", hint="sqlite:///fpe.db, say") from None
    if "@" in (address.host or "") + (address.database or "") and address.get_backend_name() != "sqlite":
        # the rest of a password, which messages would show as the host
        raise BadInput("is not a URL", where="database", hint="an @ in a password is written %40")
    name = address.get_backend_name()
    if name not in DRIVERS:
        raise BadInput(f"{name} is not supported", where="database", hint="sqlite or postgresql")
    return address.set(drivername=DRIVERS[name])


def _engine(address: URL) -> Engine:
    from sqlalchemy import create_engine, event

    if address.get_backend_name() != "sqlite":
        return create_engine(address, connect_args={"connect_timeout": 10})
    engine = create_engine(address, connect_args={"timeout": PATIENCE})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # python's sqlite3 would commit before each change of the schema
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    # a transaction that reads first and writes later fails at once if another wrote in between
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_file(address: URL, migrate: bool) -> None:
    if not address.database or address.database == ":memory:":
        raise BadInput("is in memory, where nothing stays", where="database", hint="sqlite:///fpe.db, say")
    path = Path(address.database)
    if migrate:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"cannot be made ({error.strerror})", where=path.parent) from None
    elif not path.is_file():
        raise BadInput("no such database", where=path, hint="python -m pipelines.fpe.import_seed makes one")


def _check_schema(engine: Engine) -> None:
    with engine.connect() as connection:
        here, head = _known(connection)
    if here is None:
        raise BadInput(
            "has no tables yet", where=described(engine), hint="run python -m pipelines.fpe.import_seed"
        )
    if here != head:
        raise BadInput(
            f"has an older schema ({here}; this program needs {head})",
            where=described(engine),
            hint="python -m pipelines.fpe.import_seed brings it up to date",
        )


def _known(connection: Connection) -> tuple[str | None, str | None]:
    """The schema that is there (None: empty) and the newest of ours."""
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(MIGRATIONS))
    here = MigrationContext.configure(connection).get_current_revision()
    if here is not None and here not in {revision.revision for revision in script.walk_revisions()}:
        raise BadInput(
            f"has a schema that is newer than this program ({here})",
            where=_described(connection.engine.url),
            hint="install a newer kwdag",
        )
    return here, script.get_current_head()


def _config(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _described(address: URL) -> str:
    if address.get_backend_name() == "sqlite":
        return address.database or ":memory:"
    place = f"{address.host or 'localhost'}:{address.port}" if address.port else address.host or "localhost"
    return f"postgresql://{place}/{address.database or ''}"


def _reason(message: str) -> str | None:
    """A sentence of ours, if we know one: a driver's own may quote the whole connection string."""
    reasons = {
        "password authentication failed": "wrong user or password",
        "no password supplied": "wants a password; set PGPASSWORD or FPE_DATABASE_URL",
        "FATAL:  role ": "wrong user or password",
        "does not exist": "no such database",
        "permission denied": "this user may not",
        "file is not a database": "is not a database",
        "readonly database": "cannot be written (read-only)",
        "database is locked": f"is in use by another program, for more than {PATIENCE} seconds",
        "disk is full": "cannot be written (the disk is full)",
    }
    return next((told for sign, told in reasons.items() if sign in message), None)
