"""The seed's tree becomes rows and files; twice, killed half-way, and when it is malformed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from pipelines.fpe.database import connect, transaction
from pipelines.fpe.import_seed import command
from pipelines.fpe.storage import UPLOADING, Storage
from pipelines.fpe.tables import Annotation, Base, Image, Imageset, Station, Value
from pipelines.program import run
from tests.pipelines.fpe.postgres import PASSWORD
from tests.pipelines.fpe.seed_cases import NAMES, USER, make_seed, station_folder, write


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("FPE_DATABASE_URL", "FPE_STORAGE_URL", "DB_HOST", "BUCKET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def seed(tmp_path):
    return make_seed(tmp_path / "seed")


def do_import(seed, root, *more):
    """The exit code of the program."""
    with pytest.raises(SystemExit) as ended:
        run(command, ["--data", str(seed), "--root", str(root), *more])
    return ended.value.code


def rows(engine):
    """All rows of all tables, in order."""
    tables = Base.metadata.sorted_tables
    with engine.connect() as connection:
        return {table.name: connection.execute(table.select().order_by("id")).all() for table in tables}


def rows_in(root):
    engine = connect(root=root)
    found = rows(engine)
    engine.dispose()
    return found


def test_everything_arrives(seed, tmp_path, database_address, storage_address, monkeypatch, capsys):
    monkeypatch.setenv("FPE_DATABASE_URL", database_address)
    monkeypatch.setenv("FPE_STORAGE_URL", storage_address)
    assert do_import(seed, tmp_path / "root") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        "station 30 West Brook 1: added 4 images, 1 annotations, 3 values; uploaded 5, 0 were there"
    )
    engine, storage = connect(), Storage(storage_address)
    with Session(engine) as session:
        station = session.get(Station, 29)
        assert (station.user_id, station.name, station.timezone) == (USER, "West Brook 0", "US/Eastern")
        [imageset] = station.imagesets
        images = sorted(imageset.images, key=lambda image: image.id)
        assert [image.filename for image in images] == NAMES
        assert [image.id for image in images] == [1001, 1002, 1003, 1004]
        assert images[1].timestamp == datetime(2023, 1, 2, 13, tzinfo=UTC)
        assert images[0].full_s3["Bucket"] == storage.bucket
        assert storage.bucket in images[0].full_url
        for image in images:
            sent = f"photograph 0 {image.filename}".encode() * 100
            assert storage.read(image.full_s3["Key"]) == sent
        values = session.scalars(select(Value).join(Value.series).order_by(Value.id)).all()[:3]
        assert [value.value for value in values] == [1, 2.5, 4]
        assert values[0].timestamp == datetime(2023, 1, 2, 11, tzinfo=UTC)
        answers = station.annotations[0]
        assert (answers.variable_id, answers.n) == ("FLOW_CFS", 1)
        assert answers.url == storage.url("annotations/answers-0.json")
        assert json.loads(storage.read("annotations/answers-0.json")) == [{"left": {"imageId": 1001}}]
    before = rows(engine)
    assert do_import(seed, tmp_path / "root") == 0
    assert rows(engine) == before
    assert "added 0 images, 0 annotations, 0 values; uploaded 0, 5 were there" in capsys.readouterr().out
    with transaction(engine) as session:  # the database counts on from the ids that were brought
        session.add(Imageset(station_id=29, uuid="more", status="DONE"))
        image = Image(imageset_id=1, filename="e", timestamp=datetime.now(UTC), full_s3={}, status="DONE")
        station = Station(user_id=USER, name="third", timezone="UTC")
        session.add_all([image, station])
        session.flush()
        assert (image.id, station.id) == (2005, 31)
    engine.dispose()


def test_killed_at_any_time_it_goes_on_where_it_was(tmp_path):
    seed = make_seed(tmp_path / "seed", names=[f"{number}.JPG" for number in range(300)])
    assert do_import(seed, tmp_path / "whole") == 0
    root, killed = tmp_path / "killed", 0
    program = [sys.executable, "-m", "pipelines.fpe.import_seed", "--data", str(seed), "--root", str(root)]
    for files in (20, 250, 310, 550):
        process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and count(root / "storage") < files:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        for image in rows_in(root)["images"] if (root / "fpe.db").exists() else []:
            assert (root / "storage" / image.full_s3["Key"]).is_file()
    assert killed >= 3
    assert do_import(seed, root) == 0
    assert addressed_alike(rows_in(root), root) == addressed_alike(
        rows_in(tmp_path / "whole"), tmp_path / "whole"
    )
    assert Storage(str(root / "storage")).list() == Storage(str(tmp_path / "whole" / "storage")).list()
    assert not list((root / "storage" / UPLOADING).iterdir())


def count(folder):
    return sum(len(files) for _, _, files in os.walk(folder))


def addressed_alike(found, root):
    """Rows as text, without the root in their addresses."""
    return repr(found).replace(str(root), "ROOT")


def test_a_missing_image_is_named_left_out_and_added_later(seed, tmp_path, capsys):
    photograph = station_folder(seed) / "storage/imagesets/set-0/images/b.JPG"
    photograph.rename(tmp_path / "elsewhere")
    assert do_import(seed, tmp_path) == 0
    assert "1 files are missing, left out: imagesets/set-0/images/b.JPG" in capsys.readouterr().err
    assert [row.id for row in rows_in(tmp_path)["images"]] == [1001, 1003, 1004, 2001, 2002, 2003, 2004]
    (tmp_path / "elsewhere").rename(photograph)
    assert do_import(seed, tmp_path) == 0
    assert "station 29 West Brook 0: added 1 images" in capsys.readouterr().out
    assert len(rows_in(tmp_path)["images"]) == 8


def test_an_image_that_only_the_storage_has_is_there(seed, tmp_path, capsys):
    """As when somebody has synchronised the storage before and removed the files."""
    photograph = station_folder(seed) / "storage/imagesets/set-0/images/b.JPG"
    Storage(str(tmp_path / "storage")).put("imagesets/set-0/images/b.JPG", photograph)
    photograph.unlink()
    assert do_import(seed, tmp_path) == 0
    assert capsys.readouterr().err == ""
    assert len(rows_in(tmp_path)["images"]) == 8


def test_files_that_no_row_names_stay_where_they_are(seed, tmp_path):
    station = station_folder(seed)
    write(station / "storage/imagesets/set-0/pii.json", [])
    write(station / "storage/imagesets/set-0/thumbs/b.JPG", "thumbnail")
    write(station / "storage/imagesets/set-0/images/unlisted.JPG", "x")
    write(station / "storage/imagesets/another.tar.gz", "x")
    assert do_import(seed, tmp_path) == 0
    there = Storage(str(tmp_path / "storage")).list()
    assert {"imagesets/set-0/pii.json", "imagesets/set-0/thumbs/b.JPG"} < set(there)
    assert len(there) == 12


STATION, IMAGES = "db/station.json", "db/imagesets/set-0/images.json"


def changed(index, **more):
    return lambda data: [{**row, **(more if at == index else {})} for at, row in enumerate(data)]


@pytest.mark.parametrize(
    ("file", "change", "complaint"),
    [
        (STATION, lambda data: [data], "station.json: is a list, not an object"),
        (
            STATION,
            lambda data: {**data, "timezone": "US/Nowhere"},
            "timezone: 'US/Nowhere' is not a time zone",
        ),
        (STATION, lambda data: {**data, "latitude": "north"}, "latitude: 'north' is not a number"),
        (STATION, lambda data: {"id": 29, "timezone": "UTC"}, "station.json: name: is missing"),
        (STATION, lambda data: {**data, "name": None}, "station.json: name: is null"),
        (
            IMAGES,
            changed(2, timestamp="2023-01-02T12:00:00"),
            "[2].timestamp: '2023-01-02T12:00:00' is not a time",
        ),
        (IMAGES, changed(1, filename="../../x.JPG"), "[1].filename: '../../x.JPG' is not the name of a file"),
        (IMAGES, changed(1, status="done"), "[1].status: 'done' is not one of CREATED"),
        (IMAGES, changed(1, id=1001), "[1].id: 1001 comes twice"),
        (
            IMAGES,
            changed(1, filename=NAMES[0]),
            "[1].filename: 'West Brook 0__2022-12-20__09-54-55(1).JPG' comes",
        ),
        (IMAGES, changed(1, width=True), "[1].width: True is not a whole number"),
        (IMAGES, changed(1, full_s3={"Key": "../x"}), "'../x' is no key of a storage"),
        (IMAGES, changed(1, full_s3={"Bucket": "b"}), "b.JPG: full_s3 has no Key"),
        (IMAGES, lambda data: [1, *data], "images.json: [0] is a number, not an object"),
        ("db/annotations.json", changed(0, variable="FLOW"), "no variable 'FLOW' in variables.json"),
        ("db/datasets/data-0/series/FLOW_CFS.json", changed(0, value="1"), "[0].value: '1' is not a number"),
    ],
)
def test_malformed_files(seed, tmp_path, capsys, file, change, complaint):
    path = station_folder(seed) / file
    write(path, change(json.loads(path.read_text())))
    assert do_import(seed, tmp_path / "root") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert complaint in error
    if (tmp_path / "root" / "fpe.db").exists():
        assert not rows_in(tmp_path / "root")["stations"]


def test_what_is_not_json(seed, tmp_path, capsys):
    (station_folder(seed) / STATION).write_text('{"id": 29,')
    assert do_import(seed, tmp_path / "root") == 2
    assert "station.json: is not JSON" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_a_folder_that_is_no_seed(tmp_path, capsys):
    assert do_import(tmp_path / "nowhere", tmp_path / "root") == 2
    assert "nowhere: has no folder users" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [("images.json", "id", 1002), ("imageset.json", "uuid", "set-0")],
)
def test_what_comes_twice_in_a_station_is_told_before_a_file_goes_up(
    seed, tmp_path, capsys, name, key, value
):
    """In two of its imagesets, each of which is right by itself."""
    folder = station_folder(seed) / "db/imagesets"
    image = json.loads((folder / "set-0/images.json").read_text())[0]
    write(folder / "set-x/images.json", [{**image, "id": 7001, "full_s3": None}])
    write(folder / "set-x/imageset.json", {"uuid": "set-x", "status": "DONE"})
    path = folder / "set-x" / name
    data = json.loads(path.read_text())
    (data[0] if isinstance(data, list) else data)[key] = value
    write(path, data)
    photographs = station_folder(seed) / "storage/imagesets"
    shutil.copytree(photographs / "set-0", photographs / "set-x")
    assert do_import(seed, tmp_path / "root") == 2
    assert f"{path}: {key}: {value!r} comes twice" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_a_home_that_no_shell_has_put_in_place(seed, tmp_path, monkeypatch):
    """As in --root=~/data/fpe."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    seed.rename(tmp_path / "home")
    assert do_import("~", "~/fpe", "--storage=~/the store") == 0
    assert not list((tmp_path / "here").iterdir())
    assert len(rows_in(tmp_path / "home/fpe")["images"]) == 8
    assert (tmp_path / "home/the store/imagesets/set-0/images/b.JPG").is_file()


