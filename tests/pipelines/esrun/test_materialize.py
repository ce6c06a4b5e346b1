"""Pixels of windows: against bilinear sums done here, what rslearn wrote, and other windows."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from pipelines.errors import BadInput
from pipelines.esrun import materialize
from pipelines.esrun.dataset_config import BandSet, Layer, Query, Remap, Source
from pipelines.esrun.local_files import list_items
from pipelines.esrun.projection import Projection
from tests.pipelines.esrun.source_images import LEFT, TOP, UTM, damaged, hills, window, write_image

BYTES = BandSet(("B1",), "uint8")
# Row 0, columns 0-5 of windows of 32 x 32 pixels at (8, 8) of `hills(64, 64, 1)`, by rslearn 0.1.19.
BY_RSLEARN = {
    ("off", "bilinear", 0): [190, 194, 198, 200, 202, 204],
    ("off", "nearest", 0): [194, 198, 201, 203, 205, 207],
    ("off", "cubic", 0): [191, 195, 198, 201, 203, 205],
    ("off", "bilinear", 1): [191, 193, 195, 197, 199, 201],
    ("off", "bilinear", -1): [189, 196, 200, 202, 200, 196],
    ("lonlat", "bilinear", 0): [158, 158, 158, 157, 155, 152],
    ("lonlat", "nearest", 0): [158, 159, 159, 158, 156, 154],
}


def items(folder):
    return list_items(Source(folder, "im", Query()))


def made(folder, one, bands=BYTES, resampling="bilinear"):
    """(bands, height, width) and the declared nodata value of the file that is written."""
    path = folder.parent / "out" / "geotiff.tif"
    layer = Layer("im", "raster", (bands,), None, resampling)
    with materialize.Reader() as reader:
        materialize.write_bands(path, reader, items(folder), layer, bands, one)
    with rasterio.open(path) as image:
        assert image.dtypes == (bands.dtype,) * len(bands.bands)
        assert image.crs.to_epsg() == int(one.projection.crs.removeprefix("EPSG:"))
        return image.read(), image.nodata


def bilinear(values, column, row):
    """Values of a (height, width) image at pixel coordinates; its outermost centres go on to its border."""
    height, width = values.shape
    x = np.clip(column - 0.5, 0, width - 1)
    y = np.clip(row - 0.5, 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    x, y = x - left, y - top
    upper = values[top, left] * (1 - x) + values[top, left + 1] * x
    lower = values[top + 1, left] * (1 - x) + values[top + 1, left + 1] * x
    return upper * (1 - y) + lower * y


def test_a_window_on_the_grid_of_its_image_is_a_copy(tmp_path):
    noise = np.random.default_rng(0).integers(1, 255, (3, 50, 60)).astype("uint8")
    write_image(tmp_path / "im" / "a.tif", noise)
    found, nodata = made(tmp_path / "im", window(7, 5, 39, 37), BandSet(("B3", "B1"), "uint8"))
    assert np.array_equal(found, noise[[2, 0], 5:37, 7:39])
    assert nodata is None


def test_off_the_grid_pixels_are_bilinear_and_outside_they_are_0(tmp_path):
    noise = np.random.default_rng(1).integers(1, 255, (1, 40, 40)).astype("uint8")
    write_image(tmp_path / "im" / "a.tif", noise, at=(3, 7))
    found, _ = made(tmp_path / "im", window(-5, 10, 59, 74))
    row, column = np.mgrid[10:74, -5:59] + 0.5
    column, row = column - 0.3, row - 0.7
    inside = (column > 0) & (column < 40) & (row > 0) & (row < 40)
    wanted = np.where(inside, np.floor(bilinear(noise[0].astype(float), column, row) + 0.5), 0)
    difference = np.abs(found[0] - wanted)
    assert difference.max() <= 1
    assert (difference > 0).sum() < 10  # sums that end in a half


def test_a_reprojected_window_is_bilinear_at_the_places_that_pyproj_gives(tmp_path):
    image = hills(90, 90, 1).astype("float32")
    write_image(tmp_path / "im" / "a.tif", image, size=1e-3, crs="EPSG:4326", corner=(-105.02, 39.8))
    found, _ = made(tmp_path / "im", window(0, 0, 64, 48), BandSet(("B1",), "float32"))
    row, column = np.mgrid[0:48, 0:64] + 0.5
    back = Transformer.from_crs("EPSG:32613", "EPSG:4326", always_xy=True)
    lon, lat = back.transform((LEFT + column) * 10, -(TOP + row) * 10)
    wanted = bilinear(image[0].astype(float), (lon + 105.02) / 1e-3, (39.8 - lat) / 1e-3)
    assert np.abs(found[0] - wanted).max() < 1e-3


@pytest.mark.parametrize(("place", "resampling", "zoom"), BY_RSLEARN)
def test_values_are_those_of_rslearn_within_1(tmp_path, place, resampling, zoom):
    if place == "off":
        write_image(tmp_path / "im" / "a.tif", hills(64, 64, 1), at=(3, 7))
    else:
        write_image(tmp_path / "im" / "a.tif", hills(64, 64, 1), size=1e-4, crs="EPSG:4326",
                    corner=(-105.0003, 39.7506))  # fmt: skip
    found, _ = made(tmp_path / "im", window(8, 8, 40, 40), BandSet(("B1",), "uint8", zoom), resampling)
    side = int(32 * 2**zoom)
    assert found.shape == (1, side, side)
    difference = np.abs(found[0, 0, :6] - np.array(BY_RSLEARN[place, resampling, zoom], int))
    assert difference.max() <= (0 if resampling == "nearest" else 1)


@pytest.fixture(scope="module")
def three_sources(tmp_path_factory):
    """Noise in lon/lat, off the grid, and with finer pixels: bytes, whose halves must not flicker."""
    folder = tmp_path_factory.mktemp("sources")
    noise = np.random.default_rng(2).integers(0, 255, (2, 150, 150)).astype("uint8")
    write_image(folder / "lonlat" / "a.tif", noise, size=1e-4, crs="EPSG:4326", corner=(-105.003, 39.753),
                nodata=9)  # fmt: skip
    write_image(folder / "double" / "a.tif", noise, at=(-205, -195), size=20)
    write_image(folder / "fine" / "a.tif", noise, at=(-1, -2), size=6)
    return folder


@pytest.mark.parametrize("name", ["lonlat", "double", "fine"])
@given(
    corner=st.tuples(st.integers(-40, 60), st.integers(-40, 60)),
    size=st.tuples(st.integers(5, 70), st.integers(5, 70)),
    resampling=st.sampled_from(["nearest", "bilinear", "cubic"]),
)
@settings(max_examples=25)
def test_windows_that_overlap_have_the_same_pixels_there(three_sources, name, corner, size, resampling):
    bands = BandSet(("B1", "B2"), "uint8")
    (x, y), (width, height) = corner, size
    with materialize.Reader() as reader:

        def read(*bounds):
            place = window(*bounds).bounds
            return materialize.composite(
                reader, items(three_sources / name), bands, UTM, place, resampling, 0
            )  # fmt: skip

        whole = read(-40, -40, 130, 130)
        part = read(x, y, x + width, y + height)
    assert np.array_equal(part, whole[:, y + 40 : y + 40 + height, x + 40 : x + 40 + width])


def test_a_large_window_is_made_in_pieces_that_fit(tmp_path, monkeypatch):
    write_image(tmp_path / "im" / "a.tif", hills(70, 70), size=1e-4, crs="EPSG:4326", corner=(-105, 39.75))
    whole, _ = made(tmp_path / "im", window(0, 0, 60, 60), BandSet(("B1", "B2"), "uint8"))
    monkeypatch.setattr(materialize, "SIDE", 16)
    pieces, _ = made(tmp_path / "im", window(0, 0, 60, 60), BandSet(("B1", "B2"), "uint8"))
    assert np.array_equal(whole, pieces)


def test_the_first_valid_value_of_each_band_is_on_top(tmp_path):
    first = np.full((2, 8, 8), 10, "uint8")
    first[:, :4] = 99  # its nodata value
    first[0, 6:] = 99
    write_image(tmp_path / "im" / "a.tif", first, nodata=99)
    write_image(tmp_path / "im" / "b.tif", np.full((2, 8, 8), 20, "uint8"))
    found, nodata = made(tmp_path / "im", window(0, 0, 8, 10), BandSet(("B1", "B2"), "uint8"))
    assert found[0, :, 0].tolist() == [20, 20, 20, 20, 10, 10, 20, 20, 99, 99]
    assert found[1, :, 0].tolist() == [20, 20, 20, 20, 10, 10, 10, 10, 99, 99]
    assert nodata == 99


def test_0_gives_way_to_a_later_image_where_nothing_else_is_declared(tmp_path):
    write_image(tmp_path / "im" / "a.tif", np.array([[[0, 5]]], "uint8"))
    write_image(tmp_path / "im" / "b.tif", np.array([[[7, 7]]], "uint8"))
    assert made(tmp_path / "im", window(0, 0, 2, 1))[0].tolist() == [[[7, 5]]]
    given = BandSet(("B1",), "uint8", nodata=255)
    assert made(tmp_path / "im", window(0, 0, 3, 1), given)[0].tolist() == [[[0, 5, 255]]]


def test_nodata_is_not_mixed_into_its_neighbours(tmp_path):
    values = np.full((2, 20, 20), 100.0, "float32")
    values[0, 8:12, 8:12] = -9999
    values[1, 5, 5] = np.nan
    write_image(tmp_path / "im" / "a.tif", values, at=(3, 3), nodata=-9999)
    found, nodata = made(tmp_path / "im", window(2, 2, 18, 18), BandSet(("B1", "B2"), "float32"))
    assert nodata == -9999
    assert set(np.unique(found)) == {-9999.0, 100.0}
    assert (found == -9999).any(axis=(1, 2)).all()


def test_255_in_one_band_of_bytes_is_a_value_though_it_is_nodata_in_all(tmp_path):
    values = np.full((2, 20, 20), 200, "uint8")
    values[0, 5:8, 5:8] = 255
    values[:, 12:, 12:] = 255
    write_image(tmp_path / "im" / "a.tif", values, at=(5, 0), nodata=255)
    found, nodata = made(tmp_path / "im", window(2, 2, 18, 18), BandSet(("B1", "B2"), "uint8"))
    assert nodata == 255
    assert found[0, 4, 2:8].tolist() == [200, 228, 255, 255, 228, 200]  # halves of 200 and 255
    assert set(np.unique(found[1])) == {200, 255}


def test_values_beyond_a_type_become_its_ends(tmp_path):
    write_image(tmp_path / "im" / "a.tif", np.array([[[300, 20, 65000]]], "uint16"))
    assert made(tmp_path / "im", window(0, 0, 3, 1))[0].tolist() == [[[255, 20, 255]]]
    assert made(tmp_path / "im", window(0, 0, 3, 1), BandSet(("B1",), "int8"))[0].tolist() == [
        [[127, 20, 127]]
    ]


def test_a_linear_remap_clips_and_leaves_the_outside_alone(tmp_path):
    write_image(tmp_path / "im" / "a.tif", np.array([[[50, 100, 150, 250]]], "uint8"))
    bands = BandSet(("B1",), "uint8", remap=Remap((100, 200), (10, 60)))
    assert made(tmp_path / "im", window(0, 0, 5, 1), bands)[0].tolist() == [[[10, 10, 35, 60, 0]]]


def test_files_above_the_tile_size_are_tiled_as_rslearns(tmp_path):
    write_image(tmp_path / "im" / "a.tif", hills(20, 600, 1))
    made(tmp_path / "im", window(0, 0, 600, 20))
    with rasterio.open(tmp_path / "out" / "geotiff.tif") as image:
        assert (image.profile["compress"], image.block_shapes[0]) == ("lzw", (512, 512))


def test_a_missing_band_is_named(tmp_path):
    write_image(tmp_path / "im" / "a.tif", hills(8, 8, 2))
    with pytest.raises(BadInput, match=r"a\.tif: has no band B4, only B1, B2"):
        made(tmp_path / "im", window(0, 0, 8, 8), BandSet(("B1", "B4"), "uint8"))
    assert not (tmp_path / "out" / "geotiff.tif").exists()


def test_a_file_that_ends_too_early_is_named(tmp_path):
    path = write_image(tmp_path / "im" / "a.tif", hills(200, 200, 3))
    path.write_bytes(path.read_bytes()[:60000])
    with pytest.raises(BadInput, match=r"a\.tif: ends too early"):
        made(tmp_path / "im", window(0, 0, 200, 200), BandSet(("B1", "B2", "B3"), "uint8"))


def test_a_file_of_damaged_pixels_is_named(tmp_path):
    damaged(write_image(tmp_path / "im" / "a.tif", hills(200, 200, 3)))
    with pytest.raises(BadInput, match=r"a\.tif: cannot be read"):
        made(tmp_path / "im", window(0, 0, 200, 200), BandSet(("B1", "B2", "B3"), "uint8"))


def test_a_reader_closes_what_it_opened_first(tmp_path, monkeypatch):
    monkeypatch.setattr(materialize, "OPEN", 2)
    paths = [write_image(tmp_path / f"{name}.tif", hills(4, 4, 1)) for name in "abc"]
    with materialize.Reader() as reader:
        images = [reader.image(path) for path in paths]
        assert [one.closed for one in images] == [True, False, False]
        assert reader.image(Path(paths[2])) is images[2]
    assert all(one.closed for one in images)


def test_the_reduction_is_the_same_all_over_a_degree():
    projection = Projection("EPSG:32613", 40, -40)
    file = items_of_a_degree()
    found = [materialize._reduction(file, projection, (-106, lat)) for lat in (38, 39, 40)]
    assert all(a[1] == pytest.approx(b[1], rel=1e-2) for a, b in pairwise(found))
    assert found[0][0] == pytest.approx(40 / (111.3 * np.cos(np.radians(38)) * 0.1), rel=0.01)


def items_of_a_degree():
    from pipelines.esrun.local_files import ImageFile

    return ImageFile(Path("x"), "EPSG:4326", ("B1",), (-110, 35, -100, 45), (1e-4, 1e-4))
