"""The program rank-dataset on a small station in SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import timedelta
from urllib.parse import quote

import pandas as pd
import pytest
from PIL import Image as Picture

from pipelines.fpe.database import connect
from pipelines.fpe.rank_dataset import FILES
from pipelines.fpe.storage import Storage
from tests.pipelines.fpe.postgres import PASSWORD
from tests.pipelines.fpe.station_cases import HOUR, NOON, Case, call, name_of, pair


class Maker:
    """Stores a case and runs the program on it; gives its end, and the folder of the dataset."""

    def __init__(self, address, folder):
        self.address, self.folder = address, folder

    def __call__(self, case, *options):
        engine = connect(self.address, migrate=True)
        case.store(engine, Storage(str(self.folder / "the store")), self.folder)
        engine.dispose()
        return self.again(*options)

    def again(self, *options):
        places = "-d", self.folder / "root", "--storage", self.folder / "the store"
        ended = call("rank_dataset", *places, "-s", 29, "CODE", *options)
        return ended, self.folder / "root/29/datasets/CODE"


@pytest.fixture
def make(tmp_path, monkeypatch):
    address = f"sqlite:///{tmp_path / 'fpe.db'}"
    monkeypatch.setenv("FPE_DATABASE_URL", address)
    return Maker(address, tmp_path)


@pytest.fixture
def make_on_each(database_address, tmp_path, monkeypatch):
    """On SQLite and on PostgreSQL in turn."""
    monkeypatch.setenv("FPE_DATABASE_URL", database_address)
    return Maker(database_address, tmp_path)


def table(folder, name):
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False)


def record(folder):
    return json.loads((folder / "rank-dataset.json").read_text())


def refused(ended, *words):
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err
    assert PASSWORD not in ended.err


def test_the_files_and_their_columns(make_on_each):
    ended, folder = make_on_each(Case())
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    images = table(folder, "images")
    assert list(images) == ["image_id", "timestamp", "filename", "url", "value"]
    assert list(images["timestamp"][:2]) == ["2023-06-01T12:00:00Z", "2023-06-01T13:00:00Z"]
    assert images["filename"][1] == f"imagesets/set/images/{name_of(2)}"
    assert list(images["value"]) == [1, 2, 3, 4, 5, 6]
    assert list(table(folder, "values")["value"]) == [1, 2, 3, 4, 5, 6, 7]
    said = table(folder, "annotations").iloc[0]
    assert (said["left.imageId"], said["right.imageId"]) == (1, 2)
    assert (said["rank"], said["true_rank"]) == ("RIGHT", "RIGHT")
    assert (said["delta_value"], said["avg_value"]) == (1, 1.5)
    assert said["rel_delta_value"] == pytest.approx(2 / 3)
    assert said["left.attributes"] == "BAD,ICE"
    assert json.loads((folder / "station.json").read_text())["timezone"] == "US/Eastern"
    for name in FILES:
        if name.endswith(".png"):
            Picture.open(folder / name).verify()


def test_the_record_tells_times_by_the_clock_of_the_station(make):
    _, folder = make(Case())
    assert record(folder)["images"]["start"] == "2023-06-01T08:00:00-04:00"
    assert record(folder)["values"]["freq"] == 60
    assert PASSWORD not in (folder / "rank-dataset.json").read_text()


PRIVATE = {
    1: {"pii_person": 0.2}, 2: {"pii_vehicle": 0.8}, 3: {"pii_on": True},
    4: {"pii_person": 0.19, "pii_vehicle": 0.79}, 5: {"pii_person": 0.9, "pii_on": True, "pii_off": True},
}  # fmt: skip


def test_images_with_people_or_vehicles_are_left_out_and_their_answers_too(make_on_each):
    answers = {"a": [pair(4, 5), pair(1, 4), pair(5, 6, "UNKNOWN")], "b": [pair(6, 3)]}
    ended, folder = make_on_each(Case(changes=PRIVATE, answers=answers))
    assert ended.code == 0, ended.err
    assert list(table(folder, "images")["image_id"]) == [4, 5, 6]
    said = table(folder, "annotations")
    assert list(zip(said["left.imageId"], said["right.imageId"], strict=True)) == [(4, 5), (5, 6)]
    assert list(said["pair_id"]) == [1, 3]
    assert record(folder)["images"]["excluded"] == 3
    assert record(folder)["annotations"]["excluded"] == 2


def test_only_done_images_and_datasets_count(make_on_each):
    ended, folder = make_on_each(Case(changes={3: {"status": "FAILED"}}, dataset_status="PROCESSING"))
    assert ended.code == 0, ended.err
    assert list(table(folder, "images")["image_id"]) == [1, 2, 4, 5, 6]
    assert set(table(folder, "images")["value"]) == {""}


def test_a_gap_before_an_image_counts_like_one_after_it(make):
    """The original looks ahead only: it gives the image at 15:00 a value, from 13:00 and 15:06."""
    _, folder = make(Case(values=[(0, 1), (1, 2), (3.1, 4), (3.9, 5), (4.1, 7)]))
    assert list(table(folder, "images")["value"]) == ["1.0", "2.0", "", "", "6.0", ""]


def test_a_time_that_comes_twice_counts_once_as_the_mean(make):
    _, folder = make(Case(values=[(0, 1), (0, 3), (1, 4)]))
    assert list(table(folder, "images")["value"][:2].astype(float)) == [2, 4]


def test_a_station_without_observations_has_no_values_and_no_true_rank(make):
    ended, folder = make(Case(values=[]))
    assert ended.code == 0, ended.err
    assert set(table(folder, "images")["value"]) == {""}
    assert set(table(folder, "annotations")["true_rank"]) == {""}
    assert table(folder, "values").empty
    assert record(folder)["values"] == {"count": 0, "start": None, "end": None, "freq": None}


def test_existing_files_stay_unless_they_may_be_overwritten(make):
    _, folder = make(Case())
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "values.csv").write_text("mine")
    ended, _ = make.again()
    refused(ended, "CODE", "--overwrite")
    assert (folder / "values.csv").read_text() == "mine"
    assert make.again("-o")[0].code == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_options_as_kwdag_writes_them(make, tmp_path):
    make(Case())
    dst = tmp_path / "job"
    options = f"--dst={dst}", "--station_id=29", "--variable=FLOW_CFS", "--maxgap=65"
    ended = call("rank_dataset", *options, f"--storage={tmp_path / 'the store'}")
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in dst.iterdir()) == sorted(FILES)


@pytest.mark.parametrize(
    ("case", "options", "words"),
    [
        ({}, ("-s", 30), ("station 30", "29")),
        ({}, ("-v", "DEPTH"), ("'DEPTH'", "FLOW_CFS")),
        ({}, ("-v", "STAGE_FT"), ("no annotations of STAGE_FT",)),
        ({"flagged": True}, (), ("no annotations of FLOW_CFS",)),
        ({"answers": {}}, (), ("no annotations",)),
        ({"answers": {"gone": None}}, (), ("annotations/gone.json",)),
        ({"answers": {"torn": "[{"}}, (), ("annotations/torn.json", "JSON")),
        ({"answers": {"odd": [pair(1, 2), pair(1, 2, "UP")]}}, (), ("odd.json", "pair 2", "'UP'")),
        ({"answers": {"odd": [{"left": 1}]}}, (), ("odd.json", "pair 1")),
        ({"timezone": "Mars/Olympus"}, (), ("'Mars/Olympus'",)),
        ({"changes": {number: {"pii_on": True} for number in range(1, 7)}}, (), ("no image",)),
        ({"changes": {number: {"status": "QUEUED"} for number in range(1, 7)}}, (), ("none is done",)),
        ({}, ("--maxgap", -1), ("maxgap",)),
    ],
)
def test_what_is_refused_leaves_nothing(make, case, options, words, tmp_path):
    ended, _ = make(Case(**case), *options)
    refused(ended, *words)
    assert not (tmp_path / "root").exists()


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setenv("FPE_DATABASE_URL", f"postgresql://me:{quote(PASSWORD, '')}@127.0.0.1:1/fpe")
    ended = call("rank_dataset", "-d", tmp_path, "-s", 29, "CODE")
    refused(ended, "127.0.0.1")
    assert "s3cret" not in ended.err


def test_annotations_from_before_there_were_variables_are_of_flow(make):
    ended, _ = make(Case(variable=None))
    assert ended.code == 0, ended.err


def test_an_image_between_two_observations(make):
    moved = {1: {"timestamp": NOON + 0.25 * HOUR}, 2: {"timestamp": NOON + HOUR + timedelta(microseconds=1)}}
    _, folder = make(Case(changes=moved))
    images = table(folder, "images")
    assert float(images["value"][0]) == 1.25
    assert images["timestamp"][1] == "2023-06-01T13:00:00.000001Z"


def test_annotations_are_read_from_s3(make, s3_url, tmp_path):
    engine = connect(make.address, migrate=True)
    Case().store(engine, Storage(s3_url), tmp_path)
    engine.dispose()
    ended, folder = make.again("--storage", s3_url)
    assert ended.code == 0, ended.err
    assert record(folder)["storage"] == f"{s3_url}/"
