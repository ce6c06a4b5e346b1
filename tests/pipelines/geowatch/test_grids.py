"""Where pixels are on the ground, and whether what was drawn in longitude and latitude stays there."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod
from rasterio.features import geometry_mask, shapes
from shapely.geometry import Point, Polygon, box, shape

from pipelines.errors import BadInput
from pipelines.geowatch import grids
from pipelines.geowatch.grids import Grid

GEOD = Geod(ellps="WGS84")
PLACES = {"52N": (127.03, 37.52), "13N": (-105.68, 40.34), "19S": (-69.95, -18.21), "55S": (148.62, -33.28)}


def around(
    longitude: float, latitude: float, gsd: float = 10.0, size: int = 64, crs: str | None = None
) -> Grid:
    """A grid with the point near its middle, not on a corner or a centre of a pixel."""
    crs = crs or grids.utm(longitude, latitude)
    point = grids.reproject(Point(longitude, latitude), grids.LONLAT, crs)
    left, top = (round(value / gsd) * gsd for value in (point.x - size / 2 * gsd, point.y + size / 2 * gsd))
    return Grid(crs, (gsd, 0.0, left, 0.0, -gsd, top), size, size)


def write(path, grid: Grid, pixels: np.ndarray, nodata: float | None = None) -> str:
    pixels = np.atleast_3d(pixels.T).T
    profile = {"crs": grid.crs, "transform": grid.affine, "dtype": pixels.dtype, "nodata": nodata}
    size = {"width": grid.width, "height": grid.height, "count": len(pixels)}
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    with rasterio.open(path, "w", driver="GTiff", **profile, **size, **tiles) as image:
        image.write(pixels)
    return str(path)


def metres_apart(one: Point, other: Point) -> float:
    return float(GEOD.inv(one.x, one.y, other.x, other.y)[2])


def test_utm_of_a_published_point():
    """The CN Tower: 17T 630084 m east 4833438 m north (Wikipedia, Universal Transverse Mercator)."""
    longitude, latitude = -(79 + 23 / 60 + 13.7 / 3600), 43 + 38 / 60 + 33.24 / 3600
    point = grids.reproject(Point(longitude, latitude), grids.LONLAT, "EPSG:32617")
    assert grids.utm(longitude, latitude) == "EPSG:32617"
    assert (point.x, point.y) == pytest.approx((630084, 4833438), abs=1)


@pytest.mark.parametrize("text", ["10GSD", "10gsd", " 10.0 GSD ", "10", 10, 10.0])
def test_gsd_texts(text):
    assert grids.gsd(text) == 10.0


@pytest.mark.parametrize("text", ["", "GSD", "0GSD", "-1GSD", "10m", "nan", None])
def test_other_texts_are_no_gsd(text):
    with pytest.raises(BadInput, match="ground sample distance"):
        grids.gsd(text)


@settings(max_examples=60, deadline=None)
@given(
    place=st.sampled_from(sorted(PLACES)),
    col=st.floats(0, 1000),
    row=st.floats(0, 1000),
    gsd=st.sampled_from([0.5, 3.0, 10.0, 30.0]),
)
def test_a_point_goes_to_longitude_and_latitude_and_back(place, col, row, gsd):
    grid = around(*PLACES[place], gsd, 1000)
    back = grid.to_pixels(grid.to_lonlat(Point(col, row)))
    assert (back.x, back.y) == pytest.approx((col, row), abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    gsd=st.sampled_from([0.5, 2.0, 3.0, 10.0, 12.5]),
    crop=st.tuples(st.integers(-50, 50), st.integers(-50, 50)),
)
def test_another_gsd_covers_the_same_ground(size, gsd, crop):
    grid = Grid("EPSG:32652", (10.0, 0.0, 3e5, 0.0, -10.0, 4.1e6), *size).crop(*crop, *size)
    other = grid.at_gsd(gsd)
    west, south, east, north = grid.bounds
    assert other.gsd == pytest.approx(gsd)
    assert (other.bounds[0], other.bounds[3]) == (west, north)
    assert 0 <= other.bounds[2] - east + 1e-4 < gsd + 1e-3
    assert 0 <= south - other.bounds[1] + 1e-4 < gsd + 1e-3


def test_the_gsd_of_degrees_is_that_of_the_ground():
    grid = Grid("EPSG:4326", (0.001, 0.0, 7.0, 0.0, -0.001, 60.05), 100, 100)
    across = GEOD.inv(7.0, 60.0, 7.001, 60.0)[2]
    down = GEOD.inv(7.0, 60.0, 7.0, 60.001)[2]
    assert grid.gsd == pytest.approx((across * down) ** 0.5, rel=0.01)


def test_whole_pixels_are_read_as_they_are(tmp_path):
    grid = around(*PLACES["52N"])
    pixels = np.arange(2 * 64 * 64, dtype=np.int16).reshape(2, 64, 64)
    pixels[:, 5, 7] = -9999
    path = write(tmp_path / "a.tif", grid, pixels, -9999)
    got = grids.read(path, grid.crop(-3, 60, 20, 10), bands=[2])
    expected = np.full((1, 10, 20), np.nan, np.float32)
    expected[0, :4, 3:] = pixels[1, 60:, :17]
    np.testing.assert_array_equal(got, expected)
    assert np.isnan(grids.read(path, grid)[:, 5, 7]).all()
    assert np.isnan(grids.read(path, grid.crop(100, 100, 4, 4))).all()


def test_coarser_pixels_are_means_without_nodata(tmp_path):
    """Away from nodata a plane stays a plane; nodata does not leak its -9999 into neighbours."""
    grid = around(*PLACES["19S"])
    rows, cols = np.mgrid[:64, :64]
    pixels = (10 * cols + rows).astype(np.int16)
    pixels[:8, :8] = -9999
    path = write(tmp_path / "a.tif", grid, pixels, -9999)
    got = grids.read(path, grid.at_gsd(40))[0]
    coarse_rows, coarse_cols = np.mgrid[:16, :16]
    plane = 10 * (4 * coarse_cols + 1.5) + 4 * coarse_rows + 1.5
    np.testing.assert_allclose(got[4:-2, 4:-2], plane[4:-2, 4:-2], atol=0.1)
    assert np.isnan(got[:2, :2]).all() and np.nanmin(got) >= 0


def test_windows_meet_without_a_seam(tmp_path):
    source = around(5.995, 48.1, 3, 300, "EPSG:32631")
    target = around(5.995, 48.1, 10, 60, "EPSG:32632")
    rows, cols = np.mgrid[:300, :300]
    path = write(
        tmp_path / "a.tif", source, (1000 + 500 * np.sin(cols / 9) * np.cos(rows / 7)).astype(np.float32)
    )
    whole = grids.read(path, target)
    parts = [[grids.read(path, target.crop(x, y, 20, 20)) for x in (0, 20, 40)] for y in (0, 20, 40)]
    np.testing.assert_allclose(np.block(parts), whole, atol=2)


CROSSINGS = {
    **{name: (place, None, None) for name, place in PLACES.items()},
    "31N to 32N": ((5.999, 48.1), "EPSG:32631", "EPSG:32632"),
    "32N to 31N": ((6.001, 48.1), "EPSG:32632", "EPSG:32631"),
    "55S to 56S": ((149.998, -33.3), "EPSG:32755", "EPSG:32756"),
    "north to south": ((-60.5, 0.001), "EPSG:32620", "EPSG:32720"),
}


@pytest.mark.parametrize("crossing", sorted(CROSSINGS))
@pytest.mark.parametrize(("fine", "coarse"), [(3.0, 10.0), (10.0, 10.0), (10.0, 3.0)])
def test_a_site_stays_within_half_a_pixel(crossing, fine, coarse, tmp_path):
    """Drawn in longitude and latitude, burnt into an image, read on another grid, traced, and back."""
    (longitude, latitude), source_crs, target_crs = CROSSINGS[crossing]
    source = around(longitude, latitude, fine, round(900 / fine), source_crs)
    target = around(longitude, latitude, coarse, round(700 / coarse), target_crs)
    middle = grids.reproject(Point(longitude, latitude), grids.LONLAT, source.crs)
    drawn = grids.reproject(box(*middle.buffer(140).bounds), source.crs, grids.LONLAT)
    inside = geometry_mask(
        [source.to_pixels(drawn)], (source.height, source.width), rasterio.Affine.identity()
    )
    path = write(tmp_path / "a.tif", source, np.where(inside, 0, 1000).astype(np.int16), -9999)

    mask = grids.read(path, target)[0] > 500
    (traced,) = [shape(one) for one, value in shapes(mask.astype(np.uint8), mask=mask) if value]
    found = target.to_lonlat(traced)

    there, back = (grids.reproject(one.centroid, grids.LONLAT, target.crs) for one in (drawn, found))
    assert max(abs(there.x - back.x), abs(there.y - back.y)) < max(fine, coarse) / 2
    assert abs(GEOD.geometry_area_perimeter(found)[0]) == pytest.approx(280**2, rel=0.06)


@pytest.mark.parametrize("crossing", sorted(CROSSINGS))
@pytest.mark.parametrize(("fine", "coarse"), [(3.0, 10.0), (10.0, 10.0), (10.0, 4.0)])
def test_a_blob_stays_within_a_tenth_of_a_pixel(crossing, fine, coarse, tmp_path):
    """Nothing is rounded to pixels here: the centre of mass shows any shift of a corner or a centre."""
    (longitude, latitude), source_crs, target_crs = CROSSINGS[crossing]
    source = around(longitude, latitude, fine, round(900 / fine), source_crs)
    target = around(longitude, latitude, coarse, round(700 / coarse), target_crs)
    true = Point(longitude, latitude)
    middle = source.to_pixels(true)
    rows, cols = np.mgrid[: source.height, : source.width] + 0.5
    squared = (cols - middle.x) ** 2 + (rows - middle.y) ** 2
    blob = np.exp(-squared * fine**2 / (2 * 60.0**2)).astype(np.float32)

    mass = grids.read(write(tmp_path / "a.tif", source, blob), target)[0]
    rows, cols = np.mgrid[: target.height, : target.width] + 0.5
    centre = Point((mass * cols).sum() / mass.sum(), (mass * rows).sum() / mass.sum())

    assert metres_apart(target.to_lonlat(centre), true) < 0.1 * coarse


def test_a_grid_reads_back_from_its_file(tmp_path):
    grid = around(*PLACES["13N"], 3, 20)
    assert Grid.of_file(write(tmp_path / "a.tif", grid, np.zeros((20, 20), np.uint8))) == grid


def test_a_grid_reads_back_from_its_video():
    grid = around(*PLACES["55S"])
    video = {"name": "AU_R001", "crs": grid.crs, "transform": list(grid.transform), "width": 64, "height": 64}
    assert Grid.of_video(video) == grid
    west, south, east, north = grid.outline.bounds
    assert west < 148.62 < east and south < -33.28 < north


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crs": None}, "unusable crs"),
        ({"crs": "EPSG:99999"}, "unusable crs"),
        ({"transform": [1, 2]}, "unusable crs or transform"),
        ({"transform": [0, 0, 0, 0, 0, 0]}, "no area"),
        ({"width": 0}, "no area"),
    ],
)
def test_a_video_that_is_nowhere(change, message):
    video = {"name": "R", "crs": "EPSG:32652", "transform": [10, 0, 0, 0, -10, 0], "width": 5, "height": 5}
    with pytest.raises(BadInput, match=f"video 'R'.*{message}"):
        Grid.of_video(video | change)
    with pytest.raises(BadInput, match="has no 'crs'"):
        Grid.of_video({"name": "R"})


def test_files_that_cannot_be_read(tmp_path):
    grid = around(*PLACES["52N"])
    noise = np.random.default_rng(0).integers(0, 30000, (64, 64)).astype(np.int16)
    path = write(tmp_path / "a.tif", grid, noise)
    with pytest.raises(BadInput, match="a.tif: has no band 2, it has 1"):
        grids.read(path, grid, [2])
    with pytest.raises(BadInput, match="no.tif: no such file"):
        grids.read(tmp_path / "no.tif", grid)
    (tmp_path / "text.tif").write_text("not an image")
    with pytest.raises(BadInput, match="text.tif: cannot be read as an image"):
        grids.read(tmp_path / "text.tif", grid)
    (tmp_path / "cut.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:4000])
    for wanted in (grid, grid.at_gsd(7)):
        with pytest.raises(BadInput, match="cut.tif: is corrupt"):
            grids.read(tmp_path / "cut.tif", wanted)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_an_image_without_a_crs(tmp_path):
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", driver="GTiff", width=4, height=4, count=1, dtype="uint8") as image:
        image.write(np.zeros((1, 4, 4), np.uint8))
    for read in (Grid.of_file, lambda name: grids.read(name, around(*PLACES["52N"]))):
        with pytest.raises(BadInput, match="no coordinate reference system"):
            read(path)


def test_holes_and_parts_survive_reprojection():
    ring = Polygon(box(0, 0, 9, 9).exterior, [box(3, 3, 6, 6).exterior])
    grid = around(*PLACES["13N"])
    back = grid.to_pixels(grid.to_lonlat(ring))
    assert len(back.interiors) == 1
    assert back.symmetric_difference(ring).area < 1e-3
