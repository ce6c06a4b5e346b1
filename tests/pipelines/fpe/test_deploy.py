"""Models become rows and files; twice, at once, killed, one of several, and what a user gets wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from pipelines.errors import BadInput
from pipelines.fpe.database import connect, transaction
from pipelines.fpe.deploy import command
from pipelines.fpe.deploy_files import Deployment, Kind
from pipelines.fpe.deploying import Manner, deploy
from pipelines.fpe.storage import UPLOADING, Storage
from pipelines.fpe.tables import Image, Imageset, Model, ModelType, Station, User, Variable
from pipelines.program import run
from tests.pipelines.fpe.postgres import PASSWORD
from tests.pipelines.programs import caller

CODE = "RANK-FLOW-20240709"
HEADER = "split,image_id,timestamp,filename,url,value,score"
UUIDS = {29: "7618fd25-9a0f-5cff-9b50-bf87ff48703c", 30: "5fed44f7-ef8d-52ef-af4e-04bf39c6acce"}

call = caller("pipelines.fpe")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    for name in ("FPE_DATABASE_URL", "FPE_STORAGE_URL", "DB_HOST", "BUCKET"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make_database(f"sqlite:///{folder / 'fpe.db'}")
    return make_models(folder)


@pytest.fixture
def root(made, tmp_path):
    """Stations 29 and 30 in SQLite, each with a finished model, and the file that lists them."""
    return Path(shutil.copytree(made, tmp_path, dirs_exist_ok=True))


@pytest.fixture
def on_any_database(made, tmp_path, database_address, monkeypatch):
    """The same on SQLite and PostgreSQL."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    if database_address.startswith("postgresql"):
        monkeypatch.setenv("FPE_DATABASE_URL", database_address)
        make_database(database_address)
    return tmp_path


@pytest.fixture
def anywhere(on_any_database, storage_address, monkeypatch):
    """The same on SQLite and PostgreSQL, a directory and S3."""
    monkeypatch.setenv("FPE_STORAGE_URL", storage_address)
    return on_any_database


def make_database(url):
    engine = connect(url, migrate=True)
    with transaction(engine) as session:
        session.add_all([Variable(id="FLOW_CFS"), Variable(id="STAGE_FT"), ModelType(id="RANK")])
        user = User(id="d72c3799")
        for number in (29, 30):
            station = Station(id=number, user=user, name=f"West Brook {number}", timezone="US/Eastern")
            imageset = Imageset(station=station, uuid=f"set {number}", status="DONE")
            session.add_all(photograph(imageset, 100 * number + position) for position in range(3))
    engine.dispose()


def photograph(imageset, number):
    at = datetime(2023, 1, 2, 12, tzinfo=UTC)
    return Image(
        id=number, imageset=imageset, filename=f"{number}.JPG", timestamp=at, full_s3={}, status="DONE"
    )


def make_models(root):
    for number in (29, 30):
        make_model(root, number)
    (root / "stations.txt").write_text("29\n\n30\r\n29\n")
    return root