def test_ids_that_are_taken_stop_the_station_and_leave_nothing_of_it(seed, tmp_path, capsys):
    path = station_folder(seed, 1) / "db/imagesets/set-1/images.json"
    write(path, changed(3, id=1002)(json.loads(path.read_text())))
    assert do_import(seed, tmp_path) == 2
    assert f"{path}: id: 1002 is another image's already" in capsys.readouterr().err
    found = rows_in(tmp_path)
    assert [row.id for row in found["stations"]] == [29]
    assert len(found["images"]) == 4


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "Other"}, "id: 29 is another station's already"),
        ({"id": 77}, "name: 'West Brook 0' is station 29 already"),
        ({"id": 77, "name": "Other"}, "uuid: set-0 belongs to station 29 already"),
    ],
)
def test_a_station_that_contradicts_the_database(seed, tmp_path, capsys, change, complaint):
    assert do_import(seed, tmp_path) == 0
    path = station_folder(seed) / STATION
    write(path, {**json.loads(path.read_text()), **change})
    before = rows_in(tmp_path)
    assert do_import(seed, tmp_path) == 2
    assert complaint in capsys.readouterr().err
    assert rows_in(tmp_path) == before


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_that_would_be_gone_at_once(seed, tmp_path, capsys, address):
    assert do_import(seed, tmp_path / "root", "--database", address) == 2
    assert "error: database: is in memory" in capsys.readouterr().err
    assert not (tmp_path / "root").exists()


