"""The generated stations: the same every time, in the seed's layout, their water where the flow has it."""

import csv
import filecmp
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError
from scipy.stats import kendalltau

from pipelines.fpe import hydrograph, people, scene, seed_tree, weather
from pipelines.fpe.scene import Scene, Shot
from pipelines.fpe.weather import Sky

pytestmark = pytest.mark.xdist_group("generated streams")

NOON = Sky(sun=45, phase=0.5, snow=0, ice=0, fog=0, rain=0, cloud=0.3)
MIDNIGHT = Sky(sun=-30, phase=0.5, snow=0, ice=0, fog=0, rain=0, cloud=0.3)


def program(*arguments: object, seed: str = "0") -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipelines.fpe.generate", *map(str, arguments)],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """Two stations of 40 days across the end of daylight saving time, one of them without observations."""
    path = tmp_path_factory.mktemp("data") / "seed data"
    options = ("--start=2022-10-10", "--days=40", "--size=96x72", "--damaged=3", "--unobserved=1")
    done = program("--dst", path, *options)
    assert (done.returncode, done.stdout) == (0, f"wrote {path / 'variables.json'}\n"), done.stderr
    return path


@pytest.fixture(scope="module")
def station(tree) -> Path:
    return tree / "users" / seed_tree.USER / "stations" / "WESTB0"


@pytest.fixture(scope="module")
def truth(tree) -> list[dict[str, str]]:
    with (tree / "truth" / "WESTB0.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def rows_of(station: Path) -> list[dict]:
    rows = [
        row
        for path in (station / "db" / "imagesets").glob("*/images.json")
        for row in json.loads(path.read_text())
    ]
    return sorted(rows, key=lambda row: row["id"])


def test_the_same_options_give_the_same_bytes(tmp_path):
    for name, seed in (("one", "1"), ("two", "2")):
        assert program("--dst", tmp_path / name, "--days=2", "--size=64x48", seed=seed).returncode == 0
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) > 2 * 2 * 24
    assert not any(filecmp.cmpfiles(tmp_path / "one", tmp_path / "two", files, shallow=False)[1:])
    assert program("--dst", tmp_path / "other", "--days=2", "--size=64x48", "--seed=7").returncode == 0
    assert filecmp.cmpfiles(tmp_path / "one", tmp_path / "other", ["truth/WESTB0.csv"], shallow=False)[1]


def test_the_tree_is_the_seeds(tree, station):
    assert {one["id"] for one in json.loads((tree / "variables.json").read_text())} >= {
        "FLOW_CFS",
        "STAGE_FT",
    }
    assert json.loads((tree / "modelTypes.json").read_text()) == [{"id": "RANK", "name": "RankNet Model"}]
    user = json.loads((tree / "users" / seed_tree.USER / "user.json").read_text())
    assert user["id"] == seed_tree.USER
    about = json.loads((station / "db" / "station.json").read_text())
    assert (about["name"], about["timezone"], about["nwis_id"]) == ("West Brook 0", "America/New_York", None)
    for path in (station / "db" / "imagesets").glob("*/imageset.json"):
        imageset = json.loads(path.read_text())
        stored = station / "storage" / "imagesets" / path.parent.name
        names = {row["filename"] for row in json.loads((path.parent / "images.json").read_text())}
        assert (imageset["uuid"], imageset["n_images"]) == (path.parent.name, len(names))
        assert names == {image.name for image in (stored / "images").iterdir()}
        assert names == {image.name for image in (stored / "thumbs").iterdir()}
        assert names == {row["filename"] for row in json.loads((stored / "pii.json").read_text())}


def test_every_image_row_points_to_its_file(station):
    rows = rows_of(station)
    assert len(rows) == len({row["id"] for row in rows}) == 40 * 12
    for row in rows:
        assert row["full_s3"]["Bucket"] == "{STORAGE_BUCKET}"
        assert (station / "storage" / row["full_s3"]["Key"]).is_file()
        assert row["full_url"] == "https://{STORAGE_BUCKET}.s3.amazonaws.com/" + row["full_s3"]["Key"]


def test_image_ids_are_of_one_station_only(tree):
    stations = sorted((tree / "users" / seed_tree.USER / "stations").iterdir())
    ids = [{row["id"] for row in rows_of(one)} for one in stations]
    assert len(ids) == 2 and not ids[0] & ids[1]


def test_names_have_the_stations_local_time(station):
    for row in rows_of(station):
        taken = datetime.fromisoformat(row["timestamp"]).astimezone(ZoneInfo("America/New_York"))
        assert row["filename"].startswith(f"West Brook 0__{taken:%Y-%m-%d__%H-%M-%S}(")


def test_the_hour_that_comes_twice_has_two_names():
    place = seed_tree.station(0)
    twice = [datetime.fromisoformat(f"2022-11-06T{hour}:30:00+00:00").timestamp() for hour in ("05", "06")]
    assert seed_tree.filenames(place, twice) == [
        f"West Brook 0__2022-11-06__01-30-00({number}).JPG" for number in (1, 2)
    ]


def test_damaged_images_cannot_be_read_or_are_grey(station, truth):
    files = {path.name: path for path in (station / "storage").glob("imagesets/*/images/*.JPG")}
    damaged = {row["damage"]: files[row["filename"]] for row in truth if row["damage"]}
    assert set(damaged) == {"EMPTY", "TRUNCATED", "GREY"}
    with pytest.raises(UnidentifiedImageError):
        Image.open(damaged["EMPTY"])
    with pytest.raises(OSError, match="(?i)truncated"):
        Image.open(damaged["TRUNCATED"]).load()
    assert np.ptp(np.asarray(Image.open(damaged["GREY"]))) == 0


def test_images_with_people_are_found_by_their_pii(station, truth):
    people_in = {row["filename"] for row in truth if row["person"] == "1"}
    assert people_in == {row["filename"] for row in rows_of(station) if row["pii_person"] >= 0.2}


def test_annotations_name_images_of_their_station_and_sheets_share_none(station):
    rows, known = json.loads((station / "db" / "annotations.json").read_text()), rows_of(station)
    ids = {row["id"] for row in known}
    shown: Counter[int] = Counter()
    ranks: Counter[str] = Counter()
    for row in rows:
        answers = json.loads((station / "storage" / row["s3"]["Key"]).read_text())
        assert len(answers) == row["n"] > 0 and row["variable"] == "FLOW_CFS"
        shown.update({answer[side]["imageId"] for answer in answers for side in ("left", "right")})
        ranks.update(answer["rank"] for answer in answers)
    assert set(shown) <= ids and max(shown.values()) == 1
    assert set(ranks) == {"LEFT", "RIGHT", "SAME", "UNKNOWN"}
    assert 0.7 < ranks["LEFT"] / ranks["RIGHT"] < 1.4


def test_people_err_more_the_smaller_the_difference():
    rng, person = np.random.default_rng(0), people.Person(error=0.2)

    def right_answers(ratio: float) -> float:
        more, less = (people.Seen(number, flow, 40, 0, 0) for number, flow in ((1, 10 * ratio), (2, 10.0)))
        return float(np.mean([person.answer(rng, more, less)["rank"] == "LEFT" for _ in range(500)]))

    shares = [right_answers(ratio) for ratio in (1.0, 1.15, 1.4, 4.0)]
    assert shares == sorted(shares) and shares[0] < 0.4 and 0.95 < shares[-1] < 1


@pytest.mark.parametrize(
    ("seen", "attributes"),
    [
        (people.Seen(1, 9, 40, fog=0.9, ice=0), ["BAD"]),
        (people.Seen(1, 9, 40, fog=0, ice=0.8), ["ICE"]),
        (people.Seen(1, 9, 40, fog=0, ice=0, damaged=True), ["BAD"]),
    ],
)
def test_what_cannot_be_judged_is_unknown_and_says_why(seen, attributes):
    answer = people.Person(0.1).answer(np.random.default_rng(0), seen, people.Seen(2, 20, 40, 0, 0))
    assert (answer["rank"], answer["left"]["attributes"]) == ("UNKNOWN", attributes)
    assert answer["right"]["attributes"] == []


def test_observations_have_gaps_and_lie_near_the_flow(tree, station, truth):
    (series,) = (station / "db" / "datasets").glob("*/series/FLOW_CFS.json")
    values = [row for row in json.loads(series.read_text()) if "value" in row]
    times = np.array([datetime.fromisoformat(row["timestamp"]).timestamp() for row in values])
    assert (np.diff(times) >= 0).all() and np.diff(times).max() > 65 * 60 and (np.diff(times) == 0).any()
    taken = np.array([datetime.fromisoformat(row["timestamp"]).timestamp() for row in truth])
    seen = np.interp(taken, times, [row["value"] for row in values])
    ratio = seen / np.array([float(row["flow"]) for row in truth])
    assert np.median(np.abs(ratio - 1)) < 0.05
    other = tree / "users" / seed_tree.USER / "stations" / "DRYCR0"
    assert other.is_dir() and not (other / "db" / "datasets").exists()


@given(flow=st.floats(0.1, 250), more=st.floats(1.001, 3))
def test_more_flow_stands_higher(flow, more):
    low, high = hydrograph.stage(np.array([flow, flow * more]))
    assert 0 < low < high


def test_a_storm_rises_to_its_peak_and_recedes_by_e_in_its_time():
    storm = hydrograph.Storm(start=1000, rise=600, peak=50, recession=7200)
    assert storm.flow(np.array([999.0, 1300, 1600, 8800])) == pytest.approx([0, 25, 50, 50 / np.e])


@pytest.mark.parametrize("phase", [0.1, 0.75])
def test_the_last_weeks_have_storms_but_none_beyond_what_was_seen_before(phase):
    """Or there would be nothing to rank in the days after the last answer, or nothing to learn it from."""
    curves = [hydrograph.hydrograph(np.random.default_rng(seed), 0.0, 60, phase).flow for seed in range(30)]
    parts = [np.split(flow, [3 * len(flow) // 4]) for flow in curves]
    assert min(np.log(after).std() for _, after in parts) > 0.3
    beyond = [(after > 1.15 * before.max()).mean() for before, after in parts]
    assert np.mean(beyond) < 0.01 and max(beyond) < 0.1


@pytest.mark.parametrize(
    ("when", "latitude", "longitude", "height"),
    [  # 90 - latitude + declination at solar noon: the equinox, and the solstice at the tropic and the circle
        ("2024-03-20T12:07:00+00:00", 0, 0, 90),
        ("2024-06-20T12:02:00+00:00", 23.44, 0, 90),
        ("2024-12-21T11:58:00+00:00", 66.56, 0, 0),
        ("2024-06-21T00:02:00+00:00", 66.56, 0, 0),
    ],
)
def test_the_sun_stands_where_astronomy_has_it(when, latitude, longitude, height):
    time = np.array(datetime.fromisoformat(when).timestamp())
    assert float(weather.sun_elevation(time, latitude, longitude)) == pytest.approx(height, abs=0.6)


def test_the_south_has_its_summer_in_january():
    january = np.array([datetime.fromisoformat("2023-01-15T00:00:00+00:00").timestamp()])
    north, south = (weather.season(january, latitude)[0] for latitude in (40, -40))
    assert np.cos(2 * np.pi * north) > 0.99 and np.cos(2 * np.pi * south) < -0.99


@pytest.mark.parametrize("seed", range(4))
def test_rising_water_drowns_ground_and_rocks(seed):
    stream = Scene(160, 120, (seed,))
    wide = [(stream.elevation < stage).mean() for stage in (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)]
    assert all(np.diff(wide) > 0.03)
    dry_rocks = [(stream.rock & (stream.elevation >= stage)).sum() for stage in (0.05, 0.4, 1.0)]
    assert dry_rocks[0] > dry_rocks[1] > dry_rocks[2] == 0


def test_pictures_change_only_where_the_water_rises():
    stream = Scene(160, 120, (3,))
    low, high = (stream.render(Shot(stage, NOON, (0, 0), (1,))).astype(int) for stage in (0.3, 0.6))
    inside = slice(stream.margin, -stream.margin)
    ground = stream.elevation[inside, inside]
    flooded, dry = (ground > 0.32) & (ground < 0.58), ground > 0.7
    change = np.abs(high - low).mean(axis=-1)
    assert change[flooded].mean() > 25 and change[dry].max() <= 1


def test_nights_are_grey_and_nearly_black():
    stream = Scene(160, 120, (3,))
    night = stream.render(Shot(0.4, MIDNIGHT, (0, 0), (1,))).astype(int)
    assert np.ptp(night, axis=-1).max() == 0 and night.mean() < 40
    assert stream.render(Shot(0.4, NOON, (0, 0), (1,))).mean() > 70


def test_leaves_turn():
    summer, autumn = scene.leaf_colour(0.5), scene.leaf_colour(0.74)
    assert summer[1] > summer[0] and autumn[0] > autumn[1]


def test_daylight_shows_the_flow_and_night_does_not(station, truth):
    """A ridge regression from the pictures' profiles, fitted on even days and judged on odd ones."""
    files = {path.name: path for path in (station / "storage").glob("imagesets/*/images/*.JPG")}
    whole = [row for row in truth if not row["damage"]]
    flow, sun = (np.array([float(row[key]) for row in whole]) for key in ("flow", "sun"))
    day = np.array([int(row["image_id"]) // 12 for row in whole])
    profiles = np.array([_profile(files[row["filename"]]) for row in whole])
    assert _tau(profiles, np.log(flow), day, sun > 5) > 0.8
    assert _tau(profiles, np.log(flow), day, sun < -6) < 0.4


def _profile(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        rows = np.asarray(image.resize((1, 30), Image.Resampling.BOX), dtype=float)[:, 0]
    return (rows / (rows.mean(axis=0) + 2)).ravel()


def _tau(features: np.ndarray, target: np.ndarray, day: np.ndarray, chosen: np.ndarray) -> float:
    fit, judge = chosen & (day % 2 == 0), chosen & (day % 2 == 1)
    scaled = (features - features[fit].mean(axis=0)) / (features[fit].std(axis=0) + 1e-6)
    design = np.column_stack([scaled, np.ones(len(scaled))])
    normal = design[fit].T @ design[fit] + 3 * np.eye(design.shape[1])
    weights = np.linalg.solve(normal, design[fit].T @ target[fit])
    return float(kendalltau(design[judge] @ weights, target[judge]).statistic)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size=12x9"], "12x9"),
        (["--size=wide"], "wide"),
        (["--days=1", "--images-per-day=2", "--damaged=3"], "more than the 2 images"),
        (["--days=0"], "--days"),
        (["--start=yesterday"], "yesterday"),
    ],
)
def test_bad_options_end_with_one_line_and_nothing_written(tmp_path, arguments, message):
    done = program("--dst", tmp_path / "new", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1 and message in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = program("--dst", tmp_path, "--days=1")
    assert done.returncode == 2 and str(tmp_path) in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
