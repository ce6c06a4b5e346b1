"""Made-up scenes on disk: the layout users have, the same bytes each time, slicks where they are meant."""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Geod
from scipy.ndimage import binary_dilation
from shapely.geometry import shape as geometry_of

from pipelines.cerulean import georeference, layers, made_scenes, scenes
from pipelines.cerulean.classes import IDS, NAMES
from tests.pipelines.programs import caller

call = caller("pipelines.cerulean")
SIZE = (384, 512)
VESSELS = {IDS[name] for name in NAMES if name.endswith("_vessel")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made up") / "data"
    assert call("generate", f"--dst={path}", "--scenes=4", "--size=512x384").code == 0
    return path


@pytest.fixture(scope="module")
def made(folder: Path) -> list[scenes.Scene]:
    return scenes.read_list(folder / "scenes.txt")


@pytest.fixture(scope="module")
def slicks(made: list[scenes.Scene]) -> list[tuple[scenes.Scene, int, np.ndarray]]:
    """Scene, class and pixels of every layer."""
    return [(one, *layers.read_layer(path, SIZE)) for one in made for path in one.layers]


def tree(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def degrees(folder: Path, name: str) -> list[dict]:
    features = json.loads((folder / "aux" / name).read_text())["features"]
    return [feature["geometry"] for feature in features]


def metres(lon: np.ndarray, lat: np.ndarray, point: tuple[float, float]) -> np.ndarray:
    there = np.full_like(lon, point[0]), np.full_like(lat, point[1])
    return np.asarray(Geod(ellps="WGS84").inv(lon, lat, *there)[2])


def test_the_same_options_give_the_same_bytes_and_another_seed_others(tmp_path):
    options = ("--scenes=2", "--size=256x160")
    assert call("generate", f"--dst={tmp_path / 'one'}", *options).code == 0
    again = [sys.executable, "-m", "pipelines.cerulean.generate", f"--dst={tmp_path / 'two'}", *options]
    assert (
        subprocess.run(again, env={**os.environ, "PYTHONHASHSEED": "1"}, capture_output=True).returncode == 0
    )
    names = tree(tmp_path / "one")
    assert names == tree(tmp_path / "two") and len(names) > 8
    assert filecmp.cmpfiles(tmp_path / "one", tmp_path / "two", names, shallow=False)[1:] == ([], [])
    assert call("generate", f"--dst={tmp_path / 'three'}", *options, "--seed=1").code == 0
    assert not set(names) & set(tree(tmp_path / "three")) - {
        "scenes.txt", "aux/infrastructure.geojson", "aux/land.geojson", "aux/ship_density.tif"
    }  # fmt: skip


def test_the_layout_is_the_one_that_users_have(folder, made):
    assert len(made) == 4 and sorted(one.id for one in made) == [one.id for one in made]
    for one in made:
        with rasterio.open(one.background) as file:
            assert (file.count, file.dtypes[0], file.shape) == (1, "uint8", SIZE)
            points, crs = file.gcps
        assert len(points) == 210 and crs.to_epsg() == 4326
        assert {path.suffix for path in one.folder.iterdir()} == {".png", ".xml"}
        assert len(one.layers) >= 5
    assert sorted(path.name for path in (folder / "aux").iterdir()) == [
        "infrastructure.geojson", "land.geojson", "ship_density.tif"
    ]  # fmt: skip


def test_every_class_is_there_and_its_layers_do_not_overlap(made, slicks):
    assert {number for _, number, _ in slicks} == set(range(1, len(NAMES)))
    for path, (_, number, mask) in zip((path for one in made for path in one.layers), slicks, strict=True):
        assert path.name.startswith(NAMES[number]) and mask.sum() >= 20
        alpha = np.asarray(Image.open(path).convert("RGBA"))[..., 3]
        assert set(np.unique(alpha)) == {0, 255} and ((alpha == 255) == mask).all()
    for one in made:
        covered = np.sum([mask for scene, _, mask in slicks if scene == one], axis=0)
        assert covered.max() == 1


def test_a_slick_is_darker_than_the_water_around_it_and_lies_in_data(made, slicks):
    for one, _, mask in slicks:
        picture = scenes.read_background(one).astype(float)
        ring = binary_dilation(mask, iterations=8) & ~binary_dilation(mask, iterations=4)
        assert (picture[mask] > 0).all() and np.median(picture[mask]) < np.median(picture[ring]) - 15
    empty = [np.mean(scenes.read_background(one) == 0) for one in made]
    assert sorted(round(share, 2) > 0.01 for share in empty) == [False, False, False, True]


def test_what_infrastructure_leaves_begins_at_it_and_vessels_keep_away(folder, slicks):
    """By geodesics between degrees, not by the pixels in which the scene was drawn."""
    points = [geometry["coordinates"] for geometry in degrees(folder, "infrastructure.geojson")]
    read = {one: georeference.read(one.background) for one, _, _ in slicks}
    beginnings = []
    for one, number, mask in slicks:
        lon, lat = read[one].to_lonlat(*(side + 0.5 for side in np.nonzero(mask)))
        away = min(metres(lon, lat, point).min() for point in points)
        if number == IDS["infra_slick"]:
            beginnings.append(away)
        elif number in VESSELS:
            assert away > 8_600
    assert len(beginnings) >= 4 and max(beginnings) < 350  # metres, of pixels of 80


def test_nothing_is_annotated_on_land_or_next_to_it(folder, slicks):
    rings = [geometry_of(geometry).exterior for geometry in degrees(folder, "land.geojson")]
    assert len(rings) == 1
    ((lon, lat),) = ([np.array(side) for side in ring.coords.xy] for ring in rings)
    near = 0
    for one, _, mask in slicks:
        rows, cols = georeference.read(one.background).from_lonlat(lon, lat)
        if not ((rows > 0) & (rows < SIZE[0]) & (cols > 0) & (cols < SIZE[1])).any():
            continue
        near += 1
        inside = np.argwhere(mask) + 0.5
        edge = np.column_stack([rows, cols])[np.isfinite(rows)]
        assert np.hypot(*(inside[:, None] - edge[None]).T).min() > 12  # pixels of 80 m: no slick within 1 km
    assert near >= 4


def test_a_swath_is_bent_so_that_an_affine_fit_is_off(made):
    for one in made:
        affine = georeference.read(one.background, "affine").residuals_m
        bent = georeference.read(one.background, "polynomial").residuals_m
        assert affine[0] > 4 * bent[0] and affine[0] > 80  # metres, of pixels of 80
        assert 2 < bent[0] < bent[1] < 80


def test_ships_are_dense_where_vessels_left_slicks_in_that_month(folder, slicks):
    own, other = [], []
    with rasterio.open(folder / "aux" / "ship_density.tif") as file:
        assert (file.count, file.crs.to_epsg()) == (12, 4326)
        values = file.read()
        assert values.min() >= 0 and values.max() <= 100
        for one, number, mask in slicks:
            if number in VESSELS:
                read = georeference.read(one.background)
                lon, lat = read.to_lonlat(*(side + 0.5 for side in np.argwhere(mask)[0]))
                row, col = file.index(float(lon), float(lat))
                own.append(values[one.month - 1, row, col])
                other.append(values[one.month % 12, row, col])
    assert np.mean(own) > np.mean(other) + 15


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--size=big"], "WIDTHxHEIGHT"),
        (["--size=512x64"], "side of 64"),
        (["--size=9000x512"], "side of 9000"),
        (["--scenes=0"], "scenes"),
        (["--scenes=200", "--size=4096x4096"], "find no room"),
        (["--seed=-1"], "seed"),
    ],
)
def test_bad_options_are_one_line_and_write_nothing(tmp_path, options, says):
    ended = call("generate", f"--dst={tmp_path / 'data'}", *options)
    assert ended.code == 2 and says in ended.err
    assert ended.err.startswith("error: ") and ended.err.count("\n") == 1
    assert not (tmp_path / "data").exists()


def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "data").write_text("mine")
    ended = call("generate", f"--dst={tmp_path / 'data'}", "--scenes=1")
    assert ended.code == 2 and "is a file" in ended.err and (tmp_path / "data").read_text() == "mine"


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch):
    real, calls = made_scenes.make, []

    def stopped(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(made_scenes, "make", stopped)
    assert call("generate", f"--dst={tmp_path / 'data'}", "--scenes=3", "--size=256x160").code == 130
    assert list(tmp_path.iterdir()) == []