def test_wrong_credentials_leave_one_line_without_them(seed, tmp_path, postgres_server):
    environment = {**os.environ, "FPE_DATABASE_URL": postgres_server.url("postgres", password="Wr0ng")}
    words = [sys.executable, "-m", "pipelines.fpe.import_seed", "--data", seed, "--root", tmp_path / "root"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    where = f"postgresql://127.0.0.1:{postgres_server.port}/postgres"
    assert (done.returncode, done.stderr) == (2, f"error: {where}: wrong user or password\n")
    assert not (tmp_path / "root").exists()


def test_a_password_on_the_command_line_is_refused(seed, tmp_path, capsys, postgres_url):
    assert do_import(seed, tmp_path / "root", "--database", postgres_url) == 2
    error = capsys.readouterr().err
    assert "--database: has a password" in error
    assert PASSWORD not in error


def test_a_large_station_in_one_transaction(tmp_path):
    """More rows than SQLite takes values in one statement."""
    names = [f"{number}.JPG" for number in range(2000)]
    seed = make_seed(tmp_path / "seed", stations=1, names=names)
    assert do_import(seed, tmp_path) == 0
    engine = create_engine(f"sqlite:///{tmp_path / 'fpe.db'}")
    with Session(engine) as session:
        assert len(session.scalars(select(Image.id)).all()) == 2000
        assert len(session.scalars(select(Annotation.id)).all()) == 1
    engine.dispose()
