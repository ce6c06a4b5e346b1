"""Nothing near land or nodata: whole programs against distances on a raster, without exclusions.py.

`evaluate` counts with the zones by which `merge` cuts, so that neither can find the other's fault.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from pyproj import Geod
from rasterio.features import rasterize
from scipy import ndimage

from pipelines.cerulean import exclusions
from tests.pipelines.cerulean.merge_cases import Part, call, merge, write_land, write_polygons, write_record
from tests.pipelines.cerulean.scene_folders import write_scene

pytest.importorskip("pycocotools")

HEIGHT, WIDTH = 200, 260
DOWN, RIGHT = 40.0, 50.0  # metres of a pixel
BEYOND, FINE = 30, 2  # pixels around the scene in the raster of truth, which has so many cells along a pixel
CLOSE = 35.0  # metres by which the raster may be off: half a cell, and meridians that draw near
SIDE, STEP = 3, 8  # of the slicks, in pixels
NODATA, LAND = 500.0, 1000.0  # the margins that are the programs' defaults


@dataclass(frozen=True)
class Earth:
    """A scene of straight sides whose upper left corner lies at lon and lat; its rows may run northwards."""

    lon: float
    lat: float
    south: bool = True

    @cached_property
    def degrees(self) -> tuple[float, float]:
        """Of a pixel, right and down."""
        sign = -1 if self.south else 1
        middle = self.lat + sign * HEIGHT / 2 * DOWN / 111_200
        geod = Geod(ellps="WGS84")
        right = geod.inv(self.lon, middle, self.lon + 0.01, middle)[2] / 0.01
        down = geod.inv(self.lon, middle - 0.01, self.lon, middle + 0.01)[2] / 0.02
        return RIGHT / right, sign * DOWN / down

    def place(self, row: float, col: float) -> tuple[float, float]:
        right, down = self.degrees
        return self.lon + right * col, self.lat + down * row

    def on_earth(self, shape: shapely.Geometry) -> shapely.Geometry:
        """From pixels (x the column), as files of land have it: parted at the antimeridian, none beyond."""
        right, down = self.degrees
        moved = shapely.transform(shape, lambda p: p * (right, down) + (self.lon, self.lat))
        turns = [
            shapely.transform(moved.intersection(shapely.box(-180 + turn, -90, 180 + turn, 90)),
                              lambda p, turn=turn: p - (turn, 0))
            for turn in (-360, 0, 360)
        ]  # fmt: skip
        return shapely.union_all([one for one in turns if not one.is_empty])

    def in_pixels(self, shape: shapely.Geometry) -> shapely.Geometry:
        right, down = self.degrees

        def back(points: np.ndarray) -> np.ndarray:
            turned = (points[:, 0] - self.lon + 180) % 360 - 180
            return np.column_stack([turned / right, (points[:, 1] - self.lat) / down])

        return shapely.transform(shape, back)


EARTHS = {
    "north": Earth(4.0, 54.0), "south": Earth(145.0, -38.0), "antimeridian": Earth(179.95, -17.0),
    "before it": Earth(-180.05, 60.0), "northwards": Earth(-60.0, 11.0, south=False),
}  # fmt: skip
COAST = shapely.Polygon([(WIDTH - 30, -20), (WIDTH + 25, -25), (WIDTH + 25, 70), (WIDTH - 10, 50)])
ATOLL = shapely.Point(150, 120).buffer(50).difference(shapely.Point(150, 120).buffer(44))  # a lagoon inside
BESIDE = shapely.box(40, HEIGHT + 10, 90, HEIGHT + 25)  # no land of the scene, but near it


def picture() -> np.ndarray:
    """A slanted border of nodata that begins as narrow as a pixel, a hole in the sea, and dark speckle."""
    rows, cols = np.indices((HEIGHT, WIDTH))
    pixels = np.random.default_rng(0).integers(1, 255, rows.shape, np.uint8)
    pixels[5::31, 60::29] = 0
    pixels[cols <= rows // 10] = 0
    pixels[20:30, 120:128] = 0
    return pixels


def finely(mask: np.ndarray) -> np.ndarray:
    return np.pad(np.kron(mask, np.ones((FINE, FINE), bool)), BEYOND * FINE)


def finely_drawn(shapes: list[shapely.Geometry], shape: tuple[int, ...]) -> np.ndarray:
    moved = [shapely.transform(one, lambda points: (points + BEYOND) * FINE) for one in shapes]
    return rasterize(moved, shape).astype(bool)


def lons(feature: dict[str, Any]) -> list[float]:
    return [float(lon) for lon, _ in shapely.get_coordinates(shapely.geometry.shape(feature["geometry"]))]


@pytest.fixture(scope="module")
def metres() -> dict[str, np.ndarray]:
    """How far every cell is from nodata, and from land."""
    rows, cols = np.indices((HEIGHT, WIDTH))
    empty = cols <= rows // 10
    empty[20:30, 120:128] = True
    shape = ((HEIGHT + 2 * BEYOND) * FINE, (WIDTH + 2 * BEYOND) * FINE)
    land = finely_drawn([COAST, ATOLL, BESIDE], shape)
    cell = (DOWN / FINE, RIGHT / FINE)
    return {
        name: ndimage.distance_transform_edt(~mask, sampling=cell)
        for name, mask in (("nodata", finely(empty)), ("land", land))
    }


def slicks() -> list[shapely.Polygon]:
    return [
        shapely.box(col, row, col + SIDE, row + SIDE)
        for row in range(0, HEIGHT - SIDE + 1, STEP)
        for col in range(0, WIDTH - SIDE + 1, STEP)
    ]


def cells(far: np.ndarray, slick: shapely.Polygon) -> np.ndarray:
    left, top, right, bottom = (int(one + BEYOND) * FINE for one in slick.bounds)
    return far[top:bottom, left:right]


@pytest.fixture(params=EARTHS)
def earth(request: pytest.FixtureRequest) -> Earth:
    return EARTHS[request.param]


@pytest.fixture
def scene(tmp_path: Path, earth: Earth) -> Path:
    write_land(tmp_path / "aux", *(earth.on_earth(one) for one in (COAST, ATOLL, BESIDE)))
    return write_scene(tmp_path, picture(), place=earth.place)


@pytest.mark.parametrize(
    ("earth", "ratio"), [*((name, 1) for name in EARTHS), ("south", 3)], indirect=["earth"]
)
def test_merge_leaves_what_is_far_enough_and_nothing_else(
    tmp_path: Path, earth: Earth, scene: Path, metres: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch, ratio: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(exclusions, "CELLS", WIDTH // ratio)
    polygons = write_polygons(tmp_path / "post", {scene: [Part(one) for one in slicks()]})
    options = ("--join_distance=0", "--closing=0", f"--aux={tmp_path / 'aux'}")
    record, found = merge(polygons, *options)
    shapes = [earth.in_pixels(shapely.geometry.shape(one["geometry"])) for one in found[scene.name]]
    assert all(-180 <= one <= 180 for shape in found[scene.name] for one in lons(shape))
    drawn = finely_drawn(shapes, metres["land"].shape)
    assert not (drawn & ((metres["nodata"] < NODATA - CLOSE) | (metres["land"] < LAND - CLOSE))).any()
    more = CLOSE + (ratio - 1) * np.hypot(DOWN, RIGHT)  # nodata is drawn in whole squares
    far = (metres["nodata"] > NODATA + more) & (metres["land"] > LAND + CLOSE)
    whole = [one for one in slicks() if cells(far, one).all()]
    assert 100 < len(whole) < len(slicks()) / 2  # the scene does provoke both
    assert all(cells(drawn, one).all() for one in whole)
    assert record["counts"]["nodata"] > 20 and record["counts"]["land"] > 100
    assert record["counts"]["outside"] == 0


def test_evaluate_counts_what_is_too_near(
    tmp_path: Path, earth: Earth, scene: Path, metres: dict[str, np.ndarray]
) -> None:
    margins = {"nodata": NODATA, "land": LAND}

    def clear(one: shapely.Polygon) -> bool:
        return all((abs(cells(metres[name], one).min() - margin) > CLOSE) for name, margin in margins.items())

    some = [one for one in slicks() if clear(one)]
    beyond = [shapely.box(200, HEIGHT - 2, 203, HEIGHT + 1), shapely.box(160, HEIGHT + 5, 163, HEIGHT + 8)]
    write_record(tmp_path / "merged/merge.json", [scene])
    features = [
        {"type": "Feature", "geometry": shapely.geometry.mapping(earth.on_earth(one)),
         "pixels": shapely.geometry.mapping(one), "properties": {"class": "infra_slick", "score": 0.5}}
        for one in (*some, *beyond)
    ]  # fmt: skip
    text = json.dumps({"type": "FeatureCollection", "features": features})
    (tmp_path / f"merged/{scene.name}.geojson").write_text(text)
    ended = call("evaluate", f"--polygons={tmp_path / 'merged'}", f"--aux={tmp_path / 'aux'}",
                 f"--dst={tmp_path / 'out'}", "--draw=false")  # fmt: skip
    assert ended.code == 0, ended.err
    counts = json.loads((tmp_path / "out/evaluation.json").read_text())["result"]["metrics"]
    near = {
        name: sum(bool(cells(metres[name], one).min() < margin) for one in some)
        for name, margin in margins.items()
    }
    assert (counts["polygons_in_nodata"], counts["polygons_on_land"]) == (near["nodata"], near["land"])
    assert near["nodata"] > 20 and near["land"] > 100
    assert (counts["polygons"], counts["polygons_outside"]) == (len(features), 2)
    assert counts["polygons_duplicated"] == 0
