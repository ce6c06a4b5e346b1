"""CombineGeotiff: values, nodata, colours, tags and masks."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from pipelines.errors import BadInput
from pipelines.esrun.class_path import build
from pipelines.esrun.projection import Projection, to_lonlat
from pipelines.esrun.tools.postprocessors.combine_geotiff import CombineGeotiff, LinearValueTransform
from pipelines.esrun.tools.postprocessors.noop_raster import NoopRaster
from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceRaster

UTM = Projection("EPSG:32613", 10, -10)
RED, CLEAR = (255, 0, 0, 255), (0, 0, 0, 0)


def write(path, values, left=0, nodata=None, projection=UTM):
    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", count=1, height=height, width=width, dtype=values.dtype, nodata=nodata,
        crs=projection.crs, transform=projection.transform((left, 0, left + width, height)),
    ) as dataset:  # fmt: skip
        dataset.write(values, 1)
    return path


def combined(tool, paths, folder):
    folder.mkdir()
    [path] = tool.process_partition(paths, folder)
    return rasterio.open(path)


def made(**init_args):
    spec = {"class_path": "esrun.tools.postprocessors.combine_geotiff.CombineGeotiff", "init_args": init_args}
    return build(spec, PostprocessInterfaceRaster, "a.b", "esrun.yaml")


# By olmoearth-runner 0.1.14's LinearValueTransform(scale=10, offset=0.5)
@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [
        ("uint8", [0, 1, 2, 2, 255, 0, 255, 0, 255]),
        ("int16", [0, 1, 2, 2, 1000, -29, 32767, 0, 32767]),
        ("float32", [0.5, 1.6, 2.0, 2.4, 1000.5, -29.5, 40000.5, np.nan, np.inf]),
        (None, [0.5, 1.6, 2.0, 2.4, 1000.5, -29.5, 40000.5, np.nan, np.inf]),
    ],
)
def test_linear_values_are_clipped_to_their_type(dtype, wanted):
    values = np.array([0, 0.11, 0.15, 0.19, 100, -3, 4000, np.nan, np.inf], "float32")
    found = LinearValueTransform(scale=10, offset=0.5, output_dtype=dtype).apply(values)
    assert found.dtype == (dtype or "float32")
    np.testing.assert_allclose(found, np.array(wanted, "float32"), rtol=1e-6)


def test_nodata_and_nan_are_not_transformed(tmp_path):
    values = np.array([[0, 1, 2.5, 300, -9, np.nan]], "float32")
    path = write(tmp_path / "a.tif", values, nodata=-9)
    tool = made(value_transform={"type": "linear", "scale": 2, "offset": 5, "output_dtype": "uint8"},
                nodata_value=77)  # fmt: skip
    with combined(tool, [path], tmp_path / "out") as dataset:
        assert dataset.read(1).tolist() == [[5, 7, 10, 255, 77, 77]]
        assert (dataset.nodata, dataset.dtypes) == (77, ("uint8",))


def test_nodata_is_0_unless_said_otherwise(tmp_path):
    paths = [
        write(tmp_path / "a.tif", np.array([[1, 9]], "uint8"), nodata=9),
        write(tmp_path / "b.tif", np.array([[2, 9]], "uint8"), left=4, nodata=9),
    ]
    with combined(CombineGeotiff(), paths, tmp_path / "one") as dataset:
        assert (dataset.read(1).tolist(), dataset.nodata) == ([[1, 0, 0, 0, 2, 0]], 0)
    with combined(CombineGeotiff(nodata_value=None), paths, tmp_path / "two") as dataset:
        assert (dataset.read(1).tolist(), dataset.nodata) == ([[1, 9, 9, 9, 2, 9]], 9)


def test_float_mosaics_with_nan_for_nodata(tmp_path):
    paths = [
        write(tmp_path / f"{x}.tif", np.array([[x, np.nan]], "float32"), left=x, nodata=np.nan)
        for x in (1, 4)
    ]
    with combined(CombineGeotiff(nodata_value=None), paths, tmp_path / "out") as dataset:
        np.testing.assert_array_equal(dataset.read(1), [[1, np.nan, np.nan, 4, np.nan]])


def test_colours_names_and_tags_stay(tmp_path):
    path = write(tmp_path / "a.tif", np.array([[1, 2]], "uint8"), nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(classes='{"1": "snow"}')
        dataset.update_tags(1, unit="class", STATISTICS_MAXIMUM="2")
        dataset.set_band_description(1, "cover")
        dataset.write_colormap(1, {0: CLEAR, 1: RED})
    with combined(CombineGeotiff(), [path], tmp_path / "out") as dataset:
        assert dataset.colorinterp == (ColorInterp.palette,)
        assert (dataset.colormap(1)[1], dataset.descriptions) == (RED, ("cover",))
        assert dataset.tags()["classes"] == '{"1": "snow"}'
        assert dataset.tags(1) == {"unit": "class"}
        assert dataset.profile["compress"] == "lzw"


def test_areas_as_a_mask(tmp_path):
    path = write(tmp_path / "a.tif", np.arange(1, 26, dtype="uint8").reshape(5, 5))
    utm = Projection("EPSG:32613", 10, -10)
    from shapely.geometry import box, mapping

    area = mapping(
        to_lonlat(box(1.4, 1.4, 3.4, 4.4), utm)
    )  # holds the centres of columns 1, 2 and rows 1 to 3
    mask = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "geometry": area, "properties": {}}],
    }
    (tmp_path / "mask.geojson").write_text(json.dumps(mask))
    tool = made(mask_path=str(tmp_path / "mask.geojson"))
    with combined(tool, [path], tmp_path / "out") as dataset:
        found = dataset.read(1)
    assert found[1:4, 1:3].tolist() == [[7, 8], [12, 13], [17, 18]]
    assert np.count_nonzero(found) == 6


@pytest.mark.parametrize(
    ("valid", "nodata", "wanted"),
    [
        ((), None, [[1, 2, 0, 0, 5, 6, 0, 0]]),
        ((), 2, [[1, 2, 0, 0, 0, 0, 0, 0]]),
        ((2,), None, [[0, 0, 0, 0, 5, 6, 0, 0]]),
    ],
)
def test_a_raster_as_a_mask_in_pixels_of_its_own(tmp_path, valid, nodata, wanted):
    path = write(tmp_path / "a.tif", np.arange(1, 9, dtype="uint8")[None])
    coarse = Projection("EPSG:32613", 20, -20)  # columns of two pixels, the last outside
    mask = write(tmp_path / "m.tif", np.array([[1, 0, 2]], "uint8"), nodata=nodata, projection=coarse)
    tool = made(mask_path=str(mask), mask_valid_values=list(valid))
    with combined(tool, [path], tmp_path / "out") as dataset:
        assert dataset.read(1).tolist() == wanted


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"max_pixels_per_dimension": 0}, "max_pixels_per_dimension: 0 is below 1"),
        ({"max_pixels_per_dimension": 1.5}, "1.5 is no whole number"),
        ({"value_transform": {"type": "cubic"}}, "'cubic' is not linear"),
        ({"value_transform": {"factor": 2}}, "factor"),
        ({"value_transform": {"output_dtype": "int64"}}, "'int64' is none of uint8"),
        ({"value_transform": {"scale": "2"}}, "'2' is no number"),
        ({"value_transform": 3}, "value_transform: 3 is"),
        ({"mask_valid_values": 3}, "mask_valid_values: 3 is no list of numbers"),
        ({"mask_valid_values": ["forest"]}, "mask_valid_values: ['forest'] is no list"),
        ({"mask_path": "none.tif"}, "no such mask"),
        ({"mask_path": "none.txt"}, "a mask must be"),
        ({"nodata": 3}, "nodata_value"),
    ],
)
def test_arguments_that_cannot_be(args, words):
    with pytest.raises(BadInput, match=r"a\.b\.init_args") as caught:
        made(**args)
    assert words in str(caught.value)


@pytest.mark.parametrize("value", [256, -1, 0.5, float("nan")])
def test_nodata_that_the_values_cannot_hold(tmp_path, value):
    path = write(tmp_path / "a.tif", np.ones((1, 1), "uint8"))
    with pytest.raises(BadInput, match="nodata_value"):
        CombineGeotiff(nodata_value=value).process_partition([path], tmp_path)


def test_a_mask_has_areas(tmp_path):
    path = write(tmp_path / "a.tif", np.ones((1, 1), "uint8"))
    point = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]}, "properties": {}}
    (tmp_path / "m.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [point]}))
    with pytest.raises(BadInput, match="a mask has areas, not a Point"):
        made(mask_path=str(tmp_path / "m.geojson")).process_partition([path], tmp_path)


def test_noop_keeps_windows_and_combines_none(tmp_path):
    path = write(tmp_path / "a.tif", np.ones((1, 1), "uint8"))
    assert NoopRaster().process_window(None, path) == path
    assert NoopRaster().process_partition([path], tmp_path) == []
    assert NoopRaster().process_dataset([path], tmp_path) == []