def make_model(root, station=29, code=CODE, score="0.5"):
    folder = root / str(station) / "models" / code
    (folder / "transform").mkdir(parents=True)
    rows = [
        f"val,{100 * station + n},2023-01-02T12:00:00Z,a b({n}).JPG,,{n},{score if n else ''}"
        for n in range(3)
    ]
    (folder / "transform/predictions.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / f"{code}.html").write_text(f"<!doctype html><title>{code} of {station}: {score}</title>")
    return folder


def of_list(root, *more, code=CODE):
    return call(
        "deploy", "-d", root, "-t", "RANK", "-v", "FLOW_CFS", "-c", code, *more, root / "stations.txt"
    )


def of_29(root, *more, code=CODE):
    return call("deploy", "-d", root, "-c", code, "--station-id", 29, *more)


def rows_in(root):
    engine = connect(root=root)
    with Session(engine) as session:
        found = {(row.station_id, row.code): row for row in session.scalars(select(Model).order_by(Model.id))}
    engine.dispose()
    return found


def defaults(root):
    return [key for key, row in rows_in(root).items() if row.default]


def storage_of(root):
    return Storage(os.environ.get("FPE_STORAGE_URL") or str(root / "storage"))


def contents(root):
    storage = storage_of(root)
    return {key: storage.read(key) for key in storage.list()}


def under_way(storage):
    return storage._files.find(f"{storage._root}/{UPLOADING}")


def lists(root):
    return [(root / f"stations-models-{end}").read_text() for end in ("db.csv", "uuid.txt")]


def test_models_become_visible_and_the_same_again_changes_nothing(anywhere):
    root, storage = anywhere, storage_of(anywhere)
    assert of_list(root) == (0, "")
    found = rows_in(root)
    assert list(found) == [(29, CODE), (30, CODE)]
    for (station, code), row in found.items():
        folder = root / str(station) / "models" / CODE
        assert row.uuid == UUIDS[station]
        assert (row.model_type_id, row.variable_id, row.default, row.status) == (
            "RANK",
            "FLOW_CFS",
            True,
            "DONE",
        )
        places = {
            "predictions.csv": folder / "transform/predictions.csv",
            f"{code}.html": folder / f"{code}.html",
        }
        for name, path in places.items():
            assert storage.read(f"models/{row.uuid}/{name}") == path.read_bytes()
        assert row.predictions_url == storage.url(f"models/{row.uuid}/predictions.csv")
        assert row.diagnostics_url == storage.url(f"models/{row.uuid}/{code}.html")
    table, uuids = lists(root)
    row = found[29, CODE]
    assert table.splitlines()[:2] == [
        "station_id,model_type_id,variable_id,code,uuid,default,diagnostics_url,predictions_url,status",
        f"29,RANK,FLOW_CFS,{CODE},{row.uuid},true,{row.diagnostics_url},{row.predictions_url},DONE",
    ]
    assert uuids == f"29,{UUIDS[29]}\n30,{UUIDS[30]}\n"
    kept, files = [vars(row) for row in found.values()], contents(root)
    assert len(files) == 4
    assert of_list(root) == (0, "")
    again = [vars(row) for row in rows_in(root).values()]
    assert [one | {"_sa_instance_state": 0} for one in kept] == [
        one | {"_sa_instance_state": 0} for one in again
    ]
    assert (contents(root), lists(root)) == (files, [table, uuids])
    assert under_way(storage) == []


def test_a_line_says_what_was_done(root, capsys):
    def said(*more):
        with pytest.raises(SystemExit) as ended:
            run(command, ["-d", str(root), "-c", CODE, *more, str(root / "stations.txt")])
        assert ended.value.code == 0
        return capsys.readouterr().out.splitlines()

    assert said()[0] == f"station 29: {CODE} deployed (1 row, 2 files), the default"
    assert (
        said()[1]
        == f"station 30: {CODE} was deployed already, nothing changed (0 rows, 0 files), the default"
    )
    make_model(root, code="NEXT")
    assert of_29(root, code="NEXT").code == 0
    assert said("-o")[0] == f"station 29: {CODE} deployed (1 row, 0 files), the default in place of NEXT"


def test_addresses_begin_with_the_site(root):
    make_model(root, code="A 1")
    assert of_29(root, "-s", "https://bucket.s3.us-west-2.amazonaws.com/models/", code="A 1").code == 0
    row = rows_in(root)[29, "A 1"]
    place = f"https://bucket.s3.us-west-2.amazonaws.com/models/{row.uuid}"
    assert (row.predictions_url, row.diagnostics_url) == (f"{place}/predictions.csv", f"{place}/A%201.html")
    ended = of_29(root, code="A 1")
    assert ended.code == 2 and "station 29 has A 1 already, with another address" in ended.err


def test_other_content_is_refused_or_replaced(anywhere):
    root, storage = anywhere, storage_of(anywhere)
    assert of_list(root).code == 0
    before, rows = contents(root), lists(root)
    for file in ("transform/predictions.csv", f"{CODE}.html"):
        path = root / "30/models" / CODE / file
        path.write_text(path.read_text().replace("0.5", "0.7"))
        ended = of_list(root)
        assert ended.code == 2 and ended.err.count("\n") == 1
        assert (
            f"station 30 has {CODE} already, with another {path.name}; choose another code, or" in ended.err
        )
        assert (contents(root), lists(root)) == (before, rows)
        storage.put(f"models/{UUIDS[30]}/old.html", path)
        assert of_list(root, "-o").code == 0
        before[f"models/{UUIDS[30]}/{path.name}"] = path.read_bytes()
        assert (contents(root), lists(root)) == (before, rows)


def test_the_newest_is_the_default(on_any_database):
    root = on_any_database
    make_model(root, code="NEXT"), make_model(root, code="TRIAL"), make_model(root, code="STAGE")
    assert of_list(root).code == 0
    assert defaults(root) == [(29, CODE), (30, CODE)]
    assert of_29(root, code="NEXT").code == 0
    assert defaults(root) == [(30, CODE), (29, "NEXT")]
    assert of_29(root, "--no-default", code="TRIAL").code == 0
    assert of_29(root, "-v", "STAGE_FT", code="STAGE").code == 0
    assert defaults(root) == [(30, CODE), (29, "NEXT"), (29, "STAGE")]
    assert of_29(root).code == 0  # as it is: it was deployed, and something else after it
    assert defaults(root) == [(30, CODE), (29, "NEXT"), (29, "STAGE")]
    assert of_29(root, "-o", "--no-default", code="NEXT").code == 0
    assert defaults(root) == [(30, CODE), (29, "NEXT"), (29, "STAGE")]
    assert of_29(root, "-o").code == 0
    assert defaults(root) == [(29, CODE), (30, CODE), (29, "STAGE")]
    assert len(rows_in(root)) == 5


def test_a_model_that_was_spoilt_is_mended(root):
    assert of_29(root).code == 0
    whole, storage = contents(root), storage_of(root)
    (root / "storage/models" / UUIDS[29] / "predictions.csv").unlink()
    assert of_29(root).code == 0
    assert contents(root) == whole
    engine = connect(root=root)
    with transaction(engine) as session:
        session.scalars(select(Model)).one().status = "FAILED"
    engine.dispose()
    assert of_29(root).code == 0
    assert rows_in(root)[29, CODE].status == "DONE" and under_way(storage) == []


def test_a_code_that_another_program_has_used(root):
    engine = connect(root=root)
    usual = {"station_id": 29, "variable_id": "FLOW_CFS", "model_type_id": "RANK", "status": "DONE"}
    with transaction(engine) as session:
        session.add(Model(**usual, code=CODE, uuid="by hand", default=True))
    engine.dispose()
    for more in ((), ("-o",)):
        ended = of_29(root, *more)
        assert ended.code == 2 and f"station 29 has a model {CODE} of another program already" in ended.err
    assert list(rows_in(root)) == [(29, CODE)] and contents(root) == {}


# --- several at once, and killed


def at_once(address, storage, models):
    """What became of each of them, deployed by as many programs at the same time."""

    def one(model):
        engine = connect(address)
        try:
            return deploy(engine, storage, [model], Manner())
        except BadInput as error:
            return str(error)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(len(models)) as pool:
        return list(pool.map(one, models))


def deployment(folder, code=CODE):
    return Deployment(
        29, Kind("FLOW_CFS", "RANK", code), folder / "transform/predictions.csv", next(folder.glob("*.html"))
    )


def test_several_at_once_leave_one_default(anywhere, database_address):
    storage = storage_of(anywhere)
    codes = [f"CODE-{number}" for number in range(4)]
    models = [deployment(make_model(anywhere, code=code), code) for code in codes]
    done = at_once(database_address, storage, [*models, *models])
    assert [one for one in done if isinstance(one, str)] == []
    assert sorted(rows_in(anywhere)) == [(29, code) for code in codes]
    assert len(defaults(anywhere)) == 1
    assert sum(one.rows for [one] in done) == 4 and sum(one.files for [one] in done) == 8
    assert len(contents(anywhere)) == 8 and under_way(storage) == []


def test_of_several_contents_under_one_code_one_stays_whole(on_any_database, database_address, monkeypatch):
    root, put = on_any_database, Storage.put
    monkeypatch.setattr(Storage, "put", lambda *given: time.sleep(0.05) or put(*given))  # as over a network
    folders = [make_model(root / str(number), score=f"0.{number}") for number in range(1, 6)]
    done = at_once(database_address, storage_of(root), [deployment(folder) for folder in folders])
    [winner] = [number for number, one in enumerate(done) if not isinstance(one, str)]
    files = deployment(folders[winner]).files
    assert contents(root) == {key: path.read_bytes() for key, path in files.items()}
    for loser in {*range(5)} - {winner}:
        assert f"station 29 has {CODE} already" in done[loser]


def killed(root, every):
    """How many forks of a process of its own were killed, and that each left what the next could complete."""
    words = [sys.executable, "-m", "tests.pipelines.fpe.deploy_killed", str(root), CODE, str(every)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout)


def test_killed_at_any_of_its_writes_it_goes_on(root):
    assert killed(root, every=5) >= 6


@pytest.mark.postgres
def test_killed_while_it_writes_to_postgresql_and_s3(tmp_path, postgres_url, s3_url, monkeypatch):
    monkeypatch.setenv("FPE_DATABASE_URL", postgres_url)
    monkeypatch.setenv("FPE_STORAGE_URL", s3_url)
    make_database(postgres_url)
    (make_models(tmp_path) / "stations.txt").write_text("29")
    assert killed(tmp_path, every=15) >= 2


# --- one of several


def make_candidates(root, *metrics):
    """Finished models of station 29 in folders of their own, as kwdag's jobs leave them; their options."""
    folders = []
    for number, one in enumerate(metrics):
        folder = make_model(root / f"job {number}", score=f"0.{number + 1}")
        (folder / "evaluation.json").write_text(json.dumps({"result": {"metrics": one}}))
        folders.append(folder)
    files = {
        "predictions": "transform/predictions.csv", "report": f"{CODE}.html", "evaluation": "evaluation.json"
    }  # fmt: skip
    return [word for name, file in files.items()
            for word in (f"--{name}", *(str(folder / file) for folder in folders))]  # fmt: skip


TAU, ACCURACY = "tau_test_out", "accuracy2_val"
NAN = float("nan")


@pytest.mark.parametrize(
    ("metrics", "number", "decided_by"),
    [
        ([{TAU: 0.7}], 0, TAU),
        ([{TAU: 0.7}, {TAU: 0.8}, {TAU: -0.9}], 1, TAU),
        ([{TAU: -0.9}, {TAU: -0.8}, {TAU: None}], 1, TAU),
        ([{TAU: None}, {TAU: NAN}, {TAU: -1}], 2, TAU),
        ([{TAU: NAN}, {TAU: 0.2}], 1, TAU),
        ([{TAU: NAN}, {TAU: NAN}], 0, "order"),
        ([{TAU: 0.5}, {TAU: 0.8}, {TAU: 0.8}], 1, TAU),
        ([{TAU: NAN, ACCURACY: 0.5}, {TAU: None, ACCURACY: 0.9}], 1, ACCURACY),
        ([{TAU: None}, {TAU: None, ACCURACY: 0}], 1, ACCURACY),
        ([{TAU: 0.1, ACCURACY: 0.1}, {TAU: None, ACCURACY: 0.9}], 0, TAU),
        ([{TAU: None, ACCURACY: None}, {TAU: NAN}], 0, "order"),
    ],
)
def test_the_best_is_deployed(root, metrics, number, decided_by):
    options = make_candidates(root, *metrics)
    assert of_29(root, *options, "--dst", root / "job/deploy.json") == (0, "")
    told = json.loads((root / "job/deploy.json").read_text())
    value = metrics[number][TAU]
    counted = {"deployed": 1, "candidates": len(metrics), TAU: value if value == value else None}
    assert told["result"]["metrics"] == counted
    assert (told["station_id"], told["code"], told["uuid"]) == (29, CODE, UUIDS[29])
    [info] = told["info"]
    place = f"../job {number}/29/models/{CODE}/transform/predictions.csv"
    assert (info["candidate"], info["decided_by"], info["predictions"]) == (number, decided_by, place)
    assert f": 0.{number + 1}<" in contents(root)[f"models/{UUIDS[29]}/{CODE}.html"].decode()
    text = (root / "job/deploy.json").read_bytes()
    assert of_29(root, *options, "--dst", root / "job/deploy.json") == (0, "")
    assert (root / "job/deploy.json").read_bytes() == text


def test_another_metric(root):
    options = make_candidates(root, {TAU: 1, "val_loss": 0.5, "rho": 0}, {TAU: 0, "val_loss": 0.4, "rho": 1})
    for metric, number in {"rho": 1, "val_loss": 1, TAU: 0}.items():
        assert of_29(root, "--metric", metric, *options, "--dst", root / "deploy.json", "-o").code == 0
        told = json.loads((root / "deploy.json").read_text())
        assert told["info"][0]["candidate"] == number


def test_a_text_file_names_the_files(root):
    """As kwdag hands over what it has gathered."""
    words = make_candidates(root, {TAU: 0}, {TAU: 1})
    options = []
    for name, first, second in (words[:3], words[3:6], words[6:]):
        path = root / f"_gather{name}.txt"
        path.write_text(f"{first}\n{os.path.relpath(second, root)}\n")
        options.append(f"{name}={path}")
    assert of_29(root, *options, f"--dst={root / 'deploy.json'}") == (0, "")
    assert json.loads((root / "deploy.json").read_text())["info"][0]["candidate"] == 1


# --- what a user gets wrong


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


TABLE = f"30/models/{CODE}/transform/predictions.csv"


@pytest.mark.parametrize(
    ("prepare", "more", "told"),
    [
        (lambda root: (root / "stations.txt").write_text("29\n31\n77\n"), (),
         "the database has no station 31; it has 29, 30"),
        (None, ("-v", "FLOW_CMS"), "the database has no variable 'FLOW_CMS'; did you mean 'FLOW_CFS'?"),
        (None, ("-t", "CLASS"), "the database has no model type 'CLASS'; known: RANK"),
        (None, ("-c", "RANK-FLOW-20240708"), f"no such model; did you mean '{CODE}'?"),
        (None, ("-c", "../x"), "'../x' is no name of a folder"),
        (lambda root: (root / TABLE).unlink(), (), f"{TABLE}: cannot be read"),
        (lambda root: change(root / TABLE, "0.5", ""), (), f"{TABLE}: has no score at all"),
        (lambda root: change(root / TABLE, "0.5", "good"), (), f"{TABLE}: score 'good' is not a number"),
        (lambda root: change(root / TABLE, "url", "address"), (), f"{TABLE}: has no column url"),
        (lambda root: change(root / TABLE, "val,30", "val,29"), (), f"{TABLE}: has no image of station 30"),
        (lambda root: (root / f"30/models/{CODE}/{CODE}.html").unlink(), (), f"{CODE}.html: no such page"),
        (lambda root: (root / f"30/models/{CODE}/{CODE}.html").write_text(""), (), f"{CODE}.html: is empty"),
        (lambda root: (root / "stations.txt").write_text("29\nWest Brook\n"), (),
         "stations.txt, line 2: 'West Brook' is not the id of a station"),
        (lambda root: (root / "stations.txt").write_text("\n \n"), (), "stations.txt: names no station"),
        (lambda root: (root / "stations.txt").write_bytes(b"29\n\xff\n"), (), "stations.txt: is no list"),
        (lambda root: (root / "stations.txt").unlink(), (), "stations.txt: cannot be read"),
        (lambda root: (root / "stations-models-uuid.txt").mkdir(), (), "uuid.txt: cannot be written"),
        (None, ("-s", "https://me:Wr0ng@host/models"), "--site: has a user or a password"),
        (None, ("-s", "https://host/models?key=Wr0ng"), "--site: is not what an address can begin with"),
        (None, ("--station-id", "29"), "--station-id: does not go together with"),
        (None, ("--dst=d.json",), "--dst: does not go together with"),
        (None, ("--storage=gs://x",), "gs:// is not supported"),
    ],
)  # fmt: skip
def test_bad_input_of_a_list(root, prepare, more, told):
    if prepare:
        prepare(root)
    before = listing(root)
    ended = of_list(root, *more)
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
    assert "Wr0ng" not in ended.err
    assert listing(root) == before
    assert rows_in(root) == {}


def test_a_model_of_another_variable_is_refused(root):
    """Both variables are known, so that nothing else would stop it from becoming the default of the other."""
    record = root / f"29/models/{CODE}/input/rank-input.json"
    record.parent.mkdir()
    record.write_text('{"variable_id": "STAGE_FT"}')
    before = listing(root)
    ended = of_29(root)
    told = f"error: {record.parent.parent}: is a model of STAGE_FT, not of FLOW_CFS; see --variable\n"
    assert ended == (2, told)
    assert (listing(root), rows_in(root)) == (before, {})
    assert of_29(root, "--variable=STAGE_FT") == (0, "")
    assert rows_in(root)[29, CODE].variable_id == "STAGE_FT"


@pytest.mark.parametrize("number", [-1, 10**20])
def test_a_station_of_a_number_that_no_database_has(root, number):
    ended = call("deploy", "-d", root, "-c", CODE, "--station-id", number)
    assert ended.code == 2 and ended.err.count("\n") == 1 and "--station-id" in ended.err


def listing(root):
    return sorted(path for path in root.rglob("*") if path.name != "fpe.db")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("--metric=tau_test_out", "--metric=tau_test_uot",
         "has no metric 'tau_test_uot'; did you mean 'tau_test_out'?"),
        ("1/29/models/{code}/evaluation.json", "1/29/models/{code}/other.json", "other.json: cannot be read"),
        ("1/29/models/{code}/evaluation.json", "1/29/models/{code}/{code}.html", "html: is not JSON"),
        ("1/29/models/{code}/{code}.html", "", "--report: 1 files for 2 of --predictions"),
        ("1/29/models/{code}/evaluation.json", "", "--evaluation: 1 files for 2 of --predictions"),
        ("1/29/models/{code}/transform/predictions.csv", "", "--report: 2 files for 1 of --predictions"),
        ("0/29/models/{code}/transform/predictions.csv", "none.txt", "none.txt: cannot be read"),
        ("--station-id=29", "--station-id=77", "the database has no station 77; it has 29, 30"),
        ("--station-id=29", "", "neither a file of stations nor --station-id is given"),
        ("--dst=deploy.json", "--dst=job 0/29", "29: cannot be written"),
        ("--dst=deploy.json", "--dst=stations.txt/x/deploy.json", "deploy.json: cannot be written"),
    ],
)  # fmt: skip
def test_bad_input_of_candidates(root, monkeypatch, old, new, told):
    monkeypatch.chdir(root)
    options = make_candidates(Path(), {TAU: 0, ACCURACY: 0}, {TAU: 1})
    words = ["--station-id=29", "--metric=tau_test_out", *options, "--dst=deploy.json"]
    changed = [word.replace(old.format(code=CODE), new.format(code=CODE)) for word in words]
    assert changed != words
    before = listing(root)
    ended = call("deploy", "-c", CODE, *(word for word in changed if word not in ("", "job ")))
    assert ended.code == 2 and told in ended.err and ended.err.count("\n") == 1
    assert listing(root) == before and rows_in(root) == {}


