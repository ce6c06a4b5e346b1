"""Where no slick may be: against masks of pixels, and against geodesic distances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod
from rasterio.features import rasterize
from scipy import ndimage

from pipelines.cerulean import exclusions, georeference
from pipelines.cerulean.exclusions import nodata_outline, zones_of
from pipelines.cerulean.planes import Plane
from pipelines.cerulean.scenes import Scene
from pipelines.errors import BadInput
from tests.pipelines.cerulean.merge_cases import METRES, write_land
from tests.pipelines.cerulean.scene_folders import straight, write_scene

SIZE = (150, 210)
GEOD = Geod(ellps="WGS84")


def sea(size: tuple[int, int] = SIZE) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 255, size, np.uint8)


def plane_of(scene: Scene) -> Plane:
    return Plane.of(georeference.read(scene.background), scene.size())


def drawn(shape: shapely.Geometry, size: tuple[int, int] = SIZE) -> np.ndarray:
    return rasterize([shape], size).astype(bool) if not shape.is_empty else np.zeros(size, bool)


def test_nodata_is_where_the_picture_holds_nothing_but_not_single_dark_pixels(tmp_path: Path) -> None:
    pixels = sea()
    rows, cols = np.indices(SIZE)
    empty = cols < 20 + rows // 8  # a slanted border
    empty[60:70, 100:110] = True  # a hole
    pixels[empty] = 0
    pixels[::11, 90::7] = 0  # speckle
    found = nodata_outline(Scene(write_scene(tmp_path, pixels)))
    empty[::11, 90::7] |= False
    touching = pixels == 0
    assert not (drawn(found) & ~touching).any()
    assert (drawn(found) & ~empty).sum() <= 3  # dark pixels that touch the border belong to it
    assert drawn(found)[empty].all()


def test_in_large_scenes_squares_that_are_nodata_in_part_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exclusions, "CELLS", 50)  # squares of 4 pixels
    pixels = sea()
    pixels[:, :43] = 0
    pixels[101:, :] = 0
    found = drawn(nodata_outline(Scene(write_scene(tmp_path, pixels))))
    assert found[pixels == 0].all()
    assert not found[:92, 52:].any()


@pytest.mark.parametrize("seed", range(4))
def test_squares_of_nodata_are_those_of_the_whole_picture_whatever_the_strips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(exclusions, "STRIP", 5)
    random = np.random.default_rng(seed)
    ratio = int(random.integers(1, 8))
    monkeypatch.setattr(exclusions, "CELLS", SIZE[1] // ratio)
    empty = random.random(SIZE) < 0.3  # below what lets all of them touch
    empty[:, 100:103] = False
    empty[10:140, 101] = True  # as narrow as can be
    labels, _ = ndimage.label(empty, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    large = empty & (sizes[labels] >= exclusions.SMALLEST)
    assert 0.05 < large.sum() / empty.sum() < 0.95
    rows, cols = np.nonzero(large)
    expected = np.zeros(SIZE, bool)
    for row, col in set(zip(rows // ratio * ratio, cols // ratio * ratio, strict=True)):
        expected[row : row + ratio, col : col + ratio] = True
    found = nodata_outline(Scene(write_scene(tmp_path, np.where(empty, 0, sea()).astype(np.uint8))))
    assert np.array_equal(drawn(found), expected)


def test_a_margin_in_metres_lies_around_nodata(tmp_path: Path) -> None:
    pixels = sea()
    pixels[:, :50] = 0
    scene = Scene(write_scene(tmp_path, pixels))
    plane = plane_of(scene)
    zones = zones_of(scene, plane, nodata_margin=800)
    edge = shapely.LineString([(50, 0), (50, SIZE[0])])
    for col in range(51, 90, 2):
        lon, lat = straight(75, col)
        ends = [straight(row, 50) for row in np.linspace(0, 150, 1501)]
        metres = min(GEOD.inv(lon, lat, *end)[2] for end in ends)
        point = plane.from_pixels(shapely.Point(col, 75))
        if abs(metres - 800) > 10:
            assert zones.nodata.contains(point) == (metres < 800)
    assert edge.length == SIZE[0]
    assert zones_of(scene, plane, nodata_margin=0).nodata.area == pytest.approx(
        plane.from_pixels(shapely.box(0, 0, 50, 150)).area
    )


def test_land_reaches_a_kilometre_into_the_sea(tmp_path: Path) -> None:
    scene = Scene(write_scene(tmp_path, sea()))
    lon, lat = straight(75, 105)
    island = shapely.box(lon - 0.01, lat - 0.005, lon + 0.01, lat + 0.005)
    far = shapely.box(60, 10, 61, 11)
    plane = plane_of(scene)
    zones = zones_of(scene, plane, write_land(tmp_path / "aux", island, far) / "land.geojson")
    coast = [island.exterior.interpolate(at, normalized=True).coords[0] for at in np.linspace(0, 1, 2001)]
    random = np.random.default_rng(3)
    for row, col in zip(random.uniform(0, 150, 60), random.uniform(40, 170, 60), strict=True):
        at = straight(row, col)
        metres = 0 if island.contains(shapely.Point(at)) else min(GEOD.inv(*at, *one)[2] for one in coast)
        if abs(metres - 1000) > 5:
            assert zones.land.contains(plane.from_pixels(shapely.Point(col, row))) == (metres < 1000)


@pytest.mark.parametrize("turn", [0, -360])
def test_land_beyond_the_antimeridian_is_found(tmp_path: Path, turn: int) -> None:
    def place(row: float, col: float) -> tuple[float, float]:
        return 179.95 + turn + 0.001 * col, 10 - 0.0004 * row

    scene = Scene(write_scene(tmp_path, sea(), place=place))
    land = write_land(tmp_path / "aux", shapely.box(-180, 0, -179.9, 20)) / "land.geojson"
    plane = plane_of(scene)
    zones = zones_of(scene, plane, land, land_margin=0)
    assert not zones.land.contains(plane.from_pixels(shapely.Point(45, 75)))
    assert zones.land.contains(plane.from_pixels(shapely.Point(55, 75)))
    assert zones.land.contains(plane.from_pixels(shapely.Point(145, 75)))
    assert not zones.land.contains(plane.from_pixels(shapely.Point(155, 75)))


def test_what_is_cut_lies_in_no_zone(tmp_path: Path) -> None:
    pixels = sea()
    pixels[:30] = 0
    scene = Scene(write_scene(tmp_path, pixels))
    lon, lat = straight(150, 210)
    plane = plane_of(scene)
    land = write_land(tmp_path / "aux", shapely.box(lon - 0.05, lat - 1, lon + 1, lat + 1)) / "land.geojson"
    zones = zones_of(scene, plane, land)
    whole = plane.from_pixels(shapely.box(-50, -50, 300, 300))
    left = zones.cut(whole)
    assert left.area > 0
    assert all(share == pytest.approx(0, abs=1e-9) for share in zones.shares(left).values())
    shares = zones.shares(plane.from_pixels(shapely.box(-10, 50, 10, 60)))
    assert shares == pytest.approx({"outside": 0.5, "nodata": 0, "land": 0}, abs=1e-3)
    assert METRES * 210 > 5000  # the land is not all of the scene


def test_a_file_without_polygons_of_land_is_named(tmp_path: Path) -> None:
    scene = Scene(write_scene(tmp_path, sea()))
    plane = plane_of(scene)
    lon, lat = straight(75, 105)
    points = write_land(tmp_path / "points", shapely.Point(lon, lat)) / "land.geojson"
    with pytest.raises(BadInput, match="land.geojson.*something else than polygons"):
        zones_of(scene, plane, points)
    broken = tmp_path / "broken.geojson"
    broken.write_text("{")
    with pytest.raises(BadInput, match="broken.geojson.*cannot be read"):
        zones_of(scene, plane, broken)
