"""What a dataset.json may say: both spellings of a source, and one line for all that is not supported."""

import json
from datetime import timedelta

import pytest

from pipelines.errors import BadInput
from pipelines.esrun.dataset_config import LOCAL_FILES, BandSet, Query, Remap, read_config, seconds

SETS = [{"bands": ["B1", "B2"], "dtype": "uint8"}]


def written(folder, **layers):
    path = folder / "dataset.json"
    path.write_text(json.dumps({"layers": layers, "tile_store": {"name": "file"}}))
    return path


def one(folder, source=None, **more):
    given = {"type": "raster", "band_sets": SETS, **more}
    given["data_source"] = {"class_path": LOCAL_FILES, "init_args": {"src_dir": "im"}} | (source or {})
    return read_config(written(folder, im=given))["im"]


def test_the_older_spelling_of_a_source_means_the_same(tmp_path):
    older = {"name": LOCAL_FILES, "src_dir": "im", "time_offset": "-5d", "query_config": {"max_matches": 3}}
    found = read_config(written(tmp_path, im={"type": "raster", "band_sets": SETS, "data_source": older}))
    assert found["im"] == one(tmp_path, {"time_offset": "-5d", "query_config": {"max_matches": 3}})
    assert found["im"].source.folder == tmp_path / "im"


def test_defaults_are_rslearns(tmp_path):
    found = one(tmp_path)
    assert found.source.query == Query("MOSAIC", 1, 0, None, True)
    assert found.resampling == "bilinear"
    assert found.band_sets == (BandSet(("B1", "B2"), "uint8", 0, None, None),)


def test_band_sets_say_their_zoom_remap_and_nodata(tmp_path):
    sets = [{"num_bands": 2, "dtype": "float32", "zoom_offset": -1, "nodata_vals": [-1, -1],
             "remap": {"name": "linear", "src": [0, 100], "dst": [10, 60]}}]  # fmt: skip
    assert one(tmp_path, band_sets=sets).band_sets == (
        BandSet(("B0", "B1"), "float32", -1, Remap((0, 100), (10, 60)), -1),
    )


def test_layers_without_a_source_are_left_alone(tmp_path):
    labels = {"type": "vector", "vector_format": {"name": "geojson"}}
    output = {"type": "raster", "band_sets": [{"bands": ["x"], "dtype": "uint8", "format": {"name": "png"}}]}
    found = read_config(written(tmp_path, labels=labels, output=output))
    assert [(layer.type, layer.source) for layer in found.values()] == [("vector", None), ("raster", None)]


def test_a_folder_may_name_a_variable(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGES", str(tmp_path / "far"))
    source = {"class_path": LOCAL_FILES, "init_args": {"src_dir": "${IMAGES}/rgb"}}
    assert one(tmp_path, source).source.folder == tmp_path / "far" / "rgb"
    monkeypatch.delenv("IMAGES")
    with pytest.raises(BadInput, match="a variable that is not set"):
        one(tmp_path, source)


@pytest.mark.parametrize(
    ("text", "span"),
    [("30d", timedelta(30)), ("-12h", timedelta(hours=-12)), ("1d 6h", timedelta(1, hours=6)),
     ("P30D", timedelta(30)), ("PT90M", timedelta(minutes=90)), ("2w", timedelta(14)),
     ("1.5d", timedelta(1.5))],
)  # fmt: skip
def test_durations(text, span):
    assert seconds(text, "x") == span


def images(**args):
    return {"class_path": LOCAL_FILES, "init_args": {"src_dir": "images", **args}}


def band(**more):
    return {"band_sets": [{"bands": ["B1"], "dtype": "uint8", **more}]}


@pytest.mark.parametrize(
    ("source", "more", "said"),
    [
        ({}, {"band_sets": []}, "layers.im.band_sets: a raster layer needs at least one"),
        ({}, {"band_sets": [{"bands": ["B1"]}]}, "layers.im.band_sets.0.dtype: None is not supported"),
        ({}, {"band_sets": [{"bands": ["B1", "B1"], "dtype": "uint8"}]}, "names a band twice"),
        ({}, {"band_sets": [{"bands": ["B1"], "dtype": "uint8", "fmt": 1}]}, "'fmt' is not supported"),
        ({}, {"band_sets": [{"bands": ["B1"], "dtype": "uint8", "format": {"name": "png"}}]}, "as GeoTIFF"),
        ({}, {"band_sets": [{"bands": ["B1"], "dtype": "uint8", "remap": {"name": "log"}}]}, "remap"),
        ({}, {"band_sets": [{"bands": ["B1"], "dtype": "uint8", "nodata_vals": [1, 2]}]}, "several nodata"),
        ({}, {"resampling_method": "lanczos"}, "layers.im.resampling_method: 'lanczos' is not supported"),
        ({}, {"compositing_method": "MEAN"}, "layers.im.compositing_method: 'MEAN' is not supported"),
        ({}, {"type": "video"}, "layers.im.type: 'video' is not supported"),
        ({}, {"bandsets": []}, "did you mean 'band_sets'"),
        ({"class_path": "rslearn.data_sources.gcp_public_data.Sentinel2"}, {}, "Sentinel2' is not supported"),
        ({"init_args": {}}, {}, "src_dir: must be a folder, not None"),
        ({"query_config": {"space_mode": "NEAR"}}, {}, "space_mode: 'NEAR' is not supported"),
        ({"query_config": {"max_matches": 0}}, {}, "max_matches: must be a whole number, at least 1, not 0"),
        ({"query_config": {"mosaic_compositing_overlaps": 2}}, {}, "mosaic_compositing_overlaps: 2"),
        ({"time_offset": "soon"}, {}, "time_offset: 'soon' is no duration"),
        ({"time_offset": "99999999999w"}, {}, "time_offset: '99999999999w' is too long"),
        ({"duration": "-30d"}, {}, "duration: '-30d' must be longer than nothing"),
        (
            {"query_config": {"period_duration": "0d"}},
            {},
            "period_duration: '0d' must be longer than nothing",
        ),
        (images(item_specs=5), {}, "item_specs: must be a list, not 5"),
        (images(item_specs=[{"fnames": ["a.tif"], "bands": ["B1"]}]), {}, "bands: must be a list of bands"),
        ({}, band(nodata_value=[0]), "band_sets.0.nodata_value: [0] is no number"),
        ({}, band(nodata_vals=0), "band_sets.0.nodata_vals: must be a list, not 0"),
        ({}, band(nodata_value=-1), "band_sets.0.nodata_value: -1 is no uint8"),
        ({}, band(zoom_offset=30), "zoom_offset: must be a whole number, at most 12, not 30"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, source, more, said):
    with pytest.raises(BadInput) as caught:
        one(tmp_path, source, **more)
    assert said in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "dataset.json"))


@pytest.mark.parametrize("text", ["[]", "{}", '{"layers": {}}', '{"layers": []}'])
def test_a_file_without_layers_is_named(tmp_path, text):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(BadInput, match=r"dataset\.json: has no layers"):
        read_config(tmp_path / "dataset.json")
