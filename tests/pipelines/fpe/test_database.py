"""Connecting to SQLite and PostgreSQL, the schema, and what is refused."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, delete, func, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from pipelines.errors import BadInput
from pipelines.fpe.database import connect, described, transaction, upgrade
from pipelines.fpe.settings import database_url, storage_url
from pipelines.fpe.tables import Base, Image, Imageset, Model, ModelType, Station, User, Variable
from tests.pipelines.fpe.postgres import PASSWORD


def people(session, name="West Brook 0"):
    """One user with one station."""
    user = User(id="d72c3799")
    station = Station(id=29, user=user, name=name, timezone="US/Eastern", latitude=42.4, longitude=-72.6)
    session.add_all([user, station])
    return station


def photograph(station, filename="a.JPG", at=datetime(2023, 1, 2, 12, tzinfo=UTC)):
    imageset = Imageset(station=station, uuid=f"set of {filename}", status="DONE")
    key = {"Bucket": "b", "Key": f"imagesets/1/images/{filename}"}
    return Image(imageset=imageset, filename=filename, timestamp=at, full_s3=key, status="DONE")


def model(station, uuid, default):
    return Model(
        station=station,
        model_type_id="RANK",
        variable_id="FLOW_CFS",
        code=f"code {uuid}",
        uuid=uuid,
        default=default,
        status="DONE",
    )


def test_the_migrations_make_the_tables_that_the_classes_describe(database):
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert set(inspect(database).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_upgrading_again_changes_nothing(database):
    with transaction(database) as session:
        people(session)
    upgrade(database)
    with Session(database) as session:
        assert session.scalar(select(Station.name)) == "West Brook 0"


def test_a_killed_upgrade_leaves_an_empty_database(database_address, monkeypatch):
    import alembic.op

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(alembic.op, "create_index", killed)
        with pytest.raises(KeyboardInterrupt):
            connect(database_address, migrate=True)
    engine = connect(database_address, migrate=True)
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    engine.dispose()


def test_times_come_back_in_utc_whatever_their_offset(database):
    local = datetime(2023, 7, 1, 8, 30, tzinfo=timezone(timedelta(hours=-4)))
    with transaction(database) as session:
        session.add(photograph(people(session), at=local))
    with Session(database) as session:
        found = session.scalars(select(Image.timestamp)).one()
        assert (found.isoformat(), found.tzinfo) == ("2023-07-01T12:30:00+00:00", UTC)
        assert session.scalar(select(func.count()).where(Image.timestamp == local)) == 1
        assert session.scalar(select(func.count()).where(Image.timestamp > local)) == 0


def test_a_time_without_an_offset_is_refused(database):
    with pytest.raises(StatementError, match="without an offset"), transaction(database) as session:
        session.add(photograph(people(session), at=datetime(2023, 7, 1)))


def test_a_row_without_its_owner_is_refused(database):
    with pytest.raises(IntegrityError), transaction(database) as session:
        session.add(Imageset(station_id=77, uuid="u", status="DONE"))


def test_a_status_that_is_not_one_is_refused(database):
    with pytest.raises(IntegrityError), transaction(database) as session:
        session.add(Imageset(station=people(session), uuid="u", status="done"))


def test_what_belongs_to_a_station_goes_with_it(database):
    with transaction(database) as session:
        session.add(photograph(people(session)))
    with transaction(database) as session:
        session.execute(delete(Station))
    with Session(database) as session:
        assert session.scalar(select(func.count(Image.id))) == 0


def test_a_station_has_one_default_model_per_variable(database):
    with transaction(database) as session:
        session.add_all([Variable(id="FLOW_CFS"), ModelType(id="RANK")])
        station = people(session)
        session.add_all([model(station, "1", True), model(station, "2", False), model(station, "3", False)])
    with pytest.raises(IntegrityError), transaction(database) as session:
        session.add(model(session.get(Station, 29), "4", True))


def test_a_transaction_that_fails_leaves_nothing(database):
    with pytest.raises(ZeroDivisionError), transaction(database) as session:
        people(session)
        session.flush()
        raise ZeroDivisionError
    with Session(database) as session:
        assert session.scalar(select(func.count(User.id))) == 0


def test_writers_take_turns(database):
    """Each reads a number and writes one more: if two overlapped, an addition would be lost."""
    with transaction(database) as session:
        people(session, name="0")

    def add():
        with transaction(database) as session:
            station = session.get(Station, 29)
            before = int(station.name)
            time.sleep(0.01)
            station.name = str(before + 1)

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Session(database) as session:
        assert session.scalar(select(Station.name)) == "8"


def test_a_newer_schema_is_refused(database_address):
    engine = connect(database_address, migrate=True)
    with transaction(engine) as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    for migrate in (False, True):
        with pytest.raises(BadInput, match=r"newer than this program \(9999\)"):
            connect(database_address, migrate=migrate)


def test_an_older_or_empty_schema_is_refused_unless_migrated(database_address, monkeypatch):
    make_file(database_address)
    with pytest.raises(BadInput, match="has no tables yet"):
        connect(database_address)
    connect(database_address, migrate=True).dispose()
    monkeypatch.setattr("alembic.script.ScriptDirectory.get_current_head", lambda _: "0002")
    with pytest.raises(BadInput, match=r"older schema \(0001; this program needs 0002\)"):
        connect(database_address)


def make_file(address):
    """Make the file, as PostgreSQL has made its database."""
    if address.startswith("sqlite"):
        Path(address.removeprefix("sqlite:///")).touch()


def test_no_message_holds_the_password(postgres_server):
    url = postgres_server.url
    wrong = {
        url("postgres", password="Wr0ng"): "wrong user or password",
        url("nowhere"): "no such database",
        url("postgres").replace("fpe:", "nobody:"): "wrong user or password",
        url("postgres").replace(f":{postgres_server.port}", ":1"): "cannot be reached",
        f"postgresql://127.0.0.1:{postgres_server.port}/postgres?user=fpe&password=Wr0ng": "wrong user",
    }
    for address, reason in wrong.items():
        with pytest.raises(BadInput, match=reason) as caught:
            connect(address)
        assert not any(secret in str(caught.value) for secret in (PASSWORD, "s3cret", "Wr0ng"))
        assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://u:Wr0ng@h/d", "mysql is not supported"),
        ("not a url Wr0ng", "is not a URL"),
        ("postgresql://u:Wr0ng@h:port/d", "is not a URL"),
        ("sqlite:////nowhere/fpe.db", "no such database"),
        ("oracle+Wr0ng://x", "oracle is not supported"),
        ("postgresql://u:p@Wr0ng@h/d", "is not a URL; an @ in a password is written %40"),
        ("postgresql://u:p@Wr0ng/x@h/d", "is not a URL; an @ in a password"),
    ],
)
def test_bad_urls(url, complaint):
    with pytest.raises(BadInput, match=complaint) as caught:
        connect(url)
    assert "Wr0ng" not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "fpe.db").write_text("text, " * 1000)
    with pytest.raises(BadInput, match="is not a database"):
        connect(root=tmp_path)
    with pytest.raises(BadInput, match="is not a database"):
        connect(root=tmp_path, migrate=True)


def test_a_connection_says_where_but_not_who(postgres_url, postgres_server):
    engine = connect(postgres_url, migrate=True)
    assert described(engine).startswith(f"postgresql://127.0.0.1:{postgres_server.port}/fpe")
    assert PASSWORD not in repr(engine.url)
    engine.dispose()


def test_where_the_database_is():
    parts = {"DB_HOST": "h", "DB_DATABASE": "d", "DB_USER": "u", "DB_PASSWORD": "p@/ss"}
    assert database_url(None, "r", {}) == "sqlite:///r/fpe.db"
    assert database_url(None, "r", parts) == "postgresql://u:p%40%2Fss@h:5432/d"
    assert database_url(None, "r", {**parts, "FPE_DATABASE_URL": "sqlite:///x"}) == "sqlite:///x"
    assert database_url("sqlite:///y", "r", parts) == "sqlite:///y"
    for url in ("postgresql://u:Wr0ng@h/d", "postgresql://h/d?password=Wr0ng"):
        with pytest.raises(BadInput, match="has a password") as caught:
            database_url(url, "r", {})
        assert "Wr0ng" not in str(caught.value)
    with pytest.raises(BadInput, match="DB_DATABASE: is not set"):
        database_url(None, "r", {"DB_HOST": "h"})


def test_where_the_storage_is():
    assert storage_url(None, "r", {}) == "r/storage"
    assert storage_url(None, "r", {"BUCKET": "b"}) == "s3://b"
    assert storage_url(None, "r", {"BUCKET": "b", "FPE_STORAGE_URL": "/x"}) == "/x"
    assert storage_url("s3://c/p", "r", {"BUCKET": "b"}) == "s3://c/p"


def test_the_default_database_is_a_file_below_the_root(tmp_path, monkeypatch):
    for name in ("FPE_DATABASE_URL", "DB_HOST"):
        monkeypatch.delenv(name, raising=False)
    connect(root=tmp_path / "new", migrate=True).dispose()
    assert create_engine(f"sqlite:///{tmp_path / 'new' / 'fpe.db'}").connect()
