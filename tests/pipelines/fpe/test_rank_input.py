"""The program rank-input on datasets made by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from pipelines.errors import BadInput
from pipelines.fpe.dataset_files import write_table
from pipelines.fpe.local_times import Window, between_dates, within, zone
from pipelines.fpe.rank_input import ANNOTATED, FILES
from pipelines.program import write_json
from tests.pipelines.fpe.station_cases import call

EASTERN = "US/Eastern"


def noons(days):
    """16:00 UTC of each day from 1 March 2023: 11:00 and, from 12 March, 12:00 by the clock in New York."""
    return pd.Series(pd.date_range("2023-03-01T16:00Z", periods=days, freq="D"))


@dataclass
class Made:
    """A dataset with an image a day, numbered from 0, and these annotations: left, right, rank."""

    folder: Path
    said: list = field(
        default_factory=lambda: [(2 * number, 2 * number + 1, "LEFT") for number in range(150)]
    )
    times: pd.Series = field(default_factory=lambda: noons(320))
    timezone: str = EASTERN
    prefix: str = "s3://a-bucket/fpe/"

    def __post_init__(self):
        self.folder.mkdir(parents=True)
        keys = [f"imagesets/set/images/West Brook 0__{number}(1).JPG" for number in range(len(self.times))]
        images = pd.DataFrame({"image_id": range(len(self.times)), "timestamp": self.times, "filename": keys})
        images = images.assign(url="https://x", value=np.arange(len(images)) / 2)
        write_table(self.folder / "images.csv", images)
        sides = []
        for side, place in (("left", 0), ("right", 1)):
            chosen = images.loc[[one[place] for one in self.said]].reset_index(drop=True)
            sides.append(chosen.rename(columns={"image_id": "imageId"}).add_prefix(f"{side}."))
        annotations = pd.concat(sides, axis=1).assign(rank=[one[2] for one in self.said], comment="")
        write_table(self.folder / "annotations.csv", annotations)
        write_json(
            self.folder / "station.json", {"id": 29, "name": "West Brook 0", "timezone": self.timezone}
        )
        record = {"dataset_code": "DATA", "variable_id": "FLOW_CFS", "storage": self.prefix}
        write_json(self.folder / "rank-dataset.json", record)

    def run(self, *options, dst=None):
        dst = dst or self.folder.parent / "input"
        ended = call("rank_input", "--src", self.folder, "--dst", dst, *options)
        return ended, dst

    def input(self, *options, dst=None):
        ended, dst = self.run(*options, dst=dst)
        assert ended.code == 0, ended.err
        return dst


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "dataset")


def table(folder, name):
    return pd.read_csv(folder / f"{name}.csv")


def record(folder):
    return json.loads((folder / "rank-input.json").read_text())


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def train_pairs(folder):
    pairs = table(folder, "pairs")
    return set(pairs[pairs["split"] == "train"]["pair"])


def test_the_files_and_columns_in_their_place(made, tmp_path):
    dataset = tmp_path / "root/29/datasets/DATA"
    dataset.parent.mkdir(parents=True)
    made.folder.rename(dataset)
    ended = call("rank_input", "-d", tmp_path / "root", "-s", 29, "-v", "FLOW_CFS", "-D", "DATA", "MODEL")
    assert ended.code == 0, ended.err
    folder = tmp_path / "root/29/models/MODEL/input"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    one, two = (
        [f"{name}_{side}" for name in ("image_id", "timestamp", "filename", "value")] for side in (1, 2)
    )
    assert list(table(folder, "pairs")) == ["split", "pair", *one, *two, "label"]
    columns = ["split", "image_id", "timestamp", "filename", "url", "value"]
    assert list(table(folder, "images")) == columns
    assert set(ANNOTATED) <= set(table(folder, "annotations"))
    assert record(folder)["model_code"] == "MODEL"
    assert record(folder)["pairs"]["splits"] == {"train": 120, "val": 30}
    assert record(folder)["args"]["annotations_end"] is None


def test_a_home_that_no_shell_has_put_in_place(made, tmp_path, monkeypatch):
    """As in --directory=~/data/fpe."""
    monkeypatch.setenv("HOME", str(tmp_path))
    dataset = tmp_path / "root/29/datasets/DATA"
    dataset.parent.mkdir(parents=True)
    made.folder.rename(dataset)
    monkeypatch.chdir(dataset)
    ended = call("rank_input", "--directory=~/root", "-s", 29, "-D", "DATA", "MODEL")
    assert ended.code == 0, ended.err
    assert (tmp_path / "root/29/models/MODEL/input/pairs.csv").is_file()
    ended = call("rank_input", "--src=~/root/29/datasets/DATA", "--dst=~/input")
    assert ended.code == 0, ended.err
    assert (tmp_path / "input/pairs.csv").is_file()


def test_every_pair_stands_reversed_with_its_label_negated(tmp_path):
    ranks = ["LEFT", "RIGHT", "SAME", "UNKNOWN"] * 50
    said = [(2 * number % 300, 2 * number % 300 + 1, rank) for number, rank in enumerate(ranks)]
    pairs = table(Made(tmp_path / "dataset", said).input(), "pairs")
    first, second = pairs[::2].reset_index(drop=True), pairs[1::2].reset_index(drop=True)
    assert len(first) == len(second) == 150  # UNKNOWN is no pair
    assert list(first["label"][:6]) == [1, -1, 0, 1, -1, 0]
    assert (first["label"] == -second["label"]).all()
    for name in ("image_id", "timestamp", "filename", "value"):
        assert (first[f"{name}_1"] == second[f"{name}_2"]).all()
        assert (first[f"{name}_2"] == second[f"{name}_1"]).all()
    assert (first["split"] == second["split"]).all()


def test_an_image_compared_with_itself_teaches_nothing(tmp_path):
    said = [(2 * number, 2 * number + 1, "SAME") for number in range(150)] + [(301, 301, "SAME")] * 40
    assert record(Made(tmp_path / "dataset", said).input())["pairs"]["count"] == 150


def test_the_manifest_has_a_prefix_and_the_keys_of_the_images_in_pairs(made):
    listed = json.loads((made.input() / "manifest.json").read_text())
    assert listed[0] == {"prefix": "s3://a-bucket/fpe/"}
    assert set(listed[1:]) == {f"imagesets/set/images/West Brook 0__{number}(1).JPG" for number in range(300)}
    assert len(listed) == 301


def test_images_are_train_val_or_inside_or_outside_the_annotated_dates(tmp_path):
    said = [(20 + 2 * number, 21 + 2 * number, "LEFT") for number in range(125)]
    said = [pair for pair in said if 100 not in pair]  # day 100 is not annotated, 20 to 269 are
    made = Made(tmp_path / "dataset", said)
    images = table(made.input("-t", 0.85), "images").set_index("image_id")["split"]
    assert list(images[images == "test-in"].index) == [100, 101]
    assert list(images[images == "test-out"].index) == [*range(20), *range(270, 320)]
    pairs = table(made.folder.parent / "input", "pairs")
    for split in ("train", "val"):
        assert set(images[images == split].index) == set(pairs[pairs["split"] == split]["image_id_1"])


def test_options_set_the_annotated_dates(made):
    images = table(made.input("--annotations-end", "2023-11-30"), "images").set_index("image_id")["split"]
    last = (date(2023, 11, 30) - date(2023, 3, 1)).days
    assert "test-out" not in set(images[: last + 1])
    assert set(images[last + 1 :]) == {"test-out"}


def test_the_seed_reaches_the_split(made, tmp_path):
    first = made.input("--seed", 1, dst=tmp_path / "1")
    again = made.input("--seed", 1, dst=tmp_path / "again")
    other = made.input("--seed", 2, dst=tmp_path / "2")
    assert contents(first) == contents(again)
    assert train_pairs(first) != train_pairs(other)


def test_one_component_is_split_at_random_with_a_warning(tmp_path):
    made = Made(tmp_path / "dataset", [(0, leaf, "LEFT") for leaf in range(1, 201)])
    ended, folder = made.run()
    assert ended.code == 0
    assert ended.err.startswith("warning: ")
    assert "1 images are in both" in ended.err
    assert record(folder)["pairs"]["leaked_images"] == 1
    assert record(folder)["pairs"]["splits"] == {"train": 160, "val": 40}
    assert table(folder, "images").set_index("image_id")["split"][0] == "train"


def test_at_most_so_many_annotations(made, tmp_path):
    some = made.input("--annotations-max-n", 130, "--train-frac", 0.85)
    assert len(table(some, "annotations")) == 130
    assert len(table(some, "pairs")) == 260


def utc(*texts):
    return pd.Series(pd.to_datetime(list(texts), utc=True, format="ISO8601"))


def test_hours_are_of_the_clock_on_the_wall_across_daylight_saving():
    times = utc(
        "2023-01-10T11:59:59Z", "2023-01-10T12:00Z",  # 6:59:59 and 7:00 in winter
        "2023-01-10T23:59:59Z", "2023-01-11T00:00Z",  # 18:59:59 and 19:00
        "2023-03-11T11:30Z", "2023-03-12T11:30Z",  # 6:30, and 7:30 on the day the clocks go forward
        "2023-11-04T11:30Z", "2023-11-05T11:30Z",  # 7:30, and 6:30 on the day they go back
        "2023-07-10T22:59:59Z", "2023-07-10T23:00Z",  # 18:59:59 and 19:00 in summer
    )  # fmt: skip
    assert list(within(times, Window(), zone(EASTERN))) == [False, True] + [True, False] + [
        False, True, True, False, True, False,
    ]  # fmt: skip


def test_months_and_dates_are_local():
    times = utc("2023-02-01T03:00Z", "2023-02-01T06:00Z")  # 22:00 on 31 January, 1:00 on 1 February
    all_day = {"min_hour": 0, "max_hour": 23}
    assert list(within(times, Window(**all_day, max_month=1), zone(EASTERN))) == [True, False]
    assert list(between_dates(times, date(2023, 2, 1), None, zone(EASTERN))) == [False, True]
    assert list(between_dates(times, None, date(2023, 1, 31), zone(EASTERN))) == [True, False]


def test_agrees_with_the_clock_of_python_in_every_hour_of_a_year():
    times = pd.Series(pd.date_range("2023-01-01", "2024-01-01", freq="h", tz="UTC"))
    for name in ("US/Pacific", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe"):
        window = Window(min_hour=7, max_hour=18, min_month=3, max_month=11)
        local = [time.to_pydatetime().astimezone(ZoneInfo(name)) for time in times]
        expected = [7 <= time.hour <= 18 and 3 <= time.month <= 11 for time in local]
        assert list(within(times, window, zone(name))) == expected


def test_images_outside_the_hours_are_no_images_and_their_pairs_none(tmp_path):
    """The night's are of 3:00 or 4:00, 8:00 UTC: whoever takes the one for the other keeps them."""
    times = pd.concat([noons(320), noons(40) - pd.Timedelta(hours=8)], ignore_index=True)
    said = [(2 * number, 2 * number + 1, "LEFT") for number in range(150)] + [(310, 330, "LEFT")]
    made = Made(tmp_path / "dataset", said, times)
    assert record(made.input(dst=tmp_path / "day"))["images"]["count"] == 320
    assert record(tmp_path / "day")["pairs"]["count"] == 150
    night = made.input("--min_hour=0", "--max_hour=23", dst=tmp_path / "all")
    assert record(night)["images"]["count"] == 360
    assert record(night)["pairs"]["count"] == 151


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--annotations-max-n", 120), ("96 pairs to train", "24", "100")),
        (("--train-frac", 0.95), ("to validate", "10")),
        (("--images-start", "2030-01-01"), ("no annotation",)),
        (("--min-hour", 12, "--max-hour", 8), ("min-hour 12",)),
        (("--min-month", 0), ("min-month",)),
        (("--train-frac", 1), ("train-frac",)),
        (("--images-end", "soon"), ("soon",)),
        (("-v", "STAGE_FT"), ("FLOW_CFS", "STAGE_FT")),
    ],
)
def test_what_is_refused_leaves_nothing(made, options, words):
    ended, folder = made.run(*options)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err
    assert not folder.exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("images.csv", None, ("images.csv",)),
        ("images.csv", "", ("images.csv",)),
        ("images.csv", "image_id,timestamp\n1,2023-01-01\n", ("images.csv", "'filename'")),
        ("images.csv", "image_id,timestamp,filename,url,value\n1,noon,a,b,1\n", ("images.csv", "timestamp")),
        ("annotations.csv", "x\n1\n", ("annotations.csv", "left.imageId")),
        ("station.json", "{", ("station.json",)),
        ("rank-dataset.json", "{}", ("rank-dataset.json", "storage")),
    ],
)
def test_a_dataset_that_cannot_be_used_is_named(made, name, text, words):
    (made.folder / name).unlink()
    if text is not None:
        (made.folder / name).write_text(text)
    ended, folder = made.run()
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    for word in words:
        assert word in ended.err
    assert not folder.exists()


def test_an_existing_input_stays_unless_it_may_be_overwritten(made):
    folder = made.input()
    before = contents(folder)
    assert made.run("--seed", 5)[0].code == 2
    assert contents(folder) == before
    made.input("-o", "--seed", 5)
    assert contents(folder) != before


def test_a_zone_that_is_not_known_is_refused():
    for name in ("Mars/Olympus", "", None, "America", "../etc/passwd"):
        with pytest.raises(BadInput, match="time zone"):
            zone(name)
