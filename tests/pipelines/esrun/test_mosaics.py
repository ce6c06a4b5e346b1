"""Mosaics: no seams, the same in one step or two, apart where grids differ, cut where they are large."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter

from pipelines.errors import BadInput
from pipelines.esrun.mosaics import WINDOWS_TAG
from pipelines.esrun.projection import Projection
from pipelines.esrun.tools.postprocessors.combine_geotiff import CombineGeotiff

UTM = Projection("EPSG:32613", 10, -10)
REACH = 3  # pixels that our network sees round each


def write(path, values, bounds, projection=UTM, nodata=None, **more):
    values = values if values.ndim == 3 else values[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", count=values.shape[0], height=values.shape[1], width=values.shape[2],
        dtype=values.dtype, crs=projection.crs, transform=projection.transform(bounds), nodata=nodata, **more,
    ) as dataset:  # fmt: skip
        dataset.write(values)
    return path


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def combined(tool, paths, folder):
    folder.mkdir(parents=True)
    return tool.process_partition(paths, folder)


def network(image):
    """What a 7x7 neighbourhood holds at most, blind beyond the image: a network of reach 3."""
    return maximum_filter(image, size=2 * REACH + 1, mode="constant")


def windows_over(height, width, size, step, left=0, top=0):
    return [
        (left + x, top + y, left + x + size, top + y + size)
        for y in range(0, height - size + 1, step)
        for x in range(0, width - size + 1, step)
    ]


def predicted(image, bounds, folder, origin=(0, 0)):
    """A file for each window in ``bounds`` that lies in the image."""
    paths = []
    for left, top, right, bottom in bounds:
        x, y = left - origin[0], top - origin[1]
        part = image[y : y + bottom - top, x : x + right - left]
        paths.append(
            write(folder / f"{left}_{top}" / "geotiff.tif", network(part), (left, top, right, bottom))
        )
    return paths


@pytest.mark.parametrize("origin", [(0, 0), (-50, 7), (-400_037, -12)])
def test_every_pixel_is_that_of_a_single_window(tmp_path, origin):
    image = np.random.default_rng(1).integers(0, 200, (110, 136)).astype("uint8")
    bounds = windows_over(110, 136, 32, 32 - 2 * REACH, *origin)
    paths = predicted(image, bounds, tmp_path / "windows", origin)
    [path] = combined(CombineGeotiff(nodata_value=255), paths, tmp_path / "out")
    found = read(path)
    assert len(paths) == 20
    assert (found == network(image)).all()
    with rasterio.open(path) as dataset:
        assert dataset.transform == UTM.transform((*origin, 136, 110))


def test_the_order_of_windows_makes_no_difference(tmp_path):
    image = np.random.default_rng(2).integers(0, 200, (70, 70)).astype("uint8")
    paths = predicted(image, windows_over(70, 70, 30, 20), tmp_path / "windows")
    outcomes = [
        combined(CombineGeotiff(), some, tmp_path / str(n)) for n, some in enumerate((paths, paths[::-1]))
    ]
    assert outcomes[0][0].read_bytes() == outcomes[1][0].read_bytes()


boxes = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    st.integers(-20, 20), st.integers(-20, 20), st.integers(1, 25), st.integers(1, 25),
)  # fmt: skip


def deepest(bounds, x, y):
    """The number of the box in which a pixel lies deepest, one pixel at a time; None if in none."""
    inside = []
    for number, (left, top, right, bottom) in enumerate(bounds):
        if left <= x < right and top <= y < bottom:
            near, far = sorted((min(x - left, right - 1 - x), min(y - top, bottom - 1 - y)))
            inside.append((-near, -far, top, left, bottom, right, number))
    return min(inside)[-1] if inside else None


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(boxes, min_size=1, max_size=4), min_size=1, max_size=4), st.integers(3, 60))
def test_partitions_first_or_all_at_once_and_pixel_by_pixel(tmp_path_factory, parts, size):
    folder = tmp_path_factory.mktemp("any")
    every = [one for part in parts for one in part]
    numbers = iter(range(1, 100))
    files = [
        [
            write(folder / f"{n}.tif", np.full((b[3] - b[1], b[2] - b[0]), n, "uint8"), b)
            for n, b in ((next(numbers), b) for b in part)
        ]
        for part in parts
    ]
    tool, tiled = CombineGeotiff(), CombineGeotiff(max_pixels_per_dimension=size)
    tiles = [
        path for n, part in enumerate(files) for path in combined(tiled, part, folder / "parts" / str(n))
    ]
    (folder / "two").mkdir()
    [two] = tool.process_dataset(tiles, folder / "two")
    [one] = combined(tool, [path for part in files for path in part], folder / "one")
    left, top = min(b[0] for b in every), min(b[1] for b in every)
    assert (read(one) == read(two)).all()
    for (y, x), value in np.ndenumerate(read(one)):
        number = deepest(every, x + left, y + top)
        assert value == (0 if number is None else number + 1)


def test_crs_stay_apart_and_so_do_pixel_sizes_and_corners(tmp_path):
    ones = np.ones((4, 4), "uint8")
    grids = [
        UTM, Projection("EPSG:32614", 10, -10), Projection("EPSG:32713", 10, -10),
        Projection("EPSG:32613", 20, -20),
    ]  # fmt: skip
    paths = [write(tmp_path / f"{n}.tif", ones, (0, 0, 4, 4), grid) for n, grid in enumerate(grids)]
    with rasterio.open(
        tmp_path / "half.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="uint8",
        crs=UTM.crs, transform=Affine(10, 0, 5, 0, -10, 0),
    ) as dataset:  # fmt: skip
        dataset.write(ones[None])
    found = combined(CombineGeotiff(), [*paths, tmp_path / "half.tif"], tmp_path / "out")
    assert [path.name for path in found] == [
        "result_epsg32613_0.tif", "result_epsg32613_1.tif", "result_epsg32613_2.tif",
        "result_epsg32614_0.tif", "result_epsg32713_0.tif",
    ]  # fmt: skip
    corners = set()
    for path in found:
        with rasterio.open(path) as dataset:
            corners.add((dataset.crs.to_epsg(), dataset.res[0], dataset.transform.c))
            assert dataset.shape == (4, 4)
    assert corners == {
        (32613, 10, 0), (32613, 10, 5), (32613, 20, 0), (32614, 10, 0), (32713, 10, 0),
    }  # fmt: skip


def test_large_mosaics_are_tiles_and_empty_tiles_are_left_out(tmp_path):
    values = np.arange(1, 25, dtype="uint8").reshape(4, 6)
    paths = [
        write(tmp_path / "a.tif", values, (0, 0, 6, 4)),
        write(tmp_path / "b.tif", values, (20, 0, 26, 4)),
    ]
    found = combined(CombineGeotiff(max_pixels_per_dimension=5), paths, tmp_path / "out")
    assert [path.name for path in found] == [f"result_epsg32613_{n}.tif" for n in range(4)]
    tiles = [read(path) for path in found]
    assert [tile.shape for tile in tiles] == [(4, 5), (4, 5), (4, 5), (4, 1)]
    assert (np.hstack([tiles[0], tiles[1][:, :1]]) == values).all()
    with rasterio.open(found[2]) as dataset:
        assert dataset.transform.c == 200


def test_far_windows_cost_no_room(tmp_path):
    ones = np.ones((10, 10), "uint8")
    paths = [write(tmp_path / f"{n}.tif", ones, (x, x, x + 10, x + 10)) for n, x in enumerate((0, 9000))]
    [path] = combined(CombineGeotiff(), paths, tmp_path / "out")
    assert path.stat().st_size < 100_000  # of 81 MB
    with rasterio.open(path) as dataset:
        assert dataset.shape == (9010, 9010)
        assert dataset.read(1, window=((5000, 5010), (5000, 5010))).max() == 0
        assert dataset.read(1)[9000:, 9000:].min() == 1


def test_several_bands_and_their_names(tmp_path):
    values = np.random.default_rng(3).random((3, 8, 8)).astype("float32")
    paths = [
        write(tmp_path / "a.tif", values[:, :, :5], (0, 0, 5, 8)),
        write(tmp_path / "b.tif", values[:, :, 5:], (5, 0, 8, 8)),
    ]
    for path in paths:
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = ("a", "b", "c")
    [path] = combined(CombineGeotiff(), paths, tmp_path / "out")
    with rasterio.open(path) as dataset:
        assert (dataset.read() == values).all()
        assert dataset.descriptions == ("a", "b", "c")


def test_nothing_makes_no_mosaic(tmp_path):
    assert combined(CombineGeotiff(), [], tmp_path / "out") == []


def test_only_partitions_keep_the_bounds_of_windows(tmp_path):
    paths = [write(tmp_path / "a.tif", np.ones((2, 2), "uint8"), (0, 0, 2, 2))]
    [part] = combined(CombineGeotiff(), paths, tmp_path / "out")
    (tmp_path / "all").mkdir()
    [whole] = CombineGeotiff().process_dataset([part], tmp_path / "all")
    with rasterio.open(part) as one, rasterio.open(whole) as other:
        assert one.tags()[WINDOWS_TAG] == "[[0, 0, 2, 2]]"
        assert WINDOWS_TAG not in other.tags()


@pytest.mark.parametrize("transform", [None, Affine(10, 1, 0, 0, -10, 0)])
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_rasters_without_a_place_are_refused(tmp_path, transform):
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", count=1, height=4, width=4, dtype="uint8",
        crs=transform and UTM.crs, transform=transform,
    ) as dataset:  # fmt: skip
        dataset.write(np.ones((1, 4, 4), "uint8"))
    with pytest.raises(BadInput, match="not georeferenced"):
        combined(CombineGeotiff(), [tmp_path / "a.tif"], tmp_path / "out")


def test_a_file_that_is_no_raster_is_refused(tmp_path):
    (tmp_path / "a.tif").write_text("no")
    with pytest.raises(BadInput, match="no raster"):
        combined(CombineGeotiff(), [tmp_path / "a.tif"], tmp_path / "out")