@pytest.mark.parametrize(
    "metrics", ['{"result": {"metrics": {"tau_test_out": "0.5"}}}', "[]", '{"result": 1}']
)
def test_an_evaluation_that_is_none(root, metrics):
    options = make_candidates(root, {TAU: 0}, {TAU: 1})
    Path(options[-1]).write_text(metrics)
    ended = of_29(root, *options)
    assert ended.code == 2 and "evaluation.json: " in ended.err and ended.err.count("\n") == 1


def test_no_secret_in_what_is_told(root, postgres_server, s3_url, monkeypatch):
    url = postgres_server.url
    wrong = {
        url("postgres", password="Wr0ng"): "wrong user or password",
        url("nowhere"): "no such database",
        url("postgres"): "has no tables yet",
        url("postgres").replace(f":{postgres_server.port}", ":1"): "cannot be reached",
    }
    for address, reason in wrong.items():
        monkeypatch.setenv("FPE_DATABASE_URL", address)
        ended = of_list(root)
        assert ended.code == 2 and reason in ended.err and ended.err.count("\n") == 1
        assert not any(secret in ended.err for secret in (PASSWORD, "s3cret", "Wr0ng"))
    monkeypatch.delenv("FPE_DATABASE_URL")
    ended = of_list(root, "--database=postgresql://fpe:Wr0ng@127.0.0.1/x")
    assert ended.code == 2 and "--database: has a password" in ended.err and "Wr0ng" not in ended.err
    assert rows_in(root) == {}


def test_a_storage_that_refuses_leaves_no_row(root, s3_url, monkeypatch):
    ended = of_list(root, "--storage=s3://no-such-bucket/p")
    assert ended.code == 2 and "s3://no-such-bucket" in ended.err and ended.err.count("\n") == 1
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    monkeypatch.setattr("s3fs.core.S3FileSystem.retries", 1)
    ended = of_list(root, f"--storage={s3_url}")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    assert ended.code == 2 and "the storage" in ended.err and ended.err.count("\n") == 1
    assert "testing-secret" not in ended.err
    assert rows_in(root) == {} and not (root / "stations-models-db.csv").exists()
