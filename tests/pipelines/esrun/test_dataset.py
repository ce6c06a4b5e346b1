"""rslearn's dataset on disk."""

import json
from datetime import UTC, datetime

import pytest

from pipelines.errors import BadInput
from pipelines.esrun.dataset import Dataset, Window
from pipelines.esrun.projection import Projection

SPAN = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))
WINDOW = Window(
    "g", "w", Projection("EPSG:32613", 10, -10), (-3, -440000, 29, -439968), SPAN, {"split": "train"}
)


def test_windows_come_back_in_order(tmp_path):
    dataset = Dataset(tmp_path)
    others = [
        Window("a", "z", WINDOW.projection, (0, 0, 1, 2)),
        Window("g", "v", WINDOW.projection, (0, 0, 1, 2)),
    ]
    for window in (WINDOW, *others):
        assert dataset.add(window)
    assert list(dataset.windows()) == [*others, WINDOW]
    assert list(dataset.windows(["g"])) == [others[1], WINDOW]
    assert list(dataset.windows(["none"])) == []
    assert WINDOW.size == (32, 32) and others[0].size == (2, 1)


def test_the_same_window_is_added_once(tmp_path):
    dataset = Dataset(tmp_path)
    assert dataset.add(WINDOW) and not dataset.add(WINDOW)


def test_layers_lie_where_rslearn_looks(tmp_path):
    dataset = Dataset(tmp_path)
    place = tmp_path / "windows" / "g" / "w" / "layers"
    assert dataset.raster_fpath(WINDOW, "image", ["B1", "B2"]) == place / "image" / "B1_B2" / "geotiff.tif"
    assert dataset.raster_fpath(WINDOW, "image", ["B1"], 2) == place / "image.2" / "B1" / "geotiff.tif"
    assert dataset.vector_fpath(WINDOW, "labels") == place / "labels" / "data.geojson"
    assert not dataset.is_completed(WINDOW, "image")
    dataset.complete(WINDOW, "image")
    assert dataset.is_completed(WINDOW, "image") and (place / "image" / "completed").exists()


@pytest.mark.parametrize("spoil", [{"bounds": [1, 2]}, {"projection": 3}, {"time_range": ["x", "y"]}])
def test_spoilt_metadata_is_named(tmp_path, spoil):
    dataset = Dataset(tmp_path)
    dataset.add(WINDOW)
    path = tmp_path / "windows" / "g" / "w" / "metadata.json"
    path.write_text(json.dumps({**WINDOW.to_json(), **spoil}))
    with pytest.raises(BadInput):
        list(dataset.windows())
