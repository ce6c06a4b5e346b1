"""What users get wrong: one line that names it, exit code 2, nothing written, no secret told.

What is particular to one program is in that program's tests.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import subprocess
import sys
from urllib.parse import quote

import boto3
import pytest
import torch

from pipelines import program
from pipelines.errors import BadInput
from pipelines.fpe import merging
from pipelines.fpe.run_train import _readable, read_pairs
from tests.pipelines.fpe.chain_cases import (
    STEPS,
    call,
    chain,
    contents,
    import_and_collect,
    model_of,
    names,
    photograph,
    scene_seed,
    step,
)
from tests.pipelines.fpe.postgres import PASSWORD
from tests.pipelines.fpe.postgres import USER as ROLE
from tests.pipelines.fpe.seed_cases import USER, make_seed, station_folder, write

KEY_ID, SECRET_KEY = "AKIAEXAMPLEEXAMPLE77", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
pytestmark = pytest.mark.xdist_group("bad input of fpe")  # one trained station for all

SECRETS = (PASSWORD, quote(PASSWORD, safe=""), "s3cret", "Wr0ng", SECRET_KEY, quote(SECRET_KEY, safe=""))
VARIABLES = (
    "FPE_DATABASE_URL", "FPE_STORAGE_URL", "BUCKET", "DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USER",
    "DB_PASSWORD", "PGPASSWORD",
)  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    torch.set_num_threads(1)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def refused(code, err, *words):
    """One line, for bad input, that names all of ``words``."""
    assert code == 2, err
    assert err.startswith("error: ") and err.count("\n") == 1 and "Traceback" not in err, err
    for word in words:
        assert word in err
    for secret in SECRETS:
        assert secret not in err


def as_a_user(root, name, *words, **environment):
    """Run a program as a command line; its exit code and stderr. Nothing goes to stdout."""
    done = subprocess.run(
        [sys.executable, "-m", f"pipelines.fpe.{name}", *map(str, words)],
        cwd=root, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A station with its model; what a test changes it must copy."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        for name in VARIABLES:
            patched.delenv(name, raising=False)
        chain(scene_seed(folder / "seed"), folder / "root")
    return folder / "root"


@pytest.fixture
def root(finished, tmp_path):
    """The same, to be spoilt."""
    import shutil

    return shutil.copytree(finished, tmp_path / "root")


# -- the database and the storage ------------------------------------------------------------------


def test_the_seeds_own_variables_with_a_wrong_password(tmp_path, postgres_server):
    parts = {"DB_HOST": "127.0.0.1", "DB_PORT": str(postgres_server.port), "DB_DATABASE": "postgres"}
    parts |= {"DB_USER": ROLE, "DB_PASSWORD": "Wr0ng"}
    code, err = as_a_user(tmp_path, "rank_dataset", "-d", "new", "-s", 29, "CODE", **parts)
    refused(code, err, f"127.0.0.1:{postgres_server.port}/postgres", "wrong user or password")
    assert contents(tmp_path) == {}


def test_a_database_that_nobody_serves(tmp_path):
    address = f"postgresql://me:{quote(PASSWORD, '')}@127.0.0.1:1/fpe"
    seed = make_seed(tmp_path / "seed")
    before = contents(tmp_path)
    words = "--data", seed, "--root", tmp_path / "root"
    code, err = as_a_user(tmp_path, "import_seed", *words, FPE_DATABASE_URL=address)
    refused(code, err, "127.0.0.1:1/fpe: cannot be reached")
    assert contents(tmp_path) == before and not (tmp_path / "root").exists()


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:1/fpe",  # its @ not quoted
        "postgresql://me:p@Wr0ng/x@127.0.0.1/fpe",
        "postgresql://me:Wr0ng@127.0.0.1:fpe",
        "postgresql:/me:Wr0ng@127.0.0.1",
        "mysql://me:Wr0ng@127.0.0.1/fpe",
    ],
)
def test_an_address_that_is_none_tells_no_part_of_its_password(tmp_path, monkeypatch, address):
    monkeypatch.setenv("FPE_DATABASE_URL", address)
    ended = call("rank_dataset", "-d", tmp_path / "new", "-s", 29, "CODE")
    refused(*ended, "database: ")
    assert "word" not in ended.err.replace("a password", "")
    assert contents(tmp_path) == {}


LEFT = {"job/manifest.json", "job/out/scored_by.json"}  # which tell nothing of images


@pytest.mark.parametrize("name", ["run_train", "run_transform"])
def test_a_bucket_that_is_not_there_is_no_broken_image(root, s3_url, monkeypatch, name):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    before = contents(root)
    more = ("--epochs=1",) if name == "run_train" else ()
    ended = step(root, name, f"--dst={root / 'job'}", "--storage=s3://no-such-bucket-of-ours/p", *more)
    refused(*ended)
    assert {path for path in contents(root) if path not in before} <= LEFT


def test_images_that_the_storage_lacks(root):
    for path in (root / "storage/imagesets").rglob("*.JPG"):
        path.unlink()
    before = contents(root)
    for name in ("run_train", "run_transform"):
        places = f"--dst={root / name}", f"--storage={root / 'storage'}"
        refused(*step(root, name, *places), "image", "is missing")
    new = contents(root).keys() - before.keys()
    assert not [path for path in new if path.endswith((".pth", "train.json", "transform.json", ".csv"))]


def test_a_storage_that_fails_now_and_then_ends_a_training(tmp_path):
    """Left out as broken, images would be missing from it by chance."""
    table = tmp_path / "pairs.csv"
    rows = [f"{split},{n}.JPG,{n + 1}.JPG,1" for split in ("train", "val") for n in range(40)]
    table.write_text("\n".join(["split,filename_1,filename_2,label", *rows]) + "\n")

    def read(name):
        if name == "7.JPG":
            raise BadInput("the storage refuses (slow down)", where="s3://b")
        return b""

    with pytest.raises(BadInput, match="slow down"):
        _readable(read_pairs(table), read, 0.5, 1, table)


# -- secrets ---------------------------------------------------------------------------------------


def test_no_secret_is_in_any_file_or_line(tmp_path, postgres_url, s3_url, monkeypatch):
    """The whole way with a database that has a password and a storage that has keys."""
    for name, value in {
        "FPE_DATABASE_URL": postgres_url, "FPE_STORAGE_URL": s3_url,
        "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    seed, root, said = scene_seed(tmp_path / "seed"), tmp_path / "root", io.StringIO()
    steps = [("import_seed", "--data", seed, "--root", root), ("rank_dataset", "-d", root, "-s", 29, "DATA")]
    for name, *words in STEPS:
        model = () if name == "rank_input" else ("--model-code=MODEL",)
        steps.append((name, "-d", root, "-s", 29, *model, *words))
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        for name, *words in steps:
            command = importlib.import_module(f"pipelines.fpe.{name}").command
            with pytest.raises(SystemExit) as ended:
                program.run(command, list(map(str, words)))
            assert ended.value.code == 0, said.getvalue()
    written = contents(root)
    assert "29/models/MODEL/evaluation.json" in written
    for secret in (*SECRETS, KEY_ID):
        assert secret not in said.getvalue()
        assert not [path for path, content in written.items() if secret.encode() in content]
    bucket, _, prefix = s3_url.removeprefix("s3://").partition("/")
    keys = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert len(keys) == len(names()) + 1  # the seed's files and nothing of ours


# -- files that are there already, and tables that are none ----------------------------------------


def test_what_is_there_stays(root):
    before = contents(root)
    refused(*call("rank_dataset", "-d", root, "-s", 29, "DATA"), "datasets/DATA", "--overwrite")
    name, *words = STEPS[0]
    refused(*step(root, name, *words), "models/MODEL/input", "--overwrite")
    assert contents(root) == before


IMAGE = "1001,2023-01-02T12:00:00Z"


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("images.csv", IMAGE, f"x{IMAGE}", ("images.csv", "numbers in 'image_id'")),
        ("images.csv", IMAGE, f",{IMAGE[5:]}", ("images.csv", "numbers in 'image_id'")),
        ("images.csv", IMAGE, "1001,", ("images.csv", "times in 'timestamp'")),
        ("images.csv", ",1.0\n", ",high\n", ("images.csv", "numbers in 'value'")),
        ("images.csv", ",1.0\n", ",1.0,more\n", ("images.csv", "more cells in a row")),
        ("annotations.csv", "left.timestamp", "left.time", ("annotations.csv", "'left.timestamp'")),
        ("annotations.csv", "2023-01-02T12:00:00Z", "noon", ("annotations.csv", "times in")),
        ("station.json", '"timezone"', '"zone"', ("station.json", "'timezone'")),
        ("station.json", '"id"', '"number"', ("station.json", "'id'")),
        ("station.json", "{", "[{", ("station.json", "is not JSON")),
        ("rank-dataset.json", "{", "[1, {", ("rank-dataset.json",)),
    ],
)
def test_a_dataset_that_somebody_has_edited(root, file, old, new, words):
    path = root / "29/datasets/DATA" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    before = contents(root)
    name, *given = STEPS[0]
    refused(*step(root, name, *given, f"--dst={root / 'job'}"), *words)
    assert contents(root) == before


def test_a_list_for_a_station(root):
    (root / "29/datasets/DATA/station.json").write_text("[]")
    name, *given = STEPS[0]
    refused(*step(root, name, *given, f"--dst={root / 'job'}"), "station.json", "'id'")


def test_rows_of_more_cells_than_columns_are_not_shifted(root):
    """pandas takes the first cells for names of rows and gives every column the cells of the next."""
    for file in ("images.csv", "pairs.csv"):
        path = root / "29/models/MODEL/input" / file
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *(f"{row},9" for row in rows)]) + "\n")
    for name in ("run_train", "run_transform", "run_transform_merge", "run_transform_predictions"):
        refused(*step(root, name, f"--dst={root / 'job'}"), ".csv", "more cells in a row than columns")
    assert not (root / "job").exists()
    path = root / "29/datasets/DATA/images.csv"
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *(f"{row},9" for row in rows)]) + "\n")
    name, *given = STEPS[0]
    refused(*step(root, name, *given, f"--dst={root / 'job'}"), "more cells in a row than columns")


@pytest.mark.parametrize("score", ["NaN", "Infinity", "1e999"])
def test_scores_that_are_no_numbers(root, score):
    out = merging.out_path(root / "29/models/MODEL/transform/out", f"imagesets/set-0/images/{names()[0]}")
    out.write_text(f'{{"score": {score}}}')
    refused(*step(root, "run_transform_merge"), "(1).JPG.out", "number or null")
    table = root / "29/models/MODEL/transform/predictions.csv"
    lines = table.read_text().splitlines()
    infinite = lines[1].rpartition(",")[0] + ",-inf"
    table.write_text("\n".join([lines[0], infinite, *lines[2:]]) + "\n")
    refused(*step(root, "evaluate", f"--dst={root / 'e.json'}"), "score '-inf' is not a number")
    assert not (root / "e.json").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("rank_dataset", "CODE", "--maxgap", "nan"),
        ("rank_dataset", "CODE", "--maxgap", "inf"),
        ("rank_dataset", "CODE", "--station-id", 10**20),
        ("rank_input", "--train-frac", "nan"),
        ("rank_input", "--seed", "-1", "--annotations-max-n", 110),
        ("rank_input", "--seed", 2**40, "--annotations-max-n", 110),
        ("rank_input", "--station-id", -1),
        ("run_train", "--learning-rate", "nan"),
        ("run_train", "--learning-rate", "inf"),
        ("run_train", "--momentum", "nan"),
        ("run_train", "--memory", "nan"),
        ("run_train", "--memory", "inf"),
        ("run_train", "--max-unreadable", "nan"),
        ("run_train", "--seed", 2**70),
        ("run_train", "--decolorize", "perhaps"),
        ("run_transform", "--max-unreadable", "nan"),
    ],
)
def test_numbers_that_no_program_can_use(root, words):
    name, *given = words
    before = contents(root)
    places = {"rank_dataset": (), "rank_input": ("-D", "DATA"), "run_train": ("--epochs=1",)}
    refused(*step_or_dataset(root, name, *places.get(name, ()), f"--dst={root / 'job'}", *given), "--")
    assert contents(root) == before


def step_or_dataset(root, name, *words):
    return call(name, "-d", root, "-s", 29, *words) if name == "rank_dataset" else step(root, name, *words)


# -- the seed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "index", "change", "complaint"),
    [
        ("db/station.json", None, {"latitude": float("nan")}, "latitude: nan is not a number"),
        ("db/station.json", None, {"longitude": 10**400}, "is not a number"),
        ("db/station.json", None, {"name": "West \ud800"}, "is not a text"),
        ("db/imagesets/set-0/images.json", 0, {"pii_person": float("inf")}, "inf is not a number"),
        ("db/imagesets/set-0/images.json", 0, {"timestamp": "0001-01-01T00:00:00+14:00"}, "is not a time"),
        ("../../../../variables.json", 0, {"id": "FLOW_IN_CUBIC_FEET"}, "is not a text of 1 to 16"),
        ("../../../../modelTypes.json", 0, {"id": "R" * 17}, "is not a text of 1 to 16"),
    ],
)
def test_values_that_no_database_takes(tmp_path, file, index, change, complaint):
    seed = make_seed(tmp_path / "seed", stations=1)
    path = (station_folder(seed) / file).resolve()
    data = json.loads(path.read_text())
    (data if index is None else data[index]).update(change)
    path.write_text(json.dumps(data))
    refused(*call("import_seed", "--data", seed, "--root", tmp_path / "root"), path.name, complaint)
    assert not (tmp_path / "root").exists()


def test_a_user_who_comes_twice(tmp_path):
    seed = make_seed(tmp_path / "seed", stations=1)
    write(seed / "users/zz/user.json", {"id": USER})
    refused(*call("import_seed", "--data", seed, "--root", tmp_path / "root"), "zz/user.json", USER, "twice")
    assert not (tmp_path / "root").exists()


def test_a_station_that_is_refused_has_not_replaced_files_of_another(tmp_path):
    """An imageset of station 29 that comes again, with other pictures, as one of station 77."""
    root = tmp_path / "root"
    assert call("import_seed", "--data", make_seed(tmp_path / "one", stations=1), "--root", root).code == 0
    other = make_seed(tmp_path / "two", stations=1)
    station = station_folder(other) / "db/station.json"
    write(station, {**json.loads(station.read_text()), "id": 77, "name": "Other"})
    photograph(other, "b.JPG").write_bytes(b"another picture")
    before = contents(root / "storage")
    refused(*call("import_seed", "--data", other, "--root", root), "set-0 belongs to station 29 already")
    assert contents(root / "storage") == before


def test_answers_about_images_of_no_number(tmp_path):
    seed, root = scene_seed(tmp_path / "seed"), tmp_path / "root"
    answers = station_folder(seed) / "storage/annotations/answers-0.json"
    answers.write_text('[{"left": {"imageId": Infinity}, "right": {"imageId": 1002}, "rank": "LEFT"}]')
    with pytest.raises(AssertionError, match="answers-0.json: pair 1"):
        import_and_collect(seed, root)
    assert not model_of(root).parent.exists() and not (root / "29").exists()
